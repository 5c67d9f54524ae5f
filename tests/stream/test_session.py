from __future__ import annotations

import errno
import io
import json

import pytest

from dbrt.errors import InputError, OutputError, SourceError, UsageError
from dbrt.stream import session
from dbrt.stream.session import run_stream
from dbrt.stream.settings import StreamSettings
from dbrt.stream.sources.file import FileSource
from dbrt.stream.status import StatusLine, describe, is_terminal
from dbrt.stream.telemetry import Telemetry


@pytest.fixture
def runners():
    return []


@pytest.fixture
def load(make_model, runners):
    return lambda settings, report: make_model(runners)


@pytest.fixture
def clip(tmp_path, make_video):
    return str(make_video(tmp_path / "clip.mp4", 20))


def test_a_file_becomes_a_video_lines_pictures_and_a_summary(clip, load, tmp_path, read_frames):
    out = tuple(f"{tmp_path}/{name}" for name in ("out.mp4", "out.jsonl", "frames/"))
    outcome = run_stream(StreamSettings(source=clip, out=out, size=64), load=load)
    assert outcome.failure is None
    assert outcome.signal_exit_code == 0
    assert len(read_frames(tmp_path / "out.mp4")[0]) == 20
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines] == list(range(20))
    assert all(len(line["regions"]) == 1 for line in lines)
    assert len(list((tmp_path / "frames").iterdir())) == 20
    found = outcome.summary.to_dict()
    assert found["schema"] == "dbrt.stream/1"
    assert (found["processed"], found["dropped"], found["state"]) == (20, 0, "ended")
    assert [output["frames"] for output in found["outputs"]] == [20, 20, 20]
    assert {"p50_ms", "p95_ms", "p99_ms"} < set(found["stages"]["network"])
    assert found["model"] == "double"
    assert json.loads(json.dumps(found)) == found


def test_the_table_has_a_row_for_each_stage(clip, load):
    from rich.console import Console

    summary = run_stream(StreamSettings(source=clip, size=64), load=load).summary
    console = Console(file=io.StringIO(), width=100)
    console.print(summary.table())
    text = console.file.getvalue()
    assert all(name in text for name in ("capture", "network", "decode", "latency", "p99"))
    assert "no frame dropped" in summary.lines()


def must_not_load(settings, report):
    raise AssertionError("the model was loaded")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"out": ("missing/out.mp4",)}, OutputError),
        ({"out": ("clip.mp4",)}, OutputError),
        ({"out": ("out.xyz",)}, UsageError),
        ({"source": "gone.mp4"}, SourceError),
        ({"source": "text.mp4"}, SourceError),
        ({"source": "foo://x"}, UsageError),
    ],
    ids=str,
)
def test_what_is_wrong_from_the_start_is_said_before_the_model_loads(
    clip, tmp_path, monkeypatch, fields, error
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("text" * 100)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error):
        run_stream(StreamSettings(**{"source": clip, **fields}), load=must_not_load)
    assert sorted(tmp_path.iterdir()) == before


def test_a_model_that_can_not_be_read_is_an_input_error(clip, tmp_path):
    settings = StreamSettings(source=clip, model=str(tmp_path / "gone.onnx"))
    with pytest.raises(InputError, match="no model"):
        run_stream(settings)


def test_a_cut_file_keeps_its_results_and_fails(make_video, load, tmp_path):
    path = make_video(
        tmp_path / "clip.mp4", 50, 96, 128, noise=200, options={"movflags": "faststart"}
    )
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    settings = StreamSettings(source=str(path), out=(f"{tmp_path}/out.jsonl",), size=64)
    outcome = run_stream(settings, load=load)
    assert isinstance(outcome.failure, SourceError)
    written = (tmp_path / "out.jsonl").read_text().splitlines()
    assert len(written) == outcome.summary.figures.processed > 10
    assert outcome.summary.to_dict()["state"] == "failed"


