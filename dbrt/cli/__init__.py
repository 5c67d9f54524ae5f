"""The command `dbrt`: a group whose commands are imported only when they run.

Each command is a module of this package with a click command named `command`. It parses, calls the
library and prints; it holds no logic. Expected failures reach `main` as DbrtError.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from dbrt._version import __version__
from dbrt.cli.failures import exit_code_and_line, sigterm_as_exception

COMMANDS = {
    "build": "compile a model into engines for this machine, and prove them",
    "stream": "find text in a camera, a network stream or a video file",
    "bench": "measure this machine, published figures beside its own",
    "detect": "find text in pictures",
    "evaluate": "score a model or detections against ground truth",
    "train": "train a network on labelled pictures",
    "pseudolabel": "label pictures by a teacher, to train on them",
    "export": "write a trained network as one model file",
    "doctor": "look at this machine, and say what to install",
    "engines": "list, verify, remove, export and import the engines in the cache",
    "synth": "draw labelled pictures of scene text",
}


class LazyGroup(click.Group):
    """A click group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import `dbrt.cli.<name>` and return its `command`."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"dbrt.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command of `args`; a name that is none gets the nearest one suggested."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            _refuse_command(args[0], ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _refuse_command(name: str, ctx: click.Context) -> NoReturn:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise click.UsageError(f"no such command {name}{hint}", ctx)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dbrt")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure (or DBRT_DEBUG=1).")
def dbrt(debug: bool) -> None:
    """Find text in live video and pictures."""


def main(args: list[str] | None = None) -> int:
    """Run the command line and return the exit code of the architecture's table.

    `--debug` may stand anywhere before a `--`. SIGTERM ends a command the way SIGINT does, with the
    code 143; outputs are finalised by the command's own context managers on the way out.
    """
    args, debug = _take_debug(sys.argv[1:] if args is None else args)
    try:
        with sigterm_as_exception():
            code = _run(args)
            sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as exc:
        code, line = exit_code_and_line(exc)
        if debug:
            import traceback

            traceback.print_exc()
        if line:
            click.echo(line, err=True)
    return code


def _take_debug(args: list[str]) -> tuple[list[str], bool]:
    end = args.index("--") if "--" in args else len(args)
    kept = [arg for arg in args[:end] if arg != "--debug"]
    debug = len(kept) < end or bool(os.environ.get("DBRT_DEBUG"))
    return kept + args[end:], debug


def _run(args: list[str]) -> int:
    if "_DBRT_COMPLETE" in os.environ:  # a shell asks for completions; click answers and exits
        dbrt.main(args, prog_name="dbrt")
    try:
        # Not dbrt.main: it turns KeyboardInterrupt and a closed pipe into exits of its own.
        with dbrt.make_context("dbrt", args) as ctx:
            result = dbrt.invoke(ctx)
    except click.exceptions.Exit as exc:
        return exc.exit_code
    return result if isinstance(result, int) else 0
