"""Whose fonts and photographs a series of pictures is made from, and under which licence."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DOC = Path("/usr/share/doc")
UNKNOWN = "not from a Debian package: see where you have it from"


@dataclass(frozen=True)
class Origin:
    """A package (or a folder, where no package owns the files), its licences, its files used."""

    name: str
    licence: str
    files: tuple[Path, ...]


def origins(files: Iterable[Path]) -> list[Origin]:
    """Group files by the Debian package that owns them, with the licences it declares."""
    owners = _owners(sorted(set(files)))
    grouped: dict[str, list[Path]] = {}
    for path, package in owners.items():
        grouped.setdefault(package or str(path.parent), []).append(path)
    return [
        Origin(name, declared_licences(name) if "/" not in name else UNKNOWN, tuple(paths))
        for name, paths in sorted(grouped.items())
    ]


def _owners(files: list[Path]) -> dict[Path, str]:
    """Ask dpkg which package each file belongs to; an empty name where none does."""
    owners = dict.fromkeys(files, "")
    if not files or shutil.which("dpkg-query") is None:
        return owners
    command = ["dpkg-query", "--search", *map(str, files)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in answer.stdout.splitlines():
        package, _, name = line.partition(": ")
        if Path(name) in owners:
            owners[Path(name)] = package.split(",")[0].split(":")[0]
    return owners


def declared_licences(package: str, doc: Path = DOC) -> str:
    """The licences that a package's copyright file names, or where to read them."""
    path = doc / package / "copyright"
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return UNKNOWN
    names = dict.fromkeys(re.findall(r"^License:[ \t]*(\S[^\n]*)", text, re.MULTILINE))
    return ", ".join(name.strip() for name in names) or f"see {path}"


def licence_list(fonts: Iterable[Path], photographs: Iterable[Path]) -> str:
    """Write the list that goes beside a series of pictures, as plain text."""
    parts = [
        "These pictures were drawn by dbrt synth with the fonts and photographs below.\n"
        "Each line is a Debian package, the licences its copyright file names, and the files.\n"
    ]
    for title, files in (("Fonts", fonts), ("Photographs", photographs)):
        parts.append(f"\n{title}\n")
        found = origins(files)
        parts += [
            f"  {origin.name}: {origin.licence}\n    {', '.join(p.name for p in origin.files)}\n"
            for origin in found
        ] or ["  none\n"]
    return "".join(parts)
