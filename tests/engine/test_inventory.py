from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbrt.engine.cache import EngineCache
from dbrt.engine.inventory import Entry, clear, pick, remove, take_inventory, verify
from dbrt.engine.lock import try_lock
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError, InputError, OutputError

SPEC = EngineSpec(
    model_name="tiny",
    model_sha256="ab" * 32,
    shape=(64, 64),
    batch=1,
    precision="fp16",
    runner="tensorrt",
    runner_version="10.16",
    target="sm_75+sm_89",
    graph_version=1,
)
OTHER = replace(SPEC, shape=(64, 96))
ENGINE = bytes(range(256)) * 64
PARITY = {"mean_error": 0.00012, "gained": 0, "lost": 1}

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX owners and modes")


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "cache" / "engines")


@pytest.fixture
def stored(cache: EngineCache) -> Path:
    with cache.lock(SPEC):
        return cache.store(SPEC, ENGINE, build_s=1.5, parity=PARITY)


def sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def only(cache: EngineCache) -> Entry:
    (entry,) = take_inventory(cache).entries
    return entry


def test_a_cache_that_is_not_there_is_empty(cache: EngineCache) -> None:
    inventory = take_inventory(cache)
    assert (inventory.entries, inventory.leftovers) == ((), ())


def test_an_entry_says_what_its_sidecar_says(cache: EngineCache, stored: Path) -> None:
    entry = only(cache)
    assert (entry.name, entry.path, entry.bytes) == (stored.name, stored, len(ENGINE))
    assert entry.spec == SPEC
    assert entry.proof == "error 0.00012, 0 gained, 1 lost"
    assert verify(cache, entry) == ""
    told = json.loads(json.dumps(entry.to_dict()))
    assert told["spec"]["target"] == "sm_75+sm_89"
    assert (told["parity"], told["executed"], told["problem"]) == (PARITY, True, None)


def test_an_engine_that_ran_on_no_gpu_says_so(cache: EngineCache, stored: Path) -> None:
    cache.store(SPEC, ENGINE, build_s=1, parity={**PARITY, "executed": False})
    assert only(cache).proof.endswith("not executed on a GPU")
    assert only(cache).to_dict()["executed"] is False


def test_an_engine_without_a_report_says_so(cache: EngineCache) -> None:
    cache.store(SPEC, ENGINE, build_s=1)
    assert only(cache).proof == "not compared: run dbrt build"
    assert only(cache).was_executed is None


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


def give_other_sidecar(path: Path) -> None:
    told = json.loads(sidecar(path).read_text())
    told["spec"] = replace(SPEC, model_sha256="cd" * 32).to_dict()
    sidecar(path).write_text(json.dumps(told))


def rename(path: Path) -> None:
    os.rename(path, path.with_name(OTHER.file_name))
    os.rename(sidecar(path), sidecar(path.with_name(OTHER.file_name)))


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "one byte flipped": (flip, "is corrupt.*run dbrt build"),
    "cut short": (lambda path: path.write_bytes(ENGINE[:-1]), "has 16383 of 16384 bytes"),
    "renamed": (rename, "foreign: its sidecar is that of tiny-64x64.*run dbrt engines remove"),
    "other model's sidecar": (give_other_sidecar, "foreign: its sidecar is that of"),
    "sidecar gone": (lambda path: sidecar(path).unlink(), "can't be read.*dbrt engines remove"),
    "sidecar garbage": (lambda path: sidecar(path).write_text("[]"), "not one of dbrt's"),
    "writable by others": (lambda path: path.chmod(0o666), "can be written by others"),
    "sidecar writable": (lambda path: sidecar(path).chmod(0o622), "can be written by others"),
}


@posix
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault: str, cache: EngineCache, stored: Path) -> None:
    plant, message = FAULTS[fault]
    assert verify(cache, only(cache)) == ""
    plant(stored)
    problem = verify(cache, only(cache))
    assert "\n" not in problem
    with pytest.raises(EngineError, match=message):
        raise EngineError(problem)


