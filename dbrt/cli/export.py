"""`dbrt export`: write a trained network as one model file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from dbrt.errors import InputError, OutputError, RunnerError

_EPILOG = """\b
Examples:
  dbrt export runs/first/best.npz --out first.onnx
  dbrt export runs/first/last.npz --out mine.onnx --name mine --min-score 0.5
"""


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="The model file (.onnx)."
)
@click.option("--name", help="The model's name.  [default: the file's]")
@click.option("--binarize", type=click.FloatRange(0, 1), help="A pixel is text above this.")
@click.option("--min-score", type=click.FloatRange(0, 1), help="A region is kept from this on.")
@click.option("--unclip-ratio", type=click.FloatRange(0, 10), help="How far regions grow back.")
@click.option(
    "--score", type=click.Choice(["box", "region"]), help="What a score is the mean over."
)
@click.option("--unit", type=click.Choice(["word", "line"]), default="word", show_default=True)
@click.option("--card", type=click.Path(path_type=Path), help="JSON to put into the model card.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def command(
    checkpoint: Path,
    out: Path,
    name: str | None,
    binarize: float | None,
    min_score: float | None,
    unclip_ratio: float | None,
    score: str | None,
    unit: str,
    card: Path | None,
    overwrite: bool,
) -> None:
    """Write CHECKPOINT (.npz of dbrt train) as one ONNX model file with both heads.

    The averaged weights are taken. Decode thresholds that are not given are those that were best in
    the last validation, or the paper's (0.3, 0.6, 1.5) where there was none.
    """
    if out.exists() and not overwrite:
        raise OutputError(f"{out} exists: add --overwrite, or name another file")
    from dbrt.train.backend import default_backend
    from dbrt.train.checkpoint import read_checkpoint

    default_backend()
    state = read_checkpoint(checkpoint)
    try:
        from dbrt.train.export import export_model, settings_of
    except ModuleNotFoundError as exc:
        raise RunnerError(f'export needs {exc.name}: pip install "dbrt[train]"') from None
    thresholds = {"binarize": binarize, "min_score": min_score, "unclip_ratio": unclip_ratio}
    given = {key: value for key, value in thresholds.items() if value is not None}
    settings = settings_of(
        state, name=name or out.stem, unit=unit, card=_read_card(card), score=score, **given
    )
    export_model(state.ema, settings, out)
    click.echo(str(out))


def _read_card(path: Path | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}") from None
    except ValueError as exc:
        raise InputError(f"{path} is not JSON: {exc}") from None
    if not isinstance(card, dict):
        raise InputError(f"{path} must hold one JSON object")
    return card
