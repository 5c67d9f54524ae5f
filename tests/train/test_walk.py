"""docs/training.md from pictures to an engine, in miniature: its own lines, run one by one."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from dbrt.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/training.md").read_text(encoding="utf-8")


def lines_of_the_walk() -> tuple[str, list[list[str]]]:
    """Return the configuration and the commands of the section."""
    section = PAGE.split("## The whole way in miniature\n")[1].split("\n## ")[0]
    indented = [line[4:] for line in section.splitlines() if line.startswith("    ")]
    commands = [shlex.split(line)[1:] for line in indented if line.startswith("dbrt ")]
    return "\n".join(line for line in indented if not line.startswith("dbrt ")), commands


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_walk_of_the_page_leads_from_pictures_to_words(
    make_labelled, tmp_path, monkeypatch, capsys
):
    pytest.importorskip("tf2onnx")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    make_labelled(tmp_path / "pictures", 20)
    shutil.copy(ROOT / "dbrt/models/dbrt-lite.onnx", "dbrt-lite.onnx")
    config, commands = lines_of_the_walk()
    Path("small.toml").write_text(config, encoding="utf-8")
    assert [command[0] for command in commands] == ["train", "export", "build", "detect"]
    for command in commands:
        capsys.readouterr()
        assert main(command) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert found["pictures"] == 20
    assert found["regions"] >= 20  # of 40 words
    rows = [json.loads(line) for line in Path("runs/small/log.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if row["split"] == "train"]
    assert losses[-1] < losses[0]
    assert rows[-1]["hmean"] > 0.5


def test_the_first_commands_of_the_page_are_those_of_the_walk():
    first = re.findall(r"^    dbrt (\w+)", PAGE, re.MULTILINE)[:4]
    assert first == ["train", "export", "build", "detect"]
