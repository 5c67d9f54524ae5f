from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest

from dbrt.errors import OutputError, SourceError
from dbrt.stream.channel import Mark
from dbrt.stream.inference import Inference
from dbrt.stream.pipeline import Pipeline
from dbrt.stream.sinks.sink import Sink
from dbrt.stream.sources.state import SourceState
from dbrt.stream.telemetry import Telemetry


class ListSink(Sink):
    """Keeps results; may fail at one of them, in `close`, or hold until told to go on."""

    def __init__(self, path, *, fail_at=None, fail=None, fail_close=None, gate=None):
        super().__init__(path)
        self.results = []
        self.closed = 0
        self.fail_at, self.fail, self.fail_close, self.gate = fail_at, fail, fail_close, gate
        self.entered = threading.Event()

    def write(self, result):
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        if len(self.results) == self.fail_at:
            raise self.fail
        self.results.append(result)

    def close(self):
        self.closed += 1
        if self.fail_close is not None:
            raise self.fail_close

    @property
    def indices(self):
        return [result.index for result in self.results]


@pytest.fixture
def make_sink(tmp_path):
    def make(name="sink", **options):
        return ListSink(tmp_path / name, **options)

    return make


@pytest.fixture
def runners():
    return []


@pytest.fixture
def make_pipeline(make_model, runners):
    def make(source, sinks, *, model_options=None, **options):
        model = make_model(runners, **(model_options or {}))
        clock = source.clock
        return Pipeline(
            source,
            Inference(model.open_runner, model.shape_for, model.fill, clock=clock),
            model.decode,
            sinks,
            telemetry=Telemetry(clock),
            clock=clock,
            **options,
        )

    return make


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    left = [t.name for t in threading.enumerate() if t.name.startswith("dbrt ")]
    assert left == []


def frames_of(make_picture, count, *size):
    return [make_picture(index, *size) for index in range(count)]


def test_every_frame_of_a_file_reaches_every_sink_in_order(
    make_source, make_sink, make_pipeline, make_picture
):
    sinks = [make_sink("a"), make_sink("b")]
    source = make_source(frames_of(make_picture, 40))
    pipeline = make_pipeline(source, sinks)
    pipeline.run()
    assert pipeline.failures == []
    assert [sink.indices for sink in sinks] == [list(range(40))] * 2
    assert [sink.closed for sink in sinks] == [1, 1]
    assert source.closed.is_set()
    assert source.status.state is SourceState.ENDED
    figures = pipeline.telemetry.snapshot()
    assert (figures.captured, figures.processed, figures.dropped) == (40, 40, 0)
    assert set(figures.stages) == {
        *("capture", "letterbox", "network", "decode", "draw", "write", "latency")
    }


def test_regions_lie_where_the_text_is_in_pixels_of_the_frame(
    make_source, make_sink, make_pipeline, make_picture
):
    sink = make_sink()
    make_pipeline(make_source(frames_of(make_picture, 3, 96, 160)), [sink]).run()
    for result in sink.results:
        rows, columns = np.nonzero(result.frame[..., 0] > 200)
        (quad,) = result.regions.quads
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert [*quad.min(axis=0), *quad.max(axis=0)] == pytest.approx(expected, abs=3)


def test_a_slow_sink_holds_a_file_and_loses_nothing(
    make_source, make_sink, make_pipeline, make_picture
):
    gate = threading.Event()
    slow, fast = make_sink("slow", gate=gate), make_sink("fast")
    source = make_source(frames_of(make_picture, 60))
    pipeline = make_pipeline(source, [slow, fast])
    ticks = []

    def on_tick():
        ticks.append(source.ended.is_set())
        if slow.entered.is_set():
            gate.set()

    pipeline.run(on_tick, tick_s=0.001)
    assert slow.indices == fast.indices == list(range(60))
    assert not ticks[0]  # the source was held: 60 frames do not fit into the channels
    assert pipeline.dropped_results() == [0, 0]


def test_the_freshest_frame_of_a_live_source_wins_and_the_rest_is_counted(
    make_source, make_sink, make_pipeline, make_picture
):
    gate, linger = threading.Event(), threading.Event()
    source = make_source(frames_of(make_picture, 50), is_live=True, linger=linger)
    sink = make_sink()
    pipeline = make_pipeline(source, [sink], model_options={"gate": gate})

    def on_tick():
        if source.ended.is_set():  # all 50 have come while the network was busy with one
            gate.set()
            if sink.indices[-1:] == [49]:
                linger.set()

    pipeline.run(on_tick, tick_s=0.001)
    assert sink.indices[-1] == 49
    assert sink.indices == sorted(sink.indices)
    assert len(sink.indices) <= 3
    figures = pipeline.telemetry.snapshot()
    assert figures.captured == 50
    assert figures.processed + figures.dropped == 50


