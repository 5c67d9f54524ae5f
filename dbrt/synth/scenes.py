"""What a picture shows: signs in a street, a page, a receipt, a screen, captions, or no text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from dbrt.synth import clutter, layouts
from dbrt.synth.backgrounds import background, crop_of, photograph
from dbrt.synth.colours import Colour, luminance, toned
from dbrt.synth.ink import Style, ink_colour, random_colour
from dbrt.synth.pieces import put_piece
from dbrt.synth.stage import Stage, board, level, put_block, random_corners
from dbrt.synth.typeset import Block
from dbrt.synth.warp import Bend, Matrix, Points, Warp

Rng = np.random.Generator


def street(stage: Stage) -> None:
    """A few to many pieces of text of all kinds on a photograph or walls."""
    rng = stage.rng
    stage.picture = background(stage.shape, stage.photographs, stage.series, rng)
    for _ in range(int(rng.integers(3, 16))):
        put_piece(stage)


def empty(stage: Stage) -> None:
    """No text, but much that resembles it."""
    rng = stage.rng
    stage.picture = background(stage.shape, stage.photographs, stage.series, rng)
    clutter.scatter(stage.picture, int(rng.integers(2, 12)), rng)


@dataclass(frozen=True, eq=False)
class Page:
    """A sheet of paper in the picture.

    matrix  (3, 3), the page's own pixels to the picture's
    """

    width: float
    height: float
    matrix: Matrix
    colour: Colour

    def put(self, stage: Stage, block: Block, at: tuple[float, float], style: Style) -> None:
        """Paint a block with its upper left corner at a point of the page."""
        scale = np.array([[block.scale, 0, at[0]], [0, block.scale, at[1]], [0, 0, 1]])
        h, w = block.mask.shape
        put_block(stage, block, Warp(Bend(w, h), self.matrix @ scale), style)


def lay_page(stage: Stage, share: tuple[float, float], aspect: float) -> Page:
    """Lay a page on a background, turned and tilted; one that juts out fills the picture instead.

    share   the least and greatest part of the picture's height that it has
    aspect  its width for its height
    """
    rng, size = stage.rng, np.array([stage.shape[1], stage.shape[0]])
    stage.picture = background(stage.shape, stage.photographs, stage.series, rng)
    height = float(rng.uniform(*share)) * min(size[1], size[0] / aspect)
    angle = float(rng.normal(0, 4)) if rng.random() < 0.8 else float(rng.normal(0, 25))
    corners = random_corners(height * aspect, height, angle, rng)
    corners = corners + size / 2 + rng.uniform(-0.06, 0.06, 2) * size
    if (corners < 1).any() or (corners > size - 1).any():
        # as much of the picture as has the page's shape, level
        width = min(size[0] - 4.0, (size[1] - 4.0) * aspect)
        box = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (width, size[1] - 4.0)
        corners = box + (2 + float(rng.random()) * (size[0] - 4 - width), 2.0)  # noqa: RUF005
    colour = _paint_paper(stage, corners)
    width, height = (float(np.linalg.norm(corners[n] - corners[0])) for n in (1, 3))
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    return Page(width, height, np.asarray(matrix, np.float64), colour)


def _paper(rng: Rng) -> Colour:
    tone = int(rng.integers(190, 256))
    blue, green, red = (int(np.clip(tone + t, 0, 255)) for t in rng.integers(-12, 5, 3))
    return blue, green, red


def _paint_paper(stage: Stage, corners: Points) -> Colour:
    """Paint a sheet of light paper (or, seldom, a coloured one), perhaps shaded to one side."""
    rng = stage.rng
    paper = _paper(rng) if rng.random() < 0.85 else random_colour(rng)
    tile = np.full((200, 200, 4), (*paper, 255), np.uint8)
    if rng.random() < 0.5:
        ramp = np.linspace(1, float(rng.uniform(0.6, 0.95)), 200, dtype=np.float32)
        ramp = ramp[:, None, None] if rng.random() < 0.5 else ramp[None, :, None]
        tile[..., :3] = (tile[..., :3] * ramp).astype(np.uint8)
    clutter.put(stage.picture, tile, corners.astype(np.float32))
    return paper


def document(stage: Stage) -> None:
    """A page of paragraphs with headings, in one or two columns."""
    rng = stage.rng
    page = lay_page(stage, (0.75, 0.96), float(rng.choice([0.71, 0.71, 1.0, 1.4])))
    margin = 0.06 * page.width
    columns = int(rng.choice([1, 1, 2]))
    cap = stage.cap(10, 26)
    tone = rng.integers(0, 70) if luminance(page.colour) > 128 else rng.integers(190, 256)
    room = (page.width - margin * (columns + 1)) / columns
    for n in range(columns):
        _fill_column(stage, page, (margin + n * (room + margin), margin), room, cap, int(tone))


def _fill_column(
    stage: Stage, page: Page, at: tuple[float, float], room: float, cap: float, tone: int
) -> None:
    """Set headings and paragraphs below one another until the page ends."""
    rng, (x, y) = stage.rng, at
    rows_left = int(rng.integers(6, 60))
    while rows_left > 0:
        is_heading = rng.random() < 0.25
        count = 1 if is_heading else int(rng.integers(2, 9))
        block = layouts.lines(
            stage.press, cap * float(rng.uniform(1.3, 2.4)) if is_heading else cap, room - 2 * cap,
            count=count, most=6, is_full=not is_heading, align=0.0,
            leading=float(rng.uniform(1.2, 1.6)), capitals=0.4 if is_heading else 0.03,
        )  # fmt: skip
        rows_left -= count
        if block is None:
            continue
        w, h = block.size_px
        if y + h > page.height - cap or w > room + 2 * cap:
            return
        ink: Colour = (tone, tone, tone)
        if rng.random() < 0.1:
            ink = ink_colour(page.colour, stage.picture, 60, rng)
        page.put(stage, block, (x, y), Style(ink, mode="multiply" if tone < 100 else "cover"))
        y += h + cap * float(rng.uniform(0.0, 1.5))


def receipt(stage: Stage) -> None:
    """A narrow till receipt."""
    rng = stage.rng
    page = lay_page(stage, (0.8, 0.98), float(rng.uniform(0.35, 0.7)))
    cap = stage.cap(9, 20)
    rows = max(4, int(page.height / cap / 2.6))
    block = layouts.receipt(stage.press, cap, page.width * 0.86 - 2 * cap, rows)
    if block is None:
        return
    w, h = block.size_px
    tone = int(rng.integers(20, 110)) if luminance(page.colour) > 128 else 240
    if w < page.width and h < page.height:
        page.put(stage, block, ((page.width - w) / 2, 2.0), Style((tone, tone, tone)))


def screen(stage: Stage) -> None:
    """Something like a program's window: level text, bars, fields and buttons."""
    rng = stage.rng
    paper = _paper(rng) if rng.random() < 0.55 else toned(random_colour(rng), 0.6)
    stage.picture = np.full((*stage.shape, 3), paper, np.uint8)
    for _ in range(int(rng.integers(2, 9))):
        _paint_field(stage, paper)
    if stage.photographs and rng.random() < 0.4:
        path = stage.photographs[int(rng.integers(len(stage.photographs)))]
        h = int(stage.shape[0] * rng.uniform(0.2, 0.5))
        w = int(stage.shape[1] * rng.uniform(0.2, 0.6))
        y, x = int(rng.integers(stage.shape[0] - h)), int(rng.integers(stage.shape[1] - w))
        stage.picture[y : y + h, x : x + w] = crop_of(photograph(path), (h, w), rng)
    cap = stage.cap(9, 24)
    for _ in range(int(rng.integers(6, 26))):
        size = cap * float(rng.choice([1, 1, 1, 1.4, 2.2]))
        count = int(rng.choice([1, 1, 1, 3, 6]))
        block = layouts.lines(
            stage.press, size, stage.shape[1] * 0.5, count=count, most=5, align=0.0, capitals=0.15
        )
        warp = level(stage, block) if block else None
        if block is not None and warp is not None:
            if rng.random() < 0.25:
                board(stage, block, warp, block.em * 0.1)
            put_block(stage, block, warp)


