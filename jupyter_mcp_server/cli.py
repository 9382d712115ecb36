# SPDX-License-Identifier: BSD-3-Clause
"""The command line."""

from __future__ import annotations

import logging
import sys
from importlib import metadata

import click

from .settings import Settings


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"jupyter-mcp-server {metadata.version('jupyter-agent-core')}")
        context.exit()


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--jupyter-url",
    envvar="JUPYTER_URL",
    metavar="URL",
    help="The Jupyter server. Unset or 'auto': the running server whose root holds the root "
    "directory, else a private one started there. [JUPYTER_URL]",
)
@click.option(
    "--jupyter-token",
    envvar="JUPYTER_TOKEN",
    metavar="TOKEN",
    help="Its API token; better in the environment than here. [JUPYTER_TOKEN]",
)
@click.option(
    "--root-dir",
    default=".",
    type=click.Path(exists=True, file_okay=False),
    help="The folder of a private server; default: the working directory.",
)
@click.option(
    "--allow-img-output",
    envvar="ALLOW_IMG_OUTPUT",
    default=True,
    type=bool,
    metavar="BOOLEAN",
    help="Answer with images, or with a line of text in their place. [ALLOW_IMG_OUTPUT]",
)
@click.option(
    "--username",
    envvar="JUPYTER_MCP_USERNAME",
    default="Agent",
    metavar="NAME",
    show_default=True,
    help="The name under which collaborators see the agent. [JUPYTER_MCP_USERNAME]",
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Show the version and exit.",
)
def cli(
    jupyter_url: str | None,
    jupyter_token: str | None,
    root_dir: str,
    allow_img_output: bool,
    username: str,
) -> None:
    """Serve live Jupyter notebooks to an AI agent over MCP, on stdin and stdout."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    named = jupyter_url if jupyter_url and jupyter_url != "auto" else None
    settings = Settings(
        jupyter_url=named,
        jupyter_token=jupyter_token if named else None,
        root_dir=root_dir,
        images=allow_img_output,
        username=username,
    )
    try:
        import anyio

        from .server import serve_stdio
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "mcp":
            raise
        raise click.ClickException(
            "the extra 'mcp' is not installed: pip install 'jupyter-agent-core[mcp]'"
        ) from None
    anyio.run(serve_stdio, settings)
