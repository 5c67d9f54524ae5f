from __future__ import annotations

import pytest

from dbrt.errors import UsageError
from dbrt.stream.settings import StreamSettings, read_config


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 700}, "700.*704"),
        ({"size": 0}, "0"),
        ({"size": -1}, "-1"),
        ({"size": 99999}, "4096"),
        ({"shape": (416, 700)}, "700"),
        ({"min_score": 1.5}, "--min-score"),
        ({"min_score": float("nan")}, "--min-score"),
        ({"max_staleness_s": 0.0}, "--max-staleness"),
        ({"max_staleness_s": float("inf")}, "--max-staleness"),
        ({"max_frames": 0}, "--max-frames"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(fields, message):
    with pytest.raises(UsageError, match=message):
        StreamSettings(source="sample", **fields)


def test_a_configuration_is_read_with_either_spelling(tmp_path):
    path = tmp_path / "stream.toml"
    path.write_text('source = "sample"\nmax-frames = 5\nmin_score = 0.5\n')
    found = read_config(path, ["source", "max_frames", "min_score"])
    assert found == {"source": "sample", "max_frames": 5, "min_score": 0.5}


def test_an_unknown_key_is_refused_with_the_nearest(tmp_path):
    path = tmp_path / "stream.toml"
    path.write_text("max_frame = 5\n")
    with pytest.raises(UsageError, match=r"unknown key 'max_frame'.*'max-frames'"):
        read_config(path, ["source", "max_frames"])


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"size = \n", "no TOML.*line 1"), (b"\xff\xfe", "no utf-8"), (None, "no such file")],
    ids=["broken", "binary", "missing"],
)
def test_a_configuration_that_can_not_be_read_is_one_line(tmp_path, data, message):
    path = tmp_path / "stream.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=message):
        read_config(path, ["size"])
