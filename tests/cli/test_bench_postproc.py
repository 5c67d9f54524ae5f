"""`dbrt bench postproc`, and that plain `dbrt bench` is not in its way."""

from __future__ import annotations

import csv
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from dbrt.benchmarks import postproc_report
from dbrt.cli import main

pytest.importorskip("openvino")

TINY = Path(__file__).parents[1] / "engine" / "tiny_model.py"


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One tiny network, one small size, two rounds; no second process, no RapidOCR."""
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    frame = np.full((90, 160, 3), 20, np.uint8)
    frame[20:40, 20:80] = 255
    monkeypatch.setattr(postproc_report, "sample_frames", lambda: [frame])
    monkeypatch.setattr(postproc_report, "time_first_map", lambda: (20.0, 1.25))
    path = runpy.run_path(str(TINY))["write_tiny_model"](tmp_path / "tiny.onnx")
    return ["--model", str(path), "--size", "64", "--rounds", "2"]


def test_people_read_the_table_and_what_it_means(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "postproc", *options]) == 0
    captured = capsys.readouterr()
    assert "dbrt quads" in captured.out
    assert "64 ordinary" in captured.out
    assert "first decoded map: 1.25 s" in captured.out
    assert captured.err == ""


def test_json_is_one_object_with_rows_and_provenance(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "postproc", "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "dbrt.bench.postproc/1"
    assert {row["kind"] for row in found["rows"]} == {"ordinary", "dense"}
    assert found["provenance"]["rounds"] == 2


def test_files_are_written_beside_the_table(options: list[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    files = {name: tmp_path / f"out.{name}" for name in ("markdown", "csv", "plot")}
    files["plot"] = tmp_path / "out.png"
    given = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert main(["bench", "postproc", *options, *given]) == 0
    assert "| dbrt quads |" in files["markdown"].read_text("utf-8")
    with files["csv"].open(newline="", encoding="utf-8") as file:
        assert {row["contender"] for row in csv.DictReader(file)} >= {"dbrt quads"}
    assert files["plot"].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        (["--size", "700"], 2, "take 672 or 704"),
        (["--rounds", "0"], 2, "--rounds"),
        (["--model", "missing.onnx"], 3, "no model missing.onnx"),
        (["--plot", "no-such-folder/plot.png"], 7, "there is no folder"),
    ],
    ids=["size", "rounds", "model", "plot"],
)
def test_what_cannot_be_measured_is_one_line(
    changed: list[str],
    code: int,
    message: str,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "postproc", *options, *changed]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""


def test_a_benchmark_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "postprok"]) == 2
    assert "postprok" in capsys.readouterr().err


def test_help_of_bench_names_the_command_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--help"]) == 0
    assert "postproc" in capsys.readouterr().out
