"""Doubles of the stream's tests: a clock that only moves when told, a network that finds what is
bright, sources made of lists, and videos made on the spot."""

from __future__ import annotations

import threading
from collections import deque
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from dbrt.engine.spec import shape_for_frame
from dbrt.regions import TextRegions
from dbrt.stream.inference import Inference
from dbrt.stream.model import StreamModel
from dbrt.stream.pipeline import Pipeline
from dbrt.stream.result import FrameResult
from dbrt.stream.sinks.sink import Sink
from dbrt.stream.sources.source import Source, SourceFrame
from dbrt.stream.telemetry import Telemetry


class FakeClock:
    """Time that passes only in `wait` and by assignment to `time_s`."""

    def __init__(self):
        self.time_s = 100.0
        self.waits = []

    def now(self):
        return self.time_s

    def wait(self, event, seconds):
        self.waits.append(seconds)
        self.time_s += max(seconds, 0.0)
        return event.is_set()


class FakeRunner:
    """A network whose map is 255 where the blue channel of the frame exceeds 200.

    gate    when given, `collect` waits for it: the test decides when the network is done
    fail_at the number of the submit that raises
    """

    letterboxes = False

    def __init__(self, shape, *, depth=2, gate=None, fail_at=None):
        self.shape = shape
        self.depth = depth
        self.reason = "double"
        self.gate = gate
        self.fail_at = fail_at
        self.submitted = 0
        self.most_in_flight = 0
        self.closed = False
        self.entered = threading.Event()
        self._busy = deque()
        self._map = np.empty((1, *shape), np.uint8)

    def submit(self, frames, tag):
        assert frames.shape == (1, *self.shape, 3)
        assert len(self._busy) < self.depth
        if self.submitted == self.fail_at:
            raise RuntimeError("the network broke")
        self.submitted += 1
        self._busy.append((tag, frames[..., 0] > 200))
        self.most_in_flight = max(self.most_in_flight, len(self._busy))

    def collect(self):
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        tag, found = self._busy.popleft()
        self._map[:] = found * np.uint8(255)  # the runner's own array, as the real one's is
        return tag, self._map

    def close(self):
        self.closed = True


def find_bright(map, *, scale, frame_size):
    """Decode double: one quad around everything bright."""
    rows, columns = np.nonzero(map)
    if not len(rows):
        return TextRegions.empty()
    left, right = columns.min() * scale[0], (columns.max() + 1) * scale[0]
    top, bottom = rows.min() * scale[1], (rows.max() + 1) * scale[1]
    right, bottom = min(right, frame_size[1]), min(bottom, frame_size[0])
    quad = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return TextRegions(np.array([quad], np.float32), np.array([0.9], np.float32))


class ListSource(Source):
    """Frames from a list; `fail` is raised behind the last one.

    ended   set once the last frame has been taken from the generator
    linger  when given, the source waits for it before it ends
    """

    def __init__(self, frames, *, is_live=False, fail=None, linger=None, clock=None):
        super().__init__("list", **({} if clock is None else {"clock": clock}))
        self.items = frames
        self.is_live = is_live
        self.fail = fail
        self.linger = linger
        self.ended = threading.Event()
        self.closed = threading.Event()

    def frames(self, stop):
        try:
            for index, frame in enumerate(self.items):
                if stop.is_set():
                    return
                now_s = self.clock.now()
                self.status.count_frame(now_s)
                yield SourceFrame(frame, index, index / 25, now_s, 0.5, self.is_live)
            self.ended.set()
            if self.linger is not None:
                assert self.linger.wait(30)
            if self.fail is not None:
                raise self.fail
        finally:
            self.closed.set()


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


def picture(index=0, height=48, width=64):
    """A dark frame with one bright block that moves with the index."""
    frame = np.full((height, width, 3), 30, np.uint8)
    left = 4 + 2 * index % (width // 2)
    frame[height // 4 : height // 2, left : left + width // 4] = 255
    return frame


def write_video(path, count=10, height=48, width=64, *, rate=25, codec="libx264", **kwargs):
    """Write `count` pictures; kwargs: container format, options, pix_fmt, gop, pts in ms, and
    noise, which makes the file large enough to damage."""
    noise = np.random.default_rng(7).integers(0, kwargs.get("noise", 1), (height, width, 3))
    pts = kwargs.get("pts")
    with av.open(
        str(path), "w", format=kwargs.get("format"), options=kwargs.get("options", {})
    ) as out:
        stream = out.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.width, stream.height = width, height
        stream.pix_fmt = kwargs.get("pix_fmt", "yuv420p")
        stream.codec_context.gop_size = kwargs.get("gop", 5)
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.max_b_frames = 0
        for index in range(count):
            drawn = np.clip(picture(index, height, width) + np.roll(noise, 3 * index, 0), 0, 255)
            frame = av.VideoFrame.from_ndarray(drawn.astype(np.uint8), format="bgr24")
            frame.pts = index * 1000 // rate if pts is None else pts[index]
            frame.time_base = Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def read_video(path):
    """Return the frames of a video as a list of BGR arrays, and their times in seconds."""
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
    return [f.to_ndarray(format="bgr24") for f in decoded], [float(f.time) for f in decoded]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def make_runner():
    return FakeRunner


@pytest.fixture
def make_source():
    return ListSource


@pytest.fixture
def make_picture():
    return picture


@pytest.fixture
def decode_double():
    return find_bright


@pytest.fixture
def make_video():
    return write_video


@pytest.fixture
def read_frames():
    return read_video


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def make_model():
    """A StreamModel with the doubles; its runners are collected in `runners`."""

    def make(runners, *, decode=find_bright, size=64, **options):
        def open_runner(shape):
            runners.append(FakeRunner(shape, **options))
            return runners[-1]

        return StreamModel(
            name="double",
            open_runner=open_runner,
            shape_for=lambda height, width: shape_for_frame(size, height, width),
            fill=(0, 0, 0),
            decode=decode,
            warm_up=lambda: None,
        )

    return make


@pytest.fixture
def make_result():
    """A result of a frame with the moving block, found."""

    def make(index=0, height=48, width=64, **fields):
        frame = picture(index, height, width)
        found = (cv2.inRange(frame, (200, 0, 0), (255, 255, 255)) > 0) * np.uint8(255)
        regions = find_bright(found, scale=(1.0, 1.0), frame_size=(height, width))
        values = {
            "source": "clip.mp4",
            "index": index,
            "time_s": index / 25,
            "frame": frame,
            "regions": regions,
            "times_ms": {"network": 12.5},
            "is_live": False,
            **fields,
        }
        return FrameResult(**values)

    return make


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


@pytest.fixture
def no_thread_is_left():
    yield
    left = [t.name for t in threading.enumerate() if t.name.startswith("dbrt ")]
    assert left == []


@pytest.fixture
def make_frames():
    """Make `count` pictures of one size, the block moving from one to the next."""

    def make(count, *size):
        return [picture(index, *size) for index in range(count)]

    return make
