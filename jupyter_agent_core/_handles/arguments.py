# SPDX-License-Identifier: BSD-3-Clause
"""What callers give to more than one handle, checked before anything is done."""

from __future__ import annotations

from .._errors import ConfigurationError


def check_code(code: object) -> None:
    """Refuse what is no code.

    Raises:
        ConfigurationError
    """
    if not isinstance(code, str):
        raise ConfigurationError(
            f"Code is a str, not {type(code).__name__}: {code!r:.100}", name="code", value=code
        )


def check_on_input(on_input: object) -> None:
    """Refuse what cannot be called.

    Raises:
        ConfigurationError
    """
    if on_input is not None and not callable(on_input):
        raise ConfigurationError(
            f"on_input={on_input!r} cannot be called: give a function that takes an InputRequest",
            name="on_input",
            value=on_input,
        )


def check_timeout(timeout: object, *, endless: bool = True) -> None:
    """Refuse what is no number of seconds.

    Args:
        timeout: What was given.
        endless: None is taken, too, and stands for no end.

    Raises:
        ConfigurationError
    """
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not (timeout is None and endless) and not (is_number and timeout >= 0):  # type: ignore[operator]
        valid = "0 or more, or None to wait for the end" if endless else "0 or more"
        raise ConfigurationError(
            f"timeout={timeout!r} is no number of seconds: give {valid}",
            name="timeout",
            value=timeout,
        )


def check_waiting(timeout: object, on_timeout: str) -> None:
    """Refuse what is no way to wait.

    Raises:
        ConfigurationError
    """
    check_timeout(timeout)
    if on_timeout not in ("keep_running", "interrupt"):
        raise ConfigurationError(
            f"on_timeout={on_timeout!r} is neither 'keep_running' nor 'interrupt'",
            name="on_timeout",
            value=on_timeout,
        )
