"""`dbrt synth`: draw labelled pictures of scene text."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click

from dbrt.errors import UsageError

SCHEMA = "dbrt.synth/1"

_EPILOG = """\b
Examples:
  dbrt synth drawn --count 200 --seed 1 --preview drawn.png
  dbrt synth drawn --count 5000 --backgrounds /usr/share/backgrounds/mate/nature
"""


def _parse_size(text: str) -> tuple[int, int]:
    """Turn "1280x720" into width and height."""
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
    "--backgrounds", type=Path, help="A folder of photographs without text.  [default: drawn ones]"
)
@click.option("--size", default="1280x720", metavar="WxH", help="Width and height of a picture.")
@click.option("--workers", type=click.IntRange(1), help="Processes.  [default: one for each core]")
@click.option("--preview", type=Path, help="Also draw a sheet of the first 24, quads outlined.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    out: Path,
    count: int,
    seed: int,
    fonts: Path | None,
    backgrounds: Path | None,
    size: str,
    workers: int | None,
    preview: Path | None,
    as_json: bool,
) -> None:
    """Draw labelled pictures of scene text into the folder OUT, in ICDAR 2015's form.

    OUT gets images/img_N.jpg and gts/gt_img_N.txt; `--dataset folder` reads it. Use photographs
    without text: words in them would be unlabelled.
    """
    from dbrt.synth.backgrounds import photograph_files
    from dbrt.synth.fonts import latin_fonts
    from dbrt.synth.picture import Recipe
    from dbrt.synth.series import write_preview, write_series

    recipe = Recipe(
        _parse_size(size),
        tuple(latin_fonts(fonts)),
        tuple(photograph_files(backgrounds)) if backgrounds else (),
    )
    start = time.monotonic()

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{done} of {count}", nl=done == count, err=True)

    workers = min(workers or os.cpu_count() or 1, count)
    tally = write_series(out, recipe, count, seed, workers=workers, progress=progress)
    seconds = time.monotonic() - start
    if preview:
        write_preview(preview, recipe, count, seed)
    figures = {
        "schema": SCHEMA,
        "out": str(out),
        "pictures": tally.pictures,
        "words": tally.words,
        "dont_care": tally.dont_care,
        "fonts": len(recipe.fonts),
        "photographs": len(recipe.photographs),
        "seconds": round(seconds, 2),
    }
    if as_json:
        click.echo(json.dumps(figures))
    else:
        rate = count / max(seconds, 1e-9)
        click.echo(
            f"{out}: {tally.pictures} pictures, {tally.words} words and {tally.dont_care} too "
            f"small or faint to count, {len(recipe.fonts)} fonts, {rate:.1f} a second"
        )
