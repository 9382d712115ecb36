# SPDX-License-Identifier: BSD-3-Clause
"""The command line."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from functools import partial
from importlib import metadata
from typing import Any

import click

from jupyter_agent_core import ConfigurationError

from . import memory
from .options import AGENT, SERVER, TRANSPORT, Option, check_environment, is_flag


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"jupyter-mcp-server {metadata.version('jupyter-agent-core')}")
        context.exit()


VERSION = Option(
    "--version",
    heading="Other",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_version,
    help="Show the version and exit.",
)


AS_JSON = Option(
    "--json", "as_json", heading="Other", is_flag=True, help="Print the checks as JSON."
)
STAY = Option(
    "--stay/--no-stay",
    heading="Other",
    default=sys.stdin is not None and sys.stdin.isatty(),
    help="Let the private server run until Ctrl-C, to look at it; default: on a terminal.",
)


class Command(click.Command):
    """A command whose `--help` groups the options, and which refuses settings that nobody knows."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            heading = param.heading if isinstance(param, Option) else "Other"
            if (record := param.get_help_record(ctx)) is not None:
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is wrong with the settings is a usage error."""
        logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
        logging.getLogger(__package__).setLevel(logging.INFO)
        try:
            check_environment(os.environ)
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise click.UsageError(str(error), ctx) from error


class Commands(Command, click.Group):
    """The command that serves, and the other ones."""

    command_class: type[click.Command] | None = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(
    cls=Commands,
    params=[*SERVER, *AGENT, *TRANSPORT, VERSION],
    invoke_without_command=True,
    subcommand_metavar="[COMMAND]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.pass_context
def cli(ctx: click.Context, /, **given: Any) -> None:
    """Serve live Jupyter notebooks to an AI agent over MCP.

    An MCP client starts this command itself and speaks with it over stdin and stdout. Flags win
    over environment variables.
    """
    if ctx.invoked_subcommand is None:
        _serve(ctx, given)
        return
    for name in given:
        if is_flag(ctx, name):
            flag = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{flag} comes after the command: {ctx.invoked_subcommand}")


@cli.command("doctor", params=[*SERVER, AS_JSON], short_help="Check that everything works.")
@click.pass_context
def doctor(ctx: click.Context, /, as_json: bool, **given: Any) -> None:
    """Check the connection to Jupyter, and run a cell in a scratch notebook.

    Prints a line for each check, with what to do if it fails; ends with 1 if one does.
    """
    from .configuration import target_from
    from .doctor import examine, shown
    from .ending import run_command

    checks = run_command(partial(examine, target_from(ctx, given)))
    click.echo(shown(checks, as_json=as_json))
    ctx.exit(int(any(check.outcome == "failed" for check in checks)))


@cli.command("demo", params=[STAY], short_help="See it work, and what a model receives.")
def demo(stay: bool) -> None:
    """Run a notebook, show what a model would receive, and say where to look at it.

    In the JupyterLab that holds the working directory, if one runs, else on a private server.
    """
    from .demo import show
    from .ending import run_command

    run_command(partial(show, click.echo, stay))


def _serve(ctx: click.Context, given: Mapping[str, Any]) -> None:
    from .configuration import settings_from

    settings = settings_from(ctx, given)
    try:
        import anyio

        from .http import serve_http
        from .stdio import serve_stdio
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "mcp":
            raise
        raise click.ClickException(
            "the extra 'mcp' is not installed: pip install 'jupyter-agent-core[mcp]'"
        ) from None
    memory.keep_large_pieces_apart()
    anyio.run(serve_stdio if settings.endpoint is None else serve_http, settings)
