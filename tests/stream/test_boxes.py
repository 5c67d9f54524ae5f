from __future__ import annotations

import pytest

from dbrt.stream.boxes import drop_cut_fragment, is_cut, lacks_index, read_boxes

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


@pytest.fixture
def fragmented(tmp_path, make_video):
    return make_video(tmp_path / "a.mp4", 20, 96, 128, noise=200, options=FRAGMENTED)


def test_a_whole_file_is_neither_cut_nor_without_its_index(tmp_path, make_video):
    path = make_video(tmp_path / "a.mp4")
    assert not is_cut(path)
    assert not lacks_index(path)


@pytest.mark.parametrize("name", ["a.mkv", "a.ts", "a.avi"])
def test_other_files_are_not_judged(tmp_path, make_video, name):
    path = make_video(tmp_path / name, codec="mpeg4")
    path.write_bytes(path.read_bytes()[:-100])
    assert not read_boxes(path).is_mp4
    assert not is_cut(path)
    assert not lacks_index(path)


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\1ftyp", b"\0\0\0\x08ftyp", b"\0\0\0\0mdat" + b"x" * 9]
)
def test_strange_sizes_end_the_walk(tmp_path, data):
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    assert read_boxes(path).has_index is False
    assert not is_cut(tmp_path / "missing.mp4")


def test_sizes_of_eight_bytes_are_followed(tmp_path):
    path = tmp_path / "a.mp4"
    large = (1).to_bytes(4, "big") + b"mdat" + (24).to_bytes(8, "big") + b"12345678"
    path.write_bytes(large + (8).to_bytes(4, "big") + b"moov")
    found = read_boxes(path)
    assert found.has_index
    assert not found.is_cut
    assert found.whole == 32


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.99])
def test_half_a_fragment_is_dropped_and_the_rest_plays_to_its_end(fragmented, read_frames, share):
    data = fragmented.read_bytes()
    fragmented.write_bytes(data[: int(len(data) * share)])
    assert is_cut(fragmented)
    drop_cut_fragment(fragmented)
    assert not is_cut(fragmented)
    frames, _ = read_frames(fragmented)
    assert len(frames) % 5 == 0  # whole fragments of five frames
    assert len(frames) >= 20 * share - 6


def test_a_whole_file_keeps_its_frames(fragmented, read_frames):
    drop_cut_fragment(fragmented)
    assert len(read_frames(fragmented)[0]) == 20