def test_a_disk_that_fills_up_stops_one_output_and_keeps_the_other(
    clip, load, tmp_path, monkeypatch, capsys
):
    from dbrt.stream.sinks.mp4 import Mp4Sink

    encode = Mp4Sink._encode

    def encode_or_fail(self, picture, time_s):
        if self.written == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        encode(self, picture, time_s)

    monkeypatch.setattr(Mp4Sink, "_encode", encode_or_fail)
    out = (f"{tmp_path}/out.mp4", f"{tmp_path}/out.jsonl")
    outcome = run_stream(StreamSettings(source=clip, out=out, size=64), load=load)
    assert isinstance(outcome.failure, OutputError)
    assert outcome.failure.exit_code == 7
    assert [output.frames for output in outcome.summary.outputs] == [5, 20]
    assert "disk full" in capsys.readouterr().err


def test_an_overlay_without_a_display_says_so_and_goes_on(clip, load, monkeypatch, capsys):
    monkeypatch.setattr(session, "why_no_window", lambda: "there is no display: use --out")
    outcome = run_stream(StreamSettings(source=clip, overlay=True, size=64), load=load)
    assert outcome.summary.figures.processed == 20
    err = capsys.readouterr().err
    assert err == "dbrt: --overlay: there is no display: use --out; going on without a window\n"


class FakeWindow:
    """Counts pictures; the user closes it after three."""

    shown = 0
    closed = 0

    def show(self, picture):
        assert picture.shape[2] == 3
        FakeWindow.shown += 1

    def is_closed(self):
        return FakeWindow.shown >= 3

    def close(self):
        FakeWindow.closed += 1


def test_closing_the_window_ends_the_run_in_good_order(
    make_video, load, monkeypatch, tmp_path, read_frames
):
    monkeypatch.setattr(session, "why_no_window", lambda: None)
    monkeypatch.setattr(session, "Window", FakeWindow)
    monkeypatch.setattr(FakeWindow, "shown", 0)
    monkeypatch.setattr(FakeWindow, "closed", 0)
    path = make_video(tmp_path / "long.mp4", 500)
    out = f"{tmp_path}/out.mp4"
    settings = StreamSettings(source=str(path), overlay=True, out=(out,), size=64)
    outcome = run_stream(settings, load=load)
    assert outcome.failure is None
    assert FakeWindow.closed == 1
    assert 3 <= outcome.summary.figures.processed < 500
    assert len(read_frames(out)[0]) == outcome.summary.figures.processed


class Stream(io.StringIO):
    def __init__(self, tty):
        super().__init__()
        self.tty = tty

    def isatty(self):
        return self.tty


@pytest.mark.parametrize(
    ("tty", "term", "expected"), [(True, "xterm", True), (True, "dumb", False), (False, "", False)]
)
def test_a_dumb_terminal_gets_plain_lines(monkeypatch, tty, term, expected):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert is_terminal(Stream(tty)) is expected


def test_without_a_terminal_a_plain_line_comes_every_ten_seconds(clip, clock):
    stream = Stream(False)
    status = StatusLine(clock=clock, stream=stream)
    source, telemetry = FileSource(clip, clock=clock), Telemetry(clock)
    for _ in range(250):
        clock.time_s += 0.1
        status.tick(source, telemetry)
    status.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("dbrt: connecting  0 frames")
    assert "\x1b" not in stream.getvalue()


def test_on_a_terminal_one_line_changes_and_reports_stay(clip, clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Stream(True)
    status = StatusLine(clock=clock, stream=stream)
    status.tick(FileSource(clip, clock=clock), Telemetry(clock))
    status.report("a line [that] stays")
    status.close()
    text = stream.getvalue()
    assert "connecting" in text
    assert "dbrt: a line [that] stays" in text


def test_the_status_line_names_drops_and_reconnections(clip, clock):
    source, telemetry = FileSource(clip, clock=clock), Telemetry(clock)
    telemetry.count_captured()
    telemetry.count_dropped(4)
    telemetry.record("latency", 20.0)
    telemetry.count_result(3)
    text = describe(source, telemetry)
    assert "dropped 4" in text
    assert "latency 20 ms" in text
    assert "3 regions" in text


def test_the_status_line_tells_that_the_engine_is_not_ready(clip, clock):
    source, telemetry = FileSource(clip, clock=clock), Telemetry(clock)
    telemetry.count_captured()
    assert describe(source, telemetry) == "connecting, getting the engine ready"
