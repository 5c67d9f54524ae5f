from __future__ import annotations

import itertools
import json
import os
import random
from fractions import Fraction

import av
import numpy as np
import pytest

from dbrt.errors import DbrtError, SourceError
from dbrt.stream.sources import open_source
from dbrt.stream.sources.file import FileSource, TimeLine
from dbrt.stream.sources.folder import FolderSource
from dbrt.stream.sources.state import SourceState


def read(source, stop):
    return list(source.frames(stop))


def assert_frames_are_sound(items):
    assert [item.index for item in items] == list(range(len(items)))
    times = [item.time_s for item in items]
    assert all(a < b for a, b in itertools.pairwise(times))
    assert all(item.frame.flags.c_contiguous for item in items)
    assert all(item.frame.dtype == np.uint8 for item in items)


@pytest.mark.parametrize("size", [(48, 64), (90, 34), (270, 482)], ids=str)
def test_every_frame_of_a_file_comes_in_order(tmp_path, make_video, make_picture, stop, size):
    path = make_video(tmp_path / "clip.mp4", 12, *size)
    source = FileSource(path)
    assert source.status.state is SourceState.CONNECTING
    items = read(source, stop)
    assert source.status.state is SourceState.ENDED
    assert len(items) == 12
    assert_frames_are_sound(items)
    assert not items[0].is_live
    assert items[-1].time_s == pytest.approx(11 / 25, abs=1e-3)
    for item in (items[0], items[-1]):
        assert abs(item.frame.astype(int) - make_picture(item.index, *size)).mean() < 8


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt", "size"),
    [
        ("a.mkv", "libx264", "yuv420p", (48, 64)),
        ("a.ts", "libx264", "yuv420p", (48, 64)),
        ("a.avi", "mpeg4", "yuv420p", (48, 64)),
        ("a.gif", "gif", "rgb8", (48, 64)),
        ("444.mp4", "libx264", "yuv444p", (49, 63)),
        ("422.mp4", "libx264", "yuv422p10le", (48, 64)),
        ("gray.mkv", "ffv1", "gray", (49, 63)),
        ("odd.mkv", "ffv1", "bgr0", (49, 63)),
        ("a.h264", "libx264", "yuv420p", (48, 64)),
    ],
)
def test_formats_and_odd_sizes_become_bgr_frames(
    tmp_path, make_video, stop, name, codec, pix_fmt, size
):
    path = make_video(tmp_path / name, 8, *size, codec=codec, pix_fmt=pix_fmt)
    items = read(open_source(str(path)), stop)
    assert len(items) == 8
    assert_frames_are_sound(items)
    assert items[0].frame.shape == (*size, 3)


def test_times_follow_the_stamps_of_a_file_with_a_hole(tmp_path, make_video, stop):
    stamps = [0, 40, 80, 2080, 2120]
    path = make_video(tmp_path / "hole.mkv", 5, pts=stamps)
    items = read(FileSource(path), stop)
    assert [round(item.time_s * 1000) for item in items] == stamps


def test_a_change_of_size_in_mid_file_gives_frames_of_their_own_size(tmp_path, make_video, stop):
    small = make_video(tmp_path / "a.h264", 6, 48, 64)
    large = make_video(tmp_path / "b.h264", 6, 96, 128)
    joined = tmp_path / "joined.h264"
    joined.write_bytes(small.read_bytes() + large.read_bytes())
    items = read(FileSource(joined), stop)
    assert [item.frame.shape[:2] for item in items] == [(48, 64)] * 6 + [(96, 128)] * 6
    assert_frames_are_sound(items)


def test_stamps_that_jump_back_still_give_growing_times(tmp_path, make_video, stop):
    once = make_video(tmp_path / "a.ts", 6)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(once.read_bytes() * 2)
    items = read(FileSource(joined), stop)
    assert len(items) >= 11
    assert_frames_are_sound(items)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_rotation_in_the_header_is_applied(tmp_path, make_video, make_picture, stop, quarters):
    path = make_video(tmp_path / "clip.mp4", 3, 48, 64)
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # the matrix of the track header, version 0
    cosine, sine = [(0, 1), (-1, 0), (0, -1)][quarters - 1]
    matrix = [cosine << 16, sine << 16, 0, -sine << 16, cosine << 16, 0, 0, 0, 1 << 30]
    data[place : place + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in matrix)
    path.write_bytes(data)
    frame = read(FileSource(path), stop)[0].frame
    expected = np.rot90(make_picture(0, 48, 64), -quarters)  # phones turn clockwise
    assert frame.shape == expected.shape
    assert abs(frame.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("name", ["a:b.mp4", "http:x.mp4", "100%d.mp4", "ü ö.mp4", "-y.mp4"])
def test_awkward_names_are_files(tmp_path, make_video, monkeypatch, stop, name):
    make_video(tmp_path / "clip.mp4", 2).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(read(open_source(name), stop)) == 2


def test_stopping_ends_the_frames(tmp_path, make_video, stop):
    source = FileSource(make_video(tmp_path / "clip.mp4", 9))
    frames = source.frames(stop)
    next(frames)
    stop.set()
    assert list(frames) == []
    assert source.status.state is SourceState.ENDED


def test_realtime_paces_the_file_by_the_clock(tmp_path, make_video, clock, stop):
    source = FileSource(make_video(tmp_path / "clip.mp4", 5), realtime=True, clock=clock)
    items = read(source, stop)
    assert all(item.is_live for item in items)
    times = [item.captured_s - items[0].captured_s for item in items]
    assert times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])


