"""Annotation formats, on files that the tests write: what is read, and how a fault is named."""

import math
import re

import numpy as np
import pytest

from dbrt.datasets.ctw import read_ctw
from dbrt.datasets.icdar import read_icdar
from dbrt.datasets.msra import read_msra
from dbrt.datasets.totaltext import read_total_text
from dbrt.errors import InputError

OFFSETS = [(0, 3), (5, 1), (10, 0), (15, 0), (20, 0), (25, 1), (30, 3)]
OFFSETS += [(30, 13), (25, 11), (20, 10), (15, 10), (10, 10), (5, 11), (0, 13)]


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="gt.txt"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def joined(points):
    return ",".join(str(value) for point in points for value in point)


def test_icdar_reads_corners_text_and_care(write):
    first, second = read_icdar(write("1,2,30,2,30,12,1,12,Genaxis\n5,5,9,5,9,8,5,8,###\n"))
    np.testing.assert_array_equal(first.polygon, [[1, 2], [30, 2], [30, 12], [1, 12]])
    assert first.polygon.dtype == np.float32
    assert (first.text, first.care) == ("Genaxis", True)
    assert (second.text, second.care) == ("###", False)


def test_icdar_drops_the_byte_order_mark_and_carriage_returns(write):
    (word,) = read_icdar(write(b"\xef\xbb\xbf1,2,30,2,30,12,1,12,###\r\n\r\n"))
    assert word.polygon[0, 0] == 1
    assert not word.care


def test_icdar_transcription_may_hold_commas(write):
    (word,) = read_icdar(write("1,2,30,2,30,12,1,12,1,234,56 $\n"))
    assert word.text == "1,234,56 $"


def test_icdar_transcription_may_hold_a_unicode_line_separator(write):
    (word,) = read_icdar(write("1,2,30,2,30,12,1,12,a\u2028b\n"))
    assert word.text == "a\u2028b"


def test_icdar_transcription_may_be_missing(write):
    (word,) = read_icdar(write("1.5,2,30,2,30,12,1,12\n"))
    assert (word.text, word.care) == ("", True)
    assert word.polygon[0, 0] == 1.5


@pytest.mark.parametrize(
    "read", [read_icdar, read_msra, read_ctw, read_total_text], ids=lambda f: f.__name__
)
def test_an_empty_file_has_no_words(write, read):
    assert read(write("")) == []


def test_msra_box_without_turn_is_the_box(write):
    easy, hard = read_msra(write("0 0 10 20 40 8 0\n1 1 5 5 6 7 0.5\n", "a.gt"))
    np.testing.assert_array_equal(easy.polygon, [[10, 20], [50, 20], [50, 28], [10, 28]])
    assert (easy.care, hard.care) == (True, False)


def test_msra_box_turns_clockwise_about_its_centre(write):
    (word,) = read_msra(write(f"0 0 10 20 40 8 {math.pi / 2}\n", "a.gt"))
    # centre (30, 24): the corner that was top left is now top right
    np.testing.assert_allclose(word.polygon, [[34, 4], [34, 44], [26, 44], [26, 4]], atol=1e-4)


def test_ctw_text_of_32_numbers_is_relative_to_its_box(write):
    (word,) = read_ctw(write(f"100,200,130,213,{joined(OFFSETS)}\n"))
    np.testing.assert_array_equal(word.polygon, np.add(OFFSETS, (100, 200)))
    assert word.care


def test_ctw_text_with_transcription_is_absolute(write):
    first, second = read_ctw(write(f"{joined(OFFSETS)},####a, b\n{joined(OFFSETS)},#######\n"))
    np.testing.assert_array_equal(first.polygon, OFFSETS)
    assert (first.text, first.care) == ("a, b", True)
    assert not second.care


