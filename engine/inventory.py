"""What the cache holds: each engine as its sidecar describes it, what is wrong with it, removal."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbrt.engine.cache import EngineCache, _read_sidecar, _sidecar_path
from dbrt.engine.lock import try_lock, unlock
from dbrt.engine.spec import EngineSpec
from dbrt.errors import DbrtError, EngineError, InputError, OutputError, unwritable

SUFFIX = ".engine"
NOT_EXECUTED = "not executed on a GPU"


@dataclass(frozen=True)
class Entry:
    """An engine file of the cache.

    bytes    of the file
    spec     the sidecar's; None where the sidecar is not to be used
    sidecar  likewise; empty then
    problem  why the sidecar is not to be used; empty where it may
    """

    path: Path
    bytes: int
    spec: EngineSpec | None
    sidecar: Mapping[str, Any]
    problem: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def parity(self) -> Mapping[str, Any] | None:
        """The parity report that was made with the engine; None where there is none."""
        report = self.sidecar.get("parity")
        return report if isinstance(report, Mapping) else None

    @property
    def was_executed(self) -> bool | None:
        """Whether what was compared was the engine itself; None where nothing was.

        An engine that was built on a machine without its card is compared by running its graph on
        the CPU.
        """
        return None if self.parity is None else bool(self.parity.get("executed", True))

    @property
    def proof(self) -> str:
        """What the comparison with float32 has said, in one line."""
        if self.parity is None:
            return "not compared: run dbrt build"
        gained, lost = self.parity.get("gained"), self.parity.get("lost")
        error = self.parity.get("mean_error")
        where = "" if self.was_executed else f"; {NOT_EXECUTED}"
        return f"error {_figure(error)}, {gained} gained, {lost} lost{where}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        keys = ("sha256", "built_at", "build_s")
        return {
            "name": self.name,
            "path": str(self.path),
            "bytes": self.bytes,
            "spec": None if self.spec is None else self.spec.to_dict(),
            **{key: self.sidecar.get(key) for key in keys},
            "proof": self.proof,
            "executed": self.was_executed,
            "parity": self.parity,
            "problem": self.problem or None,
        }


@dataclass(frozen=True)
class Inventory:
    """The cache's folder.

    leftovers  files of engines that are not there: locks, sidecars, unfinished writes
    """

    folder: Path
    entries: tuple[Entry, ...]
    leftovers: tuple[Path, ...]


def take_inventory(cache: EngineCache) -> Inventory:
    """Read the sidecars of the cache's engines; the engines themselves are not read.

    A folder that is not there is an empty one. Raises EngineError where it belongs to somebody
    else or can be written by others, OutputError where it can't be read.
    """
    if not cache.folder.is_dir():
        return Inventory(cache.folder, (), ())
    cache._check_folder()
    try:
        names = sorted(entry.name for entry in os.scandir(cache.folder))
    except OSError as exc:
        raise OutputError(f"{cache.folder} can't be read: {exc.strerror}: chmod 700 it") from None
    engines = [name for name in names if name.endswith(SUFFIX) and not name.startswith(".")]
    leftovers = [name for name in names if _owner(name) not in engines]
    entries = [_read_entry(cache.folder / name) for name in engines]
    return Inventory(
        cache.folder,
        tuple(entry for entry in entries if entry is not None),
        tuple(cache.folder / name for name in leftovers if _owner(name).endswith(SUFFIX)),
    )


def stored_specs(cache: EngineCache) -> list[EngineSpec]:
    """Return the specs of the engines in the cache; none where it is not to be used."""
    try:
        entries = take_inventory(cache).entries
    except DbrtError:
        return []
    return [entry.spec for entry in entries if entry.spec is not None]


def verify(cache: EngineCache, entry: Entry) -> str:
    """Read the engine and check it as if it were to be loaded; return what is wrong, or ""."""
    if entry.spec is None:
        return entry.problem
    if entry.name != entry.spec.file_name:
        return (
            f"engine {entry.path} is foreign: its sidecar is that of {entry.spec.file_name}: "
            f"run {_remove_command(entry.name)}"
        )
    try:
        stored = cache.load(entry.spec)
    except EngineError as exc:
        return str(exc)
    return "" if stored else f"engine {entry.path} has gone: run {entry.spec.build_command}"


def pick(entries: Iterable[Entry], names: Iterable[str]) -> list[Entry]:
    """Return the entries that `names` mean: file names, or the digits before `.engine`.

    Raises InputError for a name that means none of them.
    """
    entries = list(entries)
    picked = []
    for name in names:
        short = f"-{name.removesuffix(SUFFIX)}{SUFFIX}"
        found = [e for e in entries if name in (e.name, str(e.path)) or e.name.endswith(short)]
        if not found:
            raise InputError(f"no engine {name} in the cache: dbrt engines list shows what it has")
        picked += [entry for entry in found if entry not in picked]
    return picked


def remove(entry: Entry | Path) -> None:
    """Remove an engine with its sidecar and its lock, or a leftover.

    Raises EngineError where it is being built now, OutputError where it can't be removed.
    """
    path = entry.path if isinstance(entry, Entry) else entry
    engine = path.with_name(_owner(path.name))
    lock = Path(f"{engine}.lock")
    try:
        # Under the lock, and the lock's own file last: a build that waits for it notices.
        with open(lock, "ab") as handle:
            if not try_lock(handle):
                raise EngineError(f"{engine.name} is being built now: try again when it is done")
            try:
                # The engine first: a sidecar alone is a leftover, an engine alone a fault.
                doomed = [engine, *_companions(engine)] if isinstance(entry, Entry) else [path]
                if os.name != "nt":  # which removes no file that is open
                    doomed.append(lock)
                for file in doomed:
                    file.unlink(missing_ok=True)
            finally:
                unlock(handle)
    except OSError as exc:
        raise unwritable(path, exc) from None


def clear(leftovers: Iterable[Path]) -> list[Path]:
    """Remove leftovers; those of an engine that is being built now stay, for they are none.

    returns  what was removed

    Raises OutputError where one can't be removed.
    """
    removed = []
    for path in leftovers:
        with contextlib.suppress(EngineError):
            remove(path)
            removed.append(path)
    return removed


def _read_entry(path: Path) -> Entry | None:
    try:
        size = path.lstat().st_size
    except FileNotFoundError:  # removed since the folder was read
        return None
    try:
        sidecar, spec = _read_sidecar(_sidecar_path(path), f"run {_remove_command(path.name)}")
    except EngineError as exc:
        return Entry(path, size, None, {}, str(exc))
    return Entry(path, size, spec, sidecar, "")


def _owner(name: str) -> str:
    """Return the name of the engine that a file of the cache belongs to; its own if to none.

    Besides NAME.engine there are NAME.engine.json, NAME.engine.lock and what a runner keeps beside
    it, NAME.engine.xxx; a leading dot is that of an unfinished write.
    """
    start, found, _ = name.removeprefix(".").rpartition(SUFFIX)
    return start + found if found else name


def _companions(engine: Path) -> list[Path]:
    """Return the files that belong to an engine, but for its lock."""
    lock = f"{engine.name}.lock"
    return [
        path
        for path in sorted(engine.parent.iterdir())
        if _owner(path.name) == engine.name and path.name not in (engine.name, lock)
    ]


def _remove_command(name: str) -> str:
    return f"dbrt engines remove {name}"


def _figure(value: Any) -> str:
    return f"{value:.5f}" if isinstance(value, float) else str(value)
