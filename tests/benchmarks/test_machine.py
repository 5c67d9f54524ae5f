from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import dbrt
from dbrt.benchmarks import machine
from dbrt.benchmarks.machine import describe_machine


def test_the_machine_names_its_versions() -> None:
    found = describe_machine()
    assert found.versions["dbrt"] == dbrt.__version__
    assert found.versions["numpy"] == np.__version__
    assert found.cores >= 1
    assert found.cpu
    assert set(found.cpu_flags) <= set(machine.FLAGS)


def test_a_library_that_is_missing_is_named_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LIBRARIES", ("no-such-library",))
    assert describe_machine().versions["no-such-library"] == "not installed"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit, or a skip without git."""
    if machine.shutil.which("git") is None:
        pytest.skip("git is not installed")
    (tmp_path / "file").write_text("one")
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    for step in (["init", "-q"], ["add", "file"], [*who, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-C", str(tmp_path), *step], check=True)
    return tmp_path


def test_the_commit_is_of_the_checkout_itself(checkout: Path) -> None:
    commit = machine._commit(checkout)
    assert commit is not None
    assert len(commit) == 12


def test_a_changed_file_marks_the_commit(checkout: Path) -> None:
    (checkout / "file").write_text("two")
    commit = machine._commit(checkout)
    assert commit is not None
    assert commit.endswith("+")


def test_the_commit_of_a_checkout_around_it_is_not_reported(checkout: Path) -> None:
    inner = checkout / "site-packages"
    inner.mkdir()
    assert machine._commit(inner) is None
