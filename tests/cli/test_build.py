from __future__ import annotations

import contextlib
import errno
import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dbrt.cli import main
from dbrt.engine.cache import EngineCache
from dbrt.engine.modelfile import read_model_file
from dbrt.engine.tensorrt.monitor import BuildProgress

pytest.importorskip("openvino")
# The first test compiles the post-processing kernels: a minute on a busy machine.
pytestmark = pytest.mark.timeout(600)

TINY = Path(__file__).parent.parent / "engine" / "tiny_model.py"


@pytest.fixture
def model_path(tmp_path: Path) -> str:
    path = tmp_path / "tiny.onnx"
    runpy.run_path(str(TINY))["write_tiny_model"](path)
    return str(path)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("DBRT_CACHE", str(folder))
    return folder


def built_shapes(text: str) -> list[list[int]]:
    return [engine["spec"]["shape"] for engine in json.loads(text)["engines"]]


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        (["--size", "64", "--size", "96"], [[64, 64], [96, 96]]),
        (["--shape", "64x96"], [[64, 96]]),
        (["--size", "64", "--shape", "64x96"], [[64, 64], [64, 96]]),
        (["--size", "128", "--frame", "1280x720"], [[96, 128]]),
        (["--size", "64", "--shape", "64x64"], [[64, 64]]),
    ],
    ids=["sizes", "shape", "both", "frame", "twice the same"],
)
def test_each_shape_is_built_once(
    options: list[str], shapes: list[list[int]], model_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--model", model_path, "--json", *options]) == 0
    captured = capsys.readouterr()
    assert built_shapes(captured.out) == shapes
    assert captured.err == ""


def test_json_holds_the_engine_and_its_proof(
    model_path: str, cache_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["build", "--model", model_path, "--size", "64", "--precision", "fp32", "--json"])
    printed = json.loads(capsys.readouterr().out)
    assert printed["schema"] == "dbrt.build/1"
    assert printed["warm_up_s"] >= 0
    (engine,) = printed["engines"]
    assert engine["spec"]["precision"] == "fp32"
    assert engine["spec"]["model_sha256"] == read_model_file(model_path).sha256
    assert Path(engine["path"]).parent == cache_folder / "engines"
    assert engine["bytes"] == Path(engine["path"]).stat().st_size
    assert engine["parity"]["mean_error"] <= 1 / 255


def test_people_read_size_time_reason_and_parity(
    model_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["build", "--model", model_path, "--size", "64", "--precision", "fp32"])
    text = capsys.readouterr().out
    assert "tiny 64x64 fp32 openvino: " in text
    assert " MB, built in " in text
    assert "was asked for fp32" in text
    assert "map error mean 0.0" in text
    main(["build", "--model", model_path, "--size", "64", "--precision", "fp32"])
    assert "in the cache, built in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--size", "700"], 2, "take 672 or 704"),
        (["--size", "32"], 2, "take 64"),
        (["--shape", "100x64"], 2, "height 100"),
        (["--shape", "100"], 2, "--shape '100' is not HEIGHTxWIDTH"),
        (["--frame", "0x720"], 2, "has no pixels"),
        (["--size", "64", "--runner", "gpu"], 2, "no runner gpu"),
        (["--size", "64", "--precision", "fp8"], 2, "no precision fp8"),
        (["--size", "64", "--target", "2080ti"], 2, "names no cards"),
        (["--size", "64", "--target", "sm75", "--runner", "openvino"], 2, "builds for this CPU"),
        (["--size", "64", "--runner", "openvino", "--workspace", "64"], 2, "has no workspace"),
        (["--size", "64", "--runner", "openvino", "--precision", "int8"], 5, "int8"),
        (["--size", "64", "--model", "missing.onnx"], 3, "no model missing.onnx"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_built_is_one_line(
    options: list[str],
    code: int,
    message: str,
    model_path: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["build", "--model", model_path, *options]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_a_truncated_model_file_is_one_line(
    model_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data = Path(model_path).read_bytes()
    Path(model_path).write_bytes(data[: len(data) // 2])
    assert main(["build", "--model", model_path, "--size", "64"]) == 3
    assert "cut short" in capsys.readouterr().err


def test_a_full_disk_is_one_line_and_leaves_no_engine(
    model_path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert main(["build", "--model", model_path, "--size", "64"]) == 7
    captured = capsys.readouterr()
    assert "No space left on device: make room there, or set DBRT_CACHE" in captured.err
    assert captured.err.count("\n") == 1
    assert [path.suffix for path in EngineCache().folder.iterdir()] == [".lock"]


def test_tensorrt_engines_are_built_for_cards_that_are_not_here(
    model_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorrt_rtx")
    options = ["--size", "64", "--size", "96", "--target", "sm89,sm75"]
    assert main(["build", "--model", model_path, *options]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        line for line in lines if " fp16 tensorrt: " in line
    ]
    assert captured.out.count("asked to build for sm_75, sm_89") == 2
    assert captured.out.count("not executed on a GPU") == 2
    assert captured.out.count("fp32 0, uint8 1") == 2
    assert captured.out.count("float16 ends at 65504") == 2


def test_json_tells_census_range_and_that_nothing_ran(
    model_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorrt_rtx")
    options = ["--size", "64", "--target", "sm75", "--workspace", "64", "--json"]
    assert main(["build", "--model", model_path, *options]) == 0
    (engine,) = json.loads(capsys.readouterr().out)["engines"]
    assert engine["spec"]["target"] == "sm_75"
    assert engine["parity"]["executed"] is False
    assert engine["build"]["options"] == {"workspace_bytes": 64 << 20}
    assert set(engine["build"]["census"]["totals"]) == {"fp16", "uint8"}
    assert 0 < engine["build"]["ranges"]["peak"] < 65504


def test_rtx_has_no_timing_cache(
    model_path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorrt_rtx")
    options = ["--size", "64", "--target", "sm75", "--timing-cache", str(tmp_path / "timings")]
    assert main(["build", "--model", model_path, *options]) == 2
    captured = capsys.readouterr()
    assert "tensorrt-rtx has no timing cache" in captured.err
    assert captured.err.count("\n") == 1


def test_ctrl_c_stops_a_build_and_leaves_nothing(
    model_path: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorrt_rtx")

    def interrupt(self: BuildProgress, phase: str, steps: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(BuildProgress, "start", interrupt)
    assert main(["build", "--model", model_path, "--size", "64", "--target", "sm75"]) == 130
    assert capsys.readouterr().err == "dbrt: stopped\n"
    assert [path.suffix for path in EngineCache().folder.iterdir()] == [".lock"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals on Windows")
def test_a_terminal_sees_the_phases_and_a_file_the_results(model_path: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    import pty

    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "dbrt", "build", "--model", model_path]
    command += ["--size", "64", "--target", "sm75"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with open(tmp_path / "out", "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=theirs, env=environment)
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # what Linux says when the other end has closed
            while part := os.read(ours, 4096):
                shown += part
        os.close(ours)
    assert process.wait() == 0
    assert b"comparing with float32" in shown
    assert b"fp16 tensorrt:" not in shown
    assert (tmp_path / "out").read_text().startswith("tiny 64x64 fp16 tensorrt: ")


def test_islands_are_named_by_their_reason(
    model_path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorrt_rtx")
    options = ["--size", "64", "--target", "sm80", "--precision", "bf16"]
    assert main(["build", "--model", model_path, *options]) == 0
    (line,) = [part for part in capsys.readouterr().out.splitlines() if "islands " in part[:12]]
    assert "frame/float" in line
    assert line.endswith("and 5 more in fp32: TensorRT has no bfloat16 for it")
