"""run_stream: one run of `dbrt stream`, from its settings to its summary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dbrt.errors import DbrtError
from dbrt.stream.channel import Mark
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.inference import Inference, Shape, StreamRunner
from dbrt.stream.model import StreamModel, load_model
from dbrt.stream.pipeline import Pipeline
from dbrt.stream.settings import StreamSettings
from dbrt.stream.sinks import Sink, open_sinks
from dbrt.stream.sources import Source, open_source, redact
from dbrt.stream.sources.source import Report
from dbrt.stream.status import StatusLine
from dbrt.stream.stopping import StopSignals
from dbrt.stream.summary import OutputSummary, StreamSummary
from dbrt.stream.telemetry import Telemetry
from dbrt.stream.window import Window, why_no_window

WINDOW_TICK_S = 0.01
TICK_S = 0.1

LoadModel = Callable[[StreamSettings, Report], StreamModel]


@dataclass(frozen=True)
class StreamOutcome:
    """How a run ended: its figures, the failure that came first, and the exit code of a signal."""

    summary: StreamSummary
    failure: BaseException | None
    signal_exit_code: int


def run_stream(
    settings: StreamSettings, *, load: LoadModel | None = None, clock: Clock = SYSTEM_CLOCK
) -> StreamOutcome:
    """Run to the end of the source, a signal, a closed window or a failure.

    load  reads the model; left out, the one that the settings name

    Outputs are checked first, then the source, then the model is read: what is wrong from the
    start raises UsageError, OutputError, SourceError or InputError within a moment. What goes
    wrong later is in the outcome, after every output has been finished.
    """
    with StopSignals() as signals:
        status = StatusLine(clock=clock)
        try:
            sinks = open_sinks(settings.out, overwrite=settings.overwrite)
            source = open_source(
                settings.source,
                realtime=settings.realtime,
                insecure=settings.insecure,
                clock=clock,
                report=status.report,
            )
            run = _Run(
                settings,
                source=source,
                sinks=sinks,
                load=load or load_model,
                status=status,
                clock=clock,
            )
            return run.to_end(signals)
        finally:
            status.close()


class _Run:
    """The parts of one run, wired together."""

    def __init__(
        self,
        settings: StreamSettings,
        *,
        source: Source,
        sinks: list[Sink],
        load: LoadModel,
        status: StatusLine,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._status = status
        self._sinks = sinks
        self._engine = ""
        self._model = load(settings, status.report)
        self._telemetry = Telemetry(clock)
        self._window = self._open_window() if settings.overlay else None
        self._pipeline = Pipeline(
            source,
            Inference(self._open_runner, self._model.shape_for, self._model.fill, clock=clock),
            self._model.decode,
            sinks,
            telemetry=self._telemetry,
            warm_up=self._model.warm_up,
            max_frames=settings.max_frames,
            max_staleness_s=settings.max_staleness_s,
            with_window=self._window is not None,
            clock=clock,
            report=status.report,
        )

    def to_end(self, signals: StopSignals) -> StreamOutcome:
        """Run the pipeline and return what came of it."""
        started_s = self._clock.now()

        def on_tick() -> None:
            if signals.caught is not None or not self._show():
                self._pipeline.stop()
            self._status.tick(self._pipeline.source, self._telemetry)

        tick_s = TICK_S if self._window is None else WINDOW_TICK_S
        try:
            self._pipeline.run(on_tick, tick_s=tick_s)
        finally:
            if self._window is not None:
                self._window.close()
        failures = self._pipeline.failures
        for other in failures[1:]:
            if isinstance(other, DbrtError) and str(other) != str(failures[0]):
                self._status.report(str(other))
        return StreamOutcome(
            self._summary(self._clock.now() - started_s),
            failures[0] if failures else None,
            signals.exit_code,
        )

    def _open_window(self) -> Window | None:
        reason = why_no_window()
        if reason is None:
            return Window()
        self._status.report(f"--overlay: {reason}; going on without a window")
        return None

    def _open_runner(self, shape: Shape) -> StreamRunner:
        runner = self._model.open_runner(shape)
        height, width = runner.shape
        self._engine = f"{height}x{width}, {runner.reason}"
        return runner

    def _show(self) -> bool:
        """Show the newest result; return whether the window, if any, is still open."""
        if self._window is None or self._pipeline.window is None:
            return True
        result = self._pipeline.window.get(wait=False)
        if not isinstance(result, Mark):
            self._window.show(result.picture())
        return not self._window.is_closed()

    def _summary(self, seconds: float) -> StreamSummary:
        dropped = self._pipeline.dropped_results()
        source = self._pipeline.source
        return StreamSummary(
            source=redact(source.name),
            model=self._model.name,
            engine=self._engine,
            seconds=seconds,
            state=source.status.stats(),
            figures=self._telemetry.snapshot(),
            outputs=tuple(
                OutputSummary(str(sink.path), sink.written, lost)
                for sink, lost in zip(self._sinks, dropped, strict=True)
            ),
        )