def test_a_slow_sink_of_a_live_source_loses_results_and_slows_nothing(
    make_source, make_sink, make_pipeline, make_picture
):
    gate, linger = threading.Event(), threading.Event()
    taken = threading.Semaphore(0)

    def one_by_one(frames):
        for frame in frames:
            yield frame
            taken.acquire(timeout=30)

    source = make_source(one_by_one(frames_of(make_picture, 30)), is_live=True, linger=linger)
    slow, fast = make_sink("slow", gate=gate), make_sink("fast")
    write = fast.write

    def write_and_tell(result):
        write(result)
        taken.release()

    fast.write = write_and_tell
    pipeline = make_pipeline(source, [slow, fast])

    def on_tick():
        if len(fast.results) == 30:
            gate.set()
            linger.set()

    pipeline.run(on_tick, tick_s=0.001)
    assert fast.indices == list(range(30))
    assert slow.indices[-1] == 29
    lost_slow, lost_fast = pipeline.dropped_results()
    assert lost_slow == 30 - len(slow.indices) > 15
    assert lost_fast == 0


def test_live_results_that_are_too_old_are_not_passed_on(
    make_source, make_sink, make_pipeline, make_picture, clock
):
    sink = make_sink()

    def ageing(map, *, scale, frame_size):
        clock.time_s += 0.7  # this decoder is slow
        from dbrt.regions import TextRegions

        return TextRegions.empty()

    source = make_source(frames_of(make_picture, 1), is_live=True, clock=clock)
    pipeline = make_pipeline(source, [sink], model_options={"decode": ageing}, max_staleness_s=0.5)
    pipeline.run()
    assert sink.results == []
    assert pipeline.telemetry.snapshot().stale == 1


def test_files_are_never_too_old(make_source, make_sink, make_pipeline, make_picture, clock):
    sink = make_sink()
    source = make_source(frames_of(make_picture, 4), clock=clock)
    make_pipeline(source, [sink], max_staleness_s=1e-9).run()
    assert len(sink.results) == 4


def test_a_change_of_size_opens_another_runner_in_mid_stream(
    make_source, make_sink, make_pipeline, make_picture, runners
):
    frames = [*frames_of(make_picture, 5, 32, 64), *frames_of(make_picture, 5, 64, 40)]
    sink = make_sink()
    make_pipeline(make_source(frames), [sink]).run()
    assert sink.indices == list(range(10))
    assert [runner.shape for runner in runners] == [(32, 64), (64, 64)]
    assert all(runner.closed for runner in runners)


@pytest.mark.parametrize("is_live", [False, True], ids=["file", "live"])
def test_max_frames_ends_the_run(make_source, make_sink, make_pipeline, make_picture, is_live):
    sink = make_sink()
    source = make_source(frames_of(make_picture, 500), is_live=is_live)
    pipeline = make_pipeline(source, [sink], max_frames=3)
    pipeline.run()
    assert len(sink.results) <= 3
    assert is_live or len(sink.results) == 3
    assert pipeline.failures == []
    assert sink.closed == 1


def test_a_source_that_fails_still_has_its_frames_finished(
    make_source, make_sink, make_pipeline, make_picture
):
    failure = SourceError("damaged")
    sink = make_sink()
    pipeline = make_pipeline(make_source(frames_of(make_picture, 20), fail=failure), [sink])
    pipeline.run()
    assert pipeline.failures == [failure]
    assert len(sink.results) == 20
    assert sink.closed == 1


def broken_decode(map, *, scale, frame_size):
    raise ZeroDivisionError("decode broke")


def broken_open(shape):
    raise OSError("no engine")


@pytest.mark.parametrize(
    ("options", "is_live", "message"),
    [
        ({"fail_at": 7}, False, "the network broke"),
        ({"fail_at": 0}, True, "the network broke"),
        ({"decode": broken_decode}, False, "decode broke"),
        ({"decode": broken_decode}, True, "decode broke"),
    ],
    ids=["engine-file", "engine-live", "decode-file", "decode-live"],
)
def test_a_thread_that_fails_ends_everything(
    make_source, make_sink, make_pipeline, make_picture, options, is_live, message
):
    sink = make_sink()
    source = make_source([make_picture()] * 2000, is_live=is_live)
    pipeline = make_pipeline(source, [sink], model_options=options)
    pipeline.run()
    assert [str(failure) for failure in pipeline.failures] == [message]
    assert source.closed.is_set()
    assert sink.closed == 1
    assert sink.indices == list(range(len(sink.indices)))
    # What was in the network when it broke is lost, at most two frames; what was out is written.
    assert len(sink.indices) in range(max(0, options.get("fail_at", 0) - 2), 8)


