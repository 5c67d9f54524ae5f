"""The command `dbrt`: a group whose commands are imported only when they run.

Each command is a module of this package with a click command named `command`. It parses, calls the
library and prints; it holds no logic. Expected failures reach `main` as DbrtError.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import click

from dbrt._version import __version__
from dbrt.errors import DbrtError

COMMANDS = {
    "build": "compile a model into engines for this machine, and prove them",
    "stream": "find text in a camera, a network stream or a video file",
    "bench": "measure this machine, published figures beside its own",
    "detect": "find text in pictures",
    "evaluate": "score a model or detections against ground truth",
    "train": "train a network on labelled pictures",
    "export": "write a trained network as one model file",
    "synth": "draw labelled pictures of scene text",
}

REPORT_TO = "please report it with the output of --debug"


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dbrt")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
@click.pass_context
def dbrt(ctx: click.Context, debug: bool) -> None:
    """Find text in live video and pictures."""
    ctx.obj = {"debug": debug}


def main(args: list[str] | None = None) -> int:
    """Run the command line and return the exit code of the architecture's table."""
    args = sys.argv[1:] if args is None else args
    debug = "--debug" in args or bool(os.environ.get("DBRT_DEBUG"))
    if debug and "--debug" in args:
        args = ["--debug", *(a for a in args if a != "--debug")]
    try:
        result = dbrt.main(args, prog_name="dbrt", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except DbrtError as exc:
        if debug:
            traceback.print_exc()
        click.echo(f"dbrt: {exc}", err=True)
        return exc.exit_code
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("dbrt: stopped", err=True)
        return 130
    except Exception as exc:
        if debug:
            traceback.print_exc()
        click.echo(f"dbrt: this is a bug: {type(exc).__name__}: {exc}; {REPORT_TO}", err=True)
        return 1
