"""`dbrt detect`: text regions of pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbrt.cli import declare as declared
from dbrt.errors import InputError, UsageError

if TYPE_CHECKING:
    from dbrt.pictures.outputs import Output
    from dbrt.pictures.run import Progress, Summary

Options = dict[str, Any]

_EPILOG = """\b
Examples:
  dbrt detect photos/ --draw drawn --out regions.jsonl
  dbrt detect "scans/*.png" --size 512 --format csv
"""


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--recursive", is_flag=True, help="Take the folders below a folder too.")
@click.option("--size", type=int, default=736, help="Longest side of the network's input.")
@click.option("--shape", metavar="HxW", help="The network's input outright, for example 736x1280.")
@click.option("--model", default="auto", help="auto, dbrt-lite, dbrt-r18, or a model file.")
@declared.option
@click.option("--runner", default="auto", help="auto, tensorrt, openvino or onnxruntime.")
@click.option("--precision", default="auto", help="auto, fp32, fp16, bf16 or int8.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    help="Leave out regions below.  [default: the model's own]",
)
@click.option("--polygons", is_flag=True, help="Find outlines, for curved text, beside quads.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl", "csv", "icdar"]),
    help="One JSON object a picture, one CSV line a region, or one ICDAR text file a picture.  "
    "[default: csv for --out NAME.csv, else jsonl]",
)
@click.option(
    "--out", type=Path, help="Write to this file, or folder for icdar.  [default: standard output]"
)
@click.option("--draw", type=Path, metavar="FOLDER", help="Write pictures with the regions drawn.")
@click.option(
    "--maps",
    type=Path,
    metavar="FOLDER",
    help="Write the probability, threshold and approximate binary maps as pictures.",
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object of everything.")
def command(
    *,
    paths: tuple[str, ...],
    recursive: bool,
    kind: str | None,
    out: Path | None,
    draw: Path | None,
    maps: Path | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Find text in pictures, in folders of them, or in what a glob matches.

    A picture that can't be read is told on standard error, the others are done, and the exit code
    is 3.
    """
    options = _detector_options(**options)
    outputs = _outputs(kind, out, draw, maps, as_json)

    from dbrt.pictures.inputs import find_pictures
    from dbrt.pictures.names import output_names
    from dbrt.pictures.outputs import check_outputs
    from dbrt.pictures.run import Summary

    pictures, missing = find_pictures(paths, recursive=recursive)
    for failure in missing:
        _report(failure)
    names = output_names(pictures)
    check_outputs(outputs, names, pictures, overwrite=overwrite)
    summary = Summary()
    if pictures:
        progress = _progress(writes_to_stdout=out is None and not as_json)
        summary = _detect(pictures, names, outputs, options, progress, as_json)
    summary.failures[:0] = missing
    if as_json:
        click.echo(json.dumps(summary.to_dict()))
    elif out is not None and pictures:
        click.echo(f"{out}: {summary}", err=True)
    return InputError.exit_code if summary.failures else 0


def _detector_options(
    *,
    model: str,
    declare: tuple[str, ...],
    size: int,
    shape: str | None,
    polygons: bool,
    **rest: Any,
) -> Options:
    """Return the arguments of TextDetector; refuses sizes before anything heavy is loaded."""
    from dbrt.engine.spec import check_size, parse_shape

    return {
        "size": check_size(size),
        "shape": None if shape is None else parse_shape(shape),
        "model": declared.read_declared(model, declare) if declare else model,
        "output": "polygon" if polygons else "quad",
        **rest,
    }


def _detect(
    pictures: list[Path],
    names: list[str],
    outputs: list[Output],
    options: Options,
    progress: Progress,
    keep_results: bool,
) -> Summary:
    from dbrt.detector import TextDetector
    from dbrt.pictures.run import detect_pictures

    with TextDetector(**options) as detector:
        return detect_pictures(
            pictures,
            names,
            detector,
            outputs,
            report=_report,
            progress=progress,
            keep_results=keep_results,
        )


def _outputs(
    kind: str | None, out: Path | None, draw: Path | None, maps: Path | None, as_json: bool
) -> list[Output]:
    """Return the outputs that the options ask for."""
    if kind == "icdar" and out is None:
        raise UsageError("--format icdar writes one file a picture: give --out FOLDER")
    if as_json and kind is not None and out is None:
        raise UsageError(f"--json takes standard output: give --out for --format {kind}")
    from dbrt.pictures.outputs import DrawingOutput, IcdarOutput, LinesOutput, MapsOutput

    if kind is None:
        kind = "csv" if out is not None and out.suffix.lower() == ".csv" else "jsonl"
    outputs: list[Output] = []
    if kind == "icdar" and out is not None:
        outputs.append(IcdarOutput(out))
    elif out is not None:
        outputs.append(LinesOutput(kind, out))
    elif not as_json:
        outputs.append(LinesOutput(kind, None, _write_stdout))
    outputs += [] if draw is None else [DrawingOutput(draw)]
    outputs += [] if maps is None else [MapsOutput(maps)]
    return outputs


def _write_stdout(data: bytes) -> None:
    click.echo(data, nl=False)


def _report(failure: InputError) -> None:
    click.echo(" ".join(f"dbrt: {failure}".split()), err=True)


def _progress(*, writes_to_stdout: bool) -> Progress:
    """Return a wrapper that shows a bar on a terminal, unless results scroll by there."""
    if not sys.stderr.isatty() or (writes_to_stdout and sys.stdout.isatty()):
        return iter
    from rich.console import Console
    from rich.progress import Progress as Bar

    def show(pictures: Iterable[tuple[Path, str]]) -> Iterable[tuple[Path, str]]:
        pictures = list(pictures)
        # redirect_stdout would send the results to standard error with the bar.
        console = Console(stderr=True)
        with Bar(
            console=console, transient=True, disable=len(pictures) < 2, redirect_stdout=False
        ) as bar:
            yield from bar.track(pictures, description="pictures")

    return show
