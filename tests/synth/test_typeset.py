"""Text set into masks: the boxes are those of the words' ink."""

import numpy as np
import pytest

from dbrt.errors import InputError
from dbrt.synth.typeset import INK, SIZES, Face, Galley, fitting_size, line_width, open_face


def galley_with(words, font, size, spacing=0.0):
    face = Face(font, size)
    width = int(line_width(words, face, spacing) + 2 * size)
    galley = Galley(width, 3 * size)
    galley.write(words, face, (0.8 * size, 1.6 * size), spacing=spacing)
    return galley


def assert_boxes_hold_the_ink(block):
    """Each side of each box touches ink, and no ink lies outside the boxes."""
    ink = block.mask >= INK
    outside = ink.copy()
    for line in block.lines:
        for left, top, right, bottom in line.boxes.astype(int):
            part = ink[top:bottom, left:right]
            assert part[0].any()
            assert part[-1].any()
            assert part[:, 0].any()
            assert part[:, -1].any()
            outside[top:bottom, left:right] = False
    assert not outside.any()


@pytest.mark.parametrize("share", [0.0, 0.15], ids=["kerned", "spaced"])
@pytest.mark.parametrize("size", [14, 38, 100])
@pytest.mark.parametrize("text", ["OPEN", "fresh Bread 4.50", "a - b", "gypsy 555-0142"])
def test_boxes_are_those_of_the_words_ink(font, text, size, share):
    block = galley_with(text.split(), font, size, share * size).block(size / 2, size)
    assert [line.texts for line in block.lines] == [tuple(text.split())]
    assert block.lines[0].boxes.dtype == np.float32
    assert_boxes_hold_the_ink(block)


def test_columns_run_downwards_within_one_box_each(font):
    face = Face(font, 32)
    galley = Galley(200, 300)
    galley.write_down("DOWN", face, (140, 20), 40)
    galley.write_down("TWO", face, (60, 20), 40)
    block = galley.block(32, 32)
    assert_boxes_hold_the_ink(block)
    first, second = (line.boxes[0] for line in block.lines)
    assert first[3] - first[1] > 3 * (first[2] - first[0])
    assert first[0] > second[2]


def test_lines_from_right_to_left_begin_at_the_right(font):
    face = Face(font, 32, is_rtl=True)
    galley = Galley(400, 100)
    galley.write(["one", "two"], face, (20, 60))
    line = galley.block(32, 32).lines[0]
    assert line.texts == ("two", "one")
    assert line.boxes[0, 2] < line.boxes[1, 0]


def test_a_line_as_one_instance_has_its_words_common_box(font):
    line = galley_with(["one", "gypsy", "TWO"], font, 38).block(38, 38).lines[0]
    joined = line.joined()
    assert joined.texts == ("one gypsy TWO",)
    np.testing.assert_array_equal(joined.boxes[0, :2], line.boxes[:, :2].min(axis=0))
    np.testing.assert_array_equal(joined.boxes[0, 2:], line.boxes[:, 2:].max(axis=0))


def test_a_block_is_drawn_larger_than_it_appears(font):
    block = galley_with(["word"], font, 60).block(20.0, 60)
    assert block.scale == pytest.approx(1 / 3)
    assert block.size_px == pytest.approx((block.mask.shape[1] / 3, block.mask.shape[0] / 3))


def test_nothing_set_is_no_block():
    pytest.importorskip("PIL", reason="Pillow is not installed")
    assert Galley(50, 50).block(20, 20) is None


@pytest.mark.parametrize(("em_px", "size"), [(5, 12), (16, 24), (100, 172), (900, SIZES[-1])])
def test_sizes_to_draw_at(em_px, size):
    assert fitting_size(em_px) == size


def test_a_file_that_is_no_font_is_an_input_error(tmp_path):
    pytest.importorskip("PIL", reason="Pillow is not installed")
    path = tmp_path / "fake.ttf"
    path.write_text("not a font")
    with pytest.raises(InputError, match=r"fake\.ttf is not a font file"):
        open_face(path, 20, False)
