# SPDX-License-Identifier: BSD-3-Clause
"""Code that a server runs for its clients: the REST API of `jupyter-server-nbmodel`."""

from __future__ import annotations

import json
from typing import Any

import attrs

from .._errors import ConfigurationError, RequestError
from .._values import InputRequest
from .addresses import quoted
from .rest import JupyterRest, room_id

_ANSWERED = (200, 202, 300, 500)


@attrs.frozen
class RunRequest:
    """What the server tells of a run.

    Attributes:
        pending: It has not ended; otherwise this is told once.
        status: The status of the kernel's reply, at the end.
        refusal: Why it was not run, if it was not.
        asked: What the code asks its user.
        outputs: The outputs until now, in nbformat, message by message.
        execution_count: The `n` of `In [n]`, at the end.
    """

    pending: bool
    status: str | None
    refusal: str | None
    asked: InputRequest | None
    outputs: tuple[dict[str, Any], ...]
    execution_count: int | None


class ServerRuns:
    """The runs of a server.

    Args:
        rest: The server.
    """

    def __init__(self, rest: JupyterRest) -> None:
        self._rest = rest

    async def check_offered(self, kernel_id: str) -> None:
        """Refuse to give runs to a server that takes none.

        Raises:
            ConfigurationError, ConnectError
        """
        response = await self._rest._send("GET", f"api/kernels/{quoted(kernel_id)}/execute")
        if response.status_code != 200:
            raise ConfigurationError(
                f"{self._rest.url} runs no cells by itself, so no run of it would outlive this "
                "process: install jupyter-server-nbmodel beside jupyter-collaboration there, or "
                "leave out detached",
                name="detached",
                value=True,
            )

    async def start(self, kernel_id: str, code: str, file_id: str, path: str, cell_id: str) -> str:
        """Have the server run a cell of a live document; return the id of the request.

        Raises:
            ConnectError
        """
        cell = {"document_id": room_id(file_id), "document_path": path, "cell_id": cell_id}
        response = await self._rest._send(
            "POST",
            f"api/kernels/{quoted(kernel_id)}/execute",
            json={"code": code, "metadata": cell},
        )
        return str(self._rest._json(response, accept=(202,))["request_id"])

    async def request(self, kernel_id: str, request_id: str) -> RunRequest | None:
        """Return what is known of a run; None if the server knows nothing of it (any more).

        Raises:
            ConnectError
        """
        path = f"api/kernels/{quoted(kernel_id)}/requests/{quoted(request_id)}"
        response = await self._rest._send("GET", path)
        if response.status_code == 404:
            return None
        try:
            return _run_request(self._rest._json(response, accept=_ANSWERED))
        except (LookupError, TypeError, ValueError) as error:
            reason = f"an answer of jupyter-server-nbmodel that is not understood ({error!r})"
            raise RequestError("GET", path, response.status_code, reason) from error

    async def answer(self, kernel_id: str, answer: str) -> None:
        """Answer what code asks its user.

        Raises:
            ConnectError
        """
        path = f"api/kernels/{quoted(kernel_id)}/input"
        response = await self._rest._send("POST", path, json={"input": answer})
        self._rest._check(response, accept=(201,))


def _run_request(model: dict[str, Any]) -> RunRequest:
    asked = model.get("input_request")
    pending = bool(model.get("pending"))
    return RunRequest(
        pending=pending,
        status=model.get("status"),
        refusal=model.get("error"),
        asked=InputRequest(asked["prompt"], bool(asked["password"])) if asked else None,
        outputs=tuple(json.loads(model.get("outputs", "[]"))),
        execution_count=model.get("execution_count"),
    )
