"""`dbrt build`: compile a model into engines for this machine, and prove them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dbrt.cli import declare as declared

if TYPE_CHECKING:
    from rich.progress import Progress

    from dbrt.engine.build import BuiltEngine
    from dbrt.engine.modelfile import ModelFile
    from dbrt.engine.runner import OnProgress

SCHEMA = "dbrt.build/1"
DEFAULT_SIZE = 736
MAX_NAMED = 4  # nodes of one island; the sidecar and --json have all

_EPILOG = """\b
Examples:
  dbrt build --size 320 --size 512 --size 736
  dbrt build --frame 1920x1080 --precision fp32
  dbrt build --runner tensorrt --target sm75,sm86
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
@click.option(
    "--target",
    metavar="SM,SM",
    help="Cards to build for, like sm75,sm86, here or not: by TensorRT-RTX. "
    " [default: the card that is here, all where none is]",
)
@click.option(
    "--workspace",
    "workspace_mib",
    type=click.IntRange(min=1),
    metavar="MIB",
    help="Device memory that a TensorRT kernel may use for itself.",
)
@click.option(
    "--optimization-level",
    type=click.IntRange(0, 5),
    help="How long TensorRT searches for fast kernels.",
)
@click.option(
    "--timing-cache",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep here what TensorRT's search has measured, for the next build.",
)
@click.option("--force", is_flag=True, help="Build even what the cache has.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    *,
    sizes: tuple[int, ...],
    frames: tuple[str, ...],
    shapes: tuple[str, ...],
    model: str,
    declare: tuple[str, ...],
    target: str | None,
    workspace_mib: int | None,
    optimization_level: int | None,
    timing_cache: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compile a model into engines for this machine, and compare each with float32."""
    wanted = _shapes(sizes, frames, shapes)

    from dbrt.engine.runner import BuildOptions
    from dbrt.engine.select import choose
    from dbrt.engine.spec import parse_targets

    options["targets"] = () if target is None else parse_targets(target)
    options["options"] = BuildOptions(
        workspace_bytes=None if workspace_mib is None else workspace_mib << 20,
        optimization_level=optimization_level,
        timing_cache=timing_cache,
    )
    read = declared.read_declared(model, declare)
    # What can't be built here is said before any work.
    choose(options["runner"], options["precision"], options["targets"], to_build=True)
    with _progress() as bar:
        bar.show("post-processing: compiling kernels")
        warm_up_s = _warm_up()
        built = []
        for engine in _build(read, wanted, bar, options):
            built.append(engine)
            if not as_json:
                with bar.paused():
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
    bar: _Bar,
    options: dict[str, Any],
) -> Iterator[BuiltEngine]:
    from dbrt.engine.build import build_engine
    from dbrt.postproc import decode

    find_regions = partial(decode, **model.decode_options)
    for number, (height, width) in enumerate(shapes, 1):
        counted = f" ({number} of {len(shapes)})" if len(shapes) > 1 else ""
        on_progress = bar.follow(f"{model.name} {height}x{width}{counted}")
        yield build_engine(model, (height, width), find_regions, on_progress=on_progress, **options)


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


class _Bar:
    """The running phase, how far it is, and the time since the start, on a terminal."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def show(self, text: str, done: int = 0, total: int = 0) -> None:
        """Show a phase; without steps the bar only pulses."""
        self._bar.update(self._task, description=text, completed=done, total=total or None)

    def follow(self, name: str) -> OnProgress:
        """Return what shows the phases of one build."""
        return lambda phase, done, total: self.show(
            f"{name}: {phase[:1].lower()}{phase[1:]}", done, total
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bar away while results are printed."""
        self._bar.stop()
        try:
            yield
        finally:
            self._bar.start()


@contextmanager
def _progress() -> Iterator[_Bar]:
    """Make the bar on standard error; it shows nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Results go to standard output, whatever the bar is doing.
        redirect_stdout=False,
        redirect_stderr=False,
    ) as bar:
        yield _Bar(bar)


def _print(engine: BuiltEngine) -> None:
    spec = engine.spec
    height, width = spec.shape
    when = "in the cache, built" if engine.was_cached else "built"
    lines = [
        f"{spec.model_name} {height}x{width} {spec.precision} {spec.runner}: "
        f"{engine.bytes / 1e6:.1f} MB, {when} in {engine.build_s:.1f} s",
        f"  why     {engine.reason}",
        *_proof(engine.record),
        f"  parity  {engine.parity}",
        *([f"          {engine.parity.note}"] if engine.parity.note else []),
        f"  file    {engine.path}",
    ]
    click.echo("\n".join(lines))


def _proof(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a build that tells of itself has proved: layers by precision, range, islands."""
    if "census_line" in record:
        yield f"  layers  {record['census_line']}"
    ranges = record.get("ranges", {})
    if "peak" in ranges:
        yield f"  range   largest value {ranges['peak']:.0f}, float16 ends at 65504"
    reasons: dict[str, list[str]] = {}
    for node, reason in ranges.get("islands", {}).items():
        reasons.setdefault(reason, []).append(node)
    for reason, nodes in reasons.items():
        more = f" and {len(nodes) - MAX_NAMED} more" if len(nodes) > MAX_NAMED else ""
        yield f"  islands {', '.join(nodes[:MAX_NAMED])}{more} in fp32: {reason}"
