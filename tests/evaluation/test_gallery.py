"""The gallery: which pictures, which outlines, and a page that holds all it needs."""

import base64
import re
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from dbrt.errors import InputError, OutputError
from dbrt.evaluation.gallery import check_gallery, outlines, worst, write_gallery


def kinds(entry, index):
    return [outline.kind for outline in outlines(entry, index)]


def test_the_worst_picture_comes_first_and_right_ones_are_left_out(entry):
    assert [entry.tallies[i].hmean for i in range(3)] == [pytest.approx(2 / 3), 1, 0]
    assert worst(entry) == [2, 0]
    assert worst(entry, 1) == [2]


def test_each_outline_has_its_kind(entry):
    assert kinds(entry, 0) == ["truth", "found", "missed"]
    assert kinds(entry, 1) == ["ignored", "beside", "truth", "found"]
    assert kinds(entry, 2) == ["false"]


def test_detections_below_the_least_score_are_not_drawn(score):
    results = {"c": "0,0,5,0,5,5,0,5,0.4\n"}
    entry = score("low", results, min_score=0.5)
    assert kinds(entry, 2) == []


@pytest.fixture
def page(entry, tmp_path):
    return write_gallery(entry, tmp_path).read_text("utf-8")


def test_the_page_needs_nothing_else(page):
    assert "<script" not in page
    addresses = re.findall(r"(?:href|src)=\"([^\"]{0,30})", page)
    assert len(addresses) == 2
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert "url(" not in page


def test_a_picture_in_the_page_is_the_picture(page, dataset):
    data = re.search(r"base64,([^\"]+)\"", page)[1]
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    original = cv2.imread(str(dataset[2].path))
    assert shown.shape == original.shape
    assert np.abs(shown.astype(int) - original).mean() < 3


def test_a_large_picture_is_made_smaller_and_its_outlines_stay_in_place(score, dataset, tmp_path):
    cv2.imwrite(str(dataset[0].path), np.zeros((1500, 2600, 3), np.uint8))
    page = write_gallery(score("none", {}), tmp_path).read_text()
    assert 'viewBox="0 0 2600 1500"><image' in page
    data = re.search(r"base64,([^\"]+)\"", page)[1]
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (738, 1280, 3)
    assert 'points="60.0,20.0 90.0,20.0 90.0,30.0 60.0,30.0"' in page


def test_drawings_are_well_formed_and_texts_are_escaped(page):
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    titles = [
        polygon.find("title").text
        for drawing in drawings
        for polygon in ElementTree.fromstring(drawing).iter("polygon")
    ]
    assert titles == ["false score 0.30", "truth <one>", "found score 0.90", "missed two"]


def test_the_legend_counts_over_all_pictures(page):
    legend = dict(re.findall(r'id="show-(\w+)".*?<small>(\d+)</small>', page))
    assert legend == {
        "truth": "2", "found": "2", "missed": "1", "false": "1", "ignored": "1", "beside": "1"
    }  # fmt: skip


def test_every_switch_of_the_legend_hides_its_outlines(page):
    shown = set(re.findall(r'id="show-(\w+)"', page))
    assert set(re.findall(r"#show-(\w+):not\(:checked\)\) polygon\.(\w+)", page)) == {
        (kind, kind) for kind in shown
    }


def test_the_page_says_what_it_shows(entry, score, tmp_path):
    assert "Below: all 2 with an error" in write_gallery(entry, tmp_path).read_text()
    assert "Below: the 1 worst of 2" in write_gallery(entry, tmp_path, count=1).read_text()
    right = score("right", {"a": "10,20,50,20,50,30,10,30\n60,20,90,20,90,30,60,30\n",
                            "b": "10,20,50,20,50,30,10,30\n"})  # fmt: skip
    page = write_gallery(right, tmp_path).read_text()
    assert "No picture has an error." in page
    assert "<figure>" not in page


def test_a_page_is_not_replaced_unless_asked_for(tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(OutputError, match=r"index\.html: is there already: .*--overwrite"):
        check_gallery(tmp_path)
    check_gallery(tmp_path, overwrite=True)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        check_gallery(tmp_path / "file" / "gallery")


def test_a_failed_write_leaves_the_page_before(entry, tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("before")

    def fail(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OutputError, match="the disk is full"):
        write_gallery(entry, tmp_path)
    assert (tmp_path / "index.html").read_text() == "before"
    assert not (tmp_path / ".index.html.part").exists()


def test_a_picture_that_has_gone_is_named(entry, dataset, tmp_path):
    dataset[2].path.unlink()
    with pytest.raises(InputError, match=r"c\.png"):
        write_gallery(entry, tmp_path)
