"""Names for the outputs of pictures, so that no two pictures share one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def output_names(pictures: Sequence[Path]) -> list[str]:
    """Return a name without suffix for the outputs of each picture; all differ, whatever the case.

    The picture's own name where only one has it. Of two in one folder, a.jpg and a.png, the suffix
    becomes part of it: a_jpg, a_png. Of two in different folders, the folders do, as many as it
    takes: north_a, south_a. Where even that is not enough, a number.
    """
    paths = [Path(os.path.abspath(picture)) for picture in pictures]
    places = Counter(_key(str(path.with_suffix(""))) for path in paths)
    last = [
        path.stem if places[_key(str(path.with_suffix("")))] == 1 else path.name.replace(".", "_")
        for path in paths
    ]
    folders = [path.parent.parts[1:] for path in paths]  # without the root or the drive
    depths = [0] * len(paths)
    while True:
        names = [
            "_".join([*above[len(above) - depth :], name])
            for above, depth, name in zip(folders, depths, last, strict=True)
        ]
        taken = Counter(map(_key, names))
        deeper = [
            i
            for i, name in enumerate(names)
            if taken[_key(name)] > 1 and depths[i] < len(folders[i])
        ]
        if not deeper:
            return _numbered(names)
        for i in deeper:
            depths[i] += 1


def _numbered(names: list[str]) -> list[str]:
    taken = set()
    result = []
    for name in names:
        chosen, number = name, 1
        while _key(chosen) in taken:
            number += 1
            chosen = f"{name}-{number}"
        taken.add(_key(chosen))
        result.append(chosen)
    return result


def _key(name: str) -> str:
    # Windows and macOS take Sign.jpg and sign.jpg for one file.
    return name.casefold()
