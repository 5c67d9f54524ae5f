"""What the FFmpeg inside PyAV can decode and encode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import av
import av.codec
from av.codec.codec import UnknownCodecError

# What cameras, networks and files send today, and what writes them; by FFmpeg's names.
DECODERS = ("h264", "hevc", "mjpeg", "mpeg4", "vp8", "vp9", "av1")
ENCODERS = ("libx264", "libx265", "mjpeg")


@dataclass(frozen=True)
class Codecs:
    """What was found of DECODERS and ENCODERS.

    pyav, ffmpeg  versions
    """

    pyav: str
    ffmpeg: str
    decoders: tuple[str, ...]
    encoders: tuple[str, ...]


def find_codecs() -> Codecs:
    """Ask FFmpeg for its version and its codecs."""
    return Codecs(
        pyav=av.__version__,
        ffmpeg=str(getattr(av, "ffmpeg_version_info", "of unknown version")),
        decoders=tuple(_known(DECODERS, "r")),
        encoders=tuple(_known(ENCODERS, "w")),
    )


def _known(names: Iterable[str], mode: Literal["r", "w"]) -> Iterable[str]:
    for name in names:
        try:
            av.codec.Codec(name, mode)
        except UnknownCodecError:
            continue
        yield name
