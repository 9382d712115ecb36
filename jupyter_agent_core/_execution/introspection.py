# SPDX-License-Identifier: BSD-3-Clause
"""Questions to a kernel: what it is, how code goes on, what its variables are.

They run past the queue of runs and leave nothing behind: no output, no history, no count. While
the kernel runs code they go to a subshell (JEP 91) if it has them, made for one question, or are
refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import anyio
import msgspec

from .._errors import (
    Applied,
    ConnectionLostError,
    JupyterAgentError,
    KernelUnavailableError,
)
from .._http.rest import JupyterRest
from .._introspection import (
    Completions,
    Inspection,
    KernelFacts,
    Variable,
    VariableListing,
    VariableValue,
)
from .._kernel_errors import KernelBusyError, KernelTimeoutError, LanguageNotSupportedError
from .._values import RunStatus
from . import variables
from .channels import KernelChannels
from .contents import check_answer
from .requests import Request

SUBSHELLS = "kernel subshells"
_FATES: Mapping[RunStatus, str] = {
    "kernel_died": "it died and is being restarted: its variables are lost",
    "kernel_restarted": "it was restarted: its variables are lost",
    "kernel_gone": "it was shut down",
}
_KERNEL_INFO = "kernel_info_request"
# the control channel answers while code runs, or never (as kernels of one thread)
CONTROL_TIMEOUT = 2.0
# so long may take what others ask
GRACE = 0.3
# an idle kernel answers within milliseconds
PROBE_TIMEOUT = 1.0
# an interrupted kernel has so long to answer after all
INTERRUPT_TIMEOUT = 2.0

Question = Callable[["_Shell"], Awaitable[Mapping[str, Any]]]
P = ParamSpec("P")
T = TypeVar("T")


def _counted(
    question: Callable[Concatenate[Introspection, P], Awaitable[T]],
) -> Callable[Concatenate[Introspection, P], Awaitable[T]]:
    """Count a question while it is at work, also between its requests."""

    @wraps(question)
    async def ask(self: Introspection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        self.channels.requests.asking += 1
        try:
            return await question(self, *args, **kwargs)
        finally:
            self.channels.requests.asking -= 1

    return ask


class Introspection:
    """The questions to one kernel.

    Args:
        channels: The connection to it.
        rest: The server.
    """

    def __init__(self, channels: KernelChannels, rest: JupyterRest) -> None:
        self.channels = channels
        self._rest = rest
        self._info: Mapping[str, Any] | None = None
        self._probe: Request | None = None

    @_counted
    async def complete(self, code: str, cursor: int, timeout: float) -> Completions:
        """Ask how code can go on."""
        content = {"code": code, "cursor_pos": cursor}
        reply = await self._ask(timeout, lambda shell: shell.ask("complete_request", content))
        return Completions(tuple(reply["matches"]), reply["cursor_start"], reply["cursor_end"])

    @_counted
    async def inspect(self, code: str, cursor: int, detail: int, timeout: float) -> Inspection:
        """Ask for the documentation of a name."""
        content = {"code": code, "cursor_pos": cursor, "detail_level": detail}
        reply = await self._ask(timeout, lambda shell: shell.ask("inspect_request", content))
        return Inspection(reply["found"], reply.get("data") or {})

    @_counted
    async def facts(self, timeout: float) -> KernelFacts:
        """Ask what the kernel is."""
        info = await self._kernel_info(timeout, fresh=True)
        language = info.get("language_info", {})
        more: Mapping[str, Any] = {}
        if _language(info) in variables.LANGUAGES:
            with suppress(KernelBusyError):  # the rest is known all the same
                more = await self._ask_variables(timeout, "facts")
        return KernelFacts(
            language=_language(info),
            language_version=language.get("version", ""),
            implementation=info.get("implementation", ""),
            implementation_version=info.get("implementation_version", ""),
            protocol_version=info.get("protocol_version", ""),
            subshells=_has_subshells(info),
            executable=more.get("executable"),
            working_directory=more.get("working_directory"),
        )

    @_counted
    async def list_variables(self, limit: int, timeout: float) -> VariableListing:
        """List variables."""
        return variables.listing(await self._ask_variables(timeout, "list", limit=limit))

    @_counted
    async def get_variable(self, name: str, rows: int, timeout: float) -> VariableValue:
        """Look at a variable."""
        variables.check_name(name)
        await self._check_language(timeout)

        def ask(shell: _Shell) -> Awaitable[Mapping[str, Any]]:
            # what cannot be interrupted must not run code of the user's
            safe = shell.subshell is not None
            return shell.ask_variables(f"variable {name!r}", "get", name=name, rows=rows, safe=safe)

        return variables.value(name, await self._ask(timeout, ask))

    @_counted
    async def set_variable(self, name: str, value: object, timeout: float) -> Variable:
        """Set a variable, never beside code that runs."""
        variables.check_name(name)
        kind, text = variables.encoded(value)
        await self._check_language(timeout)
        if await self._is_occupied():
            await self._check_vacant()
        shell = _Shell(self.channels, self._rest, timeout, effect="unknown")
        content = await shell.ask_variables(
            f"variable {name!r}", "set", name=name, kind=kind, value=text
        )
        if "lacking" in content:
            raise KernelUnavailableError(
                self.channels.kernel_id,
                f"{content['lacking']} is not installed in its environment, and a DataFrame "
                "needs it there: install it, or send lists and dicts",
            )
        return variables.variable(content)

    async def _ask_variables(
        self, timeout: float, request: str, **arguments: Any
    ) -> Mapping[str, Any]:
        await self._check_language(timeout)
        return await self._ask(
            timeout, lambda shell: shell.ask_variables("its variables", request, **arguments)
        )

    async def _check_language(self, timeout: float) -> None:
        language = _language(await self._kernel_info(timeout))
        if language not in variables.LANGUAGES:
            raise LanguageNotSupportedError(self.channels.kernel_id, language, variables.LANGUAGES)

    # --- where to ask

    async def _kernel_info(self, timeout: float, *, fresh: bool = False) -> Mapping[str, Any]:
        """What the kernel says of itself; while it runs code it says so on the control channel."""
        if self._info is None or fresh:
            self._info = await self._fresh_kernel_info(timeout)
        return self._info

    async def _fresh_kernel_info(self, timeout: float) -> Mapping[str, Any]:
        if not await self._is_occupied():
            with suppress(KernelBusyError):  # somebody's code came first
                return await _Shell(self.channels, self._rest, timeout).ask(_KERNEL_INFO, {})
        timeout = min(timeout, CONTROL_TIMEOUT)
        try:
            return await self._control(timeout).ask(_KERNEL_INFO, {})
        except KernelTimeoutError as error:
            raise self._busy() from error

    def _control(self, timeout: float = CONTROL_TIMEOUT) -> _Shell:
        return _Shell(self.channels, self._rest, timeout, channel="control")

    async def _is_occupied(self) -> bool:
        """Whether the main shell runs code, ours or somebody else's."""
        occupied = self.channels.occupied
        if occupied is not None:
            return occupied
        # nothing has been heard since we connected
        state = (await self._rest.kernel(self.channels.kernel_id)).state
        # the server says idle, too, when a subshell has become so
        return state == "busy" or (state != "starting" and await self._is_deaf())

    async def _is_deaf(self) -> bool:
        """Whether the main shell leaves a question that costs nothing unanswered."""
        if self._probe is None or self._probe.done.is_set():
            self._probe = None
            with anyio.move_on_after(PROBE_TIMEOUT):
                self._probe = await self.channels.request(_KERNEL_INFO, {})
                await self._probe.done.wait()
                self.channels.requests.remove(self._probe)
        return self._probe is None or self._probe.reply is None

    def _busy(self, applied: Applied = "no") -> KernelBusyError:
        return _busy_error(self.channels, applied)

    async def _ask(self, timeout: float, question: Question) -> Mapping[str, Any]:
        """Ask in the main shell if it is free, else in a subshell."""
        if await self._is_occupied():
            if _has_subshells(await self._kernel_info(timeout)):
                return await self._ask_in_subshell(timeout, question)
            await self._check_vacant()
        try:
            return await question(_Shell(self.channels, self._rest, timeout))
        except KernelBusyError:  # somebody's code came first
            if _has_subshells(await self._kernel_info(timeout)):
                return await self._ask_in_subshell(timeout, question)
            await self._check_vacant()
        return await question(_Shell(self.channels, self._rest, timeout))

    async def _check_vacant(self) -> None:
        """Refuse to wait for the main shell, unless it is at no more than a question of others.

        Raises:
            KernelBusyError
        """
        if self.channels.current is None:
            with anyio.move_on_after(GRACE):
                await self.channels.requests.vacated.wait()
        if await self._is_occupied():
            raise self._busy()

    async def _ask_in_subshell(self, timeout: float, question: Question) -> Mapping[str, Any]:
        """Ask in a subshell that is made for it."""
        control = self._control()
        subshell: str = (await control.ask("create_subshell_request", {}))["subshell_id"]
        shell = _Shell(self.channels, self._rest, timeout, subshell=subshell)
        try:
            return await question(shell)
        finally:
            # the kernel waits for the end of a subshell's thread: one that hangs is left alone
            if shell.free:
                with anyio.CancelScope(shield=True), suppress(JupyterAgentError):
                    await control.ask("delete_subshell_request", {"subshell_id": subshell})


