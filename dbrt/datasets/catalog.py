"""The data sets by name: where each keeps its pictures and annotations, and who reads them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dbrt.datasets.annotations import pair
from dbrt.datasets.icdar import read_icdar
from dbrt.datasets.sample import Dataset, Word
from dbrt.errors import InputError, UsageError


@dataclass(frozen=True)
class _Layout:
    """One way in which a split lies on disk, relative to the data set's folder.

    pictures, annotations  folders by split
    names                  the annotation's possible file names, `{stem}` stands for the picture's
    """

    pictures: Mapping[str, str]
    annotations: Mapping[str, str]
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Format:
    """A data set: its folder's possible names, its layouts, and the reader of one annotation."""

    folders: tuple[str, ...]
    layouts: tuple[_Layout, ...]
    read: Callable[[Path], list[Word]]


_SPLITS = ("train", "test")


def _plain(*names: str) -> _Layout:
    """SPLIT/images and SPLIT/gts: dbrt's own layout, which every data set may have."""
    return _Layout(
        {split: f"{split}/images" for split in _SPLITS},
        {split: f"{split}/gts" for split in _SPLITS},
        names,
    )


_FORMATS: dict[str, _Format] = {
    "icdar2015": _Format(
        ("icdar2015",),
        (
            _plain("gt_{stem}.txt"),
            _Layout(
                {"train": "ch4_training_images", "test": "ch4_test_images"},
                {
                    "train": "ch4_training_localization_transcription_gt",
                    "test": "Challenge4_Test_Task1_GT",
                },
                ("gt_{stem}.txt",),
            ),
        ),
        read_icdar,
    ),
}

NAMES: tuple[str, ...] = (*_FORMATS, "folder")


def open_dataset(name: str, split: str | None = None, root: str | Path | None = None) -> Dataset:
    """Read all annotations of one split of a data set.

    `name` is one of `NAMES`. `root` is the folder that holds the data sets, or the data set's own
    folder; without it the environment variable DBRT_DATA is taken. The data set `folder` is any
    folder (`root`, or `root/split`) with `images/` and `gts/gt_<stem>.txt` in ICDAR 2015's form.

    Raises UsageError for an unknown name or split, InputError where data is missing or malformed.
    """
    if name not in NAMES:
        raise UsageError(f"no data set {name!r}: choose from {', '.join(NAMES)}")
    root = root if root is not None else os.environ.get("DBRT_DATA") or None
    if root is None:
        raise InputError(
            f"where {name} lies is not known: set DBRT_DATA to the folder that holds the data sets"
        )
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; data sets are looked for there")
    if name == "folder":
        base = root / split if split else root
        return Dataset(
            name, split, pair(base / "images", base / "gts", ("gt_{stem}.txt",), read_icdar)
        )
    if split not in _SPLITS:
        raise UsageError(f"no split {split!r} of {name}: choose from {', '.join(_SPLITS)}")
    pictures, annotations, names = _find(name, split, root)
    return Dataset(name, split, pair(pictures, annotations, names, _FORMATS[name].read))


def _find(name: str, split: str, root: Path) -> tuple[Path, Path, tuple[str, ...]]:
    """Return the pictures' and the annotations' folder, and the annotations' names."""
    form = _FORMATS[name]
    bases = [*(root / folder for folder in form.folders), root]
    for base in bases:
        for layout in form.layouts:
            pictures, annotations = base / layout.pictures[split], base / layout.annotations[split]
            if pictures.is_dir() and annotations.is_dir():
                return pictures, annotations, layout.names
    expected = bases[0] / form.layouts[0].pictures[split]
    raise InputError(
        f"{root}: holds no {name} {split}: put pictures under {expected} "
        f"and annotations under {expected.parent / 'gts'}"
    )
