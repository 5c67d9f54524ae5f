"""How text is laid out: a line, a sign, a plate, a paragraph, a receipt, a column, a caption.

Each function sets one block, larger than it will appear. Heights are those of capitals as they
will appear, pixels of the picture; a block is None where the draw left nothing to set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dbrt.synth import words
from dbrt.synth.fonts import FontBook
from dbrt.synth.scripts import SCRIPTS, Script
from dbrt.synth.typeset import Block, Face, Galley, fitting_size, line_width, word_gap

Rng = np.random.Generator
CAP_HEIGHT = 0.72  # of the em, about
MAX_CANVAS_PX = 3200  # of a block's side as it is drawn


@dataclass(frozen=True)
class Press:
    """What blocks of one picture are set with.

    book     the fonts
    scripts  names and shares of the scripts of this picture
    rng      where all draws come from
    """

    book: FontBook
    scripts: tuple[tuple[str, float], ...]
    rng: Rng

    @property
    def has_latin(self) -> bool:
        """Whether there is a font for what is Latin everywhere: plates, prices."""
        return "latin" in self.book.families

    def script(self) -> Script:
        """Draw one of the picture's scripts."""
        shares = np.array([share for _, share in self.scripts])
        index = int(self.rng.choice(len(shares), p=shares / shares.sum()))
        return SCRIPTS[self.scripts[index][0]]

    def face(self, script: Script, cap_px: float) -> tuple[Face, float]:
        """Draw a font of a script; return it at the size to draw at, and the em as it appears."""
        em_px = cap_px / (0.9 if script.is_cjk else CAP_HEIGHT)
        path = self.book.pick(script.name, self.rng)
        return Face(path, fitting_size(em_px), script.needs_shaping, script.is_rtl), em_px


def press(book: FontBook, rng: Rng) -> Press:
    """Draw the scripts of a picture: one by weight, and Latin beside it."""
    names = [name for name in SCRIPTS if name in book.families]
    weights = np.array([SCRIPTS[name].weight for name in names])
    main = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    if main == "latin" or "latin" not in names:
        return Press(book, ((main, 1.0),), rng)
    return Press(book, ((main, 0.75), ("latin", 0.25)), rng)


def _texts(script: Script, count: int, rng: Rng, capitals: float = 0.4) -> list[str]:
    drawn = [script.word(rng) for _ in range(count)]
    if script.name in {"latin", "accented"}:
        drawn = words.cased(drawn, rng, capitals=capitals)
        if rng.random() < 0.1:
            drawn[-1] += str(rng.choice(list(".!?:,")))
    return drawn


def _cut_to(texts: list[str], face: Face, room: float, spacing: float = 0.0) -> list[str]:
    """Drop words from the end, or letters of the only one, until the line is no wider than room."""
    font, gap = face.open(), word_gap(face, spacing)
    ends, x = [], 0.0
    for text in texts:
        x += font.getlength(text) + len(text) * spacing
        ends.append(x)
        x += gap
        if x > room:
            break
    count = sum(end <= room for end in ends)
    if count:
        return texts[:count]
    keep = int(len(texts[0]) * room / ends[0])
    return [texts[0][:keep]] if keep else []


def _room(width_px: float, em_px: float, face: Face) -> float:
    return min(width_px / em_px * face.size, MAX_CANVAS_PX)


