"""The option that says what a detector from elsewhere wants: the same for every command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dbrt.engine.modelfile import ModelFile

option: Callable[[Any], Any] = click.option(
    "--declare",
    multiple=True,
    metavar="KEY=VALUE",
    help="For a detector from elsewhere: mean=0.5, std=0.5, pixel_max=1, channels=bgr and so on; "
    "or a TOML beside the model file.",
)


def read_declared(model: str, declare: Iterable[str]) -> ModelFile:
    """Read the model file that `--model` names, as `--declare` says."""
    from dbrt.engine.declaration import parse_declared
    from dbrt.engine.modelfile import find_model, read_model_file

    return read_model_file(find_model(model), parse_declared(declare))
