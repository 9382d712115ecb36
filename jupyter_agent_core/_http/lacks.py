# SPDX-License-Identifier: BSD-3-Clause
"""What kinds of servers cannot do, and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .._errors import CapabilityUnavailableError
from .._values import CAPABILITIES, Capability


@attrs.frozen
class Lack:
    """Why a server cannot do something.

    Attributes:
        reason: Why not.
        advice: What to do.
    """

    reason: str
    advice: str


_ONLY_KERNELS = Lack(
    "it runs kernels only, as a kernel gateway does",
    "connect to a server of documents, and pass this one as runtime_url=… "
    "(jupyter-mcp-server: DOCUMENT_URL and RUNTIME_URL)",
)
_NO_SESSIONS = Lack(
    "nobody knows there which kernel serves which notebook", "name a kernel by its id"
)
_BY_ID_ONLY = Lack(
    "Datalayer keeps documents by itself, and each is opened by its id",
    "pass the id of a document, as its page there shows it",
)
_NO_KERNELS = Lack(
    "Datalayer's documents run on kernels elsewhere",
    "pass the server that runs them as runtime_url=… (jupyter-mcp-server: RUNTIME_URL)",
)

NO_DOCUMENTS: dict[Capability, Lack] = {"documents": _ONLY_KERNELS, "files": _ONLY_KERNELS}
NO_SESSIONS: dict[Capability, Lack] = {"sessions": _NO_SESSIONS}
NO_KERNEL_LIST: dict[Capability, Lack] = {
    "kernel list": Lack(
        "it refuses to tell which ones run (HTTP 403), as a kernel gateway does unless it is told",
        "name a kernel by its id, or have it started with "
        "KG_LIST_KERNELS=True (Enterprise Gateway: EG_LIST_KERNELS=True)",
    )
}
OF_DATALAYER: dict[Capability, Lack] = {
    "files": _BY_ID_ONLY,
    "kernels": _NO_KERNELS,
    "kernel list": _NO_KERNELS,
    "sessions": _NO_KERNELS,
}

# what a request needs, by what its path begins with
_NEEDED: Mapping[str, Capability] = {
    "api/contents": "files",
    "api/kernel": "kernels",  # and kernelspecs
    "api/sessions": "sessions",
}


def needed(path: str) -> Capability | None:
    """Return what a server has to offer to be asked for something."""
    return next((needed for start, needed in _NEEDED.items() if path.startswith(start)), None)


def offers(lacks: Mapping[Capability, Lack]) -> frozenset[Capability]:
    """Return what is left."""
    return frozenset(CAPABILITIES) - lacks.keys()


def lacking(url: str, capability: Capability, lack: Lack) -> CapabilityUnavailableError:
    """The error for what a server cannot do."""
    return CapabilityUnavailableError(url, capability, lack.reason, lack.advice)
