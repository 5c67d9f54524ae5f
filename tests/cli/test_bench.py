from __future__ import annotations

import csv
import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from dbrt.benchmarks import network_table
from dbrt.cli import main

pytest.importorskip("openvino")

TINY = Path(__file__).parents[1] / "engine" / "tiny_model.py"


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The smallest run there is: one tiny network, one size, two rounds, one frame."""
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    frame = np.full((90, 160, 3), 20, np.uint8)
    frame[20:40, 20:80] = 255
    monkeypatch.setattr(network_table, "sample_frames", lambda: [frame])
    path = runpy.run_path(str(TINY))["write_tiny_model"](tmp_path / "tiny.onnx")
    return ["--model", str(path), "--size", "64", "--precision", "fp32", "--rounds", "2"]


def test_people_read_the_table_and_what_it_means(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *options]) == 0
    captured = capsys.readouterr()
    assert "network ms" in captured.out
    assert "openvino fp32" in captured.out
    assert "RTX 2080 Ti" in captured.out
    assert "numba" in captured.out
    assert captured.err == ""


def test_json_is_one_object_with_rows_and_provenance(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "dbrt.bench/1"
    (row,) = found["rows"]
    assert (row["network"], row["size"], row["weights"]) == ("tiny", 64, "tiny")
    assert found["provenance"]["rounds"] == 2
    assert "openvino" in found["provenance"]["machine"]["versions"]


def test_quick_takes_fewer_rounds_and_rounds_wins(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["bench", "--json", "--quick", *options[:-2]])
    assert json.loads(capsys.readouterr().out)["provenance"]["rounds"] == 3
    main(["bench", "--json", "--quick", *options])
    assert json.loads(capsys.readouterr().out)["provenance"]["rounds"] == 2


def test_files_are_written_beside_the_table(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, rows = tmp_path / "bench.md", tmp_path / "bench.csv"
    assert main(["bench", *options, "--markdown", str(page), "--csv", str(rows)]) == 0
    assert "| tiny | 64 | tiny | openvino fp32 |" in page.read_text("utf-8")
    with rows.open(newline="", encoding="utf-8") as file:
        assert [row["network"] for row in csv.DictReader(file)] == ["tiny"]
    assert "network ms" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--markdown", "--csv"])
def test_a_file_is_replaced_only_when_told_to(
    option: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "there"
    path.write_text("kept")
    assert main(["bench", *options, option, str(path)]) == 7
    captured = capsys.readouterr()
    assert "exists already: choose another name or give --overwrite" in captured.err
    assert captured.out == ""  # refused before anything was measured
    assert path.read_text() == "kept"
    assert main(["bench", *options, option, str(path), "--overwrite"]) == 0
    assert "tiny" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("changed", "code", "message"),
    [
        (["--size", "700"], 2, "take 672 or 704"),
        (["--rounds", "0"], 2, "--rounds"),
        (["--runner", "gpu"], 2, "no runner gpu"),
        (["--model", "missing.onnx"], 3, "no model missing.onnx"),
        (["--csv", "no-such-folder/rows.csv"], 7, "there is no folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_measured_is_one_line(
    changed: list[str],
    code: int,
    message: str,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", *options, *changed]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
