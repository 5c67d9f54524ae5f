"""EngineCache: engines on disk, each with a sidecar that says what it is.

::

    <folder>/<name>-<HxW>-<precision>-<runner>-<digest8>.engine         the engine
                                                        .engine.json    the sidecar
                                                        .engine.lock    held while one is built

An engine is code: it is read only from files and folders that belong to this user (or to root) and
that nobody else may write, and only where its SHA-256 and its spec are the sidecar's. The lock is
the operating system's, so it ends with the process that holds it; the empty file stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import platformdirs

from dbrt.engine.lock import try_lock, unlock, wait_for_lock
from dbrt.engine.spec import EngineSpec
from dbrt.errors import EngineError, OutputError

SCHEMA = "dbrt.engine/1"


@dataclass(frozen=True)
class StoredEngine:
    """An engine that was read from the cache and checked.

    data     the engine
    spec     the engine's own; its target may include more than the one that was asked for
    sidecar  the JSON beside it: schema, spec, sha256, bytes, built_at, build_s, parity, build
    """

    path: Path
    spec: EngineSpec
    data: bytes
    sidecar: Mapping[str, Any]


def default_folder() -> Path:
    """Return `$DBRT_CACHE/engines`, or the same in the platform's cache folder."""
    chosen = os.environ.get("DBRT_CACHE")
    base = Path(chosen) if chosen else platformdirs.user_cache_path("dbrt", appauthor=False)
    return base / "engines"


