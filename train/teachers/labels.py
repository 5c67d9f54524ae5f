"""Pictures and a teacher's words as a data set in ICDAR 2015's form."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dbrt.datasets import read_picture
from dbrt.errors import InputError, unwritable
from dbrt.train.teachers.teacher import Teacher
from dbrt.train.teachers.words import ScoredQuad

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_DONT_CARE = "###"


@dataclass
class Tally:
    """What was labelled: pictures, words, don't-care words; the files that could not be read."""

    pictures: int = 0
    words: int = 0
    dont_care: int = 0
    failures: list[str] = field(default_factory=list)


def find_pictures(folder: Path, limit: int | None = None) -> list[Path]:
    """Return the picture files of a folder by name, `limit` of them spread over all.

    Raises InputError where there are none.
    """
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    except OSError as exc:
        raise InputError(f"cannot read {folder}: {exc.strerror}") from None
    if not found:
        raise InputError(f"{folder} holds no pictures ({', '.join(SUFFIXES)})")
    if limit is None or limit >= len(found):
        return found
    return [found[i * len(found) // limit] for i in range(limit)]


def write_labels(
    teacher: Teacher,
    pictures: Sequence[Path],
    out: Path,
    *,
    sure: float,
    doubt: float,
    progress: Callable[[int], None] = lambda done: None,
) -> Tally:
    """Label `pictures`: out/images gets a copy of each, out/gts a text file of its words.

    sure   words from this score on are labelled; in place of the text stands the score
    doubt  words from this score on are don't-care, others are left out

    A picture's labels appear in one move, after its copy: a run that was stopped leaves whole
    pictures. Pictures that are labelled already are passed over, so it can be run again.
    Pictures that can't be read are named in the tally; raises OutputError where the folder can't
    be written.
    """
    tally = Tally()
    images, truths = _folders(out)
    for done, path in enumerate(pictures, start=1):
        truth = truths / f"gt_{path.stem}.txt"
        if not truth.exists():
            try:
                words = teacher.find(read_picture(path))
            except InputError as exc:
                tally.failures.append(str(exc))
                continue
            kept = [word for word in words if word.score >= min(sure, doubt)]
            _write(path, images / path.name, truth, kept, sure)
            care = sum(word.score >= sure for word in kept)
            tally.pictures += 1
            tally.words += care
            tally.dont_care += len(kept) - care
        progress(done)
    return tally


def _folders(out: Path) -> tuple[Path, Path]:
    folders = out / "images", out / "gts"
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise unwritable(out, exc) from None
    return folders


def _write(
    picture: Path, image: Path, truth: Path, words: Sequence[ScoredQuad], sure: float
) -> None:
    lines = []
    for word in words:
        corners = ",".join(str(round(float(value))) for value in word.quad.ravel())
        lines.append(
            f"{corners},{word.score:.2f}" if word.score >= sure else f"{corners},{_DONT_CARE}"
        )
    partial = truth.with_name(truth.name + ".part")
    try:
        if not image.exists():
            shutil.copyfile(picture, image)
        partial.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        partial.replace(truth)
    except OSError as exc:
        raise unwritable(truth, exc) from None
