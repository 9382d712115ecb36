# SPDX-License-Identifier: BSD-3-Clause
"""What this library raises when a kernel is asked about itself and its variables.

JupyterAgentError
├── KernelBusyError                 the kernel cannot be asked while it runs code
├── KernelTimeoutError              the kernel did not answer a question in time
├── VariableNotFoundError
└── LanguageNotSupportedError       no way is known to look at variables of that language

Annotations are not postponed here: they are to be resolved from the public module, too.
"""

from collections.abc import Sequence

from ._errors import Applied, JupyterAgentError


class KernelBusyError(JupyterAgentError):
    """The kernel runs code, and what was asked of it has to wait for the end of that.

    Attributes:
        run_id: The run, if it is one of ours.
        cell_id: The cell that it runs, if that is known.
        first_line: The first line of the code, if that is known.
        waits_for_input: It waits for its user's answer to what it has asked.
    """

    retryable = True

    def __init__(
        self,
        kernel_id: str,
        *,
        run_id: str | None = None,
        cell_id: str | None = None,
        first_line: str | None = None,
        waits_for_input: bool = False,
        applied: Applied = "no",
    ) -> None:
        where = f" of cell {cell_id}" if cell_id else ""
        whose = "another client's code" if run_id is None else f"the code{where}"
        what = whose if first_line is None else f"{whose} {first_line!r}"
        late = "" if applied == "no" else "; what was asked for may still happen after that"
        what += ", which waits for its user's input" * waits_for_input
        super().__init__(
            f"Kernel {kernel_id} is busy with {what}: wait for its end or interrupt it{late}"
        )
        self.kernel_id = kernel_id
        self.run_id = run_id
        self.cell_id = cell_id
        self.first_line = first_line
        self.waits_for_input = waits_for_input
        self.applied: Applied = applied


class KernelTimeoutError(JupyterAgentError):
    """The kernel did not answer a question in time.

    Attributes:
        what: What it was asked.
        timeout: How many seconds it had.
    """

    retryable = True

    def __init__(self, kernel_id: str, what: str, timeout: float, applied: Applied = "no") -> None:
        super().__init__(
            f"Kernel {kernel_id} did not answer in {timeout:g} s ({what}): objects that take long "
            "to show may be the reason; ask for less, or with a longer timeout"
        )
        self.kernel_id = kernel_id
        self.what = what
        self.timeout = timeout
        self.applied: Applied = applied


class VariableNotFoundError(JupyterAgentError):
    """The kernel has no variable of that name."""

    def __init__(self, name: str, similar: Sequence[str] = ()) -> None:
        near = f" (similar: {', '.join(similar)})" if similar else ""
        super().__init__(f"The kernel has no variable {name!r}{near}: list_variables shows all")
        self.name = name
        self.similar: tuple[str, ...] = tuple(similar)


class LanguageNotSupportedError(JupyterAgentError):
    """No way is known to look at the variables of kernels of that language."""

    def __init__(self, kernel_id: str, language: str, supported: Sequence[str]) -> None:
        super().__init__(
            f"Kernel {kernel_id} speaks {language!r}, and variables can be looked at in kernels of "
            f"{', '.join(supported)} only: run code that prints them instead"
        )
        self.kernel_id = kernel_id
        self.language = language
        self.supported: tuple[str, ...] = tuple(supported)
