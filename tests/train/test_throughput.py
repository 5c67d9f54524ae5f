"""`dbrt bench train`, with a network of three layers."""

from __future__ import annotations

import json

import pytest

from dbrt.cli import main
from dbrt.train.config import to_toml

pytestmark = pytest.mark.usefixtures("tiny_network")
ROWS = ["crops, cpu", "crops, accelerator", "steps, cpu", "steps, accelerator"]


def test_both_ways_are_timed_alone_and_in_steps(tiny_config, tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(tiny_config))
    assert main(["bench", "train", str(path), "--steps", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "dbrt.bench.train/1"
    assert [row["what"] for row in found["rows"]] == ROWS
    assert all(row["images"] == 2 and row["images_per_second"] > 0 for row in found["rows"])
    assert found["machine"]["crop"] == "64"
    assert list(tmp_path.iterdir()) == [path]
