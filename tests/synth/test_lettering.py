"""Lines of text: the quads are the boxes of the words' ink."""

import numpy as np
import pytest

from dbrt.errors import InputError
from dbrt.synth.lettering import INK, set_line


def assert_quads_box_the_ink(lettering):
    """Each side of each quad touches ink, and no ink lies outside the quads."""
    ink = lettering.mask >= INK
    outside = ink.copy()
    for quad in lettering.quads.astype(int):
        (left, top), (right, bottom) = quad[0], quad[2]
        part = ink[top:bottom, left:right]
        assert part[0].any()
        assert part[-1].any()
        assert part[:, 0].any()
        assert part[:, -1].any()
        outside[top:bottom, left:right] = False
    assert not outside.any()


@pytest.mark.parametrize("spacing", [0.0, 6.0], ids=["kerned", "spaced"])
@pytest.mark.parametrize("size_px", [14, 40, 90])
@pytest.mark.parametrize("text", ["OPEN", "fresh Bread 4.50", "a - b", "gypsy 555-0142"])
def test_quads_are_the_boxes_of_the_words_ink(font, text, size_px, spacing):
    lettering = set_line(text, font, size_px, spacing)
    assert lettering.words == tuple(text.split())
    assert lettering.quads.dtype == np.float32
    assert_quads_box_the_ink(lettering)


def test_words_stand_left_to_right_and_apart(font):
    quads = set_line("one two three", font, 40).quads
    assert (quads[1:, 0, 0] - quads[:-1, 1, 0] > 3).all()


def test_a_file_that_is_no_font_is_an_input_error(tmp_path):
    path = tmp_path / "fake.ttf"
    path.write_text("not a font")
    with pytest.raises(InputError, match=r"fake\.ttf is not a font file"):
        set_line("text", path, 20)


def test_text_without_ink_is_an_input_error(font):
    with pytest.raises(InputError, match="draws nothing"):
        set_line("   ", font, 20)