def lines(
    press: Press, cap_px: float, room_px: float, *, count: int = 1, most: int = 4,
    capitals: float = 0.4, align: float | None = None, leading: float | None = None,
    is_full: bool = False,
) -> Block | None:  # fmt: skip
    """Set so many lines in one font below one another.

    room_px  how wide a line may become in the picture
    most     words in a line at most
    is_full  lines are filled up to the room, as in a paragraph
    """
    rng, script = press.rng, press.script()
    face, em_px = press.face(script, cap_px)
    can_space = not (script.needs_shaping or is_full)
    spacing = float(rng.choice([0, 0, 0, 0, 0.05, 0.12, 0.3])) * face.size if can_space else 0.0
    room = _room(room_px, em_px, face)
    leading = float(rng.uniform(1.15, 1.7)) if leading is None else leading
    leading *= 1.25 if script.needs_shaping else 1.0
    align = float(rng.choice([0.0, 0.5, 1.0])) if align is None else align
    rows = []
    for _ in range(count):
        wanted = 60 if is_full else int(rng.integers(1, most + 1))
        if script.is_cjk:
            wanted = max(1, wanted // 3)
        if is_full:
            wanted = min(wanted, max(1, int(room / face.size * 0.4)))
        row = _cut_to(_texts(script, wanted, rng, capitals), face, room, spacing)
        if row:
            rows.append(row)
    if not rows:
        return None
    widths = [line_width(row, face, spacing) for row in rows]
    pitch = leading * face.size
    height = int(pitch * (len(rows) - 1) + 2.8 * face.size)
    galley = Galley(int(max(widths) + 1.6 * face.size), height)
    for n, (row, width) in enumerate(zip(rows, widths, strict=True)):
        x = 0.8 * face.size + (max(widths) - width) * align
        galley.write(row, face, (x, 1.6 * face.size + n * pitch), spacing=spacing)
    return galley.block(em_px, face.size)


def plate(press: Press, cap_px: float) -> Block | None:
    """Set a number plate: capitals and digits set wide."""
    rng = press.rng
    if not press.has_latin:
        return lines(press, cap_px, 12 * cap_px, most=1)
    face, em_px = press.face(SCRIPTS["latin"], cap_px)
    text = words.plate(rng)
    # whether a plate's groups are words of their own follows its spaces, as in ICDAR 2015
    texts = text.split()
    spacing = float(rng.uniform(0.02, 0.3)) * face.size
    galley = Galley(int(line_width(texts, face, spacing) + 2 * face.size), int(2.6 * face.size))
    galley.write(texts, face, (0.9 * face.size, 1.6 * face.size), spacing=spacing)
    return galley.block(em_px, face.size)


def column(press: Press, cap_px: float, room_px: float) -> Block | None:
    """Set one to three columns of characters downwards, from the right to the left."""
    rng = press.rng
    upright = [n for n, _ in press.scripts if not SCRIPTS[n].needs_shaping]
    if not upright:
        return None
    script = SCRIPTS[next((n for n in upright if SCRIPTS[n].is_cjk), upright[0])]
    face, em_px = press.face(script, cap_px)
    pitch = face.size * float(rng.uniform(1.02, 1.3))
    longest = max(2, int(min(room_px / em_px, MAX_CANVAS_PX / face.size) * face.size / pitch))
    count = int(rng.choice([1, 1, 1, 2, 3]))
    runs = []
    for _ in range(count):
        text = "".join(script.word(rng) for _ in range(3))[: int(rng.integers(2, 11))][:longest]
        runs.append(text.replace("ー", "").upper() or "8")  # that sign stands upright downwards
    step = face.size * float(rng.uniform(1.3, 2.0))
    galley = Galley(int(step * count + face.size), int(pitch * max(map(len, runs)) + 2 * face.size))
    for n, text in enumerate(runs):
        x = face.size * 0.9 + step * (count - 1 - n)
        galley.write_down(text, face, (x, 0.6 * face.size), pitch)
    return galley.block(em_px, face.size)


def receipt(press: Press, cap_px: float, room_px: float, rows: int) -> Block | None:
    """Set a till receipt: a heading, then items at the left with prices at the right."""
    rng = press.rng
    if not press.has_latin:
        return lines(press, cap_px, room_px, count=rows, align=0.0)
    script = SCRIPTS["latin"]
    face, em_px = press.face(script, cap_px)
    room = _room(room_px, em_px, face)
    pitch = face.size * float(rng.uniform(1.1, 1.5))
    galley = Galley(int(room + 1.6 * face.size), int(pitch * rows + 2.5 * face.size))
    capitals = 1.0 if rng.random() < 0.5 else 0.2
    left = 0.8 * face.size
    for n in range(rows):
        y = 1.6 * face.size + n * pitch
        kind = rng.random()
        if n < 3 or kind < 0.12:
            row = _cut_to(_texts(script, int(rng.integers(1, 4)), rng, capitals), face, room)
            if row:
                galley.write(row, face, (left + (room - line_width(row, face)) / 2, y))
        elif kind < 0.9:
            price = [f"{int(rng.integers(0, 300))}.{int(rng.integers(100)):02d}"]
            width = line_width(price, face)
            count = int(rng.integers(1, 4))
            row = _cut_to(_texts(script, count, rng, capitals), face, room - width - face.size)
            if row:
                galley.write(row, face, (left, y))
            galley.write(price, face, (left + room - width, y))
    return galley.block(em_px, face.size)
