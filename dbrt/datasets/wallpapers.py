"""Photographs without text that Debian ships as wallpapers: which are for tests, which for drawing.

The 27 of `NAMED` were looked at one by one. Twenty of them are held out: a detector must be quiet
on them, so nothing that trains a detector may have seen them. The others, and `MORE`, are what
`dbrt synth` writes on where it is given no photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_PLASMA_TAIL = "contents/images/2560x1600.jpg"


@dataclass(frozen=True)
class Wallpaper:
    """One picture of a Debian package.

    package  what `apt-get install` takes
    file     below `FOLDERS[package]`
    licence  as the package's copyright file has it, in short
    """

    package: str
    file: str

    @property
    def name(self) -> str:
        """A name without a folder, the same for each size of a picture: `Kite`, `Aqua`."""
        path = Path(self.file)
        return path.parts[0] if "contents" in path.parts else path.stem

    @property
    def licence(self) -> str:
        """The licence in short, from the package's copyright file."""
        return LICENCES[self.package]

    def path(self, root: Path | None = None) -> Path:
        """Where the file lies once the package is installed; `root` stands in for `/`."""
        return (root or Path("/")) / FOLDERS[self.package] / self.file


FOLDERS = {
    "mate-backgrounds": "usr/share/backgrounds/mate",
    "plasma-workspace-wallpapers": "usr/share/wallpapers",
    "lomiri-wallpapers-16.04": "usr/share/backgrounds",
}
LICENCES = {
    "mate-backgrounds": "GPL-2+ and CC-BY-SA-4.0",
    "plasma-workspace-wallpapers": "GPL-2+",
    "lomiri-wallpapers-16.04": "CC-BY-4.0, CC-BY-SA-3.0, CC-BY-SA-4.0 or CC0-1.0, by file",
}


def _mate(*names: str) -> tuple[Wallpaper, ...]:
    return tuple(Wallpaper("mate-backgrounds", name) for name in names)


def _plasma(*names: str, tail: str = _PLASMA_TAIL) -> tuple[Wallpaper, ...]:
    return tuple(Wallpaper("plasma-workspace-wallpapers", f"{name}/{tail}") for name in names)


def _lomiri(*names: str) -> tuple[Wallpaper, ...]:
    return tuple(Wallpaper("lomiri-wallpapers-16.04", name) for name in names)


HELD_OUT: tuple[Wallpaper, ...] = (
    *_mate(
        "nature/Aqua.jpg", "nature/Blinds.jpg", "nature/Dune.jpg", "nature/GreenMeadow.jpg",
        "nature/LadyBird.jpg", "nature/RainDrops.jpg", "nature/Storm.jpg", "nature/TwoWings.jpg",
        "nature/YellowFlower.jpg",
    ),
    *_plasma("BytheWater", "EveningGlow", "FallenLeaf", "Kite", "OneStandsOut", "summer_1am"),
    *_lomiri(
        "Dragonfly_by_Bolly.jpg", "aitzgorri_by_Aitzol_Berasategi.jpg", "free_by_Peter_Nerlich.jpg",
        "picosdeeuropa_by_Aitzol_Berasategi.jpg", "sunset_by_Aitzol_Berasategi.jpg",
    ),
)  # fmt: skip

_FREE = (
    *_mate("nature/Garden.jpg", "nature/Wood.jpg"),
    *_plasma("ColorfulCups", "Path"),
    *_lomiri(
        "Bridge_by_Sander_Klootwijk.jpg", "friends_by_Aitzol_Berasategi.jpg",
        "life_by_Aitzol_Berasategi.jpg",
    ),
)  # fmt: skip

NAMED: tuple[Wallpaper, ...] = HELD_OUT + _FREE

# Drawings, patterns and a few more photographs, in which no text was seen either.
MORE: tuple[Wallpaper, ...] = (
    *_mate("nature/FreshFlower.jpg", "abstract/Elephants.jpg"),
    *_plasma("Autumn", "ColdRipple", "DarkestHour", "Grey"),
    *_plasma(
        "Canopee", "Cascade", "Cluster", "Kokkini", "Opal", tail="contents/images/3840x2160.png"
    ),
    *_plasma("Volna", tail="contents/images/5120x2880.jpg"),
    *_plasma("Honeywave", tail="contents/images/1080x1920.jpg"),
    *_plasma("Flow", "Shell", tail="contents/images/720x1440.jpg"),
    *_plasma("Altai", "Kay", "MilkyWay", tail="contents/images/1080x1920.png"),
    *_lomiri(
        "Picture_0B_by_freespace.jpg", "Picture_1A_by_freespace.jpg",
        "analogpattern_by_Peter_Nerlich.jpg", "seeding_by_Clements_Engelhardt.jpg",
        "umang_by_Abhishek_Mudgal.jpg",
    ),
)  # fmt: skip

FOR_DRAWING: tuple[Wallpaper, ...] = _FREE + MORE


def installed(wallpapers: tuple[Wallpaper, ...], root: Path | None = None) -> list[Wallpaper]:
    """Those whose file is on this machine, in the order given."""
    return [w for w in wallpapers if w.path(root).is_file()]


def install_line(wallpapers: tuple[Wallpaper, ...]) -> str:
    """The command that installs the packages of these wallpapers."""
    return "apt-get install " + " ".join(sorted({w.package for w in wallpapers}))
