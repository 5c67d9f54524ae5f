from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import pytest

from dbrt.errors import OutputError, UsageError
from dbrt.regions import TextRegions
from dbrt.stream.sinks import open_sink, open_sinks
from dbrt.stream.sinks.frames import FramesSink
from dbrt.stream.sinks.jsonl import JsonLinesSink
from dbrt.stream.sinks.mp4 import Mp4Sink

KINDS = ["out.mp4", "out.jsonl", "out/"]


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("a.mp4", Mp4Sink),
        ("a.MP4", Mp4Sink),
        ("a.jsonl", JsonLinesSink),
        ("folder/", FramesSink),
        ("v1.mp4/", FramesSink),
        ("folder", FramesSink),
    ],
)
def test_the_suffix_decides_the_kind(tmp_path, target, kind):
    assert isinstance(open_sink(f"{tmp_path}/{target}"), kind)


@pytest.mark.parametrize("name", ["a.avi", "a.json", "a.txt"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match=r"NAME\.mp4, NAME\.jsonl or FOLDER/"):
        open_sink(str(tmp_path / name))


def test_one_place_is_taken_once(tmp_path):
    with pytest.raises(UsageError, match="twice"):
        open_sinks([f"{tmp_path}/a.mp4", f"{tmp_path}/./a.mp4"])


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_folder_is_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(OutputError, match="there is no folder"):
        open_sink(f"{tmp_path}/missing/{name}")


@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_created_before_the_first_result(tmp_path, name):
    open_sink(f"{tmp_path}/{name}").close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.mp4", "out.jsonl"])
def test_an_existing_file_is_kept_unless_overwriting(tmp_path, name, make_result):
    path = tmp_path / name
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        open_sink(str(path))
    assert path.read_text() == "precious"
    sink = open_sink(str(path), overwrite=True)
    sink.write(make_result())
    sink.close()
    assert b"precious" not in path.read_bytes()


def test_a_folder_with_something_in_it_is_kept_unless_overwriting(tmp_path):
    (tmp_path / "x").write_text("precious")
    with pytest.raises(OutputError, match="not empty"):
        open_sink(str(tmp_path))
    open_sink(str(tmp_path), overwrite=True)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        Mp4Sink(tmp_path / "out.mp4")


def test_a_file_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        open_sink(f"{tmp_path}/out/")


def test_a_name_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(OutputError, match="name too long"):
        open_sink(f"{tmp_path}/{'x' * 300}.mp4")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="permission"):
        open_sink(f"{tmp_path}/out.mp4")


def test_json_lines_hold_one_object_for_each_frame(tmp_path, make_result):
    sink = JsonLinesSink(tmp_path / "out.jsonl")
    for index in range(3):
        sink.write(make_result(index, source="ü"))
        lines = (tmp_path / "out.jsonl").read_text("utf-8").splitlines()
        assert len(lines) == index + 1  # on the disk at once, not at the end
    sink.close()
    sink.close()
    assert [json.loads(line)["frame"] for line in lines] == [0, 1, 2]
    assert TextRegions.from_dict(json.loads(lines[2])) == TextRegions.from_dict(
        make_result(2).to_dict()
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_json_lines_to_a_full_disk_are_one_line_of_error(make_result):
    sink = JsonLinesSink(Path("/dev/full"), overwrite=True)
    with pytest.raises(OutputError, match="disk full: /dev/full ends at"):
        sink.write(make_result())
    sink.close()


def test_frames_are_named_by_their_number_and_annotated(tmp_path, make_result):
    sink = FramesSink(tmp_path / "out")
    for index in (0, 7):
        sink.write(make_result(index))
    sink.close()
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["000000.jpg", "000007.jpg"]
    picture = cv2.imread(str(tmp_path / "out" / "000007.jpg"))
    expected = make_result(7).picture()
    assert abs(picture.astype(int) - expected).mean() < 4


def test_a_frame_that_can_not_be_written_leaves_no_half_picture(tmp_path, make_result, monkeypatch):
    sink = FramesSink(tmp_path / "out")

    def full(_path, _data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "write_bytes", full)
    with pytest.raises(OutputError, match="disk full"):
        sink.write(make_result())
    assert list((tmp_path / "out").iterdir()) == []
