"""Sink: where results go; and the checks of its place before anything is loaded."""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from dbrt.errors import OutputError
from dbrt.stream.result import FrameResult


class Sink(ABC):
    """Takes results one by one, in order; owned by one thread.

    Making one checks its place and creates nothing; the first result creates the file.

    is_annotated  whether it uses `FrameResult.picture()`
    """

    is_annotated: ClassVar[bool] = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0

    @abstractmethod
    def write(self, result: FrameResult) -> None:
        """Take one result; raises OutputError where it can't be written."""

    @abstractmethod
    def close(self) -> None:
        """Finish the output so that it can be read; may be called again. Raises OutputError."""


def check_file(path: Path, *, overwrite: bool) -> None:
    """Raise OutputError unless a file can be written at `path`."""
    if os.path.isdir(path):  # Path.is_dir raises where a name is too long
        raise OutputError(f"{path} is a folder: give the name of a file in it")
    if os.path.exists(path) and not overwrite:
        raise OutputError(f"{path} exists already: choose another name or give --overwrite")
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise OutputError(f"cannot write {path}: permission denied")
    check_parent(path)


def check_parent(path: Path) -> None:
    """Raise OutputError unless the folder that is to hold `path` can be written to."""
    parent = path.absolute().parent
    try:
        if not parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {parent}: make it first")
        os.stat(path)  # a name that is too long shows here
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise OutputError(f"cannot write {path}: {reason.lower()}") from None
    if not os.access(parent, os.W_OK):
        raise OutputError(
            f"cannot write {path}: no permission to write in {parent}: write elsewhere"
        )


def stopped(path: Path, exc: Exception, time_s: float) -> OutputError:
    """Return the error for an output that broke off at `time_s` of the source.

    exc  an OSError, or an error of PyAV, which has the same attributes
    """
    is_full = getattr(exc, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    reason = "disk full" if is_full else (getattr(exc, "strerror", None) or str(exc)).lower()
    return OutputError(
        f"{reason}: {path} ends at {time_s:.1f} s; what was written before can be read"
    )
