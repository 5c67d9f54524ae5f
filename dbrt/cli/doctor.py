"""`dbrt doctor`: what this machine has, what `auto` takes, and what to install for more."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from dbrt.cli.steps import PLAIN_WIDTH
from dbrt.errors import RunnerError

if TYPE_CHECKING:
    from rich.table import Table

    from dbrt.doctor import Report

_EPILOG = """\b
Examples:
  dbrt doctor
  dbrt doctor --json | jq .auto.data.runner
"""
_COLOURS = {"ok": "green", "note": "yellow", "missing": "dim", "broken": "red"}


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> int:
    """Look at this machine, and say for each missing thing what installs it.

    Exits with 0 where --runner auto can run, else with 5: a health check for containers.
    """
    from dbrt.doctor import examine

    report = examine()
    if as_json:
        click.echo(json.dumps(report.to_dict()))
    else:
        _show(report)
    return 0 if report.can_run else RunnerError.exit_code


def _show(report: Report) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    state = str(report.auto.state)
    # Captured, and written by click: rich itself ends the process where the pipe is closed.
    with console.capture() as capture:
        console.print(_table(report))
        console.print()
        line = Text.assemble(("auto ", "bold"), (state, _COLOURS[state]), f"  {report.auto.text}")
        console.print(line, soft_wrap=True)
    # Without the blanks that fill up the last column.
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _table(report: Report) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    part = ""
    for finding in report.findings:
        heading = Text(finding.part if finding.part != part else "", "bold")
        part = finding.part
        state = Text(str(finding.state), _COLOURS[str(finding.state)])
        table.add_row(heading, finding.name, state, Text(finding.text))
        if finding.remedy:
            table.add_row("", "", "", Text(f"-> {finding.remedy}", "cyan"))
    return table
