"""Names of outputs: short, told apart by what differs, never the same twice."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbrt.pictures.names import output_names

CASES = {
    "alone": (["a/x.jpg"], ["x"]),
    "different": (["a/x.jpg", "b/y.jpg"], ["x", "y"]),
    "folders": (["a/x.jpg", "b/x.jpg", "b/y.jpg"], ["a_x", "b_x", "y"]),
    "deeper folders": (["a/c/x.jpg", "b/c/x.jpg"], ["a_c_x", "b_c_x"]),
    "suffixes": (["a/x.jpg", "a/x.png"], ["x_jpg", "x_png"]),
    "suffixes and folders": (["a/x.jpg", "a/x.png", "b/x.png"], ["x_jpg", "x_png", "x"]),
    "case": (["a/Sign.jpg", "b/sign.jpg"], ["a_Sign", "b_sign"]),
    "a name that looks like another": (["a/x.jpg", "b/x.jpg", "c/a_x.jpg"], None),
    "dots": (["a/v1.2.jpg"], ["v1.2"]),
}


@pytest.mark.parametrize(("pictures", "names"), CASES.values(), ids=CASES)
def test_names_tell_pictures_apart(pictures, names):
    found = output_names([Path(picture) for picture in pictures])
    assert len(set(found)) == len(pictures)
    assert names is None or found == names


PARTS = st.sampled_from(["a", "A", "b", "a_b", "a-2", "c"])
PICTURES = st.builds(
    lambda folders, stem, suffix: Path(*folders, stem + suffix),
    st.lists(PARTS, max_size=3),
    PARTS,
    st.sampled_from([".jpg", ".png", ""]),
)


@given(st.lists(PICTURES, unique=True, max_size=12))
def test_no_two_pictures_share_a_name(pictures):
    names = output_names(pictures)
    assert len(names) == len(pictures)
    assert len({name.casefold() for name in names}) == len(names)
    assert not any("/" in name for name in names)
