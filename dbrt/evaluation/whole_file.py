"""Writing a file that appears whole or not at all."""

from __future__ import annotations

import contextlib
from pathlib import Path

from dbrt.errors import unwritable


def write_whole(path: Path, data: bytes) -> None:
    """Write to a temporary name in the same folder, then rename; what was there stays till then.

    Raises OutputError where that fails, and leaves nothing behind.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as exc:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise unwritable(path, exc) from None
