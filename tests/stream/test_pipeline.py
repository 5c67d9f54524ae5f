"""Frames through the pipeline: what reaches the sinks, in which order, and what is dropped."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from dbrt.stream.channel import Mark
from dbrt.stream.sources.state import SourceState

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def test_every_frame_of_a_file_reaches_every_sink_in_order(
    make_source, make_sink, make_pipeline, make_frames
):
    sinks = [make_sink("a"), make_sink("b")]
    source = make_source(make_frames(40))
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
    make_source, make_sink, make_pipeline, make_frames
):
    sink = make_sink()
    make_pipeline(make_source(make_frames(3, 96, 160)), [sink]).run()
    for result in sink.results:
        rows, columns = np.nonzero(result.frame[..., 0] > 200)
        (quad,) = result.regions.quads
        expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert [*quad.min(axis=0), *quad.max(axis=0)] == pytest.approx(expected, abs=3)


def test_a_slow_sink_holds_a_file_and_loses_nothing(
    make_source, make_sink, make_pipeline, make_frames
):
    gate = threading.Event()
    slow, fast = make_sink("slow", gate=gate), make_sink("fast")
    source = make_source(make_frames(60))
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
    make_source, make_sink, make_pipeline, make_frames
):
    gate, linger = threading.Event(), threading.Event()
    source = make_source(make_frames(50), is_live=True, linger=linger)
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
    make_source, make_sink, make_pipeline, make_frames
):
    gate, linger = threading.Event(), threading.Event()
    taken = threading.Semaphore(0)

    def one_by_one(frames):
        for frame in frames:
            yield frame
            taken.acquire(timeout=30)

    source = make_source(one_by_one(make_frames(30)), is_live=True, linger=linger)
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
    make_source, make_sink, make_pipeline, make_frames, clock
):
    sink = make_sink()

    def ageing(map, *, scale, frame_size):
        clock.time_s += 0.7  # this decoder is slow
        from dbrt.regions import TextRegions

        return TextRegions.empty()

    source = make_source(make_frames(1), is_live=True, clock=clock)
    pipeline = make_pipeline(source, [sink], model_options={"decode": ageing}, max_staleness_s=0.5)
    pipeline.run()
    assert sink.results == []
    assert pipeline.telemetry.snapshot().stale == 1


def test_files_are_never_too_old(make_source, make_sink, make_pipeline, make_frames, clock):
    sink = make_sink()
    source = make_source(make_frames(4), clock=clock)
    make_pipeline(source, [sink], max_staleness_s=1e-9).run()
    assert len(sink.results) == 4


def test_a_change_of_size_opens_another_runner_in_mid_stream(
    make_source, make_sink, make_pipeline, make_frames, runners
):
    frames = [*make_frames(5, 32, 64), *make_frames(5, 64, 40)]
    sink = make_sink()
    make_pipeline(make_source(frames), [sink]).run()
    assert sink.indices == list(range(10))
    assert [runner.shape for runner in runners] == [(32, 64), (64, 64)]
    assert all(runner.closed for runner in runners)


@pytest.mark.parametrize("is_live", [False, True], ids=["file", "live"])
def test_max_frames_ends_the_run(make_source, make_sink, make_pipeline, make_frames, is_live):
    sink = make_sink()
    source = make_source(make_frames(500), is_live=is_live)
    pipeline = make_pipeline(source, [sink], max_frames=3)
    pipeline.run()
    assert len(sink.results) <= 3
    assert is_live or len(sink.results) == 3
    assert pipeline.failures == []
    assert sink.closed == 1


def test_the_window_gets_the_newest_result(make_source, make_pipeline, make_frames):
    shown = []
    linger = threading.Event()
    source = make_source(make_frames(30), linger=linger)
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
    make_source, make_pipeline, make_frames, clock
):
    from dbrt.stream.sources.state import SourceStatus

    linger = threading.Event()
    source = make_source(make_frames(2), is_live=True, linger=linger, clock=clock)
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


def test_latency_leaves_out_the_time_until_everything_was_ready(
    make_source, make_sink, make_pipeline, make_frames, clock
):
    def warm_up():
        clock.time_s += 140.0  # compiling kernels on a busy machine

    sink = make_sink()
    source = make_source(make_frames(3), clock=clock)
    make_pipeline(source, [sink], warm_up=warm_up).run()
    assert [result.times_ms["latency"] for result in sink.results] == [0.0] * 3


def test_waiting_for_a_slow_sink_is_not_counted_as_time_in_the_network(
    make_source, make_sink, make_pipeline, make_frames, clock
):
    sink = make_sink()
    write = sink.write

    def write_slowly(result):
        write(result)
        clock.time_s += 1.0

    sink.write = write_slowly
    count = 60
    pipeline = make_pipeline(make_source(make_frames(count), clock=clock), [sink])
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
    make_source, make_sink, make_pipeline, make_frames, can_wait
):
    gate = threading.Event()
    source = make_source(make_frames(9), is_live=True)  # as with --realtime
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
