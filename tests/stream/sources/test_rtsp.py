"""RTSP against GStreamer's server; `rtsp` tests skip by name where the system has none."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from dbrt.errors import SourceError
from dbrt.stream.inference import Inference
from dbrt.stream.pipeline import Pipeline
from dbrt.stream.sources.network import NetworkSource
from dbrt.stream.sources.url import SourceUrl
from dbrt.stream.telemetry import Telemetry

PYTHON = "/usr/bin/python3"
SERVER = Path(__file__).parents[1] / "rtsp_server.py"
_IMPORT = "import gi; gi.require_version('GstRtspServer', '1.0')"


def has_server():
    try:
        done = subprocess.run([PYTHON, "-c", _IMPORT], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


pytestmark = [
    pytest.mark.rtsp,
    pytest.mark.skipif(
        not has_server(),
        reason="no GStreamer RTSP server: apt-get install "
        "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,ugly}",
    ),
]


class Server:
    """The server's process: its URL, and commands that return when they are done."""

    def __init__(self):
        self.process = subprocess.Popen(
            [PYTHON, str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.url = self.process.stdout.readline().strip()

    def tell(self, command):
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().startswith("done")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def source(server):
    return NetworkSource(SourceUrl(server.url), read_timeout_s=0.5)


def take(frames, count):
    return [next(frames) for _ in range(count)]


def test_frames_come_live_with_growing_times(source, stop):
    frames = source.frames(stop)
    items = take(frames, 10)
    frames.close()
    assert items[0].frame.shape == (240, 320, 3)
    assert all(item.is_live for item in items)
    times = [item.time_s for item in items]
    assert times == sorted(times)


def test_a_dropped_connection_is_opened_again(server, source, stop):
    frames = source.frames(stop)
    take(frames, 3)
    server.tell("kick")
    while source.status.stats().reconnects == 0:
        next(frames)
    next(frames)
    frames.close()
    assert source.status.stats().reconnects == 1


def test_a_frozen_camera_is_left_and_found_again(server, source, stop):
    lines = []
    source.report = lines.append
    frames = source.frames(stop)
    take(frames, 3)
    server.tell("stall")

    def thaw(line):
        lines.append(line)
        server.tell("resume")

    source.report = thaw
    while source.status.stats().reconnects == 0:
        next(frames)
    frames.close()
    assert lines
    assert "no data from 127.0.0.1" in lines[0]


def test_a_change_of_size_is_a_frame_of_the_new_size(server, source, stop):
    frames = source.frames(stop)
    take(frames, 3)
    server.tell("size 160x120")
    shapes = {next(frames).frame.shape}
    while (120, 160, 3) not in shapes:
        shapes.add(next(frames).frame.shape)
    frames.close()
    assert source.status.stats().reconnects == 0


def test_a_path_that_is_not_served_ends_at_once(server, stop):
    source = NetworkSource(SourceUrl(server.url.replace("/test", "/other")))
    with pytest.raises(SourceError, match="has no such stream"):
        list(source.frames(stop))


def test_the_pipeline_keeps_up_and_stops_in_order(source, make_model):
    runners = []
    model = make_model(runners)
    telemetry = Telemetry()
    pipeline = Pipeline(
        source,
        Inference(model.open_runner, model.shape_for, model.fill),
        model.decode,
        [],
        telemetry=telemetry,
        max_frames=15,
    )
    pipeline.run()
    assert pipeline.failures == []
    assert telemetry.snapshot().processed == 15
    assert all(runner.closed for runner in runners)
    assert not [t for t in threading.enumerate() if t.name.startswith("dbrt ")]
