"""Counts in words, for messages and tables."""

from __future__ import annotations


def counted(number: int, what: str, several: str | None = None) -> str:
    """Return "1 picture" or "2 pictures"; `several` is the plural where it is no mere "s"."""
    return f"{number} {what if number == 1 else several or what + 's'}"