async def still_answers(channels: KernelChannels) -> bool:
    """Whether a kernel is still heard over an idle connection; it may be busy with others' code."""
    request: Request | None = None
    channel = "control" if channels.occupied else "shell"
    with anyio.move_on_after(PROBE_TIMEOUT), suppress(ConnectionLostError):
        request = await channels.request(_KERNEL_INFO, {}, channel=channel)
        await request.done.wait()
    if request is None:
        return False
    channels.requests.remove(request)
    return request.reply is not None


class _Shell:
    """Where a question is asked: the main shell, a subshell, or the control channel.

    Attributes:
        free: It is not at a question of ours any more.
    """

    def __init__(
        self,
        channels: KernelChannels,
        rest: JupyterRest,
        timeout: float,
        *,
        channel: str = "shell",
        subshell: str | None = None,
        effect: Applied = "no",
    ) -> None:
        self._channels = channels
        self._rest = rest
        self._timeout = timeout
        self._channel = channel
        self.subshell = subshell
        self._effect: Applied = effect
        self.free = True

    async def ask_variables(self, what: str, request: str, **arguments: Any) -> Mapping[str, Any]:
        """Ask something about variables.

        Raises:
            ConfigurationError, KernelUnavailableError, and what `ask` does.
        """
        content = variables.execute_request(request, **arguments)
        reply = await self._reply("execute_request", content, what)
        return variables.answer(self._channels.kernel_id, reply)

    async def ask(self, type_: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask something, and return the content of the reply.

        Raises:
            ConnectionLostError, KernelBusyError, KernelTimeoutError, KernelUnavailableError
        """
        reply = await self._reply(type_, content, type_)
        if reply.get("status", "ok") != "ok":
            said = reply.get("evalue") or reply.get("ename") or "no reason given"
            reason = f"it has failed to answer {type_} ({said})"
            raise KernelUnavailableError(self._channels.kernel_id, reason)
        try:
            check_answer(type_, reply)
        except msgspec.ValidationError as error:
            reason = f"its answer to {type_} is not what the protocol says ({error})"
            raise KernelUnavailableError(self._channels.kernel_id, reason) from error
        return reply

    async def _reply(self, type_: str, content: Mapping[str, Any], what: str) -> Mapping[str, Any]:
        request: Request | None = None
        self.free = False
        try:
            with anyio.move_on_after(self._timeout):
                request = await self._channels.request(
                    type_,
                    content,
                    channel=self._channel,
                    subshell=self.subshell,
                    may_wait=self._effect != "no",
                )
                await request.done.wait()
        finally:
            if request is not None:
                with anyio.CancelScope(shield=True):
                    await self._end(request)
        if request is None:
            raise KernelTimeoutError(self._channels.kernel_id, what, self._timeout)
        if request.reply is not None:
            self.free = True
            if request.late:
                raise KernelTimeoutError(
                    self._channels.kernel_id, what, self._timeout, self._effect
                )
            return request.reply
        raise self._failure(request, what)

    async def _end(self, request: Request) -> None:
        """Let go of a request; what it still does in the main shell is interrupted."""
        main = self._channel == "shell" and self.subshell is None
        if main and request.begun and not request.done.is_set():
            request.late = True
            with anyio.move_on_after(INTERRUPT_TIMEOUT), suppress(JupyterAgentError):
                await self._rest.interrupt_kernel(self._channels.kernel_id)
                await request.done.wait()
        self._channels.requests.remove(request)

    def _failure(self, request: Request, what: str) -> JupyterAgentError:
        kernel_id = self._channels.kernel_id
        if request.fate == "queued":
            return _busy_error(self._channels, self._effect)
        if request.fate is not None:
            fate = _FATES.get(request.fate, request.fate)
            return ConnectionLostError(f"kernel {kernel_id}", fate, self._effect)
        if not request.begun and self._channel == "shell" and self.subshell is None:
            return _busy_error(self._channels, self._effect)
        return KernelTimeoutError(kernel_id, what, self._timeout, self._effect)


def _busy_error(channels: KernelChannels, applied: Applied = "no") -> KernelBusyError:
    """Say what the kernel is busy with."""
    running = channels.running
    if running is None:
        return KernelBusyError(channels.kernel_id, applied=applied)
    return KernelBusyError(
        channels.kernel_id,
        run_id=running.run_id,
        cell_id=running.cell_id,
        first_line=running.first_line,
        waits_for_input=running.waits_for_input,
        applied=applied,
    )


def _has_subshells(info: Mapping[str, Any]) -> bool:
    """Whether the kernel may be asked in subshells.

    Those of other languages that are made with ipykernel offer them, too, but most drive one
    interpreter, and a question would be typed into the code that it runs (`bash_kernel`).
    """
    offered = SUBSHELLS in info.get("supported_features", ())
    return offered and _language(info) in variables.LANGUAGES


def _language(info: Mapping[str, Any]) -> str:
    return str(info.get("language_info", {}).get("name", "")).lower()
