"""Signals, in a process of their own: the run is finished first, then the exit code tells."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from dbrt.stream.stopping import StopSignals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

# An endless live source and the doubles of conftest.py; prints a line when frames flow.
CODE = """
    import itertools, os, runpy, signal, sys
    doubles = runpy.run_path(sys.argv[1])
    from dbrt.stream import session
    from dbrt.stream.settings import StreamSettings
    from dbrt.stream.sinks.jsonl import JsonLinesSink

    endless = itertools.repeat(doubles["picture"]())
    session.open_source = lambda *a, **k: doubles["ListSource"](endless)
    from dbrt.engine.spec import shape_for_frame
    from dbrt.stream.model import StreamModel

    def load(settings, report):
        return StreamModel(
            "double", lambda shape: doubles["FakeRunner"](shape),
            lambda h, w: shape_for_frame(64, h, w), (0, 0, 0), doubles["find_bright"], lambda: None,
        )

    write = JsonLinesSink.write

    def write_and_tell(self, result):
        write(self, result)
        if self.written == 30:
            print("flowing", flush=True)
        if self.written >= 30 and "hang" in sys.argv:
            import time
            time.sleep(60)

    JsonLinesSink.write = write_and_tell
    outcome = session.run_stream(StreamSettings("x", out=tuple(sys.argv[2:4])), load=load)
    print(outcome.summary.figures.processed, flush=True)
    sys.exit(outcome.signal_exit_code)
"""


def start(tmp_path, *extra):
    out = [str(tmp_path / "out.jsonl"), str(tmp_path / "out.mp4")]
    doubles = str(Path(__file__).with_name("conftest.py"))
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CODE), doubles, *out, *extra],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "flowing\n", process.communicate()[1]
    return process


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "term"]
)
def test_a_signal_finishes_every_output(tmp_path, number, code, read_frames):
    process = start(tmp_path)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err == ""
    processed = int(out)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(processed))
    assert len(read_frames(tmp_path / "out.mp4")[0]) == processed


def test_a_second_signal_ends_at_once(tmp_path):
    process = start(tmp_path, "hang")
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)  # the first waits for the sink
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130


def test_handlers_are_put_back():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with StopSignals() as signals:
        assert signal.getsignal(signal.SIGINT) == signals._note
        assert signals.exit_code == 0
        signal.raise_signal(signal.SIGTERM)
        assert signals.exit_code == 143
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
