# SPDX-License-Identifier: BSD-3-Clause
"""The flags of the command line, each with its environment variable."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args

import click

from jupyter_agent_core._values import Provider
from jupyter_agent_core._workspace.toolsets import TOOLSETS

PREFIX = "JUPYTER_MCP_"
DEFAULT_TOOLSETS = tuple(name for name in TOOLSETS if name != "connect")
_WORDS = {"enable": True, "enabled": True, "disable": False, "disabled": False}


def _as_boolean(ctx: click.Context, param: click.Parameter, value: str) -> bool:
    """Take the words that other servers of the kind take, too."""
    word = value.strip().lower()
    return _WORDS[word] if word in _WORDS else click.BOOL.convert(value, param, ctx)


def _as_names(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    """Split names at commas, however often the option is given."""
    names = [name.strip() for part in value for name in part.split(",")]
    return tuple(dict.fromkeys(name for name in names if name))


def _as_headers(ctx: click.Context, param: click.Parameter, value: Sequence[str]) -> dict[str, str]:
    """Take headers apart; what is wrong may be a secret, and is not repeated."""
    headers: dict[str, str] = {}
    for line in filter(None, map(str.strip, value)):
        name, colon, content = line.partition(":")
        if not colon:
            raise click.BadParameter("a header is written as 'NAME: VALUE', one a line.")
        headers[name.strip()] = content.strip()
    return headers


def _as_toolsets(
    ctx: click.Context, param: click.Parameter, value: Sequence[str]
) -> tuple[str, ...]:
    names = _as_names(ctx, param, value)
    for name in names:
        if name not in TOOLSETS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(TOOLSETS)}.")
    if not names:
        raise click.BadParameter(f"name at least one of {', '.join(TOOLSETS)}.")
    return names


class Line(click.types.StringParamType):
    """A text that may have spaces; in a variable there is one a line."""

    envvar_list_splitter: ClassVar[str] = "\n"


FILE = click.Path(exists=True, dir_okay=False, readable=True)


class Option(click.Option):
    """An option under a heading of `--help`, which names its environment variable."""

    def __init__(self, *declarations: str, heading: str, **attributes: Any) -> None:
        super().__init__(list(declarations), **attributes)
        self.heading = heading
        self.show_envvar: bool = self.envvar is not None


SERVER = (
    Option(
        "--jupyter-url",
        heading="Jupyter",
        envvar="JUPYTER_URL",
        metavar="URL",
        help="The Jupyter server, as a browser shows it. Unset or 'auto': the running server "
        "whose root holds the root directory, else a private one started there.",
    ),
    Option(
        "--jupyter-token",
        heading="Jupyter",
        envvar="JUPYTER_TOKEN",
        metavar="TOKEN",
        help="Its API token; other users of this machine may see it here, so set the variable.",
    ),
    Option(
        "--jupyter-token-file",
        heading="Jupyter",
        envvar="JUPYTER_TOKEN_FILE",
        metavar="FILE",
        help="A file that holds the token; it is read again when the token is refused.",
    ),
    Option(
        "--jupyter-password",
        heading="Jupyter",
        envvar="JUPYTER_PASSWORD",
        metavar="PASSWORD",
        help="The password of its login page, where there is no token; set the variable.",
    ),
    Option(
        "--root-dir",
        heading="Jupyter",
        default=".",
        type=click.Path(exists=True, file_okay=False),
        metavar="DIRECTORY",
        help="The folder of a private server; default: the working directory.",
    ),
    Option(
        "--username",
        heading="Jupyter",
        envvar="JUPYTER_MCP_USERNAME",
        default="Agent",
        metavar="NAME",
        show_default=True,
        help="The name under which collaborators see the agent.",
    ),
    Option(
        "--hub-url",
        heading="JupyterHub",
        envvar="JUPYTER_MCP_HUB_URL",
        metavar="URL",
        help="A JupyterHub, or a page of it: the server of a user there, started if need be, in "
        "the place of the Jupyter server. The token is that of the Jupyter server.",
    ),
    Option(
        "--hub-user",
        heading="JupyterHub",
        envvar="JUPYTER_MCP_HUB_USER",
        metavar="NAME",
        help="Whose server; default: of the owner of the token.",
    ),
    Option(
        "--hub-server",
        heading="JupyterHub",
        envvar="JUPYTER_MCP_HUB_SERVER",
        default="",
        metavar="NAME",
        help="Which of the user's named servers; default: the default one.",
    ),
    Option(
        "--document-url",
        heading="Documents and kernels on different servers",
        envvar="DOCUMENT_URL",
        metavar="URL",
        help="Where notebooks are stored, if not on the Jupyter server.",
    ),
    Option(
        "--document-token",
        heading="Documents and kernels on different servers",
        envvar="DOCUMENT_TOKEN",
        metavar="TOKEN",
        help="Its API token; default: that of the Jupyter server.",
    ),
    Option(
        "--document-password",
        heading="Documents and kernels on different servers",
        envvar="DOCUMENT_PASSWORD",
        metavar="PASSWORD",
        help="Its password, where there is no token.",
    ),
    Option(
        "--document-provider",
        heading="Documents and kernels on different servers",
        envvar="DOCUMENT_PROVIDER",
        type=click.Choice(get_args(Provider)),
        default="jupyter",
        help="What kind of server that is; with datalayer, a notebook's path is the id of its "
        "document, and kernels run elsewhere.",
    ),
    Option(
        "--runtime-url",
        heading="Documents and kernels on different servers",
        envvar=["RUNTIME_URL", "CODE_SANDBOX_URL"],
        metavar="URL",
        help="Where kernels run, if not on the Jupyter server.",
    ),
    Option(
        "--runtime-token",
        heading="Documents and kernels on different servers",
        envvar=["RUNTIME_TOKEN", "CODE_SANDBOX_TOKEN"],
        metavar="TOKEN",
        help="Its API token; default: that of the Jupyter server.",
    ),
    Option(
        "--runtime-password",
        heading="Documents and kernels on different servers",
        envvar=["RUNTIME_PASSWORD", "CODE_SANDBOX_PASSWORD"],
        metavar="PASSWORD",
        help="Its password, where there is no token.",
    ),
    Option(
        "--ca-file",
        heading="The way to Jupyter",
        envvar="JUPYTER_MCP_CA_FILE",
        type=FILE,
        metavar="FILE",
        help="The certificates of the authorities to trust, in PEM, in place of the usual ones.",
    ),
    Option(
        "--client-cert",
        heading="The way to Jupyter",
        envvar="JUPYTER_MCP_CLIENT_CERT",
        type=FILE,
        metavar="FILE",
        help="A certificate to show, in PEM, for servers that want one.",
    ),
    Option(
        "--client-key",
        heading="The way to Jupyter",
        envvar="JUPYTER_MCP_CLIENT_KEY",
        type=FILE,
        metavar="FILE",
        help="Its key, if that is in a file of its own.",
    ),
    Option(
        "--no-verify",
        heading="The way to Jupyter",
        envvar="JUPYTER_MCP_NO_VERIFY",
        is_flag=True,
        help="Trust whoever answers, without a look at certificates.",
    ),
    Option(
        "--header",
        "headers",
        heading="The way to Jupyter",
        envvar="JUPYTER_MCP_HEADERS",
        type=Line(),
        multiple=True,
        callback=_as_headers,
        metavar="'NAME: VALUE'",
        help="A further header for every request and websocket; in the variable, one a line.",
    ),
)
AGENT = (
    Option(
        "--toolsets",
        heading="What the agent gets",
        envvar="JUPYTER_MCP_TOOLSETS",
        multiple=True,
        callback=_as_toolsets,
        default=DEFAULT_TOOLSETS,
        metavar="NAMES",
        help=f"Which tools, of {', '.join(TOOLSETS)}; default: all but connect.",
    ),
    Option(
        "--read-only",
        heading="What the agent gets",
        envvar="JUPYTER_MCP_READ_ONLY",
        is_flag=True,
        help="Only tools that change nothing; no kernel is started.",
    ),
    Option(
        "--root",
        heading="What the agent gets",
        envvar="JUPYTER_MCP_ROOT",
        default="",
        metavar="PATH",
        help="A folder of the server outside which no path is touched. Code in a kernel can "
        "still reach what the kernel can.",
    ),
    Option(
        "--document-id",
        heading="What the agent gets",
        envvar="DOCUMENT_ID",
        metavar="PATH",
        help="A notebook to use from the start, under the name 'default'.",
    ),
    Option(
        "--connect-host",
        "connect_hosts",
        heading="What the agent gets",
        envvar="JUPYTER_MCP_CONNECT_HOSTS",
        multiple=True,
        callback=_as_names,
        default=("localhost", "127.0.0.1", "::1"),
        metavar="HOSTS",
        help="With the toolset connect: hosts that connect_to_jupyter may go to, '*' for any; "
        "default: this machine.",
    ),
    Option(
        "--allow-img-output",
        heading="What the agent gets",
        envvar="ALLOW_IMG_OUTPUT",
        default="true",
        callback=_as_boolean,
        metavar="BOOLEAN",
        help="Images as images, or a line of text in their place.",
    ),
    Option(
        "--max-output-tokens",
        heading="What the agent gets",
        envvar="JUPYTER_MCP_MAX_OUTPUT_TOKENS",
        default=6_000,
        type=click.IntRange(min=200),
        metavar="NUMBER",
        show_default=True,
        help="The budget of one answer.",
    ),
    Option(
        "--mask-secrets",
        heading="What the agent gets",
        envvar="JUPYTER_MCP_MASK_SECRETS",
        is_flag=True,
        help="A note in the place of what looks like a key, token or password in outputs.",
    ),
    Option(
        "--execution-timeout",
        heading="What the agent gets",
        envvar="JUPYTER_MCP_EXECUTION_TIMEOUT",
        default=45.0,
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        show_default=True,
        help="How long a call waits for its code unless it says otherwise; the code goes on.",
    ),
)
TRANSPORT = (
    Option(
        "--transport",
        heading="How MCP is spoken",
        envvar="JUPYTER_MCP_TRANSPORT",
        type=click.Choice(["stdio", "streamable-http"]),
        default="stdio",
        show_default=True,
        help="Over stdin and stdout, or over HTTP at /mcp.",
    ),
    Option(
        "--host",
        heading="How MCP is spoken",
        envvar="JUPYTER_MCP_HOST",
        default="127.0.0.1",
        metavar="ADDRESS",
        show_default=True,
        help="The address to listen on; 0.0.0.0 for all, which wants --allowed-host, too.",
    ),
    Option(
        "--port",
        heading="How MCP is spoken",
        envvar="JUPYTER_MCP_PORT",
        default=4040,
        type=click.IntRange(0, 65535),
        metavar="NUMBER",
        show_default=True,
        help="The port to listen on; 0 for a free one.",
    ),
    Option(
        "--mcp-token",
        heading="How MCP is spoken",
        envvar="MCP_TOKEN",
        metavar="SECRET",
        help="The secret that HTTP clients show as 'Authorization: Bearer SECRET'.",
    ),
    Option(
        "--insecure-mcp-noauth",
        heading="How MCP is spoken",
        is_flag=True,
        help="Serve HTTP without a secret: who reaches the port runs code as you.",
    ),
    Option(
        "--allowed-host",
        "allowed_hosts",
        heading="How MCP is spoken",
        envvar="JUPYTER_MCP_ALLOWED_HOSTS",
        multiple=True,
        callback=_as_names,
        default=(),
        metavar="HOSTS",
        help="Names of this machine, beside localhost, under which clients ask for it.",
    ),
)


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse a variable that has our prefix and is none of ours, which may be a slip of the pen.

    Raises:
        click.UsageError
    """
    ours: list[str] = []
    for option in (*SERVER, *AGENT, *TRANSPORT):
        names = [option.envvar] if isinstance(option.envvar, str) else option.envvar or ()
        ours += [name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX)]
    for name in sorted(environment):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in ours:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), ours, 1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"there are: {PREFIX}"
            hint += "" if near else f", {PREFIX}".join(ours)
            raise click.UsageError(f"There is no setting {name}; {hint}")


def is_flag(ctx: click.Context, name: str) -> bool:
    """Say whether an option is on the command line."""
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
