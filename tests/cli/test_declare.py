"""--declare: detectors from elsewhere, in each command that takes a model."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

from dbrt.cli import main

pytest.importorskip("openvino")
pytestmark = pytest.mark.timeout(600)

TINY = Path(__file__).parent.parent / "engine" / "tiny_model.py"
DECLARED = ("mean=0.5", "std=0.5", "pixel_max=1", "channels=bgr")


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def foreign(tmp_path: Path) -> list[str]:
    proto = runpy.run_path(str(TINY))["tiny_model"](threshold_head=False)
    del proto.metadata_props[:]
    path = tmp_path / "elsewhere.onnx"
    path.write_bytes(proto.SerializeToString())
    return ["--model", str(path)]


@pytest.fixture
def picture(tmp_path: Path) -> str:
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[20:40, 20:80] = 255
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), frame)
    return str(path)


def options(*keys: str) -> list[str]:
    return [part for key in keys for part in ("--declare", key)]


def test_detect_runs_a_declared_detector(
    foreign: list[str], picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["detect", picture, "--size", "96", *foreign, *options(*DECLARED)]) == 0
    assert json.loads(capsys.readouterr().out)["regions"]


def test_stream_runs_a_declared_detector(
    foreign: list[str], picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = ["stream", "--source", picture, "--size", "96", "--json"]
    assert main([*stream, *foreign, *options(*DECLARED)]) == 0
    assert json.loads(capsys.readouterr().out)


def test_build_names_the_engine_after_the_file(
    foreign: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--size", "64", "--json", *foreign, *options(*DECLARED)]) == 0
    (engine,) = json.loads(capsys.readouterr().out)["engines"]
    assert engine["spec"]["model_name"] == "elsewhere"


@pytest.mark.parametrize("command", ["detect", "stream", "build"])
def test_what_is_missing_is_one_line(
    command: str, foreign: list[str], picture: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = {"detect": [picture], "stream": ["--source", picture], "build": []}[command]
    assert main([command, *start, *foreign, *options(*DECLARED[:3])]) == 3
    captured = capsys.readouterr()
    assert "declaration --declare lacks channels (rgb or bgr" in captured.err
    assert captured.err.count("\n") == 1
    assert main([command, *start, *foreign, "--declare", "meen=1"]) == 2
    assert "nearest is 'mean'" in capsys.readouterr().err
