"""One piece of text as it stands in a street: a sign, a plate, a bent line, a column of characters.

Each kind says how large it may be and how it is set; what is common, from the board under it to
its labels, happens in `put_piece`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from dbrt.synth import clutter, layouts
from dbrt.synth.scripts import SCRIPTS
from dbrt.synth.stage import (
    CELL,
    Stage,
    board,
    place,
    put_block,
    random_angle,
    random_bend,
)
from dbrt.synth.typeset import Block
from dbrt.synth.warp import Warp, outline


@dataclass(frozen=True)
class Piece:
    """A kind of text.

    share   of the pieces in a street
    cap_px  the least and greatest height of its capitals, within the recipe's
    build   sets it, given the height of capitals
    boards  the share that stands on a board
    bends   whether its line is bent
    """

    share: float
    cap_px: tuple[float, float]
    build: Callable[[Stage, float], Block | None]
    boards: float = 0.35
    bends: bool = False


def put_piece(stage: Stage) -> None:
    """Draw a kind of piece and put one into the picture, if there is room."""
    rng = stage.rng
    pieces = FOR_CJK if any(SCRIPTS[name].is_cjk for name, _ in stage.press.scripts) else PIECES
    shares = np.array([piece.share for piece in pieces])
    piece = pieces[int(rng.choice(len(pieces), p=shares / shares.sum()))]
    block = piece.build(stage, stage.cap(*piece.cap_px))
    if block is None:
        return
    bend = random_bend(block, rng) if piece.bends else None
    with_board = rng.random() < piece.boards
    pad = block.em * float(rng.uniform(0.0, 0.6)) if with_board else 0.0
    warp = place(stage, block, angle=random_angle(rng), bend=bend, pad=pad)
    if warp is None:
        return
    if with_board:
        board(stage, block, warp, pad)
    put_block(stage, block, warp)
    if rng.random() < 0.12:
        _icon_beside(stage, block, warp)


def _line(stage: Stage, cap: float) -> Block | None:
    return layouts.lines(stage.press, cap, _room(stage), most=1 + round(min(4, 60 / cap)))


def _lines(stage: Stage, cap: float) -> Block | None:
    count = int(stage.rng.integers(2, 6))
    return layouts.lines(stage.press, cap, _room(stage), count=count, most=3)


def _bent(stage: Stage, cap: float) -> Block | None:
    return layouts.lines(stage.press, cap, _room(stage))


def _one_word(stage: Stage, cap: float) -> Block | None:
    return layouts.lines(stage.press, cap, _room(stage), most=1, capitals=0.7)


def _plate(stage: Stage, cap: float) -> Block | None:
    return layouts.plate(stage.press, cap)


def _column(stage: Stage, cap: float) -> Block | None:
    return layouts.column(stage.press, cap, stage.shape[0] * 0.85)


def _notice(stage: Stage, cap: float) -> Block | None:
    count = int(stage.rng.integers(3, 9))
    return layouts.lines(
        stage.press, cap, _room(stage) * 0.5, count=count, most=8, is_full=True
    )  # fmt: skip


def _room(stage: Stage) -> float:
    return stage.shape[1] * 0.9


PIECES = (
    Piece(0.35, (9, 1e4), _line),
    Piece(0.22, (11, 70), _lines),
    Piece(0.16, (10, 90), _bent, bends=True),
    Piece(0.09, (50, 1e4), _one_word),
    Piece(0.07, (9, 70), _plate, boards=0.9),
    Piece(0.025, (9, 80), _column),
    Piece(0.085, (9, 20), _notice),
)
FOR_CJK = (*PIECES[:5], Piece(0.12, (9, 80), _column), PIECES[6])


def _icon_beside(stage: Stage, block: Block, warp: Warp) -> None:
    """Put a sign that is no letter before or behind a block, on the same plane."""
    h, w = block.mask.shape
    side = float(min(h, block.em))
    x = -1.1 * side if stage.rng.random() < 0.5 else w + 0.1 * side
    y = (h - side) / 2
    flat = np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]])
    corners = warp.points(flat).astype(np.float32)
    spot, own = np.zeros_like(stage.taken), np.zeros_like(stage.taken)
    cv2.fillPoly(spot, [np.round(corners / CELL).astype(np.int32)], 1)
    edge = warp.points(outline(w, h, block.em * 0.6))
    cv2.fillPoly(own, [np.round(edge / CELL).astype(np.int32)], 1)
    inside = (corners >= 0).all() and (corners <= stage.shape[::-1]).all()
    if inside and not (spot & stage.taken & ~own).any():
        stage.taken |= spot
        tile = clutter.marks(stage.rng)
        clutter.put(stage.picture, np.ascontiguousarray(tile[:, : tile.shape[0] + 4]), corners)
