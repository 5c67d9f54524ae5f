"""The wheel holds every part under its right name, the package data, the licences, and no more."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAPPED = {
    "engine": "dbrt/engine",
    "postproc": "dbrt/postproc",
    "stream": "dbrt/stream",
    "train": "dbrt/train",
    "benchmarks": "dbrt/benchmarks",
    "dbrt": "dbrt",
}
pytestmark = pytest.mark.slow


def tracked_files() -> list[Path]:
    """Return every file and link that git tracks, relative to the root."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a checkout")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    return [path for path in paths if (ROOT / path).exists()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Build sdist and wheel from a copy of what git tracks, without a network."""
    pytest.importorskip("build", reason="needs the package build")
    try:
        major = int(importlib.metadata.version("setuptools").split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        major = 0
    if major < 77:
        pytest.skip("needs setuptools 77 or later")
    copy, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("dist")
    for path in tracked_files():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy / path, follow_symlinks=False)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    with zipfile.ZipFile(next(out.glob("*.whl"))) as built:
        yield built


def test_the_wheel_holds_every_tracked_file_of_the_parts_and_no_more(wheel):
    wanted = {
        MAPPED[path.parts[0]] + "/" + "/".join(path.parts[1:])
        for path in tracked_files()
        if path.parts[0] in MAPPED
        and not (ROOT / path).is_symlink()
        and path.parts[:2] != ("benchmarks", "results")
    }
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == wanted


def test_the_wheel_has_the_licences_and_readable_requirements(wheel):
    names = wheel.namelist()
    folder = next(name for name in names if name.endswith(".dist-info/METADATA")).split("/")[0]
    licences = ["LICENSE", "NOTICE", "dbrt/models/LICENSE-WEIGHTS.md"]
    assert [x for x in licences if f"{folder}/licenses/{x}" not in names] == []
    metadata = wheel.read(f"{folder}/METADATA").decode()
    requirements = [x for x in metadata.splitlines() if x.startswith("Requires-Dist:")]
    assert len(requirements) > 20
    assert [line for line in requirements if "#" in line] == []
