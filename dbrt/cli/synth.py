"""`dbrt synth`: draw labelled pictures of scene text."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbrt.errors import UsageError
from dbrt.wording import counted

if TYPE_CHECKING:
    from dbrt.synth.picture import Recipe
    from dbrt.synth.series import Tally

SCHEMA = "dbrt.synth/2"
SIZES = "640x640,800x640,960x720"

_EPILOG = """\b
Examples:
  dbrt synth drawn --count 200 --seed 1 --preview drawn.png
  dbrt synth drawn --count 5000 --photos ~/photos --scripts latin,cyrillic
"""


def _parse_sizes(text: str) -> tuple[tuple[int, int], ...]:
    """Turn "1280x720,640x640" into widths and heights."""
    return tuple(_parse_size(part.strip()) for part in text.split(","))


def _parse_size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal()):
        raise UsageError(f"--size {text}: write width and height, as 1280x720")
    size = int(width), int(height)
    if not (64 <= min(size) and max(size) <= 8192):
        raise UsageError(f"--size {text}: each side must be 64 to 8192 pixels")
    return size


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.argument("out", type=Path)
@click.option("--count", type=click.IntRange(1), default=100, help="How many pictures.")
@click.option("--seed", type=click.IntRange(0), default=0, help="The same seed draws the same.")
@click.option("--fonts", type=Path, help="A folder of font files.  [default: the system's]")
@click.option(
    "--photos", "--backgrounds", "photos", type=Path,
    help='A folder of photographs without text, or "none".  [default: installed wallpapers]',
)  # fmt: skip
@click.option(
    "--scripts", metavar="A,B,...",
    help="What to write, e.g. latin,chinese.  [default: all that the fonts can]",
)  # fmt: skip
@click.option(
    "--unit", type=click.Choice(["word", "line"]), default="word", help="What a label is about."
)
@click.option("--size", default=SIZES, metavar="WxH,...", help="Width and height; one is drawn.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one for each core]")
@click.option("--preview", type=Path, help="Also draw a sheet of the first 24, labels outlined.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    out: Path,
    count: int,
    seed: int,
    fonts: Path | None,
    photos: Path | None,
    scripts: str | None,
    unit: str,
    size: str,
    workers: int | None,
    preview: Path | None,
    as_json: bool,
) -> None:
    """Draw labelled pictures of scene text into the folder OUT, in ICDAR 2015's form.

    OUT gets images/img_N.jpg, gts/gt_img_N.txt (quads), polygons/poly_gt_img_N.txt (Total-Text's
    form) and LICENCES.txt; `--dataset folder` reads it. Use photographs without text: words in
    them would be unlabelled.
    """
    from dbrt.synth.preview import check_preview, write_preview
    from dbrt.synth.series import draw_series

    if preview:
        check_preview(preview)
    recipe = _recipe(_parse_sizes(size), fonts, photos, scripts, unit)
    start = time.monotonic()
    workers = min(workers or os.cpu_count() or 1, count)
    tally = _drawn(draw_series(out, recipe, count, seed, workers=workers), count)
    seconds = time.monotonic() - start
    if preview:
        write_preview(preview, recipe, count, seed)
    figures = {
        "schema": SCHEMA,
        "out": str(out),
        "unit": unit,
        **asdict(tally),
        "fonts": len(recipe.book.files()),
        "scripts": sorted(recipe.book.families),
        "photographs": len(recipe.photographs),
        "workers": workers,
        "seconds": round(seconds, 2),
        "pictures_per_s": round(count / max(seconds, 1e-9), 2),
    }
    click.echo(json.dumps(figures) if as_json else _sentence(figures))


def _recipe(
    sizes: tuple[tuple[int, int], ...], fonts: Path | None, photos: Path | None,
    scripts: str | None, unit: str,
) -> Recipe:  # fmt: skip
    """Look for fonts and photographs; say where there are no wallpapers to write on."""
    from dbrt.datasets.wallpapers import FOR_DRAWING, install_line
    from dbrt.synth.backgrounds import photograph_files
    from dbrt.synth.fonts import font_book
    from dbrt.synth.picture import Recipe

    photographs = [] if photos == Path("none") else photograph_files(photos)
    if not photographs and photos is None:
        line = install_line(FOR_DRAWING)
        click.echo(f"no wallpapers to write on: drawn backgrounds only ({line})", err=True)
    names = [name.strip() for name in scripts.split(",")] if scripts else None
    return Recipe(sizes, font_book(fonts, names), tuple(photographs), unit=unit)


def _drawn(running: Iterator[Tally], count: int) -> Tally:
    """Draw a series to its end, with a bar on a terminal; return the last tally."""
    from rich.console import Console
    from rich.progress import track

    console, hidden = Console(stderr=True), not sys.stderr.isatty()
    shown = track(running, "drawing", total=count, console=console, disable=hidden)
    return list(shown)[-1]


def _sentence(figures: dict[str, Any]) -> str:
    labels = counted(figures["labels"], figures["unit"])
    return (
        f"{figures['out']}: {counted(figures['pictures'], 'picture')}, {labels} and "
        f"{figures['dont_care']} too small or faint to count; "
        f"{counted(figures['fonts'], 'font')}, {counted(figures['photographs'], 'photograph')}; "
        f"{figures['pictures_per_s']} a second with "
        f"{counted(figures['workers'], 'process', 'processes')}"
    )
