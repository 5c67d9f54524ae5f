"""`dbrt pseudolabel` on the command line."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from dbrt.cli import main


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    frame = np.full((160, 320, 3), 40, np.uint8)
    cv2.putText(frame, "STREET", (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 2.2, (255,) * 3, 6)
    cv2.imwrite(str(folder / "a.png"), frame)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))


def run(pictures, *options, teacher="dbrt-lite"):
    out = str(pictures.parent / "out")
    folder = ["--pictures", str(pictures), "--out", out, "--size", "320"]
    return main(["pseudolabel", "--teacher", teacher, *folder, *options])


def test_a_folder_becomes_a_data_set(pictures, capsys):
    assert run(pictures, "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["schema"] == "dbrt.pseudolabel/1"
    assert (figures["teacher"], figures["pictures"]) == ("dbrt-lite", 1)
    assert figures["words"] >= 1
    lines = (pictures.parent / "out" / "gts" / "gt_a.txt").read_text().splitlines()
    assert len(lines) == figures["words"] + figures["dont_care"]


def test_a_broken_picture_is_named_and_the_rest_is_done(pictures, capsys):
    (pictures / "b.jpg").write_bytes(b"no picture")
    assert run(pictures) == 3
    shown = capsys.readouterr()
    assert "1 pictures labelled by dbrt-lite" in shown.out
    assert "b.jpg" in shown.err
    assert shown.err.strip().splitlines()[-1].endswith("1 of 2 pictures could not be read")


@pytest.mark.parametrize(
    ("teacher", "options", "code", "says"),
    [
        ("none.onnx", (), 3, "no model none.onnx"),
        ("craft:none.pth", (), 3, "none.pth"),
        ("craft:none.pth", ("--declare", "mean=0.5"), 2, "leave out --declare"),
        ("dbrt-lite", ("--sure", "0.4", "--doubt", "0.6"), 2, "--doubt 0.6 is above --sure 0.4"),
        ("dbrt-lite", ("--size", "100"), 2, "100"),
    ],
    ids=["model", "weights", "declared", "order", "size"],
)
def test_mistakes_are_one_line_and_a_code(pictures, teacher, options, code, says, capsys):
    assert run(pictures, *options, teacher=teacher) == code
    assert says in capsys.readouterr().err.strip().splitlines()[-1]
