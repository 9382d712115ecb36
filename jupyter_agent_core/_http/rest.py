# SPDX-License-Identifier: BSD-3-Clause
"""The REST API of a Jupyter server: contents, sessions, kernels, kernelspecs, rooms."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import anyio
import attrs
import httpx

from .._errors import (
    AuthenticationError,
    CollaborationUnavailableError,
    ConfigurationError,
    ConnectionLostError,
    KernelNotFoundError,
    KernelSpecNotFoundError,
    KernelUnavailableError,
    NotAJupyterServerError,
    NotANotebookError,
    NotebookNotFoundError,
    RequestError,
    ServerUnreachableError,
)
from .._values import FileInfo, KernelInfo, KernelSpec, ServerInfo, SessionInfo
from .auth import Token
from .websocket import WebSocketAddress

CONNECT_TIMEOUT = 4.0
PROBE_TIMEOUT = 4.5
REQUEST_TIMEOUT = 30.0
KERNEL_START_TIMEOUT = 90.0


@attrs.frozen
class RoomAddress:
    """Where a document's live room is.

    Attributes:
        socket: Its websocket.
        session_id: Id of the server's process, as far as rooms go.
    """

    socket: WebSocketAddress
    session_id: str


class JupyterRest:
    """One HTTP client for one server.

    Args:
        url: Base URL of the server, the part before `/lab` or `/tree`.
        token: Its API token.
        verify: Check TLS certificates: True, False, or a context of your own.
        headers: Further headers for every request and websocket.

    Raises:
        ConfigurationError: The URL cannot be a base URL.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        verify: bool | ssl.SSLContext = True,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.url: str = base_url(url)
        self.auth: Token = Token(token)
        self._headers = {**(headers or {}), **self.auth.headers()}
        # building a TLS context costs 40 ms: only where there is TLS
        tls = httpx.create_ssl_context(verify) if self.url.startswith("https:") else None
        self._tls = tls
        # a proxy has nothing to do with this machine, and is not to see its tokens
        self._use_proxy = not is_loopback(self.url)
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"Accept": "application/json", **self._headers},
            verify=tls or False,
            trust_env=self._use_proxy,
        )

    def __repr__(self) -> str:
        return f"<JupyterRest {self.url}>"

    async def close(self) -> None:
        """Close the client's connections."""
        await self._http.aclose()

    def check_open(self) -> None:
        """Refuse what comes after `close`.

        Raises:
            ConnectionLostError
        """
        if self._http.is_closed:
            raise ConnectionLostError(self.url, "it was closed here", applied="no")

    def websocket(self, path: str, **params: str) -> WebSocketAddress:
        """Return the address of a websocket of this server."""
        url = httpx.URL("ws" + self.url.removeprefix("http") + path, params=params)
        return WebSocketAddress(str(url), self._headers, self._tls, self._use_proxy)

    # --- the server

    async def probe(self) -> ServerInfo:
        """Ask the server what it is and what it offers.

        Raises:
            ServerUnreachableError, AuthenticationError, NotAJupyterServerError
        """
        try:
            with anyio.fail_after(PROBE_TIMEOUT):
                return await self._probe()
        except TimeoutError as error:
            reason = f"no answer within {PROBE_TIMEOUT:g} s"
            raise ServerUnreachableError(self.url, reason) from error

    async def _probe(self) -> ServerInfo:
        status = await self._send("GET", "api/status")
        if status.status_code != 200 or "kernels" not in _json_object(status):
            reason = f"GET api/status answers HTTP {status.status_code}"
            raise NotAJupyterServerError(self.url, reason)
        version = await self._send("GET", "api")
        # the first takes PUT only, the second GET only: 405 says that they are there
        collaboration = await self._send("GET", "api/collaboration/session/probe")
        lab = await self._send("HEAD", "lab")
        return ServerInfo(
            url=self.url,
            version=str(_json_object(version).get("version", "")),
            collaboration=collaboration.status_code == 405,
            lab=lab.status_code == 405,
        )

    # --- contents

    async def contents(self, path: str, *, content: bool, **params: str) -> dict[str, Any] | None:
        """Return the contents model of a file or directory, None if there is none."""
        query = {"content": str(int(content)), **params}
        response = await self._send("GET", f"api/contents/{_quoted(path)}", params=query)
        if response.status_code == 404:
            return None
        return self._json(response)

    async def list_directory(self, path: str = "") -> list[FileInfo] | None:
        """Return what a directory holds, by path, or None if there is no such directory."""
        model = await self.contents(path, content=True, type="directory")
        if model is None:
            return None
        return sorted((_file_info(entry) for entry in model["content"]), key=lambda f: f.path)

    async def write_notebook(self, path: str, content: Mapping[str, Any]) -> None:
        """Write a notebook file. Never where a room is open: the room holds the truth then."""
        body = {"type": "notebook", "format": "json", "content": content}
        response = await self._send("PUT", f"api/contents/{_quoted(path)}", json=body)
        self._json(response, accept=(200, 201))

    async def notebook_exists(self, path: str) -> bool:
        """Say whether there is a notebook at the path.

        Raises:
            NotANotebookError: Something else is there.
        """
        try:
            return await self.contents(path, content=False, type="notebook") is not None
        except RequestError as error:
            raise NotANotebookError(path, error.reason) from error

    # --- rooms

    async def room(self, path: str) -> RoomAddress:
        """Return the address of the live room of a notebook that exists.

        A room asked for at a missing path silences every other room of the server
        (jupyter-server-ydoc 3.0), so the file is looked up first.

        Raises:
            NotebookNotFoundError, NotANotebookError, CollaborationUnavailableError
        """
        if not await self.notebook_exists(path):
            raise NotebookNotFoundError(path)
        response = await self._send(
            "PUT",
            f"api/collaboration/session/{_quoted(path)}",
            json={"format": "json", "type": "notebook"},
        )
        if response.status_code == 404:
            raise CollaborationUnavailableError(self.url)
        model = self._json(response, accept=(200, 201))
        room_id = f"{model['format']}:{model['type']}:{model['fileId']}"
        session_id = str(model["sessionId"])
        socket = self.websocket(f"api/collaboration/room/{room_id}", sessionId=session_id)
        return RoomAddress(socket, session_id)

    # --- kernels and sessions

    async def kernelspecs(self) -> list[KernelSpec]:
        """Return the kernels that the server can start, the default one first."""
        model = self._json(await self._send("GET", "api/kernelspecs"))
        default = model.get("default")
        specs = [
            KernelSpec(name, entry["spec"]["display_name"], entry["spec"]["language"])
            for name, entry in model["kernelspecs"].items()
        ]
        specs = [attrs.evolve(spec, default=spec.name == default) for spec in specs]
        return sorted(specs, key=lambda spec: (not spec.default, spec.name))

    async def kernelspec(self, name: str | None) -> KernelSpec:
        """Return the kernelspec of that name, or the server's default one.

        Raises:
            KernelSpecNotFoundError
        """
        specs = await self.kernelspecs()
        for spec in specs:
            if spec.name == name or (name is None and spec.default):
                return spec
        raise KernelSpecNotFoundError(name or "(default)", [spec.name for spec in specs])

    async def kernels(self) -> list[KernelInfo]:
        """Return the running kernels, each with the notebook that it serves."""
        paths = {session.kernel.id: session.path for session in await self.sessions()}
        models = self._json_list(await self._send("GET", "api/kernels"))
        return [_kernel_info(model, paths.get(model["id"])) for model in models]

    async def kernel(self, kernel_id: str) -> KernelInfo:
        """Return one running kernel.

        Raises:
            KernelNotFoundError
        """
        response = await self._send("GET", f"api/kernels/{_quoted(kernel_id)}")
        if response.status_code == 404:
            raise KernelNotFoundError(kernel_id, [kernel.id for kernel in await self.kernels()])
        return _kernel_info(self._json(response))

    async def sessions(self) -> list[SessionInfo]:
        """Return the server's sessions."""
        models = self._json_list(await self._send("GET", "api/sessions"))
        return [_session_info(model) for model in models]

    async def session(self, path: str) -> SessionInfo | None:
        """Return the session of a notebook, if it has one."""
        return next((s for s in await self.sessions() if s.path == path), None)

    async def start_session(
        self, path: str, *, kernel_name: str | None = None, kernel_id: str | None = None
    ) -> SessionInfo:
        """Start a session, with a new kernel or a running one; an existing one is returned.

        Raises:
            KernelUnavailableError: The kernel did not start.
        """
        kernel = {"id": kernel_id} if kernel_id else {"name": kernel_name}
        body = {"path": path, "name": path.rpartition("/")[2], "type": "notebook", "kernel": kernel}
        response = await self._send("POST", "api/sessions", json=body, timeout=KERNEL_START_TIMEOUT)
        return self._started(response, kernel_id or kernel_name)

    async def change_session_kernel(
        self, session_id: str, *, kernel_name: str | None = None, kernel_id: str | None = None
    ) -> SessionInfo:
        """Give a session another kernel; the server ends the old one."""
        kernel = {"id": kernel_id} if kernel_id else {"name": kernel_name}
        path = f"api/sessions/{_quoted(session_id)}"
        response = await self._send(
            "PATCH", path, json={"kernel": kernel}, timeout=KERNEL_START_TIMEOUT
        )
        return self._started(response, kernel_id or kernel_name)

    def _started(self, response: httpx.Response, kernel: str | None) -> SessionInfo:
        if response.status_code in (500, 501):
            raise KernelUnavailableError(kernel or "(default)", _reason(response))
        return _session_info(self._json(response, accept=(200, 201)))

    async def end_session(self, session_id: str) -> None:
        """End a session and its kernel. One that is gone already is no error."""
        response = await self._send("DELETE", f"api/sessions/{_quoted(session_id)}")
        self._check(response, accept=(204, 404, 410))

    async def start_kernel(self, kernel_name: str | None, directory: str = "") -> KernelInfo:
        """Start a kernel that belongs to no notebook, with a directory of the server as its own.

        Raises:
            KernelUnavailableError: The kernel did not start.
        """
        body = {"name": kernel_name, "path": directory}
        response = await self._send("POST", "api/kernels", json=body, timeout=KERNEL_START_TIMEOUT)
        if response.status_code == 500:
            raise KernelUnavailableError(kernel_name or "(default)", _reason(response))
        return _kernel_info(self._json(response, accept=(201,)))

    async def interrupt_kernel(self, kernel_id: str) -> None:
        """Interrupt what the kernel runs."""
        await self._kernel_action(kernel_id, "POST", "/interrupt")

    async def restart_kernel(self, kernel_id: str) -> None:
        """Restart the kernel; its memory is lost."""
        await self._kernel_action(kernel_id, "POST", "/restart")

    async def shut_down_kernel(self, kernel_id: str) -> None:
        """End the kernel."""
        await self._kernel_action(kernel_id, "DELETE", "")

    async def _kernel_action(self, kernel_id: str, method: str, action: str) -> None:
        response = await self._send(
            method, f"api/kernels/{_quoted(kernel_id)}{action}", timeout=KERNEL_START_TIMEOUT
        )
        if response.status_code == 404:
            raise KernelNotFoundError(kernel_id)
        if response.status_code == 500:
            raise KernelUnavailableError(kernel_id, _reason(response))
        self._check(response, accept=(200, 204))

    # --- requests and what may go wrong with them

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        timeout: float = REQUEST_TIMEOUT,
    ) -> httpx.Response:
        limits = httpx.Timeout(timeout, connect=CONNECT_TIMEOUT)
        self.check_open()
        try:
            response = await self._http.request(
                method, path, params=params, json=json, timeout=limits
            )
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            unreachable = ServerUnreachableError(self.url, reason)
            if method != "GET" and not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                unreachable.applied = "unknown"
            raise unreachable from error
        if response.status_code in (401, 403):
            with_token = bool(self.auth.value)
            raise AuthenticationError(self.url, response.status_code, with_token=with_token)
        return response

    def _check(self, response: httpx.Response, accept: Collection[int] = (200,)) -> None:
        if response.status_code not in accept:
            request = response.request
            raise RequestError(
                request.method, request.url.path, response.status_code, _reason(response)
            )

    def _json(self, response: httpx.Response, accept: Collection[int] = (200,)) -> dict[str, Any]:
        self._check(response, accept)
        model = _json_object(response)
        if not model:
            raise NotAJupyterServerError(self.url, f"{response.request.url.path} is not JSON")
        return model

    def _json_list(self, response: httpx.Response) -> list[dict[str, Any]]:
        self._check(response)
        try:
            models = response.json()
        except ValueError:
            models = None
        if not isinstance(models, list):
            raise NotAJupyterServerError(self.url, f"{response.request.url.path} is no JSON list")
        return models


