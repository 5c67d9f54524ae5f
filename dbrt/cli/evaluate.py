"""`dbrt evaluate`: score models, or detections from elsewhere, against ground truth."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbrt.errors import UsageError
from dbrt.wording import counted

if TYPE_CHECKING:
    from dbrt.datasets import Dataset
    from dbrt.evaluation.entry import Entry
    from dbrt.evaluation.protocols import Progress

_EPILOG = """\b
Examples:
  dbrt evaluate --dataset icdar2015 --split test --shape 736x1280
  dbrt evaluate --model dbrt-lite --model mine.onnx --split train --limit 50 --plot curves.svg
"""


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.option(
    "--dataset",
    "name",
    default="icdar2015",
    help="icdar2015, msra-td500, ctw1500, total-text, sroie, or folder (images/ and gts/).",
)
@click.option("--split", help="train or test; of a folder: one below it.  [default: test, none]")
@click.option("--root", type=Path, help="Where the data sets lie.  [default: $DBRT_DATA]")
@click.option("--limit", type=click.IntRange(1), help="Take the first N pictures only.")
@click.option(
    "--model",
    "models",
    multiple=True,
    help="auto, dbrt-lite, dbrt-r18, or a model file; twice or more: compare.  [default: auto]",
)
@click.option(
    "--detections",
    "folders",
    type=Path,
    multiple=True,
    help="Score the res_*.txt files of this folder; models run only if named.",
)
@click.option("--size", type=int, default=736, help="Longest side of the network's input.")
@click.option("--shape", metavar="HxW", help="The network's input outright, for example 736x1280.")
@click.option("--runner", default="auto", help="auto, tensorrt, openvino or onnxruntime.")
@click.option("--precision", default="auto", help="auto, fp32, fp16, bf16 or int8.")
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    help="Leave out detections below.  [default: the model's own; with --detections: none]",
)
@click.option(
    "--choose-thresholds", "choose", is_flag=True, help="Find the best; not on test pictures."
)
@click.option("--plot", type=Path, help="Draw precision over recall: PNG, SVG or PDF.")
@click.option(
    "--gallery", type=Path, metavar="FOLDER", help="Write the worst pictures as an HTML page."
)
@click.option("--save", type=Path, help="Write ICDAR result files to this folder.")
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("--seed", type=int, default=0, help="Of the interval that a comparison gives.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    name: str,
    split: str | None,
    root: Path | None,
    limit: int | None,
    models: tuple[str, ...],
    folders: tuple[Path, ...],
    min_score: float | None,
    choose: bool,
    plot: Path | None,
    gallery: Path | None,
    save: Path | None,
    overwrite: bool,
    seed: int,
    as_json: bool,
    **engine: Any,
) -> None:
    """Score models, or detections from elsewhere, against ground truth."""
    models = models or (() if folders else ("auto",))
    _check_options(models, folders, save, gallery, engine)

    from dbrt.datasets import open_dataset
    from dbrt.evaluation import run
    from dbrt.evaluation.entry import distinct_labels

    if split is None and name != "folder":  # a folder without splits is the common case
        split = "test"
    dataset = open_dataset(name, split, root)
    dataset = dataset[:limit] if limit else dataset
    _check_outputs(dataset, choose, plot, gallery, save, overwrite)
    entries = [
        run.score_model(
            dataset,
            {"model": model, **engine},
            min_score=min_score,
            save=save,
            all_scores=plot is not None,
            choose=choose,
            show=_progress,
        )
        for model in models
    ]
    for folder in folders:
        entry, missing = run.score_folder(
            dataset, folder, min_score=min_score, choose=choose, show=_progress
        )
        entries.append(entry)
        if missing:
            click.echo(
                f"dbrt evaluate: {missing} of {counted(len(dataset), 'picture')} without a result "
                f"file in {folder}: counted as without detections",
                err=True,
            )
    entries = distinct_labels(entries)
    _write(entries, plot, gallery)
    _print(entries, seed, as_json)


def _check_options(
    models: tuple[str, ...],
    folders: tuple[Path, ...],
    save: Path | None,
    gallery: Path | None,
    engine: dict[str, Any],
) -> None:
    """Refuse what goes not together, before anything heavy is loaded; parse the shape."""
    from dbrt.engine.spec import check_size, parse_shape

    check_size(engine["size"])
    if engine["shape"] is not None:
        engine["shape"] = parse_shape(engine["shape"])
    if save is not None and folders:
        raise UsageError("--save writes what a model finds: it can't go with --detections")
    if save is not None and len(models) > 1:
        raise UsageError("--save writes what one model finds: give one --model")
    if gallery is not None and len(models) + len(folders) > 1:
        raise UsageError("--gallery shows one model's errors: give one --model or --detections")


def _check_outputs(
    dataset: Dataset,
    choose: bool,
    plot: Path | None,
    gallery: Path | None,
    save: Path | None,
    overwrite: bool,
) -> None:
    """Refuse, before a picture is read, what could not be written or must not be chosen."""
    from dbrt.evaluation.gallery import check_gallery
    from dbrt.evaluation.plot import check_plot
    from dbrt.evaluation.protocols import check_save_folder
    from dbrt.evaluation.sweep import refuse_test

    if choose:
        refuse_test(dataset)
    if plot is not None:
        check_plot(plot, overwrite=overwrite)
    if gallery is not None:
        check_gallery(gallery, overwrite=overwrite)
    if save is not None:
        check_save_folder(save, dataset, overwrite=overwrite)


def _write(entries: list[Entry], plot: Path | None, gallery: Path | None) -> None:
    if plot is not None:
        from dbrt.evaluation.plot import write_curve

        write_curve(entries, plot)
        click.echo(f"{plot}: precision over recall", err=True)
    if gallery is not None:
        from dbrt.evaluation.gallery import write_gallery

        page = write_gallery(entries[0], gallery, progress=_progress("gallery"))
        click.echo(f"{page}: the worst pictures", err=True)


def _print(entries: list[Entry], seed: int, as_json: bool) -> None:
    from dbrt.evaluation import rendering
    from dbrt.evaluation.run import differences

    if len(entries) == 1:
        [entry] = entries
        lines = [json.dumps(rendering.to_json(entry))] if as_json else rendering.lines(entry)
    else:
        found = differences(entries, seed=seed)
        lines = (
            [json.dumps(rendering.comparison_to_json(entries, found))]
            if as_json
            else rendering.comparison_lines(entries, found)
        )
    for line in lines:
        click.echo(line)


def _progress(heading: str) -> Progress:
    """Return a wrapper that shows a bar with the time left, on a terminal."""
    from rich.console import Console
    from rich.progress import track

    def show(things: Iterable[Any]) -> Iterable[Any]:
        console = Console(stderr=True)
        disable = not sys.stderr.isatty()
        return track(things, heading, console=console, transient=True, disable=disable)

    return show
