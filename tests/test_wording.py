"""Counts in words."""

import pytest

from dbrt.wording import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 pictures"), (1, "1 picture"), (2, "2 pictures")]
)
def test_one_is_singular(number, text):
    assert counted(number, "picture") == text


def test_an_odd_plural_is_given():
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(2, "entry", "entries") == "2 entries"
