"""`dbrt stream`: text regions from a camera, a network stream, a video file or pictures."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from dbrt.cli import declare as declared
from dbrt.errors import UsageError

_EPILOG = """\b
Examples:
  dbrt stream --source sample --overlay --out out.mp4 --out regions.jsonl
  dbrt stream --source rtsp://USER:PASSWORD@HOST/PATH --out regions.jsonl --max-staleness 0.5
"""


def _read_config(ctx: click.Context, _param: click.Parameter, path: str | None) -> str | None:
    """Make the values of a configuration file the defaults; the command line wins."""
    if path is None:
        return None
    from dbrt.stream.settings import read_config

    hidden = ("config", "help", None)
    options = {p.name: p for p in ctx.command.params if p.name not in hidden}
    values = read_config(path, [name for name in options if name])
    for name, value in values.items():
        values[name] = _checked(options[name], value, path)
    ctx.default_map = {**(ctx.default_map or {}), **values}
    return path


def _checked(option: click.Parameter, value: Any, path: str) -> Any:
    """Return a configuration value in the form of the command line's; its type is click's to check.

    Raises UsageError where TOML's type can't be meant.
    """
    if isinstance(option, click.Option) and option.is_flag:
        kind, is_right = "true or false", isinstance(value, bool)
    elif option.multiple:
        value = value if isinstance(value, list) else [value]
        kind, is_right = "a text or a list of texts", all(isinstance(v, str) for v in value)
    else:
        kind = "a number or a text"
        is_right = isinstance(value, int | float | str) and not isinstance(value, bool)
    if not is_right:
        raise UsageError(f"configuration {path}: {option.name} must be {kind}, not {value!r}")
    return value


@click.command(epilog=_EPILOG, context_settings={"show_default": True})
@click.option(
    "--source",
    multiple=True,
    required=True,
    metavar="SRC",
    help="A video file, a folder of pictures, a camera (cam0, 0, /dev/video0), rtsp://..., "
    "http://..., or sample: the clip that ships with dbrt.",
)
@click.option("--overlay", is_flag=True, help="Show the regions on the frames in a window.")
@click.option(
    "--out",
    multiple=True,
    metavar="FILE",
    help="NAME.mp4 (annotated video), NAME.jsonl (one line a frame) or FOLDER/ (annotated "
    "pictures); may be given several times.",
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("--size", default=736, help="Longest side of the network's input.")
@click.option("--shape", metavar="HxW", help="Shape of the network's input, in place of --size.")
@click.option("--model", default="auto", help="auto, dbrt-lite, dbrt-r18, or a model file.")
@declared.option
@click.option("--runner", default="auto", help="auto, tensorrt, openvino or onnxruntime.")
@click.option("--precision", default="auto", help="auto, fp32, fp16, bf16 or int8.")
@click.option("--min-score", type=float, help="Least score of a region, 0 to 1.  [default: model]")
@click.option("--polygons", is_flag=True, help="Find outlines, not only quads.")
@click.option("--realtime", is_flag=True, help="Play a file at its own pace, as if it were live.")
@click.option("--max-staleness", type=float, metavar="S", help="Drop live results older than this.")
@click.option("--max-frames", type=int, metavar="N", help="Stop after so many frames.")
@click.option("--insecure", is_flag=True, help="Accept any TLS certificate.")
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    callback=_read_config,
    help="TOML file with these options' names as keys; the command line wins.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
def command(
    source: tuple[str, ...],
    shape: str | None,
    max_staleness: float | None,
    config: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Find text in live video: show it, record it, write it down.

    Files lose no frame; cameras and streams are always at their newest frame, and what was dropped
    is counted. Ctrl-C finishes every output and prints the figures.
    """
    from dbrt.engine.spec import parse_shape
    from dbrt.stream.session import run_stream
    from dbrt.stream.settings import StreamSettings

    if len(source) > 1:
        raise UsageError("this version takes one --source: start dbrt stream once for each")
    settings = StreamSettings(
        source=source[0],
        shape=None if shape is None else parse_shape(shape),
        max_staleness_s=max_staleness,
        **options,
    )
    outcome = run_stream(settings)
    if as_json:
        click.echo(json.dumps(outcome.summary.to_dict()))
    elif outcome.failure is None or outcome.summary.figures.processed:
        _print_summary(outcome.summary)
    if outcome.failure is not None:
        raise outcome.failure
    return outcome.signal_exit_code


def _print_summary(summary: Any) -> None:
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    # Captured, and written by click: rich itself ends the process where the pipe is closed.
    with console.capture() as capture:
        if summary.figures.processed:
            console.print(summary.table())
        for line in summary.lines():
            console.print(line, markup=False, soft_wrap=True)
    click.echo(capture.get(), nl=False)
