# SPDX-License-Identifier: BSD-3-Clause
"""A note in the place of what looks like a secret.

What is known by its form (keys of well-known services, JSON web tokens, private keys), what is
called a secret where it is assigned or in a table, and passwords in URLs. It is a net with holes:
a secret that looks like any other word passes.
"""

from __future__ import annotations

import re
from functools import partial

# up to its end; of one that does not end, what could be a part of it
_PRIVATE_KEY = (
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"
    r"(?:(?:[^-]|-(?!-)){0,10000}-----END [A-Z ]+-----"
    r"|(?:(?:\s|\\[nr]){0,9}[A-Za-z0-9+/]{16,}={0,2}){0,500})"
)
_FORMS: tuple[tuple[str, str], ...] = (
    ("private key", _PRIVATE_KEY),
    ("JSON web token", r"(?<![\w-])eyJ[\w-]{8,2000}\.eyJ[\w-]{8,4000}\.[\w-]{8,}"),
    ("GitHub token", r"\b(?:gh[opsur]_\w{30,}|github_pat_\w{20,})"),
    ("GitLab token", r"\bglpat-[\w-]{20,}"),
    ("AWS key id", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("Google key", r"\bAIza[\w-]{35}"),
    ("Google token", r"\bya29\.[\w-]{20,}"),
    ("Slack token", r"\b(?:xox[abeoprs]|xapp)-[\w-]{10,}"),
    ("Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("PyPI token", r"\bpypi-[\w-]{50,}"),
    ("npm token", r"\bnpm_[A-Za-z0-9]{30,}"),
    ("Stripe key", r"\b[rs]k_(?:live|test)_\w{16,}"),
    ("SendGrid key", r"\bSG\.[\w-]{16,64}\.[\w-]{16,}"),
    ("Databricks token", r"\bdapi[0-9a-f]{32}\b"),
    ("API key", r"\bsk-[\w-]{20,}"),
)
_BY_FORM = tuple((kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _FORMS)
_KEY = _BY_FORM[0][1]

# what a secret is called; `tokens`, `tokenizer` and `token_count` are not
_PASSWORDS = r"passw(?:or)?d|passphrase|passcode|pwd|secret|credential"
_KEYS = (
    r"token|(?:api|access|account|auth|client|encryption|master|private|secret|shared|signing"
    r"|storage)[_-]?key"
)
_ENDINGS = r"(?:[_-]?(?:key|value|string|base64|prod|production|dev|test|live|\d{1,3}))?"
_NAME = rf"[\w.-]{{0,40}}?(?:(?P<password>{_PASSWORDS})|{_KEYS}){_ENDINGS}"
_IS_NAME = re.compile(_NAME, re.IGNORECASE)
_ASSIGNED = re.compile(
    rf"(?<![\w.-])(?P<option>--)?{_NAME}(?:\\?['\"])?"
    r"(?(option)(?:[ \t]+|=)|[ \t]*(?:=>|:=|[=:])[ \t]*)"
    r"(?:\\?(?P<quote>['\"])(?P<quoted>(?:(?!\\?(?P=quote))[^\n]){1,500})(?=\\?(?P=quote))"
    r"|(?P<bare>[^\s'\",;&|<>)\]}\\]{1,500}))",
    re.IGNORECASE,
)
# what may stand in its place: types and nothing, other names, code, variables, paths, stars
_NO_SECRET = re.compile(
    r"(?:none|null|nil|true|false|undefined|str|string|bytes|int|bool|optional)$"
    r"|[\w.]*(?:passw(?:or)?d|secret|token|key)$"
    r"|[\w.]+[(\[]|\$[\w{(]|[<\[({/~%]|[*•.…]{3}",
    re.IGNORECASE,
)
_AUTHORIZATION = re.compile(
    r"(?P<name>\bauthorization['\"]?\s*[=:]\s*['\"]?(?:bearer|basic|token)\s+)"
    r"(?P<value>[^\s'\",;]{8,})",
    re.IGNORECASE,
)
_IN_URL = re.compile(
    r"(?P<name>(?<![\w.+-])[a-z][a-z0-9+.-]{0,20}://[^\s:/@]{0,200}:)(?P<value>[^\s/]{1,500})(?=@)"
)


def masked(text: str) -> str:
    """Return the text with a note in the place of each likely secret."""
    for kind, pattern in _BY_FORM:
        text = pattern.sub(partial(_noted, kind), text)
    for pattern in (_IN_URL, _AUTHORIZATION):
        text = pattern.sub(_behind_name, text)
    return _ASSIGNED.sub(_assigned, text)


def without_keys(text: str) -> str:
    """Return the text with a note in the place of each private key, of which a line tells none."""
    return _KEY.sub(partial(_noted, "private key"), text)


def start_of_key(text: str, place: int) -> int:
    """Return where the private key begins within which a place is; else the place itself."""
    begin = text.rfind("-----BEGIN", 0, place)
    found = _KEY.match(text, begin) if begin >= 0 else None
    return begin if found and found.end() > place else place


def masked_field(name: str, value: str) -> str:
    """Return the value of a field, or a note if the name of the field calls it a secret."""
    found = _IS_NAME.fullmatch(name)
    is_secret = found and _is_secret(value, is_password=found["password"] is not None)
    return _note("secret", value) if is_secret else value


def _assigned(found: re.Match[str]) -> str:
    value = found["quoted"] or found["bare"]
    if not _is_secret(value, is_password=found["password"] is not None):
        return found[0]
    return found[0].removesuffix(value) + _note("secret", value)


def _is_secret(value: str, *, is_password: bool) -> bool:
    """A value that has the name of a secret is one; the words after `token` often are none."""
    if _NO_SECRET.match(value):
        return False
    if is_password:
        return len(value) >= 4
    return len(value) >= 20 or (len(value) >= 8 and not value.isalpha())


def _behind_name(found: re.Match[str]) -> str:
    value = found["value"]
    return found["name"] + (value if value.startswith("[masked") else _note("secret", value))


def _noted(kind: str, found: re.Match[str]) -> str:
    # a text keeps its lines: they are what cells are read by, with and without masks
    return "\n" * found[0].count("\n") + _note(kind, found[0])


def _note(kind: str, secret: str) -> str:
    return f"[masked: {kind}, {len(secret)} characters]"
