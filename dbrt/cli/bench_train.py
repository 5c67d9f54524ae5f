"""`dbrt bench train`: images a second of both ways of augmentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from dbrt.cli.steps import progress
from dbrt.errors import RunnerError

SCHEMA = "dbrt.bench.train/1"

_EPILOG = """\b
Examples:
  dbrt bench train mine.toml
  dbrt bench train --set augment.crop=640 --set run.batch=16 --steps 50
"""


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.argument("config", required=False, type=click.Path(path_type=Path))
@click.option("--recipe", help="Lay CONFIG over one: default, paper, seed or accelerator.")
@click.option("--set", "settings", multiple=True, metavar="TABLE.KEY=VALUE", help="Change a key.")
@click.option("--steps", type=click.IntRange(1), default=20, help="Batches that each row takes.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    config: Path | None,
    recipe: str | None,
    settings: tuple[str, ...],
    steps: int,
    as_json: bool,
) -> None:
    """Time crops and training steps, fed by the CPU's workers and by the accelerator.

    Nothing is written. Whether the network is the limit or its input: compare the steps of both
    ways, and the crops of the CPU with the steps.
    """
    from dbrt.train.backend import default_backend
    from dbrt.train.config import apply_setting, load_config
    from dbrt.train.throughput import machine, measure

    loaded = load_config(config, recipe=recipe)
    for setting in settings:
        apply_setting(loaded, setting)
    loaded.check()
    default_backend()
    try:
        with progress() as on_step:
            rates = measure(loaded, steps=steps, on_step=on_step)
    except ModuleNotFoundError as exc:
        raise RunnerError(f'training needs {exc.name}: pip install "dbrt[train]"') from None
    facts = machine(loaded)
    if as_json:
        rows: list[dict[str, Any]] = [rate.to_dict() for rate in rates]
        click.echo(json.dumps({"schema": SCHEMA, "rows": rows, "machine": facts}))
        return
    click.echo(f"{'':20s}{'images':>8s}{'images/s':>12s}")
    for rate in rates:
        click.echo(f"{rate.what:20s}{rate.images:8d}{rate.images_per_second:12.1f}")
    click.echo("\n" + ", ".join(f"{key} {value}" for key, value in facts.items()))
