"""Engines in one file: from the machine that builds them to those that run them.

An archive is a ZIP without compression: `manifest.json` first, then each engine and its sidecar
under their names in the cache. The manifest has the SHA-256 of each. Reading one never extracts
anything: names are compared with what their sidecars say, data goes through the cache's own write.

Checksums find damage, not malice: an engine is code, so take archives from whom you trust, and
compare the SHA-256 that the export prints.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from dbrt._version import __version__
from dbrt.engine.cache import SCHEMA as SIDECAR_SCHEMA
from dbrt.engine.cache import EngineCache, _sidecar_path
from dbrt.engine.inventory import SUFFIX, Entry
from dbrt.engine.settings import NAME
from dbrt.engine.spec import PRECISIONS, RUNNERS, EngineSpec
from dbrt.engine.staleness import Here
from dbrt.errors import EngineError, InputError, OutputError, unwritable

SCHEMA = "dbrt.archive/1"
MANIFEST = "manifest.json"

# The largest network has 100 MB in fp32; beyond these a file is no engine and no sidecar.
MAX_ENGINE_BYTES = 2 << 30
MAX_TEXT_BYTES = 4 << 20

_CHUNK = 1 << 20
_ENCRYPTED = 1  # of a ZIP entry's flags


@dataclass(frozen=True)
class Exported:
    """An archive that was written; `sha256` is that of the whole file."""

    path: Path
    sha256: str
    bytes: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Imported:
    """One engine of an archive.

    state  "imported", "replaced" or "there already"
    note   why this machine would not take it; empty where it would, or can't tell
    """

    name: str
    state: str
    note: str


@dataclass(frozen=True)
class _Member:
    name: str
    spec: EngineSpec
    sidecar: Mapping[str, Any]


def export_engines(
    entries: Iterable[Entry], cache: EngineCache, path: Path, *, force: bool = False
) -> Exported:
    """Write engines into one archive, each checked as if it were to be loaded.

    force  replace `path` where it exists

    Raises EngineError for an engine that is not to be trusted, OutputError where `path` exists or
    can't be written; then nothing is left behind.
    """
    entries = list(entries)
    if path.exists() and not force:
        raise OutputError(f"{path} exists: give --force to replace it, or another name")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.absolute().parent)
        temporary = Path(name)
        try:
            with open(descriptor, "w+b") as file:
                _write(entries, cache, file)
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        size = path.stat().st_size
    except OSError as exc:
        raise unwritable(path, exc) from None
    return Exported(path, digest, size, tuple(entry.name for entry in entries))


def import_engines(
    path: Path, cache: EngineCache, *, force: bool = False, sha256: str | None = None
) -> list[Imported]:
    """Check a whole archive, then write its engines into the cache.

    force   replace engines that are there and differ, take engines of another model of the name
    sha256  what the archive's own must be; None: not compared

    Nothing is written unless everything is as it should be. Raises InputError where the file is no
    whole archive, EngineError where something in it is not what it says, OutputError where an
    engine is there already and differs, or can't be written.
    """
    with _opened(path, sha256) as archive:
        members = _check(archive, path)
        here = Here()
        if not force:
            _check_models(members, here, path)
        states = [_state(member, cache, force) for member in members]
        for member, state in zip(members, states, strict=True):
            if state != "there already":
                data = archive.read(member.name)
                _check_sum(member, data, path)
                with cache.lock(member.spec):
                    cache.put(member.spec, data, member.sidecar)
    return [
        Imported(member.name, state, here.staleness(member.spec))
        for member, state in zip(members, states, strict=True)
    ]


def _write(entries: list[Entry], cache: EngineCache, file: Any) -> None:
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "dbrt": __version__,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "engines": [],
    }
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        texts = []
        for entry in entries:
            stored = None if entry.spec is None else cache.load(entry.spec)
            if stored is None or stored.path != entry.path:
                raise EngineError(entry.problem or f"engine {entry.path} is under a wrong name")
            archive.writestr(zipfile.ZipInfo(entry.name), stored.data)
            text = json.dumps(stored.sidecar, indent=2).encode() + b"\n"
            texts.append((_sidecar_path(entry.path).name, text))
            manifest["engines"].append(
                {
                    "name": entry.name,
                    "bytes": len(stored.data),
                    "sha256": stored.sidecar["sha256"],
                    "sidecar_sha256": hashlib.sha256(text).hexdigest(),
                }
            )
        texts.append((MANIFEST, json.dumps(manifest, indent=2).encode() + b"\n"))
        for name, text in texts:
            archive.writestr(zipfile.ZipInfo(name), text)


@contextlib.contextmanager
def _opened(path: Path, sha256: str | None) -> Iterator[zipfile.ZipFile]:
    """Open an archive; what its reading raises comes out as InputError."""
    try:
        with open(path, "rb") as file:
            if sha256 is not None:
                found = hashlib.file_digest(file, "sha256").hexdigest()
                if found != sha256.strip().lower():
                    raise EngineError(
                        f"archive {path} has SHA-256 {found}, not {sha256}: get it again"
                    )
                file.seek(0)
            with zipfile.ZipFile(file) as archive:
                yield archive
    except (zipfile.BadZipFile, EOFError) as exc:
        raise InputError(f"archive {path} is cut short or none ({exc}): get it again") from None
    except FileNotFoundError:
        raise InputError(f"no archive {path}: check the name") from None
    except OSError as exc:
        raise InputError(f"archive {path} can't be read: {exc.strerror or exc}") from None


def _check(archive: zipfile.ZipFile, path: Path) -> list[_Member]:
    """Check names, sizes, checksums and sidecars of everything in an archive."""
    infos = {info.filename: info for info in archive.infolist()}
    if len(infos) != len(archive.infolist()):
        _refuse(path, "has two files of one name")
    for name, info in infos.items():
        limit = MAX_ENGINE_BYTES if name.endswith(SUFFIX) else MAX_TEXT_BYTES
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & _ENCRYPTED:
            _refuse(path, f"has {name!r} packed or locked")
        if info.file_size > limit:
            _refuse(path, f"has {name!r} with {info.file_size >> 20} MiB")
    manifest = _read_manifest(archive, infos, path)
    expected = {MANIFEST}
    for listed in manifest:
        expected |= {listed["name"], f"{listed['name']}.json"}
    strange = sorted(set(infos) ^ expected)
    if strange:
        where = "holds" if strange[0] in infos else "lacks"
        _refuse(path, f"{where} {strange[0]!r}, and its manifest says otherwise")
    return [_read_member(archive, listed, path) for listed in manifest]


def _read_manifest(
    archive: zipfile.ZipFile, infos: Mapping[str, zipfile.ZipInfo], path: Path
) -> list[dict[str, Any]]:
    if MANIFEST not in infos:
        _refuse(path, f"has no {MANIFEST}")
    try:
        manifest = json.loads(archive.read(MANIFEST))
        if manifest["schema"] != SCHEMA:
            _refuse(path, f"is of schema {manifest['schema']!r}, not {SCHEMA!r}")
        return [
            {key: str(listed[key]) for key in ("name", "sha256", "sidecar_sha256")}
            for listed in manifest["engines"]
        ]
    except (ValueError, KeyError, TypeError):
        _refuse(path, f"has a {MANIFEST} that is none")


def _read_member(archive: zipfile.ZipFile, listed: Mapping[str, str], path: Path) -> _Member:
    name = listed["name"]
    text = archive.read(f"{name}.json")
    if hashlib.sha256(text).hexdigest() != listed["sidecar_sha256"]:
        _refuse(path, f"has a sidecar of {name} that was changed")
    try:
        sidecar = json.loads(text)
        if sidecar["schema"] != SIDECAR_SCHEMA:
            raise ValueError(sidecar["schema"])
        spec = EngineSpec.from_dict(sidecar["spec"])
        file_name = spec.file_name
    except (ValueError, KeyError, TypeError, EngineError):
        _refuse(path, f"has a sidecar of {name} that is none")
    # The name in the cache is made of these: none of them may lead out of the folder.
    is_plain = NAME.fullmatch(spec.model_name) and spec.runner in RUNNERS
    if not is_plain or spec.precision not in PRECISIONS or name != file_name:
        _refuse(path, f"has {name!r} under the sidecar of {file_name!r}")
    if sidecar.get("sha256") != listed["sha256"]:
        _refuse(path, f"has a sidecar of {name} with the checksum of another engine")
    digest = hashlib.sha256()
    with archive.open(name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != listed["sha256"]:
        _refuse(path, f"has {name} with another SHA-256 than its manifest")
    return _Member(name, spec, sidecar)


def _check_sum(member: _Member, data: bytes, path: Path) -> None:
    """Check what is about to be written: the file may have changed since it was checked."""
    if hashlib.sha256(data).hexdigest() != member.sidecar["sha256"]:
        _refuse(path, f"changed under the import ({member.name})")


def _check_models(members: Iterable[_Member], here: Here, path: Path) -> None:
    """Refuse engines of another model than the one that ships under its name here."""
    for member in members:
        ours, theirs = here.wanted(member.spec).model_sha256, member.spec.model_sha256
        if ours != theirs:
            raise EngineError(
                f"archive {path} has {member.name} of another {member.spec.model_name} "
                f"(SHA-256 {theirs[:8]}..., here {ours[:8]}...): install the dbrt that built it, "
                f"run {member.spec.build_command}, or give --force"
            )


def _state(member: _Member, cache: EngineCache, force: bool) -> str:
    """Say what the import of one engine will do."""
    if not os.path.lexists(cache.path(member.spec)):
        return "imported"
    try:
        stored = cache.load(member.spec)
    except EngineError:
        stored = None
    if stored is not None and stored.sidecar["sha256"] == member.sidecar["sha256"]:
        return "there already"
    if not force:
        raise OutputError(
            f"{cache.path(member.spec)} is there and differs: give --force to replace it"
        )
    return "replaced"


def _refuse(path: Path, why: str) -> NoReturn:
    raise EngineError(f"archive {path} {why}: nothing was imported, get it again")
