from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbrt.engine.cache import EngineCache, default_folder
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError, OutputError

SPEC = EngineSpec(
    model_name="tiny",
    model_sha256="ab" * 32,
    shape=(64, 64),
    batch=1,
    precision="fp32",
    runner="openvino",
    runner_version="2026.4.1",
    target="x86_64",
    graph_version=1,
)
ENGINE = bytes(range(256)) * 64
MEND = "run dbrt build --size 64 --model tiny.onnx --runner openvino --precision fp32 --force"

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX owners and modes")


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "cache" / "engines")


@pytest.fixture
def stored(cache: EngineCache) -> Path:
    return cache.store(SPEC, ENGINE, build_s=1.5, parity={"mean_error": 0.001})


def sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def test_what_is_stored_is_loaded_with_its_sidecar(cache: EngineCache, stored: Path) -> None:
    found = cache.load(SPEC)
    assert found is not None
    assert found.data == ENGINE
    assert found.path == stored == cache.folder / SPEC.file_name
    assert found.sidecar["spec"] == SPEC.to_dict()
    assert found.sidecar["build_s"] == 1.5
    assert found.sidecar["parity"] == {"mean_error": 0.001}


def test_what_is_not_there_is_none(cache: EngineCache, stored: Path) -> None:
    assert cache.load(replace(SPEC, batch=2)) is None


def test_an_engine_is_replaced_whole(cache: EngineCache, stored: Path) -> None:
    cache.store(SPEC, b"other", build_s=0)
    found = cache.load(SPEC)
    assert found is not None
    assert found.data == b"other"
    assert found.sidecar["parity"] is None


@posix
def test_folder_and_files_are_the_users_alone(cache: EngineCache, stored: Path) -> None:
    modes = [path.stat().st_mode & 0o777 for path in (cache.folder, stored, sidecar(stored))]
    assert modes == [0o700, 0o600, 0o600]


