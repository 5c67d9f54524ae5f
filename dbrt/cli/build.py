"""`dbrt build`: compile a model into engines for this machine, and prove them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dbrt.cli import declare as declared

if TYPE_CHECKING:
    from dbrt.engine.build import BuiltEngine
    from dbrt.engine.modelfile import ModelFile

SCHEMA = "dbrt.build/1"
DEFAULT_SIZE = 736

_EPILOG = """\b
Examples:
  dbrt build --size 320 --size 512 --size 736
  dbrt build --frame 1920x1080 --precision fp32
"""


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.option(
    "--size",
    "sizes",
    type=int,
    multiple=True,
    help="Longest side of the network's input, a multiple of 32; repeatable. Alone it makes the "
    f"square engine that fits any frame.  [default: {DEFAULT_SIZE}]",
)
@click.option(
    "--frame",
    "frames",
    multiple=True,
    metavar="WxH",
    help="Make the rectangle for frames of this size instead of the square; repeatable.",
)
@click.option(
    "--shape", "shapes", multiple=True, metavar="HxW", help="Name a shape outright; repeatable."
)
@click.option("--batch", type=click.IntRange(1, 64), default=1, help="Frames in one call.")
@click.option("--model", default="auto", help="auto, dbrt-lite, dbrt-r18, or a model file.")
@declared.option
@click.option("--runner", default="auto", help="auto, tensorrt, openvino or onnxruntime.")
@click.option("--precision", default="auto", help="auto, fp32, fp16, bf16 or int8.")
@click.option("--force", is_flag=True, help="Build even what the cache has.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    sizes: tuple[int, ...],
    frames: tuple[str, ...],
    shapes: tuple[str, ...],
    model: str,
    declare: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Compile a model into engines for this machine, and compare each with float32."""
    wanted = _shapes(sizes, frames, shapes)

    from dbrt.engine.select import choose

    read = declared.read_declared(model, declare)
    choose(options["runner"], options["precision"])  # what can't run here is said before any work
    with _progress(len(wanted) + 1) as show:
        show("post-processing: compiling kernels")
        warm_up_s = _warm_up()
        built = []
        for engine in _build(read, wanted, show, options):
            built.append(engine)
            if not as_json:
                _print(engine)
    if as_json:
        engines = [engine.to_dict() for engine in built]
        figures = {"schema": SCHEMA, "engines": engines, "warm_up_s": round(warm_up_s, 3)}
        click.echo(json.dumps(figures))


def _warm_up() -> float:
    """Fill the cache of compiled post-processing kernels; return the seconds it took."""
    from dbrt.postproc import warm_up

    started = time.perf_counter()
    warm_up()
    return time.perf_counter() - started


def _build(
    model: ModelFile,
    shapes: list[tuple[int, int]],
    show: Callable[[str], None],
    options: dict[str, Any],
) -> Iterator[BuiltEngine]:
    from dbrt.engine.build import build_engine
    from dbrt.postproc import decode

    find_regions = partial(decode, **model.decode_options)
    for height, width in shapes:
        name = f"{model.name} {height}x{width}"
        yield build_engine(
            model,
            (height, width),
            find_regions,
            on_phase=lambda phase, name=name: show(f"{name}: {phase}"),  # type: ignore[misc]
            **options,
        )


def _shapes(
    sizes: tuple[int, ...], frames: tuple[str, ...], shapes: tuple[str, ...]
) -> list[tuple[int, int]]:
    """Return the (H, W) that the options ask for, each once, in their order."""
    from dbrt.engine.spec import check_size, parse_pair, parse_shape, shape_for_frame

    chosen = [check_size(size) for size in sizes] or ([] if shapes else [DEFAULT_SIZE])
    if frames:
        chosen = chosen or [DEFAULT_SIZE]
        pairs = [parse_pair(frame, "--frame", "WIDTHxHEIGHT") for frame in frames]
        wanted = [
            shape_for_frame(size, height, width) for width, height in pairs for size in chosen
        ]
    else:
        wanted = [(size, size) for size in chosen]
    wanted += [parse_shape(shape) for shape in shapes]
    return list(dict.fromkeys(wanted))


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[str], None]]:
    """Show the running step and the elapsed time on a terminal; nothing elsewhere.

    Yields a function that shows its text; the n-th different engine moves the bar.
    """
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=steps)
        seen: list[str] = []

        def show(text: str) -> None:
            name = text.partition(":")[0]
            if name not in seen:
                seen.append(name)
            bar.update(task, description=text, completed=len(seen) - 1)

        yield show


def _print(engine: BuiltEngine) -> None:
    spec = engine.spec
    height, width = spec.shape
    when = "in the cache, built" if engine.was_cached else "built"
    click.echo(
        f"{spec.model_name} {height}x{width} {spec.precision} {spec.runner}: "
        f"{engine.bytes / 1e6:.1f} MB, {when} in {engine.build_s:.1f} s\n"
        f"  why     {engine.reason}\n"
        f"  parity  {engine.parity}\n"
        f"  file    {engine.path}"
    )
