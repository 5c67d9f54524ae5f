"""Font files of this machine: where they lie, and which of them can set plain Latin text."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dbrt.errors import InputError
from dbrt.synth.lettering import has_glyphs

SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
PROBE = "ABCGHRabcghr0123456789$%.,:!?/-"
INSTALL = "install some (Debian: apt-get install fonts-dejavu-core fonts-lato) or name a folder"
# Fonts whose letters are drawings, or too thin to be seen at the sizes of scene text.
UNFIT = ("symbol", "dingbat", "emoji", "math", "d050000l", "hairline", "thin", "barcode")


def system_folders() -> list[Path]:
    """Where this platform keeps fonts, whether the folders exist or not."""
    home = Path.home()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA", str(home))
        windows = Path(os.environ.get("WINDIR", "C:/Windows"))
        return [windows / "Fonts", Path(local) / "Microsoft/Windows/Fonts"]
    if sys.platform == "darwin":
        return [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    return [
        Path("/usr/share/fonts"),
        Path("/usr/local/share/fonts"),
        home / ".local/share/fonts",
        home / ".fonts",
    ]


def font_files(folder: Path | None = None) -> list[Path]:
    """List font files, one for each file name, sorted by name; the system's without a folder.

    raises  InputError for a folder that is not there or holds no font
    """
    if folder is not None and not folder.is_dir():
        raise InputError(f"no such folder of fonts: {folder}")
    folders = [folder] if folder is not None else system_folders()
    found: dict[str, Path] = {}
    for place in folders:
        for path in sorted(place.rglob("*")) if place.is_dir() else ():
            if path.suffix.lower() in SUFFIXES and not any(u in path.name.lower() for u in UNFIT):
                found.setdefault(path.name, path)
    if not found:
        where = folder if folder is not None else "the system's font folders"
        raise InputError(f"no font files (.ttf, .otf, .ttc) in {where}: {INSTALL}")
    return [found[name] for name in sorted(found)]


def latin_fonts(folder: Path | None = None) -> list[Path]:
    """List the font files that draw Latin letters and digits; InputError where there is none."""
    fit = [path for path in font_files(folder) if _sets_latin(path)]
    if not fit:
        raise InputError(f"no font in {folder or 'the system'} draws Latin letters: {INSTALL}")
    return fit


def _sets_latin(path: Path) -> bool:
    try:
        return has_glyphs(path, PROBE)
    except InputError:
        return False


def font_named(name: str, folder: Path | None = None) -> Path:
    """One font file by its name, `Lato-Black.ttf`; InputError says that it is missing."""
    for path in font_files(folder):
        if path.name == name:
            return path
    raise InputError(f"the font {name} is not on this machine: {INSTALL}")
