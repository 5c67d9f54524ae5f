"""Labelled pictures: readers of the public annotation formats, and of pictures themselves."""

from __future__ import annotations

from dbrt.datasets.annotations import PICTURE_SUFFIXES, list_pictures
from dbrt.datasets.catalog import NAMES, open_dataset
from dbrt.datasets.pictures import picture_size, read_picture
from dbrt.datasets.sample import Dataset, Sample, Word

__all__ = [
    "NAMES",
    "PICTURE_SUFFIXES",
    "Dataset",
    "Sample",
    "Word",
    "list_pictures",
    "open_dataset",
    "picture_size",
    "read_picture",
]
