"""Archives of engines: what goes in comes out, and nothing that was tampered with does."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbrt.engine import archive as archive_module
from dbrt.engine.archive import MANIFEST, export_engines, import_engines
from dbrt.engine.cache import EngineCache
from dbrt.engine.inventory import take_inventory
from dbrt.engine.spec import EngineSpec
from dbrt.errors import DbrtError, EngineError, InputError, OutputError

SPEC = EngineSpec(
    model_name="tiny",
    model_sha256="ab" * 32,
    shape=(64, 64),
    batch=1,
    precision="fp16",
    runner="tensorrt",
    runner_version="10.16",
    target="sm_75",
    graph_version=1,
)
OTHER = replace(SPEC, shape=(64, 96))
ENGINE = bytes(range(256)) * 64

Files = dict[str, bytes]


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    cache = EngineCache(tmp_path / "here" / "engines")
    cache.store(SPEC, ENGINE, build_s=1.5, parity={"mean_error": 0.001})
    cache.store(OTHER, ENGINE[::-1], build_s=2.5)
    return cache


@pytest.fixture
def elsewhere(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "there" / "engines")


@pytest.fixture
def archive(cache: EngineCache, tmp_path: Path) -> Path:
    path = tmp_path / "fleet.dbrt"
    export_engines(take_inventory(cache).entries, cache, path)
    return path


def test_engines_arrive_as_they_left(
    cache: EngineCache, elsewhere: EngineCache, archive: Path
) -> None:
    done = import_engines(archive, elsewhere)
    assert [(e.name, e.state) for e in done] == [
        (e.name, "imported") for e in take_inventory(cache).entries
    ]
    for spec in (SPEC, OTHER):
        ours, theirs = cache.load(spec), elsewhere.load(spec)
        assert ours is not None
        assert theirs is not None
        assert theirs.data == ours.data
        assert theirs.sidecar == ours.sidecar


def test_the_export_prints_the_files_own_checksum(cache: EngineCache, tmp_path: Path) -> None:
    path = tmp_path / "a.dbrt"
    done = export_engines(take_inventory(cache).entries, cache, path)
    assert done.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert done.bytes == path.stat().st_size


def test_a_second_import_changes_nothing(elsewhere: EngineCache, archive: Path) -> None:
    import_engines(archive, elsewhere)
    before = {path: path.stat().st_mtime_ns for path in elsewhere.folder.glob("*.engine*")}
    assert {e.state for e in import_engines(archive, elsewhere)} == {"there already"}
    assert {path: path.stat().st_mtime_ns for path in elsewhere.folder.glob("*.engine*")} == before


def test_an_engine_that_differs_is_replaced_with_force_only(
    elsewhere: EngineCache, archive: Path
) -> None:
    elsewhere.store(OTHER, b"other", build_s=0)
    with pytest.raises(OutputError, match="there and differs: give --force"):
        import_engines(archive, elsewhere)
    assert elsewhere.load(SPEC) is None
    states = {e.name: e.state for e in import_engines(archive, elsewhere, force=True)}
    assert states == {SPEC.file_name: "imported", OTHER.file_name: "replaced"}
    stored = elsewhere.load(OTHER)
    assert stored is not None
    assert stored.data == ENGINE[::-1]


def test_a_corrupt_engine_is_not_exported(cache: EngineCache, tmp_path: Path) -> None:
    entries = take_inventory(cache).entries
    path = cache.path(SPEC)
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    with pytest.raises(EngineError, match="is corrupt"):
        export_engines(entries, cache, tmp_path / "a.dbrt")
    assert not (tmp_path / "a.dbrt").exists()


def test_an_archive_is_replaced_with_force_only(
    cache: EngineCache, archive: Path, tmp_path: Path
) -> None:
    entries = take_inventory(cache).entries
    before = archive.read_bytes()
    with pytest.raises(OutputError, match="exists: give --force"):
        export_engines(entries[:1], cache, archive)
    assert archive.read_bytes() == before
    export_engines(entries[:1], cache, archive, force=True)
    assert archive.stat().st_size < len(before)


def test_a_full_disk_leaves_no_archive(
    cache: EngineCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full"):
        export_engines(take_inventory(cache).entries, cache, tmp_path / "a.dbrt")
    assert sorted(tmp_path.iterdir()) == before


def test_a_disk_that_fills_up_leaves_no_half_engine(
    elsewhere: EngineCache, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="make room there"):
        import_engines(archive, elsewhere)
    assert [path.suffix for path in elsewhere.folder.iterdir()] == [".lock"]


def read(path: Path) -> Files:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write(path: Path, files: Files, **options: Any) -> None:
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, data in files.items():
            file.writestr(name, data)


def with_manifest(files: Files) -> Files:
    """Write a manifest that agrees with the files: what somebody with intent would do."""
    engines = [name for name in files if name.endswith(".engine")]
    listed = [
        {
            "name": name,
            "bytes": len(files[name]),
            "sha256": hashlib.sha256(files[name]).hexdigest(),
            "sidecar_sha256": hashlib.sha256(files[f"{name}.json"]).hexdigest(),
        }
        for name in engines
    ]
    manifest = {"schema": archive_module.SCHEMA, "engines": listed}
    return {**files, MANIFEST: json.dumps(manifest).encode()}


def edit(data: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(data), **changes}).encode()


NAME = SPEC.file_name
SIDECAR = f"{NAME}.json"


def flipped_engine(files: Files) -> Files:
    return {**files, NAME: b"\xff" + files[NAME][1:]}


def flipped_engine_and_manifest(files: Files) -> Files:
    return with_manifest(flipped_engine(files))


def renamed(files: Files) -> Files:
    name = NAME.replace("64x64", "96x96")
    moved = {**files, name: files[NAME], f"{name}.json": files[SIDECAR]}
    return with_manifest({k: v for k, v in moved.items() if k not in (NAME, SIDECAR)})


def climbing(files: Files) -> Files:
    return with_manifest({**files, "../a.engine": ENGINE, "../a.engine.json": files[SIDECAR]})


def climbing_model(files: Files) -> Files:
    spec = replace(SPEC, model_name="../../a")
    text = edit(files[SIDECAR], spec=spec.to_dict(), sha256=hashlib.sha256(ENGINE).hexdigest())
    return with_manifest({**files, spec.file_name: ENGINE, f"{spec.file_name}.json": text})


def other_models_sidecar(files: Files) -> Files:
    spec = replace(SPEC, model_sha256="cd" * 32)
    return with_manifest({**files, SIDECAR: edit(files[SIDECAR], spec=spec.to_dict())})


FAULTS: dict[str, tuple[Callable[[Files], Files], str]] = {
    "engine flipped": (flipped_engine, "another SHA-256 than its manifest"),
    "engine and manifest changed": (flipped_engine_and_manifest, "checksum of another engine"),
    "sidecar changed": (
        lambda files: {**files, SIDECAR: edit(files[SIDECAR], build_s=0)},
        "a sidecar of .* that was changed",
    ),
    "other model's sidecar": (other_models_sidecar, "under the sidecar of"),
    "renamed": (renamed, "under the sidecar of"),
    "a name that climbs": (climbing, "'../a.engine' under the sidecar"),
    "a model's name that climbs": (climbing_model, "under the sidecar of '../../a"),
    "one file more": (lambda files: {**files, "../evil.sh": b"x"}, r"holds '../evil\.sh'"),
    "one file less": (
        lambda files: {k: v for k, v in files.items() if k != SIDECAR},
        "lacks .*json",
    ),
    "no manifest": (lambda files: {k: v for k, v in files.items() if k != MANIFEST}, "no manifest"),
    "garbage manifest": (lambda files: {**files, MANIFEST: b"[1]"}, "manifest.json that is none"),
    "other manifest": (
        lambda files: {**files, MANIFEST: b'{"schema": "other/9"}'},
        "is of schema 'other/9'",
    ),
    "garbage sidecar": (
        lambda files: with_manifest({**files, SIDECAR: b"{}"}),
        "sidecar of .* that is none",
    ),
    "sidecar of another version": (
        lambda files: with_manifest({**files, SIDECAR: edit(files[SIDECAR], schema="x/2")}),
        "that is none",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_was_tampered_with_is_refused_whole(
    fault: str, elsewhere: EngineCache, archive: Path, tmp_path: Path
) -> None:
    plant, message = FAULTS[fault]
    write(archive, plant(read(archive)))
    with pytest.raises(EngineError, match=message) as caught:
        import_engines(archive, elsewhere, force=True)
    assert "\n" not in str(caught.value)
    assert not elsewhere.folder.parent.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"here", archive.name}


def test_the_faults_are_planted_in_what_would_be_taken(
    elsewhere: EngineCache, archive: Path
) -> None:
    write(archive, with_manifest(read(archive)))
    assert len(import_engines(archive, elsewhere)) == 2


@pytest.mark.parametrize("keep", [0, 0.01, 0.3, 0.9, 0.999])
def test_a_truncated_archive_is_refused(keep: float, elsewhere: EngineCache, archive: Path) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match="is cut short or none"):
        import_engines(archive, elsewhere)
    assert not elsewhere.folder.parent.exists()


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_one_byte_flipped_anywhere_is_found(
    at: float, elsewhere: EngineCache, archive: Path
) -> None:
    data = bytearray(archive.read_bytes())
    data[int(len(data) * at)] ^= 1
    archive.write_bytes(data)
    with pytest.raises(DbrtError):
        import_engines(archive, elsewhere)
    assert not elsewhere.folder.parent.exists()


def test_another_archive_than_was_meant_is_refused(elsewhere: EngineCache, archive: Path) -> None:
    right = hashlib.sha256(archive.read_bytes()).hexdigest()
    with pytest.raises(EngineError, match=f"has SHA-256 {right}, not abc"):
        import_engines(archive, elsewhere, sha256="abc")
    assert len(import_engines(archive, elsewhere, sha256=right.upper())) == 2


def test_a_missing_archive_is_one_line(elsewhere: EngineCache, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no archive .*none\.dbrt"):
        import_engines(tmp_path / "none.dbrt", elsewhere)


def test_a_packed_archive_is_refused_before_it_is_unpacked(
    elsewhere: EngineCache, archive: Path
) -> None:
    write(archive, read(archive), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(EngineError, match="packed or locked"):
        import_engines(archive, elsewhere)


def test_what_is_too_large_is_refused_unread(
    elsewhere: EngineCache, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAX_ENGINE_BYTES", 1000)
    with pytest.raises(EngineError, match="MiB"):
        import_engines(archive, elsewhere)


def test_two_files_of_one_name_are_refused(elsewhere: EngineCache, archive: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(archive, "a") as file:
        file.writestr(NAME, ENGINE)
    with pytest.raises(EngineError, match="two files of one name"):
        import_engines(archive, elsewhere)


def test_an_archive_that_changes_under_the_import_is_noticed(
    elsewhere: EngineCache, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zipfile.ZipFile, "read", _lying(zipfile.ZipFile.read))
    with pytest.raises(EngineError, match="changed under the import"):
        import_engines(archive, elsewhere)
    assert not elsewhere.folder.exists()


def _lying(real: Callable[..., bytes]) -> Callable[..., bytes]:
    def read(self: zipfile.ZipFile, name: str) -> bytes:
        return b"other" if name.endswith(".engine") else real(self, name)

    return read


def test_an_engine_of_another_shipped_model_needs_force(
    elsewhere: EngineCache, tmp_path: Path
) -> None:
    cache = EngineCache(tmp_path / "old" / "engines")
    cache.store(replace(SPEC, model_name="dbrt-lite"), ENGINE, build_s=0)
    path = tmp_path / "a.dbrt"
    export_engines(take_inventory(cache).entries, cache, path)
    with pytest.raises(EngineError, match=r"another dbrt-lite \(SHA-256 abababab\.\.\., here"):
        import_engines(path, elsewhere)
    (done,) = import_engines(path, elsewhere, force=True)
    assert done.note.startswith("is of another dbrt-lite")
