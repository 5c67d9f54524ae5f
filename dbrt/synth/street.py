"""The scene of the sample clip: a street of shops, put together from flat panels.

All of it is drawn here: no photograph, no brand, no text that names anything real.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dbrt.synth.camera import Panel
from dbrt.synth.colours import Colour, bgr, toned
from dbrt.synth.facade import LEFT, RIGHT, facade
from dbrt.synth.fonts import font_named
from dbrt.synth.sheet import Sheet
from dbrt.synth.textures import gradient, noise, shade, stripes

WHITE: Colour = (250, 250, 250)


VAN_Z = -4.0
STANDING = ((-3.9, -0.75), (1.35, -0.75), (7.1, -0.75), (-10.2, -2.6), (8.4, -2.6), (-4.1, -2.55))


@dataclass(frozen=True, eq=False)
class Street:
    """The panels that stand still, far to near, and the van's, its left end at x = 0."""

    still: list[Panel]
    van: list[Panel]

    def panels(self, van_x: float) -> list[Panel]:
        """All panels, far to near, with the van's left end at van_x metres."""
        return [*self.still, *(panel.moved((van_x, 0.0, 0.0)) for panel in self.van)]


def build_street() -> Street:
    """Draw everything once: a few seconds."""
    rng = np.random.default_rng(11)
    still = [_sky(rng), _far_roofs(rng), facade().panel(LEFT, 0.0, 0.0), _ground(rng)]
    still += [_shadow(x, z, 0.9, 0.5) for x, z in STANDING]
    still += [_banner(), *_awning(-8.2, "#2f6b4f", "FRESH BREAD")]
    still += _awning(3.75, "#b5476a", "ROSES TULIPS")
    still += [_blade(), *(_planter(x, rng) for x in (-3.9, 1.35, 7.1)), _poster()]
    still += [_lamp(-10.6), _lamp(8.0), _shadow(5.5, -1.9, 1.5, 0.8), _board(), _bus_stop()]
    return Street(still, [_shadow(2.35, VAN_Z + 0.1, 5.2, 1.2), _van()])


def _shadow(x: float, z: float, width: float, depth: float) -> Panel:
    """Draw a soft dark spot on the ground about (x, z)."""
    shape = (max(4, round(depth * 60)), round(width * 60))
    y, across = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    texture = np.zeros((*shape, 4), np.uint8)
    texture[..., 3] = 150 * np.clip(1 - (np.abs(across) ** 3 + y**2), 0, 1)
    return Panel(
        texture, (x - width / 2, 0.0, z + depth / 2), (width, 0.0, 0.0), (0.0, 0.0, -depth)
    )


