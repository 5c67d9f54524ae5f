"""What the generator writes."""

import numpy as np
import pytest

from dbrt.synth.words import line


def test_lines_are_plain_ascii_words_in_one_row():
    rng = np.random.default_rng(2)
    lines = [line(rng) for _ in range(500)]
    assert all(text.isascii() and text.isprintable() and text.strip() == text for text in lines)
    assert {len(text.split()) for text in lines} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    "is_there",
    [str.isupper, str.islower, str.istitle, lambda t: any(c.isdigit() for c in t)],
    ids=["upper", "lower", "title", "digits"],
)
def test_lines_come_in_several_forms(is_there):
    rng = np.random.default_rng(4)
    assert sum(is_there(line(rng)) for _ in range(300)) > 20