def write_audio(path):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"hello, this is only text\n" * 50, "is not a video that can be read"),
        (json.dumps({"a": [1] * 500}).encode(), "is not a video that can be read"),
        (random.Random(3).randbytes(5000), "is not a video that can be read"),
    ],
    ids=["empty", "text", "json", "random"],
)
def test_what_is_no_video_is_refused_at_once(tmp_path, data, message):
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        open_source(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_without_its_index_was_not_finished(tmp_path, make_video):
    path = make_video(tmp_path / "clip.mp4", 25, 96, 128, noise=200)
    path.write_bytes(path.read_bytes()[:20_000])  # the index stands at the end
    with pytest.raises(SourceError, match="was not finished when it was written"):
        FileSource(path)


def test_a_file_with_sound_only_has_no_video(tmp_path):
    write_audio(tmp_path / "sound.mp4")
    with pytest.raises(SourceError, match="has no video"):
        FileSource(tmp_path / "sound.mp4")


def test_a_cut_file_gives_its_readable_frames_and_then_fails(tmp_path, make_video, stop):
    options = {"movflags": "faststart"}
    whole = make_video(tmp_path / "clip.mp4", 50, 96, 128, noise=200, options=options, gop=10)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) * 2 // 3])
    source = FileSource(whole)
    taken = []

    def take_all():
        for item in source.frames(stop):
            taken.append(item)

    with pytest.raises(SourceError, match=r"is damaged: read \d+ frames, stopped early") as caught:
        take_all()
    assert 10 < len(taken) < 50
    assert f"read {len(taken)} frames" in str(caught.value)
    assert source.status.state is SourceState.FAILED


def test_damaged_bytes_in_the_middle_are_counted_and_skipped(tmp_path, make_video, stop):
    path = make_video(tmp_path / "clip.ts", 60, 96, 128, noise=200, gop=10)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 800] = random.Random(1).randbytes(800)
    path.write_bytes(data)
    source = FileSource(path)
    items = read(source, stop)
    found = source.status.stats()
    assert len(items) > 45
    assert found.bad_packets + found.damaged_frames > 0
    assert found.state is SourceState.ENDED


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"no such file: .*clip\.mp4"):
        open_source(str(tmp_path / "clip.mp4"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_refused_without_opening_it(tmp_path):
    os.mkfifo(tmp_path / "clip.mp4")
    with pytest.raises(SourceError, match="not a regular file"):
        open_source(str(tmp_path / "clip.mp4"))


@pytest.mark.parametrize(
    "text",
    [
        "foo://x",
        "file:///etc/passwd",
        "concat:a.ts|b.ts",
        "subfile,,start,0,end,9:f",
        "data:x",
        "cam",
        "cam-1",
        "-1",
        "",
    ],
)
def test_what_names_no_source_is_refused(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DbrtError):
        open_source(text)


def test_pictures_and_folders_are_not_opened_as_video(tmp_path):
    assert isinstance(open_source(str(_png(tmp_path / "a.png"))), FolderSource)
    assert isinstance(open_source(str(tmp_path)), FolderSource)


def _png(path):
    import cv2

    cv2.imwrite(str(path), np.zeros((4, 6, 3), np.uint8))
    return path


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ([None, None, None], [0, 40, 80]),
        ([100, 140, 180], [0, 40, 80]),
        ([0, 40, 0, 40], [0, 40, 80, 120]),
        ([None, 500, 540], [0, 40, 80]),
        ([0, 0, 0, 200], [0, 40, 80, 280]),
    ],
    ids=str,
)
def test_the_time_line_always_grows(stamps, expected):
    line = TimeLine(Fraction(25))
    found = [line.place(stamp, Fraction(1, 1000)) for stamp in stamps]
    assert [round(time_s * 1000) for time_s in found] == expected
