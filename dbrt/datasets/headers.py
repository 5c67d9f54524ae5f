"""Picture headers: the kind, size and sample type that a file claims, before anything is decoded.

Written from the formats' specifications: PNG (ISO/IEC 15948), JPEG (ITU-T T.81), GIF89a, BMP
(Windows bitmap headers), WebP (RFC 9649), TIFF 6.0 and BigTIFF, AVIF (the `ispe` box of
ISO/IEC 23008-12), PNM (netpbm).
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

SNIFF_BYTES = 32  # enough for `kind_of`

KINDS = ("PNG", "JPEG", "BMP", "WebP", "TIFF", "GIF", "AVIF", "PNM")


@dataclass(frozen=True)
class Header:
    """What a picture file says of itself.

    kind      one of KINDS
    width     pixels as stored, before EXIF rotation
    height    pixels as stored
    is_float  True for samples that are floating-point numbers (TIFF)
    bits      bits a sample where the format says so, else 8
    """

    kind: str
    width: int
    height: int
    is_float: bool = False
    bits: int = 8


def kind_of(start: bytes) -> str | None:
    """Return which of KINDS a file is, by its first SNIFF_BYTES bytes, or None."""
    if start[4:8] == b"ftyp":
        return "AVIF" if b"avif" in start[8:] or b"avis" in start[8:] else None
    if start[:4] == b"RIFF":
        return "WebP" if start[8:12] == b"WEBP" else None
    if re.match(rb"P[1-6]\s", start):
        return "PNM"
    signatures = {
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"\xff\xd8\xff": "JPEG",
        b"BM": "BMP",
        b"GIF87a": "GIF",
        b"GIF89a": "GIF",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"II+\0": "TIFF",
        b"MM\0+": "TIFF",
    }
    return next((kind for magic, kind in signatures.items() if start.startswith(magic)), None)


def read_header(data: bytes) -> Header | None:
    """Return what the header of a picture file says, or None where it is cut or makes no sense."""
    kind = kind_of(data[:SNIFF_BYTES])
    if kind is None:
        return None
    readers = {
        "PNG": _png,
        "JPEG": _jpeg,
        "BMP": _bmp,
        "WebP": _webp,
        "TIFF": _tiff,
        "GIF": _gif,
        "AVIF": _avif,
        "PNM": _pnm,
    }
    try:
        header = readers[kind](data)
    except (struct.error, IndexError, ValueError):
        return None
    return header if header is not None and header.width > 0 and header.height > 0 else None


def _png(data: bytes) -> Header:
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    return Header("PNG", width, height, bits=bits)


def _jpeg(data: bytes) -> Header | None:
    at = 2
    while True:
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # these have no length
            at += 2
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:  # start of frame
            bits, height, width = struct.unpack_from(">BHH", data, at + 4)
            return Header("JPEG", width, height, bits=bits)
        elif marker in {0xD9, 0xDA}:  # end, or data before any frame
            return None
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("GIF", width, height)


def _bmp(data: bytes) -> Header:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the header of OS/2
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return Header("BMP", abs(width), abs(height))  # a negative height means top-down rows


def _webp(data: bytes) -> Header | None:
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("WebP", width & 0x3FFF, height & 0x3FFF)
    if chunk == b"VP8L":
        packed = struct.unpack_from("<I", data, 21)[0]
        return Header("WebP", (packed & 0x3FFF) + 1, ((packed >> 14) & 0x3FFF) + 1)
    if chunk == b"VP8X":
        sizes = struct.unpack_from("<6B", data, 24)
        width = int.from_bytes(sizes[:3], "little") + 1
        return Header("WebP", width, int.from_bytes(sizes[3:], "little") + 1)
    return None


def _tiff(data: bytes) -> Header:
    order = "<" if data[:2] == b"II" else ">"
    if struct.unpack_from(order + "H", data, 2)[0] == 43:  # BigTIFF
        at = struct.unpack_from(order + "Q", data, 8)[0]
        count = struct.unpack_from(order + "Q", data, at)[0]
        at, step, length, value = at + 8, 20, "Q", 12
    else:
        at = struct.unpack_from(order + "I", data, 4)[0]
        count = struct.unpack_from(order + "H", data, at)[0]
        at, step, length, value = at + 2, 12, "I", 8
    inline = struct.calcsize(length)
    tags = {}
    for entry in range(at, at + min(count, 4096) * step, step):
        tag, kind, number = struct.unpack_from(order + "HH" + length, data, entry)
        form = {3: "H", 4: "I", 16: "Q"}.get(kind)
        if form is None or number < 1:
            continue
        fits = struct.calcsize(form) * number <= inline
        where = (
            entry + value if fits else struct.unpack_from(order + length, data, entry + value)[0]
        )
        tags[tag] = struct.unpack_from(order + form, data, where)[0]
    is_float = tags.get(339, 1) == 3
    return Header("TIFF", tags.get(256, 0), tags.get(257, 0), is_float, tags.get(258, 1))


def _avif(data: bytes) -> Header | None:
    # A file may hold several pictures (alpha, thumbnail): the largest is the one decoded.
    sizes = [
        struct.unpack_from(">II", data, found.end() + 4)
        for found in re.finditer(b"ispe", data[: 1 << 16])
    ]
    width, height = max(sizes, key=lambda s: s[0] * s[1], default=(0, 0))
    return Header("AVIF", width, height)


def _pnm(data: bytes) -> Header | None:
    found = re.match(rb"P[1-6](?:\s|#[^\n]*\n)+(\d{1,9})(?:\s|#[^\n]*\n)+(\d{1,9})\s", data[:4096])
    return Header("PNM", int(found[1]), int(found[2])) if found else None