class EngineCache:
    """The folder of engines. Safe between processes; each method opens and closes its files."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = default_folder() if folder is None else folder

    def path(self, spec: EngineSpec) -> Path:
        """Return where the engine of `spec` lies or would lie."""
        return self.folder / spec.file_name

    def load(self, spec: EngineSpec) -> StoredEngine | None:
        """Read and check the engine of `spec`; None where there is none.

        An engine for several cards, one of them `spec`'s, serves too (`EngineSpec.covers`).

        Raises EngineError, with the line that mends it, where the files belong to others or can be
        written by others, where the engine is not what its sidecar says, or the sidecar is of
        another spec.
        """
        if not os.path.lexists(self.path(spec)):
            covering = self._covering(spec)
            if covering is None:
                return None
            spec = covering
        path = self.path(spec)
        mend = f"run {spec.build_command}"
        self._check_folder()
        sidecar = _read_sidecar(_sidecar_path(path), mend)
        difference = spec.difference(sidecar[1])
        if difference:
            raise EngineError(f"engine {path} is foreign: its sidecar has {difference}: {mend}")
        data = _read_trusted(path, mend)
        expected = sidecar[0].get("bytes")
        if len(data) != expected:
            raise EngineError(f"engine {path} has {len(data)} of {expected} bytes: {mend}")
        if hashlib.sha256(data).hexdigest() != sidecar[0].get("sha256"):
            raise EngineError(f"engine {path} is corrupt, its SHA-256 is not the sidecar's: {mend}")
        return StoredEngine(path, spec, data, sidecar[0])

    def _covering(self, wanted: EngineSpec) -> EngineSpec | None:
        """Return the spec of the first engine for more cards than `wanted`'s; None without one."""
        if wanted.runner != "tensorrt":  # the CPU runners' engines are for one CPU each
            return None
        kind = wanted.file_name.removesuffix(f"{wanted.digest[:8]}.engine")
        for path in sorted(self.folder.glob(f"{kind}*.engine.json")):
            try:
                found = _read_sidecar(path, "")[1]
            except EngineError:
                continue
            if found.covers(wanted) and path == _sidecar_path(self.path(found)):
                return found
        return None

    def store(
        self,
        spec: EngineSpec,
        engine: bytes,
        *,
        build_s: float,
        parity: Mapping[str, Any] | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write an engine and its sidecar; either both appear or none.

        build_s  seconds that the build took
        parity   the parity report, or None where none was made
        record   what the build tells of itself (`runner.Compiled.record`)

        Call it under `lock`. Raises OutputError where the folder can't be written or is full.
        """
        sidecar = {
            "schema": SCHEMA,
            "spec": spec.to_dict(),
            "sha256": hashlib.sha256(engine).hexdigest(),
            "bytes": len(engine),
            "built_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "build_s": round(build_s, 3),
            "parity": parity,
            "build": dict(record or {}),
        }
        return self.put(spec, engine, sidecar)

    def put(self, spec: EngineSpec, engine: bytes, sidecar: Mapping[str, Any]) -> Path:
        """Write an engine beside a sidecar that is made already; either both appear or none.

        Call it under `lock`. Raises OutputError where the folder can't be written or is full.
        """
        path = self.path(spec)
        text = json.dumps(sidecar, indent=2).encode() + b"\n"
        with self._writing(path):
            self._make_folder()
            with contextlib.ExitStack() as stack:
                # Both are complete on disk before either gets its name: a full disk is met here.
                files = [(path, engine), (_sidecar_path(path), text)]
                ready = [
                    (stack.enter_context(_temporary(name, data)), name) for name, data in files
                ]
                for temporary, name in ready:
                    os.replace(temporary, name)
            _sync_folder(self.folder)
        return path

    def load_beside(self, spec: EngineSpec, suffix: str) -> bytes | None:
        """Read what a runner keeps beside an engine to start faster; None where there is nothing.

        Raises EngineError where it belongs to others or can be written by others.
        """
        path = self._beside(spec, suffix)
        if not os.path.lexists(path):
            return None
        self._check_folder()
        return _read_trusted(path, f"remove {path}")

    def store_beside(self, spec: EngineSpec, suffix: str, data: bytes) -> None:
        """Keep something beside an engine, such as compiled kernels; what was there goes.

        Call it under `lock`. Raises OutputError where the folder can't be written or is full.
        """
        path = self._beside(spec, suffix)
        with self._writing(path):
            self._make_folder()
            with _temporary(path, data) as temporary:
                os.replace(temporary, path)

    def _beside(self, spec: EngineSpec, suffix: str) -> Path:
        path = self.path(spec)
        return path.with_name(f"{path.name}.{suffix}")

    @contextlib.contextmanager
    def lock(self, spec: EngineSpec, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the build of `spec`; a second process or thread waits here for the first.

        on_wait  called once where the lock is taken and this call is going to wait

        Raises OutputError where the folder can't be written.
        """
        path = self.path(spec)
        with self._writing(path):
            self._make_folder()
            handle = self._take_lock(Path(f"{path}.lock"), on_wait)
        with handle:
            try:
                self._remove_leftovers(path)
                yield
            finally:
                unlock(handle)

    def _take_lock(self, path: Path, on_wait: Callable[[], None] | None) -> IO[bytes]:
        """Open and lock a lock file; again where it was removed while this call waited for it."""
        while True:
            handle = open(path, "ab")
            try:
                if not try_lock(handle):
                    if on_wait is not None:
                        on_wait()
                    wait_for_lock(handle)
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(handle.fileno()), path.stat()):
                        return handle
            except BaseException:
                handle.close()
                raise
            handle.close()

    def _remove_leftovers(self, path: Path) -> None:
        """Remove what a build of this engine that was killed has left; the lock is held."""
        for leftover in self.folder.glob(f".{path.name}*"):
            leftover.unlink(missing_ok=True)

    def _make_folder(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        try:
            self._check_folder()
        except EngineError as exc:
            raise OutputError(str(exc)) from None

    def _check_folder(self) -> None:
        mend = f"chmod 700 {self.folder}, or set DBRT_CACHE to a folder of your own"
        _check_owner(self.folder, os.stat(self.folder), mend)

    @contextlib.contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise OutputError(
                f"engine {path.name} can't be written to {self.folder}: {reason}: "
                "make room there, or set DBRT_CACHE to another folder"
            ) from None


def _sidecar_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _read_sidecar(path: Path, mend: str) -> tuple[dict[str, Any], EngineSpec]:
    text = _read_trusted(path, mend)
    try:
        sidecar = json.loads(text)
        if sidecar["schema"] != SCHEMA:
            raise ValueError(sidecar["schema"])
        return sidecar, EngineSpec.from_dict(sidecar["spec"])
    except (ValueError, KeyError, TypeError, EngineError):
        raise EngineError(f"sidecar {path} is not one of dbrt's: {mend}") from None


def _read_trusted(path: Path, mend: str) -> bytes:
    """Read a file after checking, on the open file, whose it is and who may write it."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(path, flags), "rb") as file:
            _check_owner(path, os.fstat(file.fileno()), mend)
            return file.read()
    except OSError as exc:
        raise EngineError(f"{path} can't be read: {exc.strerror}: {mend}") from None


def _check_owner(path: Path, found: os.stat_result, mend: str) -> None:
    """Raise EngineError where others own `path` or may write it; POSIX only.

    Windows keeps the user's cache folder to the user by inherited access lists.
    """
    if not hasattr(os, "geteuid"):
        return
    if found.st_uid not in (os.geteuid(), 0):
        raise EngineError(f"{path} belongs to user {found.st_uid}: it is not used: {mend}")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise EngineError(f"{path} can be written by others: it is not used: {mend}")


@contextlib.contextmanager
def _temporary(path: Path, data: bytes) -> Iterator[Path]:
    """Write `data` to a new file beside `path`, down to the disk; removed if not renamed."""
    # mkstemp makes it 0600 and unguessable.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    temporary = Path(name)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put the names on disk too, where the system lets a folder be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
