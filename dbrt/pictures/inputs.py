"""Which pictures the arguments of a command mean: files, folders and globs."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from dbrt.datasets.annotations import PICTURE_SUFFIXES, list_pictures, natural_key
from dbrt.errors import InputError


def find_pictures(
    arguments: Sequence[str], *, recursive: bool = False
) -> tuple[list[Path], list[InputError]]:
    """Return the pictures that `arguments` mean, each once, and an error for each that means none.

    A file is taken as it is; of a folder the visible files with a picture's suffix are, in natural
    order, with `recursive` also of the folders below it. What is neither and has `*`, `?` or `[`
    in it is a glob (`**` for any depth) and stands for what it matches, as if a shell had expanded
    it: the same everywhere, and in quotes. No picture is opened here.
    """
    found: dict[str, Path] = {}
    failures = []
    for argument in arguments:
        try:
            for path in _expand(argument):
                for picture in _of_folder(path, recursive) if path.is_dir() else [path]:
                    found.setdefault(os.path.normcase(os.path.abspath(picture)), picture)
        except InputError as exc:
            failures.append(exc)
    return list(found.values()), failures


def _expand(argument: str) -> list[Path]:
    if os.path.lexists(argument):
        return [Path(argument)]
    if not glob.has_magic(argument):
        raise InputError(f"{argument}: no such picture or folder: check the path")
    matches = [Path(match) for match in glob.iglob(argument, recursive=True)]
    if not matches:
        raise InputError(f"{argument}: matches no file: check the pattern")
    return _sorted(matches)


def _of_folder(folder: Path, recursive: bool) -> list[Path]:
    """Return the pictures of a folder; InputError where there is none or it can't be listed."""
    pictures = _walk(folder) if recursive else list_pictures(folder)
    if not pictures:
        deeper = "" if recursive else ", or give --recursive for the folders in it"
        raise InputError(
            f"{folder}: holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))}){deeper}"
        )
    return pictures


def _walk(folder: Path) -> list[Path]:
    """Return the pictures below a folder; links to folders are not followed, hidden ones left out.

    Raises InputError where one of the folders can't be listed: none is left out in silence.
    """
    pictures: list[Path] = []

    def refuse(exc: OSError) -> None:
        raise InputError(f"{exc.filename}: {exc.strerror}: this folder can't be listed")

    for place, folders, _ in os.walk(folder, onerror=refuse):
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=natural_key)
        pictures += list_pictures(Path(place))
    return pictures


def _sorted(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: [natural_key(part) for part in path.parts])