def test_an_engine_that_can_not_be_opened_ends_everything(make_source, make_sink, make_picture):
    source, sink = make_source(frames_of(make_picture, 50)), make_sink()
    inference = Inference(broken_open, lambda h, w: (64, 64), (0, 0, 0))
    pipeline = Pipeline(source, inference, broken_decode, [sink], telemetry=Telemetry())
    pipeline.run()
    assert [str(failure) for failure in pipeline.failures] == ["no engine"]
    assert source.closed.is_set()
    assert sink.closed == 1


def test_a_decoder_that_does_not_warm_up_ends_everything(
    make_source, make_sink, make_pipeline, make_picture
):
    def warm_up():
        raise RuntimeError("no compiler")

    sink = make_sink()
    pipeline = make_pipeline(make_source(frames_of(make_picture, 50)), [sink], warm_up=warm_up)
    pipeline.run()
    assert [str(failure) for failure in pipeline.failures] == ["no compiler"]
    assert sink.closed == 1


def test_kernels_are_not_compiled_for_a_source_without_frames(
    make_source, make_sink, make_pipeline
):
    warmed = []
    failure = SourceError("no answer")
    pipeline = make_pipeline(
        make_source([], fail=failure), [make_sink()], warm_up=lambda: warmed.append(True)
    )
    pipeline.run()
    assert pipeline.failures == [failure]
    assert warmed == []


def test_a_stop_while_the_engine_opens_lets_no_frame_in(
    make_source, make_sink, make_pipeline, make_picture
):
    source, sink = make_source(frames_of(make_picture, 50)), make_sink()
    pipeline = make_pipeline(source, [sink])
    getting_ready = pipeline._inference.get_ready_for

    def get_ready_for(item):
        getting_ready(item)
        pipeline.stop()

    pipeline._inference.get_ready_for = get_ready_for
    pipeline.run()
    assert pipeline.failures == []
    assert sink.results == []


def test_a_full_disk_stops_its_sink_only(make_source, make_sink, make_pipeline, make_picture):
    failure = OutputError("disk full")
    full, other = make_sink("full", fail_at=4, fail=failure), make_sink("other")
    lines = []
    source = make_source(frames_of(make_picture, 40))
    pipeline = make_pipeline(source, [full, other], report=lines.append)
    pipeline.run()
    assert pipeline.failures == [failure]
    assert full.indices == [0, 1, 2, 3]
    assert full.closed == 1
    assert other.indices == list(range(40))
    assert lines == ["disk full; the stream goes on without it"]


def test_an_output_that_can_not_be_finished_is_a_failure(
    make_source, make_sink, make_pipeline, make_picture
):
    failure = OutputError("disk full at the end")
    sink = make_sink(fail_close=failure)
    pipeline = make_pipeline(make_source(frames_of(make_picture, 3)), [sink])
    pipeline.run()
    assert pipeline.failures == [failure]


def test_a_sink_with_a_bug_ends_everything(make_source, make_sink, make_pipeline, make_picture):
    broken = make_sink("broken", fail_at=2, fail=KeyError("bug"))
    other = make_sink("other")
    source = make_source([make_picture()] * 2000)
    pipeline = make_pipeline(source, [broken, other])
    pipeline.run()
    assert len(pipeline.failures) == 1
    assert isinstance(pipeline.failures[0], KeyError)
    assert other.closed == 1
    assert len(other.results) < 2000


def test_the_first_of_several_failures_comes_first(
    make_source, make_sink, make_pipeline, make_picture
):
    first = OutputError("disk full")
    source_failed = SourceError("damaged")
    sink = make_sink(fail_at=0, fail=first)
    linger = threading.Event()
    source = make_source(frames_of(make_picture, 3), fail=source_failed, linger=linger)
    pipeline = make_pipeline(source, [sink])

    def on_tick():
        if pipeline.failures:
            linger.set()

    pipeline.run(on_tick, tick_s=0.001)
    assert pipeline.failures == [first, source_failed]


def test_stopping_finishes_what_is_in_the_network(
    make_source, make_sink, make_pipeline, make_picture
):
    sink = make_sink()
    source = make_source(itertools.repeat(make_picture()))
    pipeline = make_pipeline(source, [sink])

    def on_tick():
        if len(sink.results) > 10:
            pipeline.stop()

    pipeline.run(on_tick, tick_s=0.001)
    assert sink.closed == 1
    assert pipeline.failures == []
    assert sink.indices == list(range(len(sink.indices)))
    assert len(sink.indices) > 10


