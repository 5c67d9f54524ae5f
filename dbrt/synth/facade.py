"""The row of houses of the sample clip: walls, windows, doors, shop fronts with their signs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dbrt.synth.colours import Colour, bgr, toned
from dbrt.synth.fonts import font_named
from dbrt.synth.sheet import Sheet
from dbrt.synth.textures import brick, gradient, noise, plaster, shade

PX_PER_M = 150.0
LEFT, RIGHT, TOP = -17.0, 19.0, 7.4  # metres; the sheet's left edge is at x = LEFT


@dataclass(frozen=True)
class House:
    """One house: where it stands, its wall, and the trim about its windows."""

    left: float
    right: float
    height: float
    wall: str
    trim: str
    is_brick: bool = False
    windows: int = 3


HOUSES = (
    House(-17.0, -10.4, 5.8, "#b9b2a2", "#efe9dc"),
    House(-10.4, -4.3, 6.15, "#a4553f", "#e9dfcb", is_brick=True, windows=2),
    House(-4.3, 1.7, 5.7, "#e2cf9f", "#fbf6e6", windows=2),
    House(1.7, 7.4, 6.3, "#7f9aa6", "#f1f3ee"),
    House(7.4, 13.2, 5.85, "#8a5c48", "#ded2bb", is_brick=True),
    House(13.2, 19.0, 6.1, "#c9a58d", "#f5eadc"),
)


def facade() -> Sheet:
    """Paint the whole row; words lie in the sheet's pixels. About four seconds."""
    rng = np.random.default_rng(7)
    sheet = Sheet(RIGHT - LEFT, TOP, PX_PER_M)
    for house in HOUSES:
        _wall(sheet, house, rng)
        _upper_windows(sheet, house, rng)
    _bakery(sheet, -7.35, rng)
    _bookshop(sheet, -1.3, rng)
    _florist(sheet, 4.55, rng)
    _cafe(sheet, 10.3, rng)
    _garage(sheet, -13.7)
    _garage(sheet, 16.1)
    _street_plate(sheet)
    sheet.shine((1 + 0.03 * noise(sheet.picture.shape[:2], 300, rng)).astype(np.float32))
    return sheet


def _wall(sheet: Sheet, house: House, rng: np.random.Generator) -> None:
    x, w = house.left - LEFT, house.right - house.left
    shape = sheet.size_of(w, house.height)
    colour = bgr(house.wall)
    wall = brick(shape, colour, rng, 11) if house.is_brick else plaster(shape, colour, rng)
    fall = gradient(shape, (255, 255, 255), (215, 215, 215))[..., 0].astype(np.float32)
    sheet.paste(x, 0, shade(wall, fall / np.float32(255)))
    trim = bgr(house.trim)
    sheet.light(x, house.height - 0.62, w, 0.3, 0.72, soft=0.05)
    sheet.box(x - 0.06, house.height - 0.3, w + 0.12, 0.3, toned(trim, 0.93))
    sheet.box(x - 0.06, house.height - 0.07, w + 0.12, 0.07, trim)
    for step in np.arange(x + 0.12, x + w - 0.1, 0.34):
        sheet.box(float(step), house.height - 0.44, 0.12, 0.15, toned(trim, 0.82))
    sheet.light(x + w - 0.06, 0, 0.06, house.height - 0.3, 0.75, soft=0.03)
    sheet.box(x, 0, w, 0.32, toned(colour, 0.6))


def _upper_windows(sheet: Sheet, house: House, rng: np.random.Generator) -> None:
    pitch = (house.right - house.left) / house.windows
    for i in range(house.windows):
        centre = house.left - LEFT + pitch * (i + 0.5)
        _window(sheet, centre - 0.47, 3.98, bgr(house.trim), rng)


def _window(sheet: Sheet, x: float, y: float, trim: Colour, rng: np.random.Generator) -> None:
    """Paint a sash window: surround with shadow, glass that mirrors the sky, curtains, bars."""
    w, h = 0.94, 1.25
    sheet.light(x - 0.1, y - 0.16, w + 0.3, h + 0.2, 0.78, soft=0.06)
    sheet.box(x - 0.1, y - 0.04, w + 0.2, h + 0.16, toned(trim, 0.9))
    sheet.paste(x, y, gradient(sheet.size_of(w, h), bgr("#8fb4cf"), bgr("#26384a"), -20.0))
    width = float(rng.uniform(0.16, 0.3))
    for side in (x, x + w - width):
        sheet.box(side, y, width, h, bgr(str(rng.choice(["#d8cdb8", "#c8b6a0", "#b9c3c4"]))))
        sheet.light(side + width * 0.55, y, width * 0.12, h, 0.8, soft=0.02)
    glint = [(x + 0.3 * w, y), (x + 0.45 * w, y), (x + 0.8 * w, y + h), (x + 0.65 * w, y + h)]
    sheet.polygon(glint, bgr("#7f9db3"))
    sheet.light(x, y + h - 0.16, w, 0.16, 0.6, soft=0.03)
    for bar in (x - 0.02, x + w / 2 - 0.025, x + w - 0.03):
        sheet.box(bar, y, 0.05, h, trim)
    for bar in (y, y + h / 2 - 0.025, y + h - 0.04):
        sheet.box(x, bar, w, 0.05, trim)
    sheet.box(x - 0.16, y - 0.12, w + 0.32, 0.12, trim)
    sheet.light(x - 0.14, y - 0.28, w + 0.28, 0.15, 0.72, soft=0.03)


