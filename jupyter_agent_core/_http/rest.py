# SPDX-License-Identifier: BSD-3-Clause
"""The REST API of a Jupyter server: contents, sessions, kernels, kernelspecs, rooms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import anyio
import attrs
import httpx

from .._connect_errors import (
    HostRefusedError,
    NotAJupyterServerError,
    ServerStoppedError,
    ServerUnreachableError,
)
from .._errors import (
    CollaborationUnavailableError,
    KernelNotFoundError,
    KernelSpecNotFoundError,
    KernelUnavailableError,
    NotANotebookError,
    NotebookNotFoundError,
    RequestError,
)
from .._values import (
    Capability,
    FileInfo,
    KernelInfo,
    KernelSpec,
    Mode,
    ServerInfo,
    SessionInfo,
)
from .addresses import quoted
from .auth import refused
from .failures import is_of_hub, stranger
from .lacks import NO_DOCUMENTS, NO_KERNEL_LIST, NO_SESSIONS, Lack, lacking, needed, offers
from .transport import PROBE_TIMEOUT, REQUEST_TIMEOUT, Transport, json_object, parsed
from .websocket import WebSocketAddress

KERNEL_START_TIMEOUT = 90.0


@attrs.frozen
class RoomAddress:
    """Where a document's live room is.

    Attributes:
        socket: Its websocket.
        session_id: Id of the server's process, as far as rooms go; empty if it does not tell.
        file_id: Id of the file, which it keeps when it is renamed.
    """

    socket: WebSocketAddress
    session_id: str
    file_id: str


class JupyterRest(Transport):
    """The REST API of one Jupyter server."""

    #: what to do if JupyterHub has stopped it, where that is known
    how_to_start: str | None = None
    #: what it cannot do, as far as is known
    lacks: Mapping[Capability, Lack] = MappingProxyType({})
    #: with which it refuses credentials; a gateway's 403 is about what was asked for
    _refusals: Collection[int] = (401, 403)

    # --- the server

    async def probe(self) -> ServerInfo:
        """Ask the server what it is and what it offers.

        Raises:
            ServerUnreachableError, TLSError, ProxyError
            AuthenticationError, NotAJupyterServerError, ServerMovedError
        """
        await self.auth.headers()  # which may take its own time
        try:
            with anyio.fail_after(PROBE_TIMEOUT):
                return await self._probe()
        except TimeoutError as error:
            reason = f"no answer within {PROBE_TIMEOUT:g} s"
            raise ServerUnreachableError(self.url, reason) from error

    async def _probe(self) -> ServerInfo:
        status = await self._send("GET", "api/status")
        is_gateway = status.status_code == 404 and await self._is_gateway()
        if not is_gateway and (status.status_code != 200 or "kernels" not in json_object(status)):
            raise stranger(self.url, "api/status", status)
        version = await self._send("GET", "api")
        mode: Mode = "kernels"
        if not is_gateway and await self._has("api/contents"):
            mode = await self.probe_mode()
        else:
            self.lacks = await self._lacks_of_kernel_server(is_gateway=is_gateway)
        lab = await self._send("HEAD", "lab")
        return ServerInfo(
            url=self.url,
            version=str(json_object(version).get("version", "")),
            mode=mode,
            # takes GET only: 405 says that it is there
            lab=lab.status_code == 405,
            offers=offers(self.lacks),
        )

    async def _is_gateway(self) -> bool:
        """Whether what has no status starts kernels all the same."""
        specs = await self.request("GET", "api/kernelspecs")
        if specs.status_code in (401, 403) and "reason" in json_object(specs):
            raise refused(self.url, self.auth, specs.status_code, "")
        if specs.status_code != 200 or "kernelspecs" not in json_object(specs):
            return False
        self._refusals = (401,)
        return True

    async def _has(self, path: str) -> bool:
        """Whether there is something, without having it looked at: no server takes HEAD there."""
        return (await self._send("HEAD", path)).status_code != 404

    async def _lacks_of_kernel_server(self, *, is_gateway: bool) -> Mapping[Capability, Lack]:
        """What a server without documents lacks.

        The sessions of a gateway take no running kernel and tell no path (kernel_gateway 3.0).
        """
        lacks = NO_DOCUMENTS
        if is_gateway or not await self._has("api/sessions"):
            lacks = lacks | NO_SESSIONS
        if is_gateway and (await self.request("GET", "api/kernels")).status_code == 403:
            lacks = lacks | NO_KERNEL_LIST
        return lacks

    def require(self, capability: Capability) -> None:
        """Refuse what a server of this kind cannot do.

        Raises:
            CapabilityUnavailableError
        """
        if capability in self.lacks:
            raise lacking(self.url, capability, self.lacks[capability])

    async def probe_mode(self) -> Mode:
        """Find out how the server keeps notebooks in step."""
        # each takes another method only: 405 says that it is there
        paths: dict[Mode, str] = {
            "collaboration": "api/collaboration/session/probe",
            "server-documents": "api/fileid/index",
        }
        for mode, path in paths.items():
            if (await self._send("GET", path)).status_code == 405:
                return mode
        return "contents"

    async def touch(self) -> None:
        """Ask for something that the server takes for use, as it does not take `api/status`."""
        is_listed = "kernel list" not in self.lacks
        await self._send("GET", "api/kernels" if is_listed else "api/kernelspecs")

    # --- contents

    async def contents(self, path: str, *, content: bool, **params: str) -> dict[str, Any] | None:
        """Return the contents model of a file or directory, None if there is none."""
        query = {"content": str(int(content)), **params}
        response = await self._send("GET", f"api/contents/{quoted(path)}", params=query)
        if response.status_code == 404:
            return None
        return self._json(response)

    async def list_directory(self, path: str) -> list[FileInfo] | None:
        """Return what a directory holds, by path, or None if there is no such directory."""
        model = await self.contents(path, content=True, type="directory")
        if model is None:
            return None
        return sorted((_file_info(entry) for entry in model["content"]), key=lambda f: f.path)

    async def write_notebook(self, path: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write a notebook file. Never where a room is open: the room holds the truth then.

        Returns:
            The contents model of the file, without its content.
        """
        body = {"type": "notebook", "format": "json", "content": content}
        response = await self._send("PUT", f"api/contents/{quoted(path)}", json=body)
        return self._json(response, accept=(200, 201))

    async def have_notebook_read(self, path: str) -> None:
        """Have the server read a notebook file, which puts one back that it was killed writing.

        Raises:
            ConnectError, RequestError: It may not have done so. What it says of a file that is
                gone or no notebook is left to who opens it.
        """
        query = {"content": "1", "type": "notebook"}
        response = await self._send("GET", f"api/contents/{quoted(path)}", params=query)
        if response.status_code >= 500:
            self._check(response)

    async def delete_file(self, path: str) -> None:
        """Delete a file. One that is gone already is no error."""
        response = await self._send("DELETE", f"api/contents/{quoted(path)}")
        self._check(response, accept=(204, 404))

    async def notebook_exists(self, path: str) -> bool:
        """Say whether there is a notebook at the path.

        Raises:
            NotANotebookError: Something else is there.
        """
        try:
            return await self.contents(path, content=False, type="notebook") is not None
        except RequestError as error:
            if error.status != 400:
                raise
            raise NotANotebookError(path, error.reason) from error

    # --- rooms

    async def room(self, path: str, mode: Mode) -> RoomAddress:
        """Return the address of the live room of a notebook that exists.

        A room asked for at a missing path silences every other room of the server
        (jupyter-server-ydoc 3.0), so the file is looked up first.

        Raises:
            NotebookNotFoundError, NotANotebookError, CollaborationUnavailableError
        """
        if not await self.notebook_exists(path):
            raise NotebookNotFoundError(path)
        if mode == "server-documents":
            response = await self._send("POST", "api/fileid/index", params={"path": path})
            file_id = str(self._json(response)["id"])
            socket = self.websocket(f"api/collaboration/room/{room_id(file_id)}")
            return RoomAddress(socket, "", file_id)
        response = await self._send(
            "PUT",
            f"api/collaboration/session/{quoted(path)}",
            json={"format": "json", "type": "notebook"},
        )
        if response.status_code == 404:
            raise CollaborationUnavailableError(self.url)
        model = self._json(response, accept=(200, 201))
        file_id, session_id = str(model["fileId"]), str(model["sessionId"])
        room = f"api/collaboration/room/{room_id(file_id)}"
        return RoomAddress(self.websocket(room, sessionId=session_id), session_id, file_id)

    async def path_of(self, file_id: str) -> str | None:
        """Return where a file is now that may have been renamed, None if that is not known."""
        response = await self._send("GET", "api/fileid/path", params={"id": file_id})
        if response.status_code == 404:
            return None
        return str(self._json(response)["path"])

    async def run_cell(self, kernel_id: str, file_id: str, cell_id: str, source_hash: str) -> bool:
        """Have the server run a cell of a live document (`jupyter-server-documents`).

        Returns:
            False if the cell has another source there.

        Raises:
            RequestError: With status 400 if the document has no kernel.
        """
        cells = [{"cell_id": cell_id, "source_hash": source_hash}]
        body = {"document_id": room_id(file_id), "cells": cells}
        path = f"api/kernels/{quoted(kernel_id)}/execute"
        response = await self._send("POST", path, json=body)
        if response.status_code == 409:
            return False
        self._check(response)
        return True

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

    async def running_kernels(self) -> list[KernelInfo]:
        """Return the running kernels.

        Raises:
            CapabilityUnavailableError: The server does not tell.
        """
        self.require("kernel list")
        models = self._json_list(await self._send("GET", "api/kernels"))
        return [self._kernel_info(model) for model in models]

    async def kernels(self) -> list[KernelInfo]:
        """Return the running kernels, each with the notebook that it serves."""
        paths = {session.kernel.id: session.path for session in await self.sessions()}
        return [attrs.evolve(k, path=paths.get(k.id)) for k in await self.running_kernels()]

    async def kernel(self, kernel_id: str) -> KernelInfo:
        """Return one running kernel.

        Raises:
            KernelNotFoundError
        """
        response = await self._send("GET", f"api/kernels/{quoted(kernel_id)}")
        if response.status_code == 404:
            is_told = "kernel list" not in self.lacks
            running = [k.id for k in await self.running_kernels()] if is_told else None
            raise KernelNotFoundError(kernel_id, running)
        return self._kernel_info(self._json(response))

    @cached_property
    def _cut_off(self) -> Counter[str]:
        """How many connections to each kernel were cut while they were made.

        The server subtracts them from those that it counts, which are none before the kernel
        has answered: so what is less than none tells how many.
        """
        return Counter()

    def _kernel_info(self, model: Mapping[str, Any], path: str | None = None) -> KernelInfo:
        kernel_id, counted = model["id"], int(model.get("connections", 0))
        self._cut_off[kernel_id] = max(self._cut_off[kernel_id], -counted)
        return KernelInfo(
            id=kernel_id,
            name=model["name"],
            state=model.get("execution_state", "unknown"),
            connections=counted + self._cut_off[kernel_id],
            last_activity=model.get("last_activity"),
            path=path,
        )

    def _session_info(self, model: Mapping[str, Any]) -> SessionInfo:
        kernel = self._kernel_info(model["kernel"], model["path"])
        return SessionInfo(model["id"], model["path"], kernel)

    async def sessions(self) -> list[SessionInfo]:
        """Return the server's sessions."""
        models = self._json_list(await self._send("GET", "api/sessions"))
        return [self._session_info(model) for model in models]

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
        path = f"api/sessions/{quoted(session_id)}"
        response = await self._send(
            "PATCH", path, json={"kernel": kernel}, timeout=KERNEL_START_TIMEOUT
        )
        return self._started(response, kernel_id or kernel_name)

    def _started(self, response: httpx.Response, kernel: str | None) -> SessionInfo:
        if response.status_code in (500, 501):
            raise KernelUnavailableError(kernel or "(default)", _reason(response))
        return self._session_info(self._json(response, accept=(200, 201)))

    async def end_session(self, session_id: str) -> None:
        """End a session and its kernel. One that is gone already is no error."""
        response = await self._send("DELETE", f"api/sessions/{quoted(session_id)}")
        self._check(response, accept=(204, 404, 410))

    async def start_kernel(self, kernel_name: str | None, directory: str) -> KernelInfo:
        """Start a kernel that belongs to no notebook, with a directory of the server as its own.

        Raises:
            KernelUnavailableError: The kernel did not start.
        """
        body = {"name": kernel_name, "path": directory}
        response = await self._send("POST", "api/kernels", json=body, timeout=KERNEL_START_TIMEOUT)
        if response.status_code in (403, 500):  # 403: there may be no more of them
            raise KernelUnavailableError(kernel_name or "(default)", _reason(response))
        return self._kernel_info(self._json(response, accept=(201,)))

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
            method, f"api/kernels/{quoted(kernel_id)}{action}", timeout=KERNEL_START_TIMEOUT
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
        capability = needed(path)
        if capability is not None:
            self.require(capability)
        response = await self.request(method, path, params, json, timeout)
        is_refused = response.status_code in self._refusals
        # JupyterHub answers for a server that does not run, and refuses everything but GET
        asked = await self.request("GET", "api/status") if is_refused else response
        if is_of_hub(asked):
            raise ServerStoppedError(self.url, self.how_to_start)
        if not is_refused:
            return response
        if asked.status_code == 403 and (await self.request("GET", "api")).status_code == 403:
            raise HostRefusedError(self.url, httpx.URL(self.url).host)  # that wants no token
        challenge = response.headers.get("www-authenticate", "")
        raise refused(self.url, self.auth, response.status_code, challenge)

    def _check(self, response: httpx.Response, accept: Collection[int] = (200,)) -> None:
        if response.status_code not in accept:
            request = response.request
            raise RequestError(
                request.method, request.url.path, response.status_code, _reason(response)
            )

    def _json(self, response: httpx.Response, accept: Collection[int] = (200,)) -> dict[str, Any]:
        self._check(response, accept)
        model = json_object(response)
        if not model:
            raise NotAJupyterServerError(self.url, f"{response.request.url.path} is not JSON")
        return model

    def _json_list(self, response: httpx.Response) -> list[dict[str, Any]]:
        self._check(response)
        try:
            models = parsed(response)
        except ValueError:
            models = None
        if not isinstance(models, list):
            raise NotAJupyterServerError(self.url, f"{response.request.url.path} is no JSON list")
        return models


def room_id(file_id: str) -> str:
    """The server's name for the room of a notebook."""
    return f"json:notebook:{file_id}"


def _reason(response: httpx.Response) -> str:
    if response.status_code == 413:
        return (
            f"its {len(response.request.content):,} bytes are more than a proxy before the server "
            "lets through; raise that limit (nginx: client_max_body_size), or clear outputs"
        )
    model = json_object(response)
    return str(model.get("message") or model.get("reason") or response.reason_phrase)


def _file_info(model: Mapping[str, Any]) -> FileInfo:
    return FileInfo(model["path"], model["type"], model.get("size"), model.get("last_modified"))
