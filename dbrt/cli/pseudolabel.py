"""`dbrt pseudolabel`: label pictures by a teacher, to train on them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dbrt.cli import declare as declared
from dbrt.errors import InputError, RunnerError, UsageError

if TYPE_CHECKING:
    from dbrt.train.teachers.teacher import Teacher

_CRAFT = "craft:"
SCHEMA = "dbrt.pseudolabel/1"

_EPILOG = """\b
Examples:
  dbrt pseudolabel --teacher dbrt-lite --pictures photos --out labelled
  dbrt pseudolabel --teacher craft:craft_mlt_25k.pth --pictures photos --out labelled --limit 200
"""


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.option(
    "--teacher",
    required=True,
    metavar="NAME",
    help="craft:FILE (its published weights), a shipped model, or an ONNX detector of words.",
)
@click.option("--pictures", required=True, type=Path, help="A folder of pictures.")
@click.option("--out", required=True, type=Path, help="The data set: images/ and gts/.")
@click.option("--size", default=1280, help="Longest side of the teacher's input.")
@click.option("--limit", type=click.IntRange(1), help="So many of the pictures, spread over all.")
@click.option(
    "--sure",
    type=click.FloatRange(0, 1),
    help="Words from this score on are labelled.  [default: the teacher's]",
)
@click.option(
    "--doubt",
    type=click.FloatRange(0, 1),
    help="Words from this score on are don't-care.  [default: the teacher's]",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "mixed_bfloat16"]),
    default="float32",
    help="What CRAFT computes in.",
)
@declared.option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    teacher: str,
    pictures: Path,
    out: Path,
    size: int,
    limit: int | None,
    sure: float | None,
    doubt: float | None,
    precision: str,
    declare: tuple[str, ...],
    as_json: bool,
) -> None:
    """Label a folder of pictures by a TEACHER, in ICDAR 2015's form.

    What the teacher is sure of is a word, its score in the place of the text; what it doubts is
    don't-care: training neither rewards nor punishes it. `dbrt train` reads OUT as "folder:OUT".
    Pictures that OUT has labels of are passed over.
    """
    from dbrt.train.teachers.labels import find_pictures, write_labels

    found = find_pictures(pictures, limit)
    opened = _open(teacher, declare, size, precision)
    sure = opened.sure if sure is None else sure
    doubt = min(opened.doubt, sure) if doubt is None else doubt
    if doubt > sure:
        raise UsageError(f"--doubt {doubt} is above --sure {sure}: it is the lower of the two")
    start = time.monotonic()

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{done} of {len(found)}", nl=done == len(found), err=True)

    tally = write_labels(opened, found, out, sure=sure, doubt=doubt, progress=progress)
    figures = {
        "schema": SCHEMA,
        "teacher": opened.name,
        "out": str(out),
        "pictures": tally.pictures,
        "words": tally.words,
        "dont_care": tally.dont_care,
        "failed": len(tally.failures),
        "sure": sure,
        "doubt": doubt,
        "seconds": round(time.monotonic() - start, 2),
    }
    if as_json:
        click.echo(json.dumps(figures))
    else:
        click.echo(
            f"{out}: {tally.pictures} pictures labelled by {opened.name}, {tally.words} words and "
            f"{tally.dont_care} don't-care"
        )
    for failure in tally.failures:
        click.echo(f"dbrt: {failure}", err=True)
    if tally.failures:
        raise InputError(f"{len(tally.failures)} of {len(found)} pictures could not be read")


def _open(teacher: str, declare: tuple[str, ...], size: int, precision: str) -> Teacher:
    from dbrt.train.teachers.teacher import open_craft, open_detector

    if not teacher.startswith(_CRAFT):
        return open_detector(declared.read_declared(teacher, declare), size)
    if declare:
        raise UsageError("CRAFT is known: leave out --declare")
    try:
        path = Path(teacher.removeprefix(_CRAFT)).expanduser()
        return open_craft(path, size, precision=precision)
    except ModuleNotFoundError as exc:
        raise RunnerError(f'CRAFT needs {exc.name}: pip install "dbrt[train]"') from None