def test_a_source_that_does_not_answer_is_left_behind(
    make_source, make_sink, make_pipeline, make_picture, monkeypatch
):
    monkeypatch.setattr("dbrt.stream.pipeline.SOURCE_LIMIT_S", 0.01)
    linger = threading.Event()
    sink, lines = make_sink(), []
    source = make_source(frames_of(make_picture, 2), is_live=True, linger=linger)
    pipeline = make_pipeline(source, [sink], report=lines.append)

    def on_tick():
        if source.ended.is_set():
            pipeline.stop()

    pipeline.run(on_tick, tick_s=0.001)
    assert lines == ["list does not answer; its connection is left behind"]
    assert sink.closed == 1
    linger.set()
    assert source.closed.wait(10)


def test_the_window_gets_the_newest_result(make_source, make_pipeline, make_picture):
    shown = []
    linger = threading.Event()
    source = make_source(frames_of(make_picture, 30), linger=linger)
    pipeline = make_pipeline(source, [], with_window=True)

    def on_tick():
        result = pipeline.window.get(wait=False)
        if not isinstance(result, Mark):
            shown.append(result.index)
            if result.index == 29:
                linger.set()

    pipeline.run(on_tick, tick_s=0.001)
    assert shown[-1] == 29
    assert shown == sorted(set(shown))


def test_a_stall_of_a_live_source_is_noticed_while_it_lasts(
    make_source, make_pipeline, make_picture, clock
):
    from dbrt.stream.sources.state import SourceStatus

    linger = threading.Event()
    source = make_source(frames_of(make_picture, 2), is_live=True, linger=linger, clock=clock)
    source.status = SourceStatus(can_stall=True)
    pipeline = make_pipeline(source, [])
    seen = []

    def on_tick():
        if source.ended.is_set():
            clock.time_s += 0.4
            seen.append(source.status.state)
            if len(seen) == 5:
                linger.set()

    pipeline.run(on_tick, tick_s=0.001)
    assert seen[0] is SourceState.STREAMING
    assert SourceState.STALLED in seen
    assert source.status.state is SourceState.ENDED


def test_many_runs_leave_no_thread_behind(make_source, make_sink, make_pipeline, make_picture):
    before = threading.active_count()
    picture = make_picture()
    for _ in range(15):
        make_pipeline(make_source([picture] * 3), [make_sink()]).run(tick_s=0.001)
    assert threading.active_count() == before


def test_latency_leaves_out_the_time_until_everything_was_ready(
    make_source, make_sink, make_pipeline, make_picture, clock
):
    def warm_up():
        clock.time_s += 140.0  # compiling kernels on a busy machine

    sink = make_sink()
    source = make_source(frames_of(make_picture, 3), clock=clock)
    make_pipeline(source, [sink], warm_up=warm_up).run()
    assert [result.times_ms["latency"] for result in sink.results] == [0.0] * 3


def test_waiting_for_a_slow_sink_is_not_counted_as_time_in_the_network(
    make_source, make_sink, make_pipeline, make_picture, clock
):
    sink = make_sink()
    write = sink.write

    def write_slowly(result):
        write(result)
        clock.time_s += 1.0

    sink.write = write_slowly
    count = 60
    pipeline = make_pipeline(make_source(frames_of(make_picture, count), clock=clock), [sink])
    submitting = pipeline._inference.submit

    def submit(item):
        assert pipeline._maps.has_room(beyond=pipeline._inference.pending)
        return submitting(item)

    pipeline._inference.submit = submit
    pipeline.run()
    assert pipeline.failures == []
    assert len(sink.results) == count


@pytest.mark.parametrize("can_wait", [True, False], ids=["file", "camera"])
def test_a_file_waits_until_the_engine_is_open_and_a_camera_does_not(
    make_source, make_sink, make_pipeline, make_picture, can_wait
):
    gate = threading.Event()
    source = make_source(frames_of(make_picture, 9), is_live=True)  # as with --realtime
    source.can_wait = can_wait
    sink = make_sink()
    pipeline = make_pipeline(source, [sink], warm_up=lambda: gate.wait(30))
    over_before = []

    def on_tick():
        over_before.append(source.ended.is_set())
        if over_before[-1] or (can_wait and len(over_before) > 20):
            gate.set()

    pipeline.run(on_tick, tick_s=0.001)
    assert pipeline.failures == []
    assert any(over_before[:21]) is False if can_wait else any(over_before)
