from __future__ import annotations

import os
from collections import namedtuple
from pathlib import Path

import pytest

from dbrt.doctor import store
from dbrt.doctor.finding import State
from dbrt.doctor.store import examine_cache
from dbrt.engine.cache import EngineCache
from dbrt.engine.spec import EngineSpec

SPEC = EngineSpec("tiny", "ab" * 32, (64, 64), 1, "fp32", "openvino", "1", "x86_64", 1)
Usage = namedtuple("Usage", "total used free")

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX owners and modes")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineCache:
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: Usage(9 << 40, 0, 9 << 40))
    return EngineCache(tmp_path / "cache" / "engines")


@posix
def test_a_folder_is_told_with_size_owner_and_mode(cache: EngineCache) -> None:
    cache.store(SPEC, b"engine" * 1000, build_s=1)
    found = examine_cache(cache)
    assert found.state is State.OK
    assert (found.data["engines"], found.data["bytes"]) == (1, 6000)
    assert found.data["owner"] == cache.folder.owner()
    assert "mode 700" in found.text


def test_a_folder_that_is_not_made_yet_is_well(cache: EngineCache) -> None:
    found = examine_cache(cache)
    assert found.state is State.OK
    assert "(not made yet): 0 engines" in found.text


@posix
def test_a_folder_that_others_may_write_is_broken(cache: EngineCache) -> None:
    cache.store(SPEC, b"engine", build_s=1)
    cache.folder.chmod(0o777)
    found = examine_cache(cache)
    assert found.state is State.BROKEN
    assert "can be written by others" in found.text
    assert found.remedy.startswith("chmod 700")


def test_engines_that_cannot_be_used_are_counted(cache: EngineCache) -> None:
    path = cache.store(SPEC, b"engine", build_s=1)
    path.with_name(f"{path.name}.json").write_text("[]")
    found = examine_cache(cache)
    assert (found.state, found.remedy) == (State.NOTE, "dbrt engines remove --stale")
    assert found.text.endswith("1 can't be used")


def test_a_folder_that_cannot_be_written_is_noted(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.os, "access", lambda *_: False)
    found = examine_cache(cache)
    assert found.state is State.NOTE
    assert "built anew at each start" in found.text


def test_a_disk_that_is_nearly_full_is_noted(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: Usage(9 << 40, 0, 9 << 20))
    found = examine_cache(cache)
    assert found.state is State.NOTE
    assert found.remedy.startswith("free some space")


def test_a_folder_that_cannot_be_read_is_broken(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(store.shutil, "disk_usage", refuse)
    found = examine_cache(cache)
    assert (found.state, found.text.endswith("Permission denied")) == (State.BROKEN, True)
