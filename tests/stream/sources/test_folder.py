from __future__ import annotations

import cv2
import numpy as np
import pytest

from dbrt.errors import InputError, SourceError
from dbrt.stream.sources.folder import FolderSource
from dbrt.stream.sources.state import SourceState


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), np.full((8, 6 + number, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_text("no picture")
    return tmp_path


def test_pictures_come_in_natural_order_at_their_own_size(folder, stop):
    source = FolderSource(folder)
    items = list(source.frames(stop))
    assert [item.frame.shape for item in items] == [(8, 7, 3), (8, 8, 3), (8, 16, 3)]
    assert [item.frame[0, 0, 0] for item in items] == [1, 2, 10]
    assert [item.time_s for item in items] == [0, 0.04, 0.08]
    assert source.status.state is SourceState.ENDED


def test_one_picture_is_one_frame(folder, stop):
    assert len(list(FolderSource(folder / "f2.png").frames(stop))) == 1


def test_a_broken_picture_is_skipped_and_reported_at_the_end(folder, stop):
    (folder / "f3.png").write_bytes((folder / "f2.png").read_bytes()[:30])
    lines = []
    source = FolderSource(folder, report=lines.append)
    indices = []

    def take_all():
        for item in source.frames(stop):
            indices.append(item.index)

    with pytest.raises(InputError, match=r"1 of 4 pictures: first .*f3\.png"):
        take_all()
    assert indices == [0, 1, 3]
    assert len(lines) == 1
    assert "skipped" in lines[0]
    assert source.status.stats().bad_packets == 1
    assert source.status.state is SourceState.FAILED


def test_one_broken_picture_is_its_own_message(tmp_path, stop):
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(InputError, match=r"a\.jpg: is not a picture"):
        list(FolderSource(tmp_path / "a.jpg").frames(stop))


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(SourceError, match="holds no pictures"):
        FolderSource(tmp_path)


def test_realtime_paces_pictures(folder, clock, stop):
    items = list(FolderSource(folder, realtime=True, clock=clock).frames(stop))
    assert all(item.is_live for item in items)
    assert [item.captured_s - 100 for item in items] == pytest.approx([0, 0.04, 0.08])
