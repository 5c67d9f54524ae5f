"""The exceptions that dbrt raises on purpose, and the exit code of each.

::

    DbrtError
    ├── UsageError      2    an option, a size, a configuration key
    ├── InputError      3    a picture, dataset, annotation or model file that can't be read
    ├── SourceError     4    a video source that failed for good
    ├── RunnerError     5    the hardware, driver or library that a runner needs is not here
    ├── EngineError     6    an engine that is stale, foreign, corrupt or failed to build
    ├── OutputError     7    an output that can't be written, or would be overwritten
    └── TrainingError   8    NaN, diverged, no data

The message of each is one line: what was asked, what was found, what to do.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class DbrtError(Exception):
    """An expected failure; its text is one line for the user."""

    exit_code: ClassVar[int] = 1


class UsageError(DbrtError):
    """An option, a size or a configuration key that makes no sense."""

    exit_code = 2


class InputError(DbrtError):
    """A picture, dataset, annotation or model file that can't be read."""

    exit_code = 3


class SourceError(DbrtError):
    """A video source that failed for good."""

    exit_code = 4


class RunnerError(DbrtError):
    """The hardware, driver or library that a runner needs is not here."""

    exit_code = 5


class EngineError(DbrtError):
    """An engine that is stale, foreign, corrupt or failed to build."""

    exit_code = 6


class OutputError(DbrtError):
    """An output that can't be written, or would be overwritten."""

    exit_code = 7


class TrainingError(DbrtError):
    """A training run that met NaN, diverged or has no data."""

    exit_code = 8


DISK_FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name))


def unwritable(path: object, exc: OSError) -> OutputError:
    """Return the error for a path that can't be written, with what to do."""
    if exc.errno in DISK_FULL:
        return OutputError(
            f"{path}: can't be written, the disk is full: free some space or write elsewhere"
        )
    return OutputError(f"{path}: can't be written: {exc.strerror or exc}: write elsewhere")
