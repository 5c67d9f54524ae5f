"""Font files of this machine: where they lie, and which of them can set plain Latin text."""

from __future__ import annotations

import logging
import os
import re
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dbrt.errors import InputError, RunnerError, UsageError
from dbrt.synth.scripts import SCRIPTS, Script
from dbrt.synth.typeset import open_face

SUFFIXES = frozenset({".ttf", ".otf", ".ttc"})
INSTALL = "install some (Debian: apt-get install fonts-dejavu-core fonts-lato) or name a folder"
# Fonts whose letters are drawings, or too thin to be seen at the sizes of scene text.
UNFIT = ("symbol", "dingbat", "emoji", "math", "d050000l", "hairline", "thin", "barcode")
CJK_FROM = 0x2E80  # code point where the blocks of Chinese, Japanese and Korean begin
FAMILY_FILES = 8  # files of one family that are taken at most: a family of 70 weights adds little
# What a file name says beside the family.
_STYLES = re.compile(
    r"(thin|light|regular|roman|book|medium|semi|demi|bold|black|heavy|extra|ultra|italic|oblique"
    r"|condensed|narrow|[^a-z])+"
)


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


def font_named(name: str, folder: Path | None = None) -> Path:
    """One font file by its name, `Lato-Black.ttf`; InputError says that it is missing."""
    for path in font_files(folder):
        if path.name == name:
            return path
    raise InputError(f"the font {name} is not on this machine: {INSTALL}")


def family(path: Path) -> str:
    """The family of a font file by its name: of `NotoSansThai-Bold.ttf` it is `notosansthai`."""
    name = path.stem.split("[")[0].lower()
    return _STYLES.sub("", name) or name


def _look(path: Path) -> str:
    """What a font looks like: the Noto fonts of all scripts share their Latin letters."""
    name = family(path)
    return next((n for n in ("notosansmono", "notosans", "notoserif") if name.startswith(n)), name)


def _mapped(path: Path) -> frozenset[int]:
    """The code points that a font file maps to glyphs (of a collection, its first font)."""
    try:
        from fontTools.ttLib import TTFont, TTLibError
    except ImportError as exc:
        raise RunnerError('drawing text needs fonttools: pip install "dbrt[synth]"') from exc
    # it warns of small faults in tables that do not matter here
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
    try:
        # a path would be left open where it holds no font
        with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (TTLibError, OSError, KeyError, AssertionError, ValueError, struct.error):
        return frozenset()


def _blank(path: Path, characters: frozenset[int]) -> frozenset[int]:
    """Those code points that a font maps to glyphs without ink, as some fonts do.

    Of the thousands of a large script every 50th is looked at.
    """
    small = [c for c in sorted(characters) if c < CJK_FROM]
    large = [c for c in sorted(characters) if c >= CJK_FROM]
    try:
        font = open_face(path, 16, False)
        return frozenset(c for c in small + large[::50] if font.getmask(chr(c)).getbbox() is None)
    except (InputError, OSError):  # fonttools reads it, FreeType does not
        return characters


@dataclass(frozen=True)
class FontBook:
    """Fonts by script, and in each script by family, so that large families do not crowd others.

    families  script name to families, each a tuple of font files
    """

    families: dict[str, tuple[tuple[Path, ...], ...]]

    def pick(self, script: str, rng: np.random.Generator) -> Path:
        """Draw a font that has every character of a script."""
        families = self.families[script]
        files = families[int(rng.integers(len(families)))]
        return files[int(rng.integers(len(files)))]

    def files(self) -> list[Path]:
        """All font files, sorted."""
        return sorted({f for fs in self.families.values() for family in fs for f in family})


def font_book(folder: Path | None = None, scripts: Sequence[str] | None = None) -> FontBook:
    """Look through the fonts of a folder, or of the system, for those that can set each script.

    scripts  names in `scripts.SCRIPTS`: each must find a font; None takes those that do
    raises   InputError that names what is missing and how to install it, UsageError for a
             script that is not known, RunnerError without Pillow, fonttools or, for a script that
             was asked for, raqm
    """
    _check_scripts(scripts)
    by_family: dict[str, list[Path]] = {}
    for path in font_files(folder):
        by_family.setdefault(family(path), []).append(path)
    repertoires = {n: frozenset(map(ord, s.repertoire)) for n, s in _possible(scripts).items()}
    found: dict[str, dict[str, list[Path]]] = {name: {} for name in repertoires}
    for paths in by_family.values():
        for path in paths[:FAMILY_FILES]:
            mapped = _mapped(path)
            fit = [name for name, repertoire in repertoires.items() if repertoire <= mapped]
            if not fit:
                continue
            blank = _blank(path, frozenset().union(*(repertoires[name] for name in fit)))
            for name in fit:
                if not repertoires[name] & blank:
                    found[name].setdefault(_look(path), []).append(path)
    missing = [name for name in repertoires if not found[name]]
    where = folder or "the system's font folders"
    for name in missing:
        if scripts is not None or name == "latin":
            packages = " ".join(SCRIPTS[name].packages)
            raise InputError(
                f"no font in {where} draws {name}: apt-get install {packages}, or name a folder"
            )
    return FontBook({n: tuple(tuple(f) for f in fs.values()) for n, fs in found.items() if fs})


def _check_scripts(scripts: Sequence[str] | None) -> None:
    for name in scripts or ():
        if name not in SCRIPTS:
            raise UsageError(f"no script {name!r}: choose from {', '.join(SCRIPTS)}")
        if SCRIPTS[name].needs_shaping and not has_raqm():
            raise RunnerError(
                f"{name} needs Pillow with raqm, which joins its letters: pip install -U Pillow"
            )


def _possible(scripts: Sequence[str] | None) -> dict[str, Script]:
    """The scripts that were asked for, or all that this Pillow can shape."""
    names = scripts if scripts is not None else SCRIPTS
    return {n: SCRIPTS[n] for n in names if has_raqm() or not SCRIPTS[n].needs_shaping}


def has_raqm() -> bool:
    """Whether Pillow was built with raqm, which shapes scripts whose letters join."""
    try:
        from PIL import features
    except ImportError as exc:
        raise RunnerError('drawing text needs Pillow: pip install "dbrt[synth]"') from exc
    return bool(features.check("raqm"))
