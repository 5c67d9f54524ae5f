from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dbrt.cli import main
from dbrt.errors import EngineError

TESTS = Path(__file__).parents[1]
DOUBLES = runpy.run_path(str(TESTS / "stream" / "conftest.py"))
TINY = runpy.run_path(str(TESTS / "engine" / "tiny_model.py"))


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def clip(tmp_path):
    return DOUBLES["write_video"](tmp_path / "clip.mp4", 8).name


@pytest.fixture
def model(tmp_path):
    return TINY["write_tiny_model"](tmp_path / "tiny.onnx").name


def stream(*args):
    return main(["stream", *args])


def test_a_file_runs_through_a_real_engine_into_every_output(clip, model, capsys):
    code = stream(
        *("--source", clip, "--model", model, "--size", "64", "--overlay", "--json"),
        *("--out", "out.mp4", "--out", "out.jsonl", "--out", "frames/"),
    )
    captured = capsys.readouterr()
    assert code == 0, captured.err
    summary = json.loads(captured.out)
    assert summary["schema"] == "dbrt.stream/1"
    assert summary["processed"] == 8
    assert "openvino" in summary["engine"] or "onnxruntime" in summary["engine"]
    lines = Path("out.jsonl").read_text().splitlines()
    assert [json.loads(line)["frame"] for line in lines] == list(range(8))
    assert len(DOUBLES["read_video"](Path("out.mp4"))[0]) == 8
    assert len(list(Path("frames").iterdir())) == 8


def test_the_table_goes_to_stdout_and_the_rest_to_stderr(clip, model, capsys):
    assert stream("--source", clip, "--model", model, "--size", "64", "--max-frames", "3") == 0
    captured = capsys.readouterr()
    assert all(word in captured.out for word in ("network", "p95", "3 frames", "no frame dropped"))
    assert "at 64x64" in captured.err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--source", "gone.mp4"], 4, "no such file: gone.mp4"),
        (["--source", "empty.mp4"], 4, "empty.mp4 is empty"),
        (["--source", "text.mp4"], 4, "text.mp4 is not a video that can be read"),
        (["--source", "empty/"], 4, "holds no pictures"),
        (["--source", "foo://x"], 2, "unknown source"),
        (["--source", "cam99"], 4, "no camera cam99"),
        (["--source", "rtsp://"], 2, "names no host"),
        (["--source", "clip.mp4", "--source", "clip.mp4"], 2, "takes one --source"),
        (["--source", "clip.mp4", "--size", "700"], 2, "700"),
        (["--source", "clip.mp4", "--shape", "wide"], 2, "HEIGHTxWIDTH"),
        (["--source", "clip.mp4", "--out", "gone/out.mp4"], 7, "there is no folder"),
        (["--source", "clip.mp4", "--out", "clip.mp4"], 7, "exists already"),
        (["--source", "clip.mp4", "--out", "out.xyz"], 2, "out.xyz"),
        (["--source", "clip.mp4", "--model", "gone.onnx"], 3, "gone.onnx"),
        (["--source", "clip.mp4", "--runner", "abacus"], 2, "abacus"),
        (["--source", "clip.mp4", "--config", "gone.toml"], 2, "gone.toml"),
        ([], 2, "--source"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
@pytest.mark.usefixtures("clip")
def test_every_mistake_is_one_line_and_its_exit_code(model, capsys, args, code, message):
    Path("empty.mp4").touch()
    Path("text.mp4").write_text("text" * 100)
    Path("empty").mkdir()
    given = args if "--model" in args else [*args, "--model", model]
    assert stream(*given) == code
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith(("dbrt: ", "Error: "))]
    assert len(errors) == 1


@pytest.mark.parametrize(
    ("args", "code"),
    [(["--runner", "tensorrt"], 5), (["--precision", "fp8"], 2)],
    ids=["runner", "precision"],
)
def test_what_can_not_run_here_is_said_before_anything_runs(clip, model, capsys, args, code):
    assert stream("--source", clip, "--model", model, "--out", "out.jsonl", *args) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_a_failure_without_a_single_frame_prints_no_figures(clip, model, monkeypatch, capsys):
    def broken(*_args, **_options):
        raise EngineError("engine broken: run dbrt build")

    monkeypatch.setattr("dbrt.engine.select.open_runner", broken)
    assert stream("--source", clip, "--model", model) == 6
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "dbrt: engine broken: run dbrt build\n"


def test_a_configuration_file_gives_defaults_and_the_command_line_wins(clip, model, capsys):
    Path("run.toml").write_text(
        f'source = "{clip}"\nmodel = "{model}"\nsize = 64\nmax-frames = 5\nout = ["a.jsonl"]\n'
    )
    assert stream("--config", "run.toml", "--max-frames", "2", "--json") == 0
    assert json.loads(capsys.readouterr().out)["processed"] == 2
    assert len(Path("a.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_frame = 5", "unknown key 'max_frame', nearest is 'max-frames'"),
        ("overlay = 1", "overlay must be true or false"),
        ("size = true", "size must be"),
        ("size = [736]", "size must be"),
        ("out = 5", "out must be a text or a list of texts"),
        ('size = "large"', "large"),
        ("size =", "is no TOML"),
        ("config = 'x'", "unknown key 'config'"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_by_name(clip, capsys, text, message):
    Path("run.toml").write_text(text)
    assert stream("--config", "run.toml", "--source", clip) == 2
    assert message in capsys.readouterr().err


def test_a_failing_worker_is_one_message_and_its_exit_code(clip, model, capsys, monkeypatch):
    from dbrt.engine.openvino import OpenVinoRunner
    from dbrt.errors import RunnerError

    def broken(self):
        raise RunnerError("openvino failed: out of memory")

    monkeypatch.setattr(OpenVinoRunner, "collect", broken)
    code = stream("--source", clip, "--model", model, "--size", "64", "--runner", "openvino")
    assert code == 5
    err = capsys.readouterr().err
    assert err.count("openvino failed: out of memory") == 1


def test_regions_lie_on_the_text(clip, model, capsys):
    assert stream("--source", clip, "--model", model, "--size", "64", "--out", "o.jsonl") == 0
    lines = [json.loads(line) for line in Path("o.jsonl").read_text().splitlines()]
    for line in lines:
        (region,) = line["regions"]
        rows, columns = np.nonzero(DOUBLES["picture"](line["frame"])[..., 0] > 200)
        x, y = np.array(region["quad"]).mean(axis=0)
        assert columns.min() < x < columns.max()
        assert rows.min() < y < rows.max()


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_a_closed_pipe_behind_us_ends_without_a_word(clip, model):
    command = [sys.executable, "-m", "dbrt", "stream", "--source", clip, "--model", model]
    process = subprocess.Popen(
        [*command, "--size", "64"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()  # as `| head -0` does
    _, err = process.communicate(timeout=100)
    assert process.returncode == 141, err
    assert "roken" not in err


def test_the_help_fits_and_shows_examples(capsys):
    assert stream("--help") == 0
    text = capsys.readouterr().out
    assert "dbrt stream --source sample" in text
    assert len(text.splitlines()) < 60
