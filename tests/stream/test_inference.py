from __future__ import annotations

import numpy as np
import pytest

from dbrt.engine.letterbox import letterbox
from dbrt.stream.inference import OPEN_RUNNERS, Inference
from dbrt.stream.sources.source import SourceFrame


def item(frame, index=0, captured_s=100.0):
    return SourceFrame(frame, index, index / 25, captured_s, 0.5, is_live=False)


@pytest.fixture
def runners():
    return []


@pytest.fixture
def inference(runners, make_model, clock):
    model = make_model(runners)
    return Inference(model.open_runner, model.shape_for, (1, 2, 3), clock=clock)


def test_the_runner_is_opened_when_the_first_frame_comes(inference, runners, make_picture):
    assert runners == []
    first = item(make_picture())
    assert not inference.is_ready_for(first)
    inference.get_ready_for(first)
    assert [runner.shape for runner in runners] == [(64, 64)]
    assert inference.is_ready_for(first)


def test_maps_come_back_in_order_with_their_frames(inference, runners, make_picture):
    items = [item(make_picture(i), i) for i in range(5)]
    inference.get_ready_for(items[0])
    done = [mapped for each in items for mapped in inference.submit(each)]
    assert inference.pending == 2
    done += [inference.collect(), inference.collect()]
    assert [mapped.source_frame.index for mapped in done] == list(range(5))
    assert runners[0].most_in_flight == 2  # the network has work while a frame is letterboxed
    for mapped in done:
        assert mapped.scale == 1.0
        bright = mapped.source_frame.frame[..., 0] > 200
        assert np.array_equal(mapped.map[:48, :64] > 0, bright)


def test_a_map_is_not_overwritten_by_the_next(inference, make_picture):
    items = [item(make_picture(0), 0), item(np.zeros((48, 64, 3), np.uint8), 1)]
    inference.get_ready_for(items[0])
    done = [mapped for each in items for mapped in inference.submit(each)]
    first, second = *done, inference.collect(), inference.collect()
    assert first.map.any()
    assert not second.map.any()


def test_a_new_size_opens_a_new_runner_and_an_old_one_is_used_again(
    inference, runners, make_picture
):
    wide, tall = item(make_picture(0, 32, 64)), item(make_picture(0, 64, 32))
    for each in (wide, tall, wide):
        inference.get_ready_for(each)
        inference.submit(each)
        inference.collect()
    assert [runner.shape for runner in runners] == [(32, 64), (64, 32)]


def test_few_runners_stay_open(runners, make_model, clock):
    model = make_model(runners, size=256)
    inference = Inference(model.open_runner, model.shape_for, (0, 0, 0), clock=clock)
    for height in range(32, 257, 32):
        inference.get_ready_for(item(np.zeros((height, 256, 3), np.uint8)))
    assert sum(not runner.closed for runner in runners) == OPEN_RUNNERS
    inference.close()
    assert all(runner.closed for runner in runners)
    inference.close()


class LetterboxingRunner:
    """Takes frames as they are, two at once; its map is 255 where content lies."""

    shape = (64, 96)  # another than was asked for
    depth = 2
    reason = "double"
    letterboxes = True

    def __init__(self):
        self.taken = []

    def submit_frames(self, frames, tag):
        assert len(self.taken) < self.depth
        self.taken.append((tag, *frames))

    def collect(self):
        tag, frame = self.taken.pop(0)
        _, scale = letterbox(frame, self.shape, (0, 0, 0))
        found = np.zeros((1, *self.shape), np.uint8)
        found[0, : round(frame.shape[0] * scale), : round(frame.shape[1] * scale)] = 255
        return tag, found


def test_a_runner_that_letterboxes_gets_the_frames_themselves(make_picture, clock):
    runner = LetterboxingRunner()
    inference = Inference(lambda shape: runner, lambda *_: (64, 64), (0, 0, 0), clock=clock)
    items = [item(make_picture(i), i) for i in range(3)]
    inference.get_ready_for(items[0])
    assert inference.is_ready_for(items[0])
    done = [mapped for each in items for mapped in inference.submit(each)]
    assert [frame is each.frame for (_, frame), each in zip(runner.taken, items[1:], strict=True)]
    done += [inference.collect(), inference.collect()]
    assert [mapped.source_frame.index for mapped in done] == [0, 1, 2]
    assert [mapped.scale for mapped in done] == [64 / 48] * 3
    assert done[0].map.shape == (64, 96)


def test_a_new_size_is_refused_while_frames_are_in_the_network(inference, make_picture):
    first = item(make_picture())
    inference.get_ready_for(first)
    inference.submit(first)
    with pytest.raises(ValueError, match="pending"):
        inference.get_ready_for(item(make_picture(0, 32, 64)))


def test_latency_counts_from_when_the_engine_was_ready(inference, clock, make_picture):
    early = item(make_picture(), captured_s=90.0)
    clock.time_s = 103.0  # the engine took so long to open
    inference.get_ready_for(early)
    inference.submit(early)
    assert inference.collect().since_s == 103.0
    late = item(make_picture(), captured_s=110.0)
    inference.submit(late)
    assert inference.collect().since_s == 110.0
