"""Word, Sample and Dataset: what every annotation format is read into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

Polygon = NDArray[np.float32]  # (M, 2) x, y


@dataclass(frozen=True, eq=False)
class Word:
    """One annotated text instance: a word, or a line where the data set annotates lines.

    polygon  (M, 2) float32, pixels of the upright picture, M >= 3, in the order of the annotation
    text     the transcription, empty where the format has none
    care     False where the annotation says that it should count neither as hit nor as miss
    """

    polygon: Polygon
    text: str = ""
    care: bool = True


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture and the words on it."""

    path: Path
    words: list[Word]


@dataclass(frozen=True, eq=False)
class Dataset(Sequence[Sample]):
    """The samples of one split, in natural order of their names; annotations are already read.

    name     as given to `open_dataset`
    split    "train", "test", ..., or None for a folder without splits
    samples  the samples; pictures are read by `read_picture(sample.path)`
    """

    name: str
    split: str | None
    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Sample | Dataset:
        if isinstance(index, slice):
            return Dataset(self.name, self.split, self.samples[index])
        return self.samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    @property
    def care_words(self) -> int:
        """How many words of all samples count."""
        return sum(word.care for sample in self.samples for word in sample.words)