def _sky(rng: np.random.Generator) -> Panel:
    """Paint a late afternoon with thin clouds, far behind."""
    sheet = Sheet(240.0, 80.0, 8.0, 255)
    shape = sheet.picture.shape[:2]
    sky = gradient(shape, bgr("#3f83cc"), bgr("#ffe9cb")).astype(np.float32)
    streaks = cv2.resize(noise((shape[0], shape[1] // 4), 70, rng, 6), shape[::-1])
    cloud = np.clip((streaks - 0.25) * 0.55, 0, 0.85).astype(np.float32)[..., None]
    sky = sky + (np.array(bgr("#fff6ec"), np.float32) - sky) * cloud
    sheet.paste(0, 0, sky.astype(np.uint8))
    return sheet.panel(-120.0, -12.0, 60.0)


def _far_roofs(rng: np.random.Generator) -> Panel:
    """Paint roofs and chimneys behind the houses, in the haze."""
    sheet = Sheet(RIGHT - LEFT, 9.0, 60.0)
    x = 0.0
    while x < sheet.width:
        w, h = float(rng.uniform(2.4, 4.6)), float(rng.uniform(6.3, 7.6))
        slate = toned(bgr("#7a6f78"), float(rng.uniform(0.85, 1.15)))
        sheet.polygon([(x - 0.3, 5.0), (x + 0.5, h), (x + w - 0.5, h), (x + w + 0.3, 5.0)], slate)
        stack = x + float(rng.uniform(0.7, w - 0.9))
        sheet.box(stack, h - 0.3, 0.5, 0.9, toned(bgr("#96695a"), float(rng.uniform(0.9, 1.1))))
        sheet.box(stack - 0.06, h + 0.55, 0.62, 0.1, bgr("#6d5048"))
        x += w
    return sheet.panel(LEFT, 0.0, 2.5)


def _ground(rng: np.random.Generator) -> Panel:
    """Paint a pavement of slabs to z = -2.9, a kerb, then the road with a broken line."""
    sheet = Sheet(RIGHT - LEFT, 9.0, 70.0, 255)
    shape = sheet.picture.shape[:2]
    road = shade(np.full((*shape, 3), bgr("#4b4d52"), np.uint8), 1 + 0.06 * noise(shape, 4, rng, 2))
    sheet.paste(0, 0, road)
    rows, columns = sheet.size_of(sheet.width, 2.9)
    slabs = np.full((rows, columns, 3), bgr("#b3aba0"), np.uint8)
    y, x = np.mgrid[0:rows, 0:columns]
    tone = 1 + 0.05 * rng.standard_normal((rows // 50 + 1, columns // 70 + 2)).astype(np.float32)
    slabs = shade(slabs, tone[y // 50, (x + 35 * (y // 50 % 2)) // 70])
    slabs[(y % 50 < 2) | ((x + 35 * (y // 50 % 2)) % 70 < 2)] = bgr("#8d867c")
    sheet.paste(0, 9.0 - 2.9, shade(slabs, 1 + 0.04 * noise((rows, columns), 60, rng, 4)))
    sheet.box(0, 9.0 - 3.1, sheet.width, 0.2, bgr("#cfcac2"))
    sheet.light(0, 9.0 - 3.3, sheet.width, 0.2, 0.6, soft=0.05)
    sheet.light(0, 9.0 - 0.5, sheet.width, 0.5, 0.6, soft=0.15)
    for dash in np.arange(0.5, sheet.width, 3.0):
        sheet.box(float(dash), 9.0 - 6.9, 1.5, 0.12, bgr("#d9d6cc"))
    return Panel(sheet.picture, (LEFT, 0.0, 0.0), (sheet.width, 0.0, 0.0), (0.0, 0.0, -9.0))


def _awning(x: float, colour: str, text: str) -> list[Panel]:
    """Make a striped awning over a shop window and the flap at its front with the text."""
    width, tint = 3.7, bgr(colour)
    cloth = Sheet(width, 1.2, 110.0, 255)
    cloth.paste(0, 0, stripes(cloth.size_of(width, 1.2), tint, bgr("#f4efe4"), 110 * 0.55))
    cloth.shine(np.linspace(1.02, 0.86, cloth.picture.shape[0], dtype=np.float32)[:, None]
                * np.ones(cloth.picture.shape[:2], np.float32))  # fmt: skip
    left = x - width / 2
    top = Panel(cloth.picture, (left, 2.82, -0.02), (width, 0.0, 0.0), (0.0, -0.42, -0.9))
    flap = Sheet(width, 0.56, 160.0)
    flap.box(0, 0.09, width, 0.47, tint)
    for scallop in np.arange(0.11, width, 0.22):
        flap.disc(float(scallop), 0.1, 0.11, 0.09, tint)
    flap.light(0, 0.48, width, 0.08, 0.8, soft=0.02)
    flap.text(
        text,
        font_named("Lato-Heavy.ttf"),
        0.31,
        (width / 2, 0.3),
        bgr("#fdf7e8"),
        spacing=0.02,
        word_gap=2.2,
    )
    return [top, flap.panel(left, 2.40 - 0.56, -0.92)]


def _banner() -> Panel:
    """Hang a cloth across the florist's upper floor, 13 degrees off the level."""
    sheet = Sheet(4.3, 0.86, 160.0, 255)
    sheet.paste(0, 0, gradient(sheet.size_of(4.3, 0.86), bgr("#f8cd3f"), bgr("#eab024")))
    sheet.box(0, 0, 4.3, 0.06, bgr("#c4402f"))
    sheet.box(0, 0.8, 4.3, 0.06, bgr("#c4402f"))
    for fold in np.arange(0.3, 4.3, 0.7):
        sheet.light(float(fold), 0, 0.12, 0.86, 0.93, soft=0.08)
    sheet.text("SUMMER FAIR", font_named("DejaVuSans-Bold.ttf"), 0.35, (2.15, 0.43), bgr("#a3271d"))
    return sheet.panel(2.55, 3.95, -0.35, roll=13.0)


def _blade() -> Panel:
    """Make a sign that stands out from the cafe's wall, turned by 48 degrees."""
    sheet = Sheet(2.5, 0.95, 170.0)
    sheet.box(0, 0, 2.5, 0.95, bgr("#5d1f1f"))
    sheet.box(0.05, 0.05, 2.4, 0.85, bgr("#f1e4c8"))
    sheet.box(0.09, 0.09, 2.32, 0.77, bgr("#7a2626"))
    sheet.text("HOTEL", font_named("LiberationSerif-Bold.ttf"), 0.40, (1.25, 0.475), bgr("#f6e7c6"),
               spacing=0.04)  # fmt: skip
    return sheet.panel(6.6, 4.55, -1.65, yaw=48.0)


def _poster() -> Panel:
    """Make a card that hangs in the bookshop's window."""
    sheet = Sheet(1.5, 0.62, 170.0, 255)
    sheet.box(0, 0, 1.5, 0.62, bgr("#f7f4ec"))
    sheet.box(0.04, 0.04, 1.42, 0.54, bgr("#b3262d"))
    sheet.text(
        "OPEN", font_named("OpenSans-ExtraBold.ttf"), 0.33, (0.75, 0.31), WHITE, spacing=0.03
    )
    return sheet.panel(-0.9, 1.72, -0.06)


def _planter(x: float, rng: np.random.Generator) -> Panel:
    """Make a tub with a clipped bush."""
    sheet = Sheet(1.1, 1.9, 110.0)
    sheet.polygon([(0.22, 0.02), (0.88, 0.02), (0.95, 0.6), (0.15, 0.6)], bgr("#7c5a45"))
    sheet.box(0.12, 0.54, 0.86, 0.09, bgr("#93705a"))
    for _ in range(420):
        turn, far = rng.uniform(0, 2 * np.pi), np.sqrt(rng.uniform(0, 1)) * 0.42
        dx, dy = far * np.cos(turn), far * np.sin(turn) * 1.25
        leaf = toned(bgr("#4d7a35"), float(rng.uniform(0.6, 1.1) + 0.45 * (dy - dx + 0.3)))
        sheet.disc(0.55 + dx, 1.2 + dy, 0.05, 0.035, leaf)
    return sheet.panel(x - 0.55, 0.0, -0.75)


def _lamp(x: float) -> Panel:
    """Make a lamp post at the kerb."""
    sheet = Sheet(0.8, 4.9, 110.0)
    iron = bgr("#2c3431")
    sheet.box(0.36, 0, 0.08, 4.0, iron)
    sheet.box(0.375, 0, 0.02, 4.0, bgr("#56605b"))
    sheet.box(0.3, 0, 0.2, 0.7, iron)
    sheet.polygon([(0.25, 4.0), (0.55, 4.0), (0.66, 4.6), (0.14, 4.6)], iron)
    sheet.polygon([(0.28, 4.04), (0.52, 4.04), (0.6, 4.55), (0.2, 4.55)], bgr("#fbe9b8"))
    sheet.polygon([(0.1, 4.6), (0.7, 4.6), (0.4, 4.86)], iron)
    return sheet.panel(x, 0.0, -2.6)


def _board() -> Panel:
    """Make a chalk board on the pavement, turned and leaning back."""
    sheet = Sheet(1.35, 1.35, 190.0)
    sheet.box(0, 0, 1.35, 1.35, bgr("#8a6236"))
    sheet.box(0.07, 0.1, 1.21, 1.18, bgr("#2a302d"))
    font = font_named("Comfortaa-Bold.ttf")
    sheet.text("TODAY", font, 0.23, (0.675, 1.04), bgr("#f4f1e6"))
    sheet.text("SOUP", font, 0.23, (0.675, 0.68), bgr("#f2c84b"))
    sheet.text("4.50", font, 0.23, (0.675, 0.33), bgr("#f4f1e6"))
    return sheet.panel(4.9, 0.0, -2.15, yaw=-24.0, tilt=10.0)


def _bus_stop() -> Panel:
    """Make a stop sign of a bus line on its pole."""
    sheet = Sheet(1.3, 2.7, 170.0)
    sheet.box(0.61, 0, 0.08, 1.8, bgr("#8d9396"))
    sheet.box(0.62, 0, 0.02, 1.8, bgr("#c3c8ca"))
    sheet.box(0, 1.6, 1.3, 1.06, bgr("#f4f4f0"))
    sheet.box(0.04, 1.64, 1.22, 0.98, bgr("#1b6b54"))
    font = font_named("Lato-Black.ttf")
    sheet.text("BUS", font, 0.29, (0.65, 2.37), WHITE)
    sheet.text("STOP", font, 0.29, (0.65, 1.9), WHITE)
    return sheet.panel(-4.75, 0.0, -2.55)


def _wheel(sheet: Sheet, x: float) -> None:
    sheet.disc(x, 0.36, 0.36, 0.36, bgr("#17181a"))
    sheet.disc(x, 0.36, 0.2, 0.2, bgr("#a9adb2"))
    sheet.disc(x, 0.36, 0.07, 0.07, bgr("#4d5156"))


def _van() -> Panel:
    """Make a delivery van that drives to the right, seen from its side; its left end is x = 0."""
    sheet = Sheet(4.7, 2.35, 170.0)
    body, dark = bgr("#e8ecef"), bgr("#20303f")
    outline = [(0.05, 0.4), (0.05, 2.15), (0.2, 2.3), (3.3, 2.3), (3.55, 2.2), (4.15, 1.42)]
    outline += [(4.55, 1.22), (4.66, 0.95), (4.66, 0.4)]
    sheet.polygon(outline, body)
    sheet.polygon([(0.05, 0.4), (0.05, 0.78), (4.66, 0.78), (4.66, 0.4)], bgr("#2b7a9b"))
    sheet.polygon([(3.05, 1.4), (3.05, 2.06), (3.42, 2.06), (3.98, 1.4)], dark)
    sheet.polygon([(3.12, 1.45), (3.3, 1.45), (3.52, 1.95), (3.3, 2.0)], bgr("#6d8aa0"))
    sheet.box(2.92, 0.5, 0.02, 1.65, bgr("#b4bcc2"))
    sheet.box(4.05, 0.5, 0.02, 0.9, bgr("#b4bcc2"))
    sheet.box(3.1, 1.22, 0.2, 0.05, bgr("#8d959b"))
    sheet.box(4.45, 0.92, 0.2, 0.16, bgr("#fff3c9"))
    sheet.box(0.05, 0.95, 0.07, 0.4, bgr("#c43a32"))
    sheet.box(0.02, 0.36, 4.66, 0.1, bgr("#2a2c2f"))
    for x in (0.95, 3.75):
        sheet.disc(x, 0.38, 0.45, 0.45, bgr("#24282b"))
        _wheel(sheet, x)
    sheet.text(
        "GARDEN", font_named("Lato-Black.ttf"), 0.36, (1.5, 1.85), bgr("#2b7a9b"), spacing=0.03
    )
    sheet.text(
        "PLANTS", font_named("Lato-Black.ttf"), 0.36, (1.5, 1.3), bgr("#d0562c"), spacing=0.03
    )
    return sheet.panel(0.0, 0.0, VAN_Z)