def _paint_field(stage: Stage, paper: Colour) -> None:
    """Paint a level rectangle, filled or as a frame, near the colour of what it lies on or not."""
    rng = stage.rng
    w, h = (int(rng.uniform(0.1, 0.7) * side) for side in stage.shape[::-1])
    x, y = int(rng.integers(-20, stage.shape[1])), int(rng.integers(-20, stage.shape[0]))
    near = toned(paper, float(rng.uniform(0.75, 1.2)))
    tone = near if rng.random() < 0.7 else random_colour(rng)
    width = cv2.FILLED if rng.random() < 0.7 else 1
    cv2.rectangle(stage.picture, (x, y), (x + w, y + h), tone, width)


def captions(stage: Stage) -> None:
    """Subtitles, a ticker or a title burned into a video frame, perhaps over a scene with signs."""
    rng = stage.rng
    stage.picture = background(stage.shape, stage.photographs, stage.series, rng)
    for _ in range(int(rng.integers(0, 4))):
        put_piece(stage)
    white, black = int(rng.integers(225, 256)), int(rng.integers(0, 30))
    light = (white, white, white) if rng.random() < 0.75 else random_colour(rng)
    dark = (black, black, black)
    for n in range(int(rng.integers(1, 4))):
        cap = stage.cap(9, 38)
        block = layouts.lines(
            stage.press, cap, stage.shape[1] * 0.88, count=int(rng.choice([1, 1, 2])), most=9,
            align=0.5, capitals=0.15,
        )  # fmt: skip
        warp = level(stage, block, (0.8, 1.0) if n == 0 else (0.0, 1.0)) if block else None
        if block is None or warp is None:
            continue
        reach = max(1, round(cap / 12))
        kind = rng.random()
        if kind < 0.35:
            board(stage, block, warp, 0.0)
            put_block(stage, block, warp)
        elif kind < 0.8:
            put_block(stage, block, warp, Style(light, edge=dark, edge_px=reach))
        else:
            put_block(stage, block, warp, Style(light, shadow=(reach, reach, 0.6 * reach, dark)))


@dataclass(frozen=True)
class Scene:
    """A kind of picture, and its share of a series."""

    share: float
    draw: Callable[[Stage], None]


SCENES = (
    Scene(0.64, street),
    Scene(0.11, document),
    Scene(0.05, receipt),
    Scene(0.06, screen),
    Scene(0.09, captions),
    Scene(0.05, empty),
)
