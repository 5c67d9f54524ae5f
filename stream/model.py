"""StreamModel: the detector of a run, taken apart for the pipeline's threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from dbrt.stream.inference import Shape, StreamRunner
from dbrt.stream.pipeline import Decode
from dbrt.stream.settings import StreamSettings
from dbrt.stream.sources.source import Report


@dataclass(frozen=True)
class StreamModel:
    """What the engine's and the decoder's thread need of a model.

    name         the model's name, for the summary
    open_runner  makes a runner for a shape, from the engine cache or by building
    shape_for    the network's shape for a frame's (height, width)
    fill         BGR, 0..255, the letterbox's colour
    decode       map to regions, thresholds filled in
    warm_up      compiles the decoder's kernels
    """

    name: str
    open_runner: Callable[[Shape], StreamRunner]
    shape_for: Callable[[int, int], Shape]
    fill: tuple[int, int, int]
    decode: Decode
    warm_up: Callable[[], None]


def load_model(settings: StreamSettings, report: Report) -> StreamModel:
    """Read the model file that the settings name; engines are opened later, size by size.

    Raises InputError where the model file is missing or can't be read; UsageError or RunnerError
    where the runner or its precision can't be had here, before any thread is at work.
    """
    from dbrt.engine.declaration import parse_declared
    from dbrt.engine.modelfile import find_model, read_model_file
    from dbrt.engine.select import choose, open_runner
    from dbrt.engine.spec import shape_for_frame
    from dbrt.postproc import decode, warm_up

    model = read_model_file(find_model(settings.model), parse_declared(settings.declare))
    choose(settings.runner, settings.precision)
    min_score = model.min_score if settings.min_score is None else settings.min_score

    def open_and_say(shape: Shape) -> StreamRunner:
        runner = open_runner(
            model, shape=shape, runner=settings.runner, precision=settings.precision
        )
        height, width = runner.shape
        report(f"{model.name} at {height}x{width}: {runner.reason}")
        return runner

    def shape_for(height: int, width: int) -> Shape:
        return settings.shape or shape_for_frame(settings.size, height, width)

    return StreamModel(
        name=model.name,
        open_runner=open_and_say,
        shape_for=shape_for,
        fill=model.fill,
        decode=partial(
            decode,
            **{**model.decode_options, "min_score": min_score},
            output="polygon" if settings.polygons else "quad",
        ),
        warm_up=warm_up,
    )
