"""Pipeline: the threads between a source and its sinks.

::

    source ──[2]──> engine ──[4]──> decode ──[8]──> sink, one thread each
                                       └───[1]──> window, the main thread's

Each arrow is a bounded Channel, each name a thread. Results reach every sink in frame order.

Two policies, decided frame by frame by `SourceFrame.is_live`:

- file: every frame. A full channel makes the thread before it wait, back to the source.
- live: the freshest frame wins. The engine takes the newest frame and the older ones are dropped
  and counted; a slow sink loses results and slows nothing.

How it ends: each thread closes what it reads and what it writes when it ends, for whatever reason,
so the end of one reaches all. The source's end lets everything drain; a failure in the middle
empties the channels before it and lets those behind it drain, so that outputs are finalised. What a
thread raised is kept in `failures`, in order of time; nothing is swallowed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dbrt.errors import OutputError
from dbrt.regions import TextRegions
from dbrt.stream.channel import END, Channel, Mark
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.inference import Inference, MappedFrame
from dbrt.stream.result import FrameResult
from dbrt.stream.sinks.sink import Sink
from dbrt.stream.sources.source import Report, Source, SourceFrame, no_report
from dbrt.stream.telemetry import Telemetry
from dbrt.wording import counted

CAPTURED = 2  # frames waiting for the engine; more would only age
MAPS = 4
RESULTS = 8  # a key frame of the encoder takes longer than the others

STOP_LIMIT_S = 20.0
"""How long the end of a run may take once it has begun. An engine being compiled can't be
interrupted; the longest seen took a few seconds."""

SOURCE_LIMIT_S = 1.0
"""How long the end waits for the source's thread: one blocked in a read can't be freed (closing
the container from outside kills the process), so it is left behind; it is a daemon."""


class Decode(Protocol):
    """`dbrt.postproc.decode` with its thresholds filled in."""

    def __call__(
        self,
        map: NDArray[np.uint8],
        /,
        *,
        scale: tuple[float, float],
        frame_size: tuple[int, int],
    ) -> TextRegions:
        """Return the regions of a probability map in pixels of the frame."""


class Pipeline:
    """One source, one engine, one decoder, any number of sinks.

    `run` is called once, from the thread that owns the window if there is one. `stop` may be
    called from any thread, but not from a signal handler: it takes locks.
    """

    def __init__(
        self,
        source: Source,
        inference: Inference,
        decode: Decode,
        sinks: Sequence[Sink],
        *,
        telemetry: Telemetry,
        warm_up: Callable[[], None] = lambda: None,
        max_frames: int | None = None,
        max_staleness_s: float | None = None,
        with_window: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        report: Report = no_report,
    ) -> None:
        self.source = source
        self.telemetry = telemetry
        self.failures: list[BaseException] = []  # appended to by any thread; append is atomic
        self.window: Channel[FrameResult] | None = Channel(1) if with_window else None
        self._inference = inference
        self._decode = decode
        self._warm_up = warm_up
        self._begun = threading.Event()  # set when the first frame is there, or none will come
        self._warm = threading.Event()  # set by the decode thread when its kernels are ready
        self._warm_s = float("-inf")  # when that was; written before the event is set
        self._ready = threading.Event()  # set when the first engine is open too: files begin then
        self._ready_s = float("-inf")  # when an engine was opened last; the engine thread's
        self._max_frames = max_frames
        self._max_staleness_s = max_staleness_s
        self._clock = clock
        self._report = report
        self._stop = threading.Event()
        self._done = threading.Event()
        self._captured: Channel[SourceFrame] = Channel(CAPTURED)
        self._maps: Channel[MappedFrame] = Channel(MAPS)
        self._sinks = [(sink, Channel[FrameResult](RESULTS)) for sink in sinks]
        self._source_thread = self._thread("source", self._read)
        self._workers = [
            self._thread("engine", self._infer),
            self._thread("decode", self._find),
            *(
                self._thread(f"sink {sink.path.name}", partial(self._drain, sink, channel))
                for sink, channel in self._sinks
            ),
        ]
        self._lock = threading.Lock()
        self._running = len(self._workers)  # under _lock; _done is set when it reaches 0
        self._outputs = len(sinks) + with_window  # under _lock; nobody looks when it reaches 0

    def run(self, on_tick: Callable[[], None] = lambda: None, *, tick_s: float = 0.1) -> None:
        """Run to the end of the source, or until `stop`; `on_tick` is called every `tick_s`.

        Returns when every sink is closed; look at `failures` then.
        """
        for thread in (self._source_thread, *self._workers):
            thread.start()
        stopping_s = None
        try:
            while not self._done.wait(tick_s):
                self.source.status.check_stall(self._clock.now())
                on_tick()
                if self._stop.is_set():
                    stopping_s = stopping_s or self._clock.now()
                    if self._clock.now() - stopping_s > STOP_LIMIT_S:
                        break
        finally:
            self.stop()
            self._join()

    def stop(self) -> None:
        """Take no further frame; what is in the network is finished and written."""
        self._stop.set()
        self._begun.set()
        self._ready.set()
        self._captured.close(discard=True)

    def dropped_results(self) -> list[int]:
        """Return how many results each sink was too slow for, in their order (live sources)."""
        return [channel.stats().dropped for _, channel in self._sinks]

    def _join(self) -> None:
        self._source_thread.join(SOURCE_LIMIT_S)
        if self._source_thread.is_alive():
            self._report(f"{self.source.name} does not answer; its connection is left behind")
        self.telemetry.count_dropped(self._captured.stats().dropped)
        late = []
        for thread in self._workers:
            thread.join(STOP_LIMIT_S if self._done.is_set() else 0)
            if thread.is_alive():
                late.append(thread.name)
        if late:
            self._report(f"{', '.join(late)} did not end in {STOP_LIMIT_S:.0f} s and was left")

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                work()
            except BaseException as exc:
                self.failures.append(exc)
                self.stop()
            finally:
                if threading.current_thread() is not self._source_thread:
                    self._end_of_worker()

        return threading.Thread(target=guarded, name=f"dbrt {name}", daemon=True)

    def _end_of_worker(self) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._done.set()

    def _read(self) -> None:
        """Source thread: frames into `_captured`."""
        try:
            with closing(self.source.frames(self._stop)) as frames:  # type: ignore[type-var]
                for item in frames:
                    self.telemetry.count_captured()
                    self.telemetry.record("capture", item.capture_ms)
                    if not self._captured.put(item, replace=item.is_live):
                        break
                    self._begun.set()
                    if self.source.can_wait:
                        self._ready.wait()
            self.source.status.finish()
        except Exception as exc:
            # Not re-raised: what was read before is still to be finished, not thrown away.
            self.failures.append(exc)
        finally:
            self._captured.close()
            self._begun.set()

    def _infer(self) -> None:
        """Engine thread: `_captured` into `_maps`."""
        try:
            self._infer_all()
        finally:
            self._ready.set()
            self._captured.close(discard=True)
            self._maps.close()
            self._inference.close()

    def _infer_all(self) -> None:
        inference = self._inference
        submitted, is_live = 0, False
        while self._max_frames is None or submitted < self._max_frames:
            # A live frame is taken when the network is free and not before: it would only age.
            if is_live:
                self._collect_all()
            self._make_room()
            item = self._take(wait=inference.pending == 0)
            if item is END:
                break
            if isinstance(item, Mark):  # nothing waits, but the network is busy
                self._emit(inference.collect())
                continue
            is_live = item.is_live
            while not inference.is_ready_for(item):
                self._collect_all()
                inference.get_ready_for(item)
                self._warm.wait()
                self._ready_s = self._clock.now()
                self._ready.set()
                item = self._newest(item)
            if self._stop.is_set():  # while the engine was opened, which takes seconds
                break
            if self._is_stale(item, self._clock.now()):
                continue
            for mapped in inference.submit(item):
                self._emit(mapped)
            submitted += 1
        self._collect_all()

    def _take(self, *, wait: bool) -> SourceFrame | Mark:
        item = self._captured.get(wait=wait)
        return item if isinstance(item, Mark) else self._newest(item)

    def _newest(self, item: SourceFrame) -> SourceFrame:
        """Return the newest frame that waits where frames are live, else `item`."""
        while item.is_live:
            newer = self._captured.get(wait=False)
            if isinstance(newer, Mark):
                break
            self.telemetry.count_dropped()
            item = newer
        return item

    def _collect_all(self) -> None:
        while self._inference.pending:
            self._emit(self._inference.collect())

    def _make_room(self) -> None:
        """See to it that the next map can be passed on without waiting.

        A frame that is through the network while this thread waits for room would seem to have
        taken all that time in it.
        """
        while not self._maps.has_room(beyond=self._inference.pending):
            if self._inference.pending:
                self._emit(self._inference.collect())
            else:
                self._maps.wait_for_room()

    def _emit(self, mapped: MappedFrame) -> None:
        self.telemetry.record("letterbox", mapped.letterbox_ms)
        self.telemetry.record("network", mapped.network_ms)
        self._maps.put(mapped)

    def _is_stale(self, item: SourceFrame, now_s: float) -> bool:
        limit_s = self._max_staleness_s
        # The first frame of a file was held until the engine was ready, and did not age.
        from_s = max(item.captured_s, self._ready_s) if self.source.can_wait else item.captured_s
        is_stale = item.is_live and limit_s is not None and now_s - from_s > limit_s
        if is_stale:
            self.telemetry.count_stale()
        return is_stale

    def _find(self) -> None:
        """Decode thread: `_maps` into every sink's channel and the window's."""
        try:
            # A source that never delivers would otherwise wait for kernels that nobody needs:
            # a compilation can't be interrupted, and takes long on a busy machine.
            self._begun.wait()
            if self._captured.stats().entered and not self._stop.is_set():
                self._warm_up()
            self._warm_s = self._clock.now()
            self._warm.set()
            while not isinstance(mapped := self._maps.get(), Mark):
                result = self._decode_one(mapped)
                if result is not None:
                    self._pass_on(result)
        finally:
            self._warm.set()  # the engine may wait for it
            self._maps.close(discard=True)
            for _, channel in self._sinks:
                channel.close()
            if self.window is not None:
                self.window.close()

    def _decode_one(self, mapped: MappedFrame) -> FrameResult | None:
        item = mapped.source_frame
        height, width = item.frame.shape[:2]
        back = 1 / mapped.scale
        started_s = self._clock.now()
        regions = self._decode(mapped.map, scale=(back, back), frame_size=(height, width))
        now_s = self._clock.now()
        if self._is_stale(item, now_s):
            return None
        times_ms = {
            "capture": item.capture_ms,
            "letterbox": mapped.letterbox_ms,
            "network": mapped.network_ms,
            "decode": (now_s - started_s) * 1000,
            "latency": (now_s - max(mapped.since_s, self._warm_s)) * 1000,
        }
        self.telemetry.record("decode", times_ms["decode"])
        self.telemetry.record("latency", times_ms["latency"])
        self.telemetry.count_result(len(regions))
        rate = self.telemetry.recent_rate()
        return FrameResult(
            source=self.source.name,
            index=item.index,
            time_s=item.time_s,
            frame=item.frame,
            regions=regions,
            times_ms=times_ms,
            is_live=item.is_live,
            status=f"{counted(len(regions), 'region')}  network {mapped.network_ms:.0f} ms  "
            f"{rate:.1f} fps",
            on_drawn=partial(self.telemetry.record, "draw"),
        )

    def _pass_on(self, result: FrameResult) -> None:
        for _, channel in self._sinks:
            channel.put(result, replace=result.is_live)
        if self.window is not None:
            self.window.put(result, replace=True)

    def _drain(self, sink: Sink, channel: Channel[FrameResult]) -> None:
        """Sink thread: results into the output. A full disk ends this sink, and not the others."""
        try:
            with closing(sink):
                while not isinstance(result := channel.get(), Mark):
                    if sink.is_annotated:
                        result.picture()  # here, so that `write` does not count the drawing
                    started_s = self._clock.now()
                    sink.write(result)
                    self.telemetry.record("write", (self._clock.now() - started_s) * 1000)
        except OutputError as exc:
            self.failures.append(exc)
            self._go_on_without(exc)
        finally:
            channel.close(discard=True)

    def _go_on_without(self, failure: OutputError) -> None:
        """Report a sink that has failed; the last output takes the stream with it."""
        with self._lock:
            self._outputs -= 1
            is_needed = self._outputs > 0
        if is_needed:
            self._report(f"{failure}; the stream goes on without it")
        else:
            self.stop()
