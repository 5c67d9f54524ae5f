"""The cache folder: size, owner, permissions, room."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from dbrt.doctor.finding import Finding, State
from dbrt.engine.cache import EngineCache
from dbrt.engine.inventory import take_inventory
from dbrt.errors import DbrtError

PART = "cache"

# A TensorRT engine of the largest network and its unfinished twin.
MIN_FREE_BYTES = 1 << 30


def examine_cache(cache: EngineCache | None = None) -> Finding:
    """Look at the folder of engines, or at where it would be made."""
    cache = EngineCache() if cache is None else cache
    folder = cache.folder
    data: dict[str, object] = {"folder": str(folder), "engines": 0, "bytes": 0}
    elsewhere = "set DBRT_CACHE to a folder of your own"
    try:
        inventory = take_inventory(cache)
        base = _existing(folder)
        free = shutil.disk_usage(base).free
        owner = _owner(base)
    except DbrtError as exc:
        text, _, remedy = str(exc).partition(": it is not used: ")
        return Finding(PART, "engines", State.BROKEN, text, remedy or elsewhere, data)
    except OSError as exc:
        text = f"{folder} can't be read: {exc.strerror}"
        return Finding(PART, "engines", State.BROKEN, text, elsewhere, data)
    size = sum(entry.bytes for entry in inventory.entries)
    count = len(inventory.entries)
    data |= {"engines": count, "bytes": size, "free_bytes": free, "owner": owner}
    data["leftovers"] = len(inventory.leftovers)
    mode = "" if owner is None else f", of {owner}, mode {base.stat().st_mode & 0o777:o}"
    is_made = "" if folder.is_dir() else " (not made yet)"
    text = (
        f"{folder}{is_made}: {count} engines, {size / 1e6:.1f} MB{mode}, {free / 1e9:.0f} GB free"
    )
    bad = [entry for entry in inventory.entries if entry.problem]
    if bad:
        text += f"; {len(bad)} can't be used"
        return Finding(PART, "engines", State.NOTE, text, "dbrt engines remove --stale", data)
    if not os.access(base, os.W_OK):
        text += "; not writable: engines that are not there are built anew at each start"
        return Finding(PART, "engines", State.NOTE, text, elsewhere, data)
    if free < MIN_FREE_BYTES:
        return Finding(PART, "engines", State.NOTE, text, f"free some space, or {elsewhere}", data)
    return Finding(PART, "engines", State.OK, text, data=data)


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _owner(path: Path) -> str | None:
    """Return who owns `path`: a name, or the number of a user without one; None on Windows."""
    try:
        return path.owner()
    except (KeyError, OSError):
        return str(path.stat().st_uid)
    except NotImplementedError:
        return None