@posix
def test_a_folder_of_others_is_not_read(cache: EngineCache, stored: Path) -> None:
    cache.folder.chmod(0o777)
    with pytest.raises(EngineError, match="chmod 700"):
        take_inventory(cache)


def test_what_other_engines_left_is_remembered(cache: EngineCache, stored: Path) -> None:
    orphan = sidecar(cache.path(OTHER))
    orphan.write_text("{}")
    lock = Path(f"{cache.path(replace(SPEC, batch=2))}.lock")
    lock.touch()
    unfinished = cache.folder / f".{cache.path(replace(SPEC, batch=3)).name}-a1b2"
    unfinished.touch()
    foreign = cache.folder / "notes.txt"
    foreign.touch()
    inventory = take_inventory(cache)
    assert set(inventory.leftovers) == {orphan, lock, unfinished}
    for path in inventory.leftovers:
        remove(path)
    assert {path.name for path in cache.folder.iterdir()} == {
        stored.name,
        f"{stored.name}.json",
        f"{stored.name}.lock",
        "notes.txt",
    }


def test_removal_takes_the_sidecar_and_the_lock(cache: EngineCache, stored: Path) -> None:
    Path(f"{stored}.sm_89.jit").touch()
    remove(only(cache))
    assert list(cache.folder.iterdir()) == []


def test_what_a_runner_keeps_beside_its_engine_is_no_leftover(
    cache: EngineCache, stored: Path
) -> None:
    Path(f"{stored}.sm_89.jit").touch()
    left = Path(f"{cache.path(OTHER)}.sm_89.jit")
    left.touch()
    assert take_inventory(cache).leftovers == (left,)


def test_an_engine_that_is_being_built_stays(cache: EngineCache, stored: Path) -> None:
    with cache.lock(SPEC), pytest.raises(EngineError, match="is being built now"):
        remove(only(cache))
    assert stored.exists()


def test_what_an_unfinished_build_holds_is_not_cleared(cache: EngineCache, stored: Path) -> None:
    orphan = sidecar(cache.path(replace(SPEC, batch=2)))
    orphan.touch()
    with cache.lock(OTHER):
        leftovers = take_inventory(cache).leftovers
        assert set(leftovers) == {orphan, Path(f"{cache.path(OTHER)}.lock")}
        assert clear(leftovers) == [orphan]
        assert leftovers[0].exists() != leftovers[1].exists()


@posix
def test_who_waits_for_a_lock_that_is_removed_makes_a_new_one(
    cache: EngineCache, stored: Path
) -> None:
    lock = Path(f"{stored}.lock")
    waiting, entered, leave = threading.Event(), threading.Event(), threading.Event()

    def build() -> None:
        with cache.lock(SPEC, on_wait=waiting.set):
            entered.set()
            leave.wait(30)

    with open(lock, "ab") as handle:
        assert try_lock(handle)
        thread = threading.Thread(target=build, daemon=True)
        thread.start()
        assert waiting.wait(30)
        lock.unlink()
    assert entered.wait(30)
    # What the builder holds is the file that the next one finds.
    with open(lock, "ab") as handle:
        assert not try_lock(handle)
    leave.set()
    thread.join(30)


@posix
def test_a_folder_that_cannot_be_written_is_said(
    cache: EngineCache, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = only(cache)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(OutputError, match="can't be written: Permission denied"):
        remove(entry)


def test_names_are_files_or_the_digits_at_their_end(cache: EngineCache, stored: Path) -> None:
    cache.store(OTHER, ENGINE, build_s=1)
    entries = take_inventory(cache).entries
    assert len(entries) == 2
    assert [e.spec for e in pick(entries, [OTHER.digest[:8], OTHER.file_name])] == [OTHER]
    with pytest.raises(InputError, match="no engine 64 in the cache: dbrt engines list"):
        pick(entries, ["64"])