def flip_one_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def edit_sidecar(path: Path, **changes: Any) -> None:
    data = json.loads(sidecar(path).read_text())
    data.update(changes)
    sidecar(path).write_text(json.dumps(data))


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "one byte flipped": (flip_one_byte, "corrupt"),
    "truncated": (cut, "has 16383 of 16384 bytes"),
    "empty": (empty, "has 0 of 16384 bytes"),
    "sidecar gone": (lambda path: sidecar(path).unlink(), "can't be read"),
    "sidecar empty": (lambda path: empty(sidecar(path)), "not one of dbrt's"),
    "sidecar truncated": (lambda path: cut(sidecar(path)) or cut(sidecar(path)), "not one of dbrt"),
    "sidecar of another program": (
        lambda path: sidecar(path).write_text('{"schema": "other/1"}'),
        "not one of dbrt's",
    ),
    "sidecar is no object": (lambda path: sidecar(path).write_text("[1]"), "not one of dbrt's"),
    "sidecar of another model": (
        lambda path: edit_sidecar(path, spec=replace(SPEC, model_sha256="cd" * 32).to_dict()),
        "foreign: its sidecar has model sha256 cdcd",
    ),
    "sidecar of another version": (
        lambda path: edit_sidecar(path, spec=replace(SPEC, runner_version="2025.1").to_dict()),
        "foreign: its sidecar has runner version 2025.1 instead of 2026.4.1",
    ),
    "sidecar without checksum": (lambda path: edit_sidecar(path, sha256=None), "corrupt"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_engine_is_refused_with_the_line_that_mends_it(
    fault: str, cache: EngineCache, stored: Path
) -> None:
    plant, message = FAULTS[fault]
    plant(stored)
    with pytest.raises(EngineError, match=message) as caught:
        cache.load(SPEC)
    assert str(caught.value).endswith(MEND)
    assert "\n" not in str(caught.value)


def test_an_engine_under_another_engines_name_is_refused(cache: EngineCache, stored: Path) -> None:
    other = replace(SPEC, shape=(96, 96))
    os.rename(stored, cache.path(other))
    os.rename(sidecar(stored), sidecar(cache.path(other)))
    with pytest.raises(EngineError, match=r"foreign: its sidecar has shape \[64, 64\]"):
        cache.load(other)


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
@pytest.mark.parametrize("which", ["engine", "sidecar"])
def test_a_file_that_others_can_write_is_refused(
    which: str, mode: int, cache: EngineCache, stored: Path
) -> None:
    (stored if which == "engine" else sidecar(stored)).chmod(mode)
    with pytest.raises(EngineError, match="can be written by others: it is not used"):
        cache.load(SPEC)


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_is_refused(
    mode: int, cache: EngineCache, stored: Path
) -> None:
    cache.folder.chmod(mode)
    with pytest.raises(EngineError, match="chmod 700"):
        cache.load(SPEC)
    with pytest.raises(OutputError, match="chmod 700"):
        cache.store(SPEC, ENGINE, build_s=0)


@posix
@pytest.mark.parametrize("which", ["engine", "sidecar", "folder"])
def test_what_belongs_to_somebody_else_is_refused(
    which: str, cache: EngineCache, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"engine": stored, "sidecar": sidecar(stored), "folder": cache.folder}
    if os.geteuid() == 0:
        os.chown(files[which], 12345, -1)
        owner = 12345
    else:  # without the right to give files away, be somebody else
        owner = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(EngineError, match=f"belongs to user {owner}"):
        cache.load(SPEC)


@posix
def test_a_link_is_not_followed(cache: EngineCache, stored: Path) -> None:
    elsewhere = stored.with_name("elsewhere")
    os.rename(stored, elsewhere)
    stored.symlink_to(elsewhere)
    with pytest.raises(EngineError, match="can't be read"):
        cache.load(SPEC)


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("before", [False, True], ids=["new", "over an old one"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    before: bool, call: str, cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before:
        cache.store(SPEC, b"old", build_s=0)
    names = sorted(os.listdir(cache.folder)) if before else []
    monkeypatch.setattr(os, call, full_disk)
    with pytest.raises(OutputError, match="No space left on device: make room") as caught:
        cache.store(SPEC, ENGINE, build_s=0)
    assert "\n" not in str(caught.value)
    assert sorted(os.listdir(cache.folder)) == names
    monkeypatch.undo()
    found = cache.load(SPEC)
    assert (found and found.data) == (b"old" if before else None)


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let the kernel refuse files beyond 8 KiB in this process, as a full disk would."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_kernel_cuts_short_leaves_nothing(
    cache: EngineCache, small_files: None
) -> None:
    with pytest.raises(OutputError, match="File too large: make room"):
        cache.store(SPEC, ENGINE, build_s=0)
    assert os.listdir(cache.folder) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    blocked = EngineCache(tmp_path / "file" / "engines")
    with pytest.raises(OutputError, match="set DBRT_CACHE"):
        blocked.store(SPEC, ENGINE, build_s=0)
    with pytest.raises(OutputError, match="set DBRT_CACHE"), blocked.lock(SPEC):
        pass
    assert blocked.load(SPEC) is None


def test_a_second_builder_waits_and_says_so(cache: EngineCache) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with cache.lock(SPEC, on_wait=waiting.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with cache.lock(SPEC):
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_builds_of_different_engines_do_not_wait_for_each_other(cache: EngineCache) -> None:
    with cache.lock(SPEC), cache.lock(replace(SPEC, batch=2), on_wait=pytest.fail):
        pass


KILLED_WHILE_WRITING = """
import os, sys
from pathlib import Path
from dbrt.engine.cache import EngineCache
from dbrt.engine.spec import EngineSpec
import json
spec = EngineSpec.from_dict(json.loads(sys.argv[2]))
cache = EngineCache(Path(sys.argv[1]))
os.fsync = lambda _: os._exit(9)
with cache.lock(spec):
    cache.store(spec, b"half", build_s=0)
"""


def test_a_builder_that_dies_leaves_neither_lock_nor_engine(cache: EngineCache) -> None:
    arguments = [str(cache.folder), json.dumps(SPEC.to_dict())]
    dead = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_WRITING, *arguments], check=False, timeout=60
    )
    assert dead.returncode == 9
    assert any(name.startswith(".tiny") for name in os.listdir(cache.folder))
    assert cache.load(SPEC) is None
    with cache.lock(SPEC, on_wait=pytest.fail):
        cache.store(SPEC, ENGINE, build_s=0)
    assert sorted(os.listdir(cache.folder)) == [
        SPEC.file_name,
        f"{SPEC.file_name}.json",
        f"{SPEC.file_name}.lock",
    ]


def test_the_folder_is_the_environments_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBRT_CACHE", os.path.join("some", "where"))
    assert default_folder() == Path("some/where/engines")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the XDG folders of Linux")
def test_without_a_choice_it_is_the_platforms_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DBRT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "dbrt" / "engines"