def test_ctw_xml_is_absolute(write):
    content = (
        '<Annotations><image file="0001.jpg">'
        '<box height="13" left="0" top="0" width="30"><label>Tea &amp; more</label>'
        f'<segs>{joined(OFFSETS)}</segs><pts x="1" y="2"/></box>'
        f"<box><label>###</label><segs>{joined(OFFSETS)}</segs></box></image></Annotations>"
    )
    first, second = read_ctw(write(content, "0001.xml"))
    np.testing.assert_array_equal(first.polygon, OFFSETS)
    assert (first.text, first.care) == ("Tea & more", True)
    assert not second.care


def test_total_text_reads_records_that_go_over_lines(write):
    first, second, third = read_total_text(
        write(
            "x: [[206 251 386 542]], y: [[ 633 811\n  931 946]], ornt: [u'c'], "
            "transcriptions: [u'PETRO']\n"
            "x: [[1 9 9 1]], y: [[1 1 5 5]], ornt: [u'#'], transcriptions: [u'#']\n"
            "x: [[1 9 9]], y: [[1 1 5]], ornt: [u'h'], transcriptions: [u\"CHILDREN'S [2]\"]\n"
        )
    )
    np.testing.assert_array_equal(first.polygon, [[206, 633], [251, 811], [386, 931], [542, 946]])
    assert (first.text, first.care) == ("PETRO", True)
    assert not second.care
    assert (third.text, third.care) == ("CHILDREN'S [2]", True)


GOOD_RECORD = "x: [[1 9 9]], y: [[1 1 5]], ornt: [u'h'], transcriptions: [u'a']\n"
MALFORMED = {
    "icdar-seven-numbers": (read_icdar, "1,1,9,1,9,5,1,5,a\n1,2,3,4,5,6,7\n", "line 2"),
    "icdar-words": (read_icdar, "\n\n1,2,3,4,5,6,7,eight\n", "line 3"),
    "icdar-nan": (read_icdar, "1,2,3,4,5,6,7,nan,a\n", "line 1"),
    "icdar-infinite": (read_icdar, "1,2,3,4,5,6,7,1e999,a\n", "line 1"),
    "icdar-latin1": (read_icdar, b"1,1,9,1,9,5,1,5,caf\xe9\n", "byte 19 is not UTF-8"),
    "msra-six-numbers": (read_msra, "0 0 1 2 3 4\n", "line 1"),
    "msra-no-width": (read_msra, "0 0 1 2 3 4 0\n0 0 1 2 0 4 0\n", "line 2"),
    "msra-difficult-2": (read_msra, "0 2 1 2 3 4 0\n", "line 1"),
    "ctw-31-numbers": (read_ctw, ",".join(["1"] * 31), "line 1"),
    "ctw-odd-points": (read_ctw, "1,2,3,4,5,6,7,####a", "line 1"),
    "total-text-lengths": (read_total_text, GOOD_RECORD + "x: [[1 2 3]], y: [[1 2]], "
                           "ornt: [u'h'], transcriptions: [u'a']", "line 2"),
    "total-text-no-y": (read_total_text, GOOD_RECORD * 2 + "x: [[1 2 3]], z: 1", "line 3"),
    "total-text-other": (read_total_text, "377,117,463,117\n", "line 1"),
    "total-text-prelude": (read_total_text, "words\n" + GOOD_RECORD, "line 1"),
}  # fmt: skip


@pytest.mark.parametrize(("read", "content", "where"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_line_is_named(write, read, content, where):
    path = write(content)
    with pytest.raises(InputError, match=re.escape(where)) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ctw_xml_that_is_cut_is_named_with_its_line(write):
    with pytest.raises(InputError, match="line 2: this is no well-formed XML"):
        read_ctw(write("<Annotations>\n<image>", "a.xml"))


def test_ctw_xml_box_without_points_is_named(write):
    with pytest.raises(InputError, match="box 1"):
        read_ctw(write("<Annotations><box><label>a</label></box></Annotations>", "a.xml"))


def test_a_missing_annotation_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gt_x\.txt: No such file"):
        read_icdar(tmp_path / "gt_x.txt")