def base_url(url: str) -> str:
    """Return a server's base URL with one slash at its end.

    Raises:
        ConfigurationError: It has no http(s) scheme or no host, or carries a query, a
            fragment or credentials; those are not repeated in the error.
    """
    try:
        parts, host = urlsplit(url), httpx.URL(url).host
        parts.port  # noqa: B018 (which may be no port)
    except (ValueError, httpx.InvalidURL):
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        shown = url.partition("?")[0].partition("#")[0].rpartition("@")[2]
        raise ConfigurationError(
            f"{shown!r} is not a server's URL: it looks like http://localhost:8888", name="url"
        )
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(
            "The URL carries more than an address: pass the part before the '?' as url, "
            "and the token as token=…",
            name="url",
        )
    return url.rstrip("/") + "/"


def is_loopback(url: str) -> bool:
    """Say whether a URL means this machine."""
    host = httpx.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _quoted(path: str) -> str:
    return quote(checked_path(path))


def checked_path(path: str) -> str:
    """Return a path below the server's root in its one spelling, without slashes around it.

    Raises:
        ConfigurationError: It has a part that is empty, `.` or `..`, so that it could leave the
            root, or be a second name of a file that is open.
    """
    path = path.strip("/")
    if path and any(part in ("", ".", "..") for part in path.split("/")):
        raise ConfigurationError(
            f"{path!r} is no path below the server's root: write it without '.', '..' and '//'",
            name="path",
            value=path,
        )
    return path


def _json_object(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer, empty where the answer is something else."""
    try:
        model = response.json()
    except ValueError:
        return {}
    return model if isinstance(model, dict) else {}


def _reason(response: httpx.Response) -> str:
    model = _json_object(response)
    return str(model.get("message") or model.get("reason") or response.reason_phrase)


def _file_info(model: Mapping[str, Any]) -> FileInfo:
    return FileInfo(model["path"], model["type"], model.get("size"), model.get("last_modified"))


def _kernel_info(model: Mapping[str, Any], path: str | None = None) -> KernelInfo:
    return KernelInfo(
        id=model["id"],
        name=model["name"],
        state=model.get("execution_state", "unknown"),
        connections=int(model.get("connections", 0)),
        last_activity=model.get("last_activity"),
        path=path,
    )


def _session_info(model: Mapping[str, Any]) -> SessionInfo:
    kernel = _kernel_info(model["kernel"], model["path"])
    return SessionInfo(model["id"], model["path"], kernel)
