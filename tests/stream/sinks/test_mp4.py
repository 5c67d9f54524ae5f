from __future__ import annotations

import errno
import subprocess
import sys
import textwrap

import av
import numpy as np
import pytest

from dbrt.errors import OutputError
from dbrt.stream.sinks.mp4 import Mp4Sink, fit


def record(path, results):
    sink = Mp4Sink(path)
    for result in results:
        sink.write(result)
    sink.close()
    return sink


def test_every_frame_is_recorded_annotated_at_its_own_time(tmp_path, make_result, read_frames):
    times = [0.0, 0.04, 0.08, 0.5, 2.0]
    results = [make_result(i, 240, 320, time_s=7 + t) for i, t in enumerate(times)]
    path = tmp_path / "out.mp4"
    assert record(path, results).written == 5
    frames, found = read_frames(path)
    assert found == pytest.approx(times, abs=1e-4)  # starts at 0 whatever the source's time is
    error = np.abs(frames[-1].astype(int) - results[-1].picture())
    assert error.mean() < 4
    plain = np.abs(frames[-1].astype(int) - results[-1].frame)
    assert error.mean() < plain.mean()  # it is the picture with regions, not the bare frame


def test_the_video_is_fragmented_h264_that_browsers_play(tmp_path, make_result):
    path = tmp_path / "out.mp4"
    record(path, [make_result(i, 240, 320) for i in range(60)])
    data = path.read_bytes()
    assert data.count(b"moof") == 3  # 2.4 s: a fragment each second
    assert data.index(b"moov") < data.index(b"moof")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.color_primaries == 6  # tagged smpte170m, as PyAV converts


def test_what_a_killed_process_leaves_can_be_played(tmp_path, read_frames):
    path = tmp_path / "out.mp4"
    code = """
        import os, sys
        from pathlib import Path
        import numpy as np
        from dbrt.regions import TextRegions
        from dbrt.stream.result import FrameResult
        from dbrt.stream.sinks.mp4 import Mp4Sink
        sink = Mp4Sink(Path(sys.argv[1]))
        frame = np.zeros((48, 64, 3), np.uint8)
        for i in range(100):
            sink.write(FrameResult("s", i, i / 25, frame, TextRegions.empty(), {}, False))
        os._exit(9)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path)], check=False)
    assert done.returncode == 9
    frames, _ = read_frames(path)
    assert len(frames) >= 75  # at most one second is lost


@pytest.mark.parametrize("size", [(47, 63), (48, 63), (1, 1)], ids=str)
def test_odd_sizes_are_padded_by_a_pixel(tmp_path, make_result, read_frames, size):
    height, width = size
    result = make_result(0, 48, 64)
    result.frame = np.ascontiguousarray(result.frame[:height, :width])
    path = tmp_path / "out.mp4"
    record(path, [result])
    assert read_frames(path)[0][0].shape == (height + height % 2, width + width % 2, 3)


def test_a_change_of_size_keeps_the_first_size(tmp_path, make_result, read_frames):
    path = tmp_path / "out.mp4"
    sizes = [(48, 64), (96, 128), (24, 32), (200, 64)]
    record(path, [make_result(i, *size) for i, size in enumerate(sizes)])
    frames, _ = read_frames(path)
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 4


def test_times_that_do_not_grow_are_recorded_in_order(tmp_path, make_result, read_frames):
    path = tmp_path / "out.mp4"
    record(path, [make_result(i, time_s=t) for i, t in enumerate([1.0, 2.0, 2.0, 1.5, 3.0])])
    _, times = read_frames(path)
    assert times == pytest.approx([0, 1, 1 + 1 / 90_000, 1 + 2 / 90_000, 2], abs=1e-6)


def test_what_the_encoder_refuses_is_one_line(tmp_path, make_result, monkeypatch):
    sink = Mp4Sink(tmp_path / "out.mp4")
    sink.write(make_result())

    def refuse(*_):
        raise av.error.ArgumentError(22, "Invalid argument")

    monkeypatch.setattr(sink, "_encode", refuse)
    with pytest.raises(OutputError, match=r"^invalid argument: .*out\.mp4 ends at 0\.0 s"):
        sink.write(make_result(1))
    sink.close()


def test_without_a_frame_there_is_no_file(tmp_path):
    sink = Mp4Sink(tmp_path / "out.mp4")
    sink.close()
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_names_that_look_like_a_protocol_are_files(tmp_path, make_result, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record(type(tmp_path)("a:b %d ü.mp4"), [make_result()])
    assert [p.name for p in tmp_path.iterdir()] == ["a:b %d ü.mp4"]


def test_a_full_disk_ends_the_recording_and_keeps_what_plays(
    tmp_path, make_result, read_frames, monkeypatch
):
    path = tmp_path / "out.mp4"
    sink = Mp4Sink(path)
    for index in range(30):
        sink.write(make_result(index, 240, 320))

    class FullDisk:
        def __init__(self, output):
            self.output = output

        def mux(self, _packets):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            self.output.close()

    sink._output = FullDisk(sink._output)
    with pytest.raises(OutputError, match=r"disk full: .*out\.mp4 ends at 1\.2 s"):
        sink.write(make_result(30, 240, 320))
    sink.close()
    assert len(read_frames(path)[0]) >= 25


def test_a_limit_of_the_file_size_is_a_full_disk(tmp_path, read_frames):
    pytest.importorskip("resource", reason="this system has no resource limits")
    code = """
        import resource, sys
        from pathlib import Path
        import numpy as np
        from dbrt.errors import OutputError
        from dbrt.regions import TextRegions
        from dbrt.stream.result import FrameResult
        from dbrt.stream.sinks.mp4 import Mp4Sink
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        sink = Mp4Sink(Path(sys.argv[1]))
        noise = np.random.default_rng(0)
        try:
            for i in range(100):
                frame = noise.integers(0, 255, (48, 64, 3), dtype=np.uint8)
                sink.write(FrameResult("s", i, i / 5, frame, TextRegions.empty(), {}, False))
        except OutputError as exc:
            print(exc)
        sink.close()
    """
    path = tmp_path / "out.mp4"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("disk full")
    frames, _ = read_frames(path)  # to its end, without an error
    assert len(frames) >= 5


@pytest.mark.parametrize(
    ("size", "target"),
    [((10, 20), (10, 20)), ((9, 19), (10, 20)), ((40, 40), (10, 20)), ((5, 300), (10, 20))],
    ids=str,
)
def test_pictures_are_fitted_with_their_aspect(size, target):
    picture = np.full((*size, 3), 90, np.uint8)
    fitted = fit(picture, target[1], target[0])
    assert fitted.shape == (*target, 3)
    assert (fitted == 90).all()
    assert fitted.flags.c_contiguous
