"""How a pipeline ends: failures of every thread, full disks, stops, what is left behind."""

from __future__ import annotations

import itertools
import threading

import pytest

from dbrt.errors import OutputError, SourceError
from dbrt.stream.inference import Inference
from dbrt.stream.pipeline import Pipeline
from dbrt.stream.telemetry import Telemetry

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def test_a_source_that_fails_still_has_its_frames_finished(
    make_source, make_sink, make_pipeline, make_frames
):
    failure = SourceError("damaged")
    sink = make_sink()
    pipeline = make_pipeline(make_source(make_frames(20), fail=failure), [sink])
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


def test_an_engine_that_can_not_be_opened_ends_everything(make_source, make_sink, make_frames):
    source, sink = make_source(make_frames(50)), make_sink()
    inference = Inference(broken_open, lambda h, w: (64, 64), (0, 0, 0))
    pipeline = Pipeline(source, inference, broken_decode, [sink], telemetry=Telemetry())
    pipeline.run()
    assert [str(failure) for failure in pipeline.failures] == ["no engine"]
    assert source.closed.is_set()
    assert sink.closed == 1


def test_a_decoder_that_does_not_warm_up_ends_everything(
    make_source, make_sink, make_pipeline, make_frames
):
    def warm_up():
        raise RuntimeError("no compiler")

    sink = make_sink()
    pipeline = make_pipeline(make_source(make_frames(50)), [sink], warm_up=warm_up)
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
    make_source, make_sink, make_pipeline, make_frames
):
    source, sink = make_source(make_frames(50)), make_sink()
    pipeline = make_pipeline(source, [sink])
    getting_ready = pipeline._inference.get_ready_for

    def get_ready_for(item):
        getting_ready(item)
        pipeline.stop()

    pipeline._inference.get_ready_for = get_ready_for
    pipeline.run()
    assert pipeline.failures == []
    assert sink.results == []


def test_a_full_disk_stops_its_sink_only(make_source, make_sink, make_pipeline, make_frames):
    failure = OutputError("disk full")
    full, other = make_sink("full", fail_at=4, fail=failure), make_sink("other")
    lines = []
    source = make_source(make_frames(40))
    pipeline = make_pipeline(source, [full, other], report=lines.append)
    pipeline.run()
    assert pipeline.failures == [failure]
    assert full.indices == [0, 1, 2, 3]
    assert full.closed == 1
    assert other.indices == list(range(40))
    assert lines == ["disk full; the stream goes on without it"]


def test_the_last_output_that_fails_ends_the_stream(
    make_source, make_sink, make_pipeline, make_picture
):
    first, last = OutputError("disk full"), OutputError("disk full too")
    lines, told = [], threading.Event()

    def report(line):
        lines.append(line)
        told.set()

    sinks = [
        make_sink("first", fail_at=4, fail=first),
        make_sink("last", fail_at=5, fail=last, gate=told),
    ]
    source = make_source(itertools.repeat(make_picture()))
    pipeline = make_pipeline(source, sinks, report=report)
    pipeline.run()
    assert pipeline.failures == [first, last]
    assert source.closed.is_set()
    assert [sink.closed for sink in sinks] == [1, 1]
    assert lines == ["disk full; the stream goes on without it"]


def test_an_output_that_can_not_be_finished_is_a_failure(
    make_source, make_sink, make_pipeline, make_frames
):
    failure = OutputError("disk full at the end")
    sink = make_sink(fail_close=failure)
    pipeline = make_pipeline(make_source(make_frames(3)), [sink])
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
    make_source, make_sink, make_pipeline, make_frames
):
    first = OutputError("disk full")
    source_failed = SourceError("damaged")
    full, other = make_sink("full", fail_at=0, fail=first), make_sink("other")
    linger = threading.Event()
    source = make_source(make_frames(3), fail=source_failed, linger=linger)
    pipeline = make_pipeline(source, [full, other])

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
    make_source, make_sink, make_pipeline, make_frames, monkeypatch
):
    monkeypatch.setattr("dbrt.stream.pipeline.SOURCE_LIMIT_S", 0.01)
    linger = threading.Event()
    sink, lines = make_sink(), []
    source = make_source(make_frames(2), is_live=True, linger=linger)
    pipeline = make_pipeline(source, [sink], report=lines.append)

    def on_tick():
        if source.ended.is_set():
            pipeline.stop()

    pipeline.run(on_tick, tick_s=0.001)
    assert lines == ["list does not answer; its connection is left behind"]
    assert sink.closed == 1
    linger.set()
    assert source.closed.wait(10)


def test_many_runs_leave_no_thread_behind(make_source, make_sink, make_pipeline, make_picture):
    before = threading.active_count()
    picture = make_picture()
    for _ in range(15):
        make_pipeline(make_source([picture] * 3), [make_sink()]).run(tick_s=0.001)
    assert threading.active_count() == before
