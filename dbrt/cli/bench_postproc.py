"""`dbrt bench postproc`: the decode of probability maps against its peers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbrt.cli.steps import PLAIN_WIDTH, progress

if TYPE_CHECKING:
    from dbrt.benchmarks.postproc_report import PostprocReport

SCHEMA = "dbrt.bench.postproc/1"

_EPILOG = """\b
Examples:
  dbrt bench postproc
  dbrt bench postproc --size 736 --rounds 50 --csv postproc.csv --plot postproc.png
"""


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.option(
    "--size",
    "sizes",
    type=int,
    multiple=True,
    help="Side of the square maps, a multiple of 32; repeatable.  [default: 320, 512, 736]",
)
@click.option("--model", default="auto", metavar="NAME|FILE", help="What makes the maps.")
@click.option(
    "--rounds", type=click.IntRange(1), default=20, help="Turns of each contender on each map."
)
@click.option("--markdown", type=Path, metavar="FILE", help="Also write a Markdown page.")
@click.option("--csv", type=Path, metavar="FILE", help="Also write a row for each map as CSV.")
@click.option(
    "--plot",
    type=Path,
    metavar="FILE",
    help="Also draw time against regions: PNG, SVG or PDF. Needs matplotlib.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    sizes: tuple[int, ...],
    model: str,
    rounds: int,
    markdown: Path | None,
    csv: Path | None,
    plot: Path | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Time the decode of real maps against its peers, in turns.

    Peers: OpenCV with pyclipper, cv2.findContours alone, numpy reading the map, and RapidOCR's
    DBPostProcess where it is installed.
    """
    from dbrt.benchmarks import postproc_rendering as rendering
    from dbrt.benchmarks.postproc_report import SIZES, run_postproc
    from dbrt.benchmarks.rendering import write_text
    from dbrt.evaluation.plot import require_matplotlib
    from dbrt.stream.sinks.sink import check_file

    for path in (markdown, csv, plot):  # before the minute of measuring
        if path is not None:
            check_file(path, overwrite=overwrite)
    if plot is not None:
        require_matplotlib()
    with progress() as on_step:
        report = run_postproc(model, sizes or SIZES, rounds=rounds, on_step=on_step)
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, **report.to_dict()}))
    else:
        _print(report)
    if markdown is not None:
        write_text(markdown, rendering.markdown(report))
    if csv is not None:
        write_text(csv, rendering.csv_text(report))
    if plot is not None:
        rendering.write_plot(report, plot)


def _print(report: PostprocReport) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from dbrt.benchmarks.postproc_rendering import notes, table
    from dbrt.benchmarks.rendering import provenance

    console = Console(
        file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH
    )
    heading, *rows = table(report)
    shown = Table(box=box.SIMPLE_HEAD)
    for number, column in enumerate(heading):
        shown.add_column(column.replace(", ", "\n"), justify="right" if number else "left")
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
    for line in notes(report):
        console.print(line, markup=False, soft_wrap=True)
    facts = ", ".join(f"{key} {value}" for key, value in provenance(report).items())
    console.print(f"\n{facts}", markup=False, soft_wrap=True)
