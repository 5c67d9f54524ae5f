"""`dbrt evaluate`: score a model, or detections from elsewhere, against ground truth."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbrt.errors import InputError, UsageError

if TYPE_CHECKING:
    from dbrt.datasets import Dataset, Sample
    from dbrt.evaluation.iou import Detections
    from dbrt.evaluation.protocols import Protocol
    from dbrt.evaluation.report import Report

SCHEMA = "dbrt.evaluate/1"

_EPILOG = """\b
Examples:
  dbrt evaluate --dataset icdar2015 --split test --shape 736x1280
  dbrt evaluate --dataset icdar2015 --split test --detections results/
"""


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.option(
    "--dataset",
    "name",
    default="icdar2015",
    help="icdar2015, msra-td500, ctw1500, total-text, or folder (images/ and gts/).",
)
@click.option("--split", help="train or test; of a folder: one below it.  [default: test, none]")
@click.option("--root", type=Path, help="Where the data sets lie.  [default: $DBRT_DATA]")
@click.option("--limit", type=click.IntRange(1), help="Take the first N pictures only.")
@click.option(
    "--detections", type=Path, help="Score the res_*.txt files of this folder, run nothing."
)
@click.option("--model", default="auto", help="auto, dbrt-lite, dbrt-r18, or a model file.")
@click.option("--size", type=int, default=736, help="Longest side of the network's input.")
@click.option("--shape", metavar="HxW", help="The network's input outright, for example 736x1280.")
@click.option("--runner", default="auto", help="auto, tensorrt, openvino or onnxruntime.")
@click.option("--precision", default="auto", help="auto, fp32, fp16, bf16 or int8.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    help="Leave out detections below.  [default: the model's own; with --detections: none]",
)
@click.option("--save", type=Path, help="Write ICDAR result files to this folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    name: str,
    split: str | None,
    root: Path | None,
    limit: int | None,
    detections: Path | None,
    save: Path | None,
    min_score: float | None,
    as_json: bool,
    **engine: Any,
) -> None:
    """Score a model, or detections from elsewhere, against ground truth."""
    from dbrt.engine.spec import check_size, parse_shape

    check_size(engine["size"])
    if engine["shape"] is not None:
        engine["shape"] = parse_shape(engine["shape"])

    from dbrt.datasets import open_dataset
    from dbrt.evaluation.protocols import protocol_for

    if detections is not None and save is not None:
        raise UsageError("--save writes what a model finds: it can't go with --detections")
    if split is None and name != "folder":  # a folder without splits is the common case
        split = "test"
    dataset = open_dataset(name, split, root)
    dataset = dataset[:limit] if limit else dataset
    protocol = protocol_for(name)
    if detections is not None:
        found = _read(detections, dataset, min_score)
        source: dict[str, Any] = {"folder": str(detections)}
    else:
        found, source = _detect(dataset, protocol, save, min_score, engine)
    words = [sample.words for sample in dataset]
    report = protocol.evaluate(found, words, 0.0 if min_score is None else min_score)
    _print(report, dataset, protocol, source, as_json)


def _read(folder: Path, dataset: Dataset, min_score: float | None) -> list[Detections]:
    from dbrt.evaluation import read_results

    found, missing = read_results(folder, [sample.path for sample in dataset])
    if min_score is not None and any(scores is None for _, scores in found):
        raise InputError(f"{folder}: holds detections without scores: leave out --min-score")
    if missing:
        click.echo(
            f"dbrt evaluate: {missing} of {len(dataset)} pictures have no result file: "
            "counted as pictures without detections",
            err=True,
        )
    return found


def _detect(
    dataset: Dataset,
    protocol: Protocol,
    save: Path | None,
    min_score: float | None,
    engine: dict[str, Any],
) -> tuple[list[Detections], dict[str, Any]]:
    from dbrt.detector import TextDetector
    from dbrt.evaluation.protocols import check_save_folder, detect_all

    if save is not None:
        check_save_folder(save, dataset)
    with TextDetector(**engine, min_score=min_score, output=protocol.output) as detector:
        found = detect_all(dataset, detector, save=save, progress=_progress)
        model = {"model": detector.model.name, "sha256": detector.model.sha256}
        return found, {**engine, **model, "reason": detector.reason}


def _progress(samples: Iterable[Sample]) -> Iterable[Sample]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(samples, "pictures", console=console, disable=not sys.stderr.isatty())


def _print(
    report: Report,
    dataset: Dataset,
    protocol: Protocol,
    source: dict[str, Any],
    as_json: bool,
) -> None:
    head = {"dataset": dataset.name, "split": dataset.split, "protocol": protocol.name}
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, **head, "source": source, **report.to_dict()}))
        return
    rows = [
        ("dataset", " ".join(filter(None, (dataset.name, dataset.split)))),
        ("protocol", protocol.name),
        *_source_rows(source),
        ("images", report.images),
        ("regions", report.regions),
        ("care words", report.care),
        ("precision", f"{report.precision:.4f}"),
        ("recall", f"{report.recall:.4f}"),
        ("hmean", f"{report.hmean:.4f}"),
    ]
    for title, value in rows:
        click.echo(f"{title:<12}{value}")
    click.echo("\ntext height   care words  recall")
    for band in report.bands:
        upper = f"to {band.high:g} px" if band.high != float("inf") else "px up"
        click.echo(f"{band.low:>3g} {upper:<10}{band.care:>10}  {band.recall:.4f}")


def _source_rows(source: dict[str, Any]) -> list[tuple[str, str]]:
    if "folder" in source:
        return [("detections", source["folder"])]
    size = "x".join(map(str, source["shape"])) if source["shape"] else f"size {source['size']}"
    return [("model", f"{source['model']} {size}"), ("runner", source["reason"])]
