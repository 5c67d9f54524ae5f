"""The data sets by name: where each keeps its pictures and annotations, and who reads them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dbrt.datasets.annotations import pair
from dbrt.datasets.ctw import read_ctw
from dbrt.datasets.icdar import read_icdar
from dbrt.datasets.msra import read_msra
from dbrt.datasets.sample import Dataset, Word
from dbrt.datasets.totaltext import read_total_text
from dbrt.errors import InputError, UsageError

SPLITS = ("train", "test")


@dataclass(frozen=True)
class _Layout:
    """One way in which a data set lies on disk, relative to its own folder.

    pictures     folder, with `{split}` (train) and `{Split}` (Train)
    annotations  likewise
    names        the annotation's possible file names, with `{stem}` for the picture's
    split        the one split that lies so, or None for all
    """

    pictures: str
    annotations: str
    names: tuple[str, ...]
    split: str | None = None


@dataclass(frozen=True)
class _Format:
    """A data set: its folder's possible names, its layouts, and the reader of one annotation.

    The first layout is dbrt's own, the others are those of the published archives.
    """

    folders: tuple[str, ...]
    layouts: tuple[_Layout, ...]
    read: Callable[[Path], list[Word]]


_IMAGES, _GTS = "{split}/images", "{split}/gts"
_TOTAL_TEXT = ("poly_gt_{stem}.txt", "gt_{stem}.txt", "{stem}.txt", "poly_gt_{stem}.mat")

_FORMATS: dict[str, _Format] = {
    "icdar2015": _Format(
        ("icdar2015", "ICDAR2015"),
        (
            _Layout(_IMAGES, _GTS, ("gt_{stem}.txt",)),
            _Layout(
                "ch4_training_images",
                "ch4_training_localization_transcription_gt",
                ("gt_{stem}.txt",),
                "train",
            ),
            _Layout("ch4_test_images", "Challenge4_Test_Task1_GT", ("gt_{stem}.txt",), "test"),
        ),
        read_icdar,
    ),
    "msra-td500": _Format(
        ("msra-td500", "MSRA-TD500"),
        (
            _Layout(_IMAGES, _GTS, ("{stem}.gt", "{stem}.GT")),
            _Layout("{split}", "{split}", ("{stem}.gt", "{stem}.GT")),
        ),
        read_msra,
    ),
    "ctw1500": _Format(
        ("ctw1500", "CTW1500", "ctw-1500"),
        (
            _Layout(_IMAGES, _GTS, ("{stem}.txt", "{stem}.xml")),
            _Layout("{split}/text_image", "{split}/text_label_curve", ("{stem}.txt",)),
            _Layout("train_images", "ctw1500_train_labels", ("{stem}.xml",), "train"),
            _Layout("test_images", "gt_ctw1500", ("000{stem}.txt", "{stem}.txt"), "test"),
        ),
        read_ctw,
    ),
    "total-text": _Format(
        ("total-text", "Total-Text", "totaltext"),
        (
            _Layout(_IMAGES, _GTS, _TOTAL_TEXT),
            _Layout("Images/{Split}", "Groundtruth/Polygon/{Split}", _TOTAL_TEXT),
            _Layout("Images/{Split}", "txt_format/{Split}", _TOTAL_TEXT),
            _Layout("Images/{Split}", "gt/{Split}", _TOTAL_TEXT),
        ),
        read_total_text,
    ),
    # Receipts, text lines in ICDAR 2015's form (Z. Huang et al., "ICDAR2019 competition on scanned
    # receipt OCR and information extraction", ICDAR 2019). The second layout is that of the copies
    # that put all labelled receipts into one folder.
    "sroie": _Format(
        ("sroie", "SROIE"),
        (
            _Layout(_IMAGES, _GTS, ("gt_{stem}.txt", "{stem}.txt")),
            _Layout("data/img", "data/box", ("{stem}.csv", "{stem}.txt"), "train"),
        ),
        read_icdar,
    ),
}


def _read_quads_or_polygons(path: Path) -> list[Word]:
    """Read `gts/gt_x.txt`, or `polygons/poly_gt_x.txt` where `dbrt synth` wrote one beside it."""
    polygons = path.parent.parent / "polygons" / f"poly_{path.name}"
    return read_total_text(polygons) if polygons.is_file() else read_icdar(path)


_FOLDER = _Format(("",), (_Layout("images", "gts", ("gt_{stem}.txt",)),), _read_quads_or_polygons)

NAMES: tuple[str, ...] = (*_FORMATS, "folder")


def open_dataset(name: str, split: str | None = None, root: str | Path | None = None) -> Dataset:
    """Read all annotations of one split of a data set.

    `name` is one of `NAMES`. `root` is the folder that holds the data sets, or the data set's own
    folder; without it the environment variable DBRT_DATA is taken. The data set `folder` is any
    folder (`root`, or `root/split`) with `images/` and `gts/gt_<stem>.txt` in ICDAR 2015's form;
    where there is `polygons/poly_gt_<stem>.txt` in Total-Text's form, it is read instead.

    Raises UsageError for an unknown name or split, InputError where data is missing or malformed.
    """
    if name not in NAMES:
        raise UsageError(f"no data set {name!r}: choose from {', '.join(NAMES)}")
    if name != "folder" and split not in SPLITS:
        raise UsageError(f"no split {split!r} of {name}: choose from {', '.join(SPLITS)}")
    root = root if root is not None else os.environ.get("DBRT_DATA") or None
    if root is None:
        raise InputError(
            f"where {name} lies is not known: set DBRT_DATA to the folder that holds the data sets"
        )
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; data sets are looked for there")
    form = _FORMATS.get(name, _FOLDER)
    if name == "folder":
        bases = [root / (split or "")]
    else:
        bases = [*(root / folder for folder in form.folders), root]
    pictures, annotations, names = _find(name, form.layouts, split, bases)
    return Dataset(name, split, pair(pictures, annotations, names, form.read))


def _find(
    name: str, layouts: tuple[_Layout, ...], split: str | None, bases: list[Path]
) -> tuple[Path, Path, tuple[str, ...]]:
    """Return the pictures' and the annotations' folder, and the annotations' names."""
    words = {"split": split or "", "Split": (split or "").capitalize()}
    fitting = [layout for layout in layouts if layout.split in {None, split}]
    for base in bases:
        for layout in fitting:
            pictures = base / layout.pictures.format(**words)
            annotations = base / layout.annotations.format(**words)
            if pictures.is_dir() and annotations.is_dir():
                return pictures, annotations, layout.names
    what = f"{name} {split}" if split else "labelled pictures"
    raise InputError(
        f"{bases[-1]}: holds no {what}: put the pictures under "
        f"{bases[0] / fitting[0].pictures.format(**words)} and the annotations under "
        f"{bases[0] / fitting[0].annotations.format(**words)}"
    )