def _shop_window(
    sheet: Sheet, x: float, w: float, rng: np.random.Generator, *, frame: Colour, glow: Colour
) -> None:
    """Paint a lit shop window, 0.62 m to 2.55 m, with shelves; the caller adds the goods."""
    y, h = 0.62, 1.93
    sheet.box(x - 0.09, y - 0.09, w + 0.18, h + 0.18, toned(frame, 1.12))
    sheet.paste(x, y, gradient(sheet.size_of(w, h), toned(glow, 0.6), glow))
    for shelf in (y + 0.02, y + 0.66, y + 1.3):
        sheet.box(x, shelf, w, 0.05, toned(glow, 0.45))
        sheet.light(x, shelf - 0.12, w, 0.12, 0.75, soft=0.03)
    for start in rng.uniform(0.1, 0.8, 2):
        a = x + w * float(start)
        sheet.light(a, y, 0.12, h, 1.16, soft=0.02)
    sheet.light(x, y + h - 0.3, w, 0.3, 0.55, soft=0.08)
    sheet.box(x - 0.09, y - 0.42, w + 0.18, 0.34, frame)
    sheet.box(x - 0.02, y - 0.36, w + 0.04, 0.22, toned(frame, 0.8))


def _door(sheet: Sheet, x: float, colour: Colour) -> None:
    sheet.box(x - 0.1, 0, 1.1, 2.65, toned(colour, 1.25))
    sheet.box(x, 0.04, 0.9, 2.52, colour)
    sheet.paste(x + 0.13, 1.0, gradient(sheet.size_of(0.64, 1.35), bgr("#7d95a3"), bgr("#2b3640")))
    sheet.box(x + 0.13, 0.18, 0.64, 0.6, toned(colour, 0.8))
    sheet.disc(x + 0.8, 0.92, 0.04, 0.04, bgr("#d9b45a"))
    sheet.light(x, 2.36, 0.9, 0.2, 0.6, soft=0.04)


def _fascia(sheet: Sheet, centre: float, w: float, colour: Colour) -> float:
    """Paint the board over a shop front, 2.78 m to 3.56 m; return the height of its middle."""
    x, y, h = centre - w / 2, 2.78, 0.78
    sheet.light(x, y - 0.3, w, 0.3, 0.62, soft=0.07)
    sheet.paste(x, y, gradient(sheet.size_of(w, h), toned(colour, 1.12), toned(colour, 0.88)))
    edge = toned(colour, 1.45)
    sheet.box(x, y + h - 0.05, w, 0.05, edge)
    sheet.box(x, y, w, 0.05, toned(colour, 0.65))
    sheet.box(x - 0.07, y + h, w + 0.14, 0.1, toned(edge, 0.9))
    for end in (x - 0.07, x + w - 0.07):
        sheet.box(end, 0.0, 0.14, y + h, toned(colour, 0.95))
        sheet.box(end + 0.03, 0.0, 0.03, y + h, toned(colour, 1.3))
    return y + h / 2


def _bakery(sheet: Sheet, x: float, rng: np.random.Generator) -> None:
    centre, green = x - LEFT, bgr("#1f4636")
    _shop_window(sheet, centre - 2.3, 2.9, rng, frame=green, glow=bgr("#f0c988"))
    for shelf in (0.69, 1.33, 1.97):
        for spot in np.arange(centre - 2.1, centre + 0.5, 0.34):
            tone = toned(bgr("#b9742f"), float(rng.uniform(0.8, 1.25)))
            sheet.disc(float(spot), shelf + 0.1, 0.15, float(rng.uniform(0.08, 0.15)), tone)
    _door(sheet, centre + 1.15, bgr("#7c2f24"))
    middle = _fascia(sheet, centre, 5.4, green)
    cream = bgr("#f7e9c0")
    sheet.text("VILLAGE BAKERY", font_named("LiberationSerif-Bold.ttf"), 0.36, (centre, middle),
               cream, spacing=0.03, shadow=bgr("#0d2219"))  # fmt: skip


