"""`dbrt train` and `dbrt export` on the command line."""

from __future__ import annotations

import pytest

from dbrt.cli import main


def test_the_printed_configuration_is_accepted(capsys, tmp_path):
    assert main(["train", "--print-config"]) == 0
    path = tmp_path / "all.toml"
    path.write_text(capsys.readouterr().out)
    assert main(["train", str(path), "--print-config"]) == 0


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["train"], 2, "--out"),
        (["train", "none.toml", "--out", "x"], 3, "none.toml"),
        (["train", "--set", "run.stepps=3", "--out", "x"], 2, "did you mean steps?"),
        (["train", "--resume", "--out", "x"], 3, "x holds no run to resume"),
        (["train", "--recipe", "papre", "--out", "x"], 2, "did you mean paper?"),
        (["train", "--hosts", "a:1,b", "--out", "x"], 2, "'b' is not HOST:PORT"),
        (["train", "--hosts", "a:1,b:2", "--host", "2", "--out", "x"], 2, "count from 0"),
        (["bench", "train", "--set", "run.batsh=3"], 2, "did you mean batch?"),
        (["export", "none.npz", "--out", "x.onnx"], 3, "none.npz"),
        (["export", "model.keras", "--out", "x.onnx"], 3, "not a dbrt checkpoint"),
    ],
)
def test_mistakes_are_one_line_and_a_code(args, code, says, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(args) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert says in lines[-1]


def test_an_unknown_key_in_a_configuration_is_named(capsys, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[optimizer]\nlearning_rate = 0.1\n")
    assert main(["train", str(path), "--out", str(tmp_path / "run")]) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert len(err) == 1
    assert "no key optimizer.learning_rate" in err[0]


def test_an_existing_model_file_is_not_overwritten(capsys, tmp_path):
    (tmp_path / "a.onnx").touch()
    assert main(["export", "last.npz", "--out", str(tmp_path / "a.onnx")]) == 7
    assert "--overwrite" in capsys.readouterr().err
