"""`dbrt bench`: measure this machine, published figures beside its own."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbrt.cli.bench_postproc import command as postproc_command
from dbrt.cli.bench_train import command as train_command
from dbrt.cli.steps import PLAIN_WIDTH, progress

if TYPE_CHECKING:
    from dbrt.benchmarks.report import BenchReport

SCHEMA = "dbrt.bench/1"

_EPILOG = """\b
Examples:
  dbrt bench --quick
  dbrt bench --size 320 --model dbrt-lite --rounds 30 --markdown bench.md
"""


@click.group(
    invoke_without_command=True,
    subcommand_metavar="[postproc|train ...]",
    epilog=_EPILOG,
    context_settings={"show_default": True},
)
@click.option(
    "--quick", is_flag=True, help="Few rounds: about a minute, also where the machine is slow."
)
@click.option(
    "--size",
    "sizes",
    type=int,
    multiple=True,
    help="Side of the square input, a multiple of 32; repeatable.  [default: 320, 512, 736]",
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|FILE",
    help="dbrt-lite, dbrt-r18, dbrt-r50, or a model file; repeatable. What is not trained yet "
    "runs with random weights.  [default: all three]",
)
@click.option("--runner", default="auto", help="auto, tensorrt, openvino or onnxruntime.")
@click.option("--precision", default="auto", help="auto, fp32, fp16, bf16 or int8.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    help="Turns that each row takes.  [default: 10; with --quick 3]",
)
@click.option("--markdown", type=Path, metavar="FILE", help="Also write a Markdown page.")
@click.option("--csv", type=Path, metavar="FILE", help="Also write the rows as CSV.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    quick: bool,
    sizes: tuple[int, ...],
    models: tuple[str, ...],
    rounds: int | None,
    markdown: Path | None,
    csv: Path | None,
    overwrite: bool,
    as_json: bool,
    **engine: Any,
) -> None:
    """Time networks and post-processing here, with published figures beside.

    Every file says which machine, versions and load its figures belong to.
    """
    if ctx.invoked_subcommand is not None:
        return  # its options stand behind its name
    from dbrt.benchmarks import network_table
    from dbrt.benchmarks.rendering import csv_text, write_text
    from dbrt.benchmarks.rendering import markdown as markdown_text
    from dbrt.stream.sinks.sink import check_file

    outputs = [(path, form) for path, form in ((markdown, markdown_text), (csv, csv_text)) if path]
    for path, _ in outputs:  # before the minutes of measuring
        check_file(path, overwrite=overwrite)
    with progress() as on_step:
        report = network_table.run_network_table(
            models,
            sizes or network_table.SIZES,
            rounds=rounds or (network_table.QUICK_ROUNDS if quick else network_table.ROUNDS),
            limit_s=network_table.QUICK_LIMIT_S if quick and not rounds else math.inf,
            on_step=on_step,
            **engine,
        )
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, **report.to_dict()}))
    else:
        _print(report)
    for path, form in outputs:
        write_text(path, form(report))


def _print(report: BenchReport) -> None:
    from rich.console import Console

    from dbrt.benchmarks.rendering import notes, provenance, rich_table

    width = None if sys.stdout.isatty() else PLAIN_WIDTH
    console = Console(file=sys.stdout, highlight=False, width=width)
    console.print(rich_table(report))
    for line in notes(report):
        console.print(line, markup=False, soft_wrap=True)
    facts = ", ".join(f"{key} {value}" for key, value in provenance(report).items())
    console.print(f"\n{facts}", markup=False, soft_wrap=True)


command.add_command(postproc_command, "postproc")
command.add_command(train_command, "train")