def _bookshop(sheet: Sheet, x: float, rng: np.random.Generator) -> None:
    centre, navy = x - LEFT, bgr("#1d2f52")
    _shop_window(sheet, centre - 0.45, 2.75, rng, frame=navy, glow=bgr("#e9cf9d"))
    for shelf in (0.69, 1.33, 1.97):
        spot = centre - 0.4
        while spot < centre + 2.2:
            w, h = float(rng.uniform(0.05, 0.11)), float(rng.uniform(0.3, 0.48))
            cover = str(rng.choice(["#8c2f2b", "#2c5a6b", "#3f6b3a", "#c9902f", "#5b3a63"]))
            sheet.box(spot, shelf, w, h, bgr(cover))
            spot += w + 0.012
    _door(sheet, centre - 1.75, bgr("#24406e"))
    middle = _fascia(sheet, centre, 5.4, navy)
    sheet.text("Books and Maps", font_named("DejaVuSerif-Bold.ttf"), 0.37, (centre, middle),
               bgr("#f0cf6e"), word_gap=1.3, shadow=bgr("#0a1222"))  # fmt: skip


def _florist(sheet: Sheet, x: float, rng: np.random.Generator) -> None:
    centre, rose = x - LEFT, bgr("#f3e6e4")
    _shop_window(sheet, centre - 2.25, 2.95, rng, frame=bgr("#8d4a5d"), glow=bgr("#dfe8c9"))
    for shelf, start in ((0.69, 0.0), (1.33, 0.3), (1.97, 0.1)):
        for spot in np.arange(centre - 1.9 + start, centre + 0.5, 0.62):
            _bouquet(sheet, float(spot), shelf, rng)
    _door(sheet, centre + 1.2, bgr("#8d4a5d"))
    middle = _fascia(sheet, centre, 5.4, rose)
    sheet.text("FLOWERS", font_named("Lato-Black.ttf"), 0.46, (centre, middle), bgr("#a82b57"),
               spacing=0.06)  # fmt: skip


def _bouquet(sheet: Sheet, x: float, y: float, rng: np.random.Generator) -> None:
    """Paint a pot of green with blossoms of one colour, as tall as chance has it."""
    petal = bgr(str(rng.choice(["#d8708c", "#e8bd5a", "#f0e6da", "#a678b8"])))
    tall, wide = float(rng.uniform(0.2, 0.42)), float(rng.uniform(0.12, 0.2))
    for i in range(46):
        dx, dy = rng.normal(0, wide / 2), 0.16 + tall * rng.uniform(0, 1) ** 0.8
        leaf = toned(bgr("#7d9a5e"), float(rng.uniform(0.75, 1.1)))
        sheet.disc(x + dx, y + dy, 0.04, 0.04, petal if i % 3 == 0 else leaf)
    sheet.polygon(
        [(x - 0.07, y), (x + 0.07, y), (x + 0.1, y + 0.2), (x - 0.1, y + 0.2)], bgr("#a8795c")
    )


def _cafe(sheet: Sheet, x: float, rng: np.random.Generator) -> None:
    centre, black = x - LEFT, bgr("#26221f")
    _shop_window(sheet, centre - 2.3, 2.9, rng, frame=black, glow=bgr("#e8b56a"))
    for spot in (centre - 1.8, centre - 0.85, centre + 0.1):
        sheet.box(spot - 0.01, 1.9, 0.02, 0.65, black)
        sheet.disc(spot, 1.85, 0.17, 0.1, bgr("#fff0c4"))
    _door(sheet, centre + 1.15, bgr("#4a3a30"))
    middle = _fascia(sheet, centre, 5.4, black)
    sheet.text("CORNER CAFE", font_named("OpenSans-ExtraBold.ttf"), 0.44, (centre, middle),
               bgr("#f6a13a"), spacing=0.04)  # fmt: skip


def _garage(sheet: Sheet, x: float) -> None:
    centre = x - LEFT
    sheet.box(centre - 1.6, 0, 3.2, 2.8, bgr("#5b6062"))
    for y in np.arange(0.05, 2.6, 0.22):
        sheet.box(centre - 1.45, float(y), 2.9, 0.19, bgr("#9aa0a1"))
        sheet.box(centre - 1.45, float(y), 2.9, 0.03, bgr("#7f8586"))
    sheet.light(centre - 1.45, 2.4, 2.9, 0.25, 0.55, soft=0.06)


def _street_plate(sheet: Sheet) -> None:
    """Paint an enamelled plate of two lines on the join of two houses."""
    x, y, w, h = HOUSES[2].left - LEFT, 4.15, 1.9, 1.0
    rows, columns = sheet.size_of(w, h)
    plate = gradient((rows, columns), bgr("#1d52a3"), bgr("#143c80"))
    cv2.rectangle(plate, (7, 7), (columns - 8, rows - 8), (245, 245, 245), 4)
    sheet.light(x - w / 2, y - 0.1, w + 0.08, h, 0.7, soft=0.05)
    sheet.paste(x - w / 2, y, plate)
    font = font_named("Lato-Bold.ttf")
    sheet.text("MARKET", font, 0.3, (x, y + 0.72), (250, 250, 250))
    sheet.text("STREET", font, 0.3, (x, y + 0.28), (250, 250, 250))
