"""Reading pictures: every kind becomes BGR uint8, every fault one line that names it."""

import os
import struct

import cv2
import numpy as np
import pytest

from dbrt.datasets import picture_size, read_picture
from dbrt.errors import InputError

HEIGHT, WIDTH = 24, 40

WRITTEN = {
    "png": (".png", np.uint8, 3),
    "png-gray": (".png", np.uint8, 1),
    "png-alpha": (".png", np.uint8, 4),
    "png-16-bit": (".png", np.uint16, 3),
    "jpeg": (".jpg", np.uint8, 3),
    "jpeg-gray": (".jpg", np.uint8, 1),
    "bmp": (".bmp", np.uint8, 3),
    "tiff": (".tif", np.uint8, 3),
    "tiff-16-bit": (".tif", np.uint16, 1),
    "webp": (".webp", np.uint8, 3),
    "ppm": (".ppm", np.uint8, 3),
    "pgm": (".pgm", np.uint8, 1),
}


def encoded(suffix, picture, *parameters):
    done, data = cv2.imencode(suffix, picture, list(parameters))
    assert done
    return data.tobytes()


def noise(dtype, channels, height=HEIGHT, width=WIDTH):
    top = np.iinfo(dtype).max
    values = np.random.default_rng(7).integers(0, top, (height, width, channels), dtype)
    return values if channels > 1 else values[..., 0]


@pytest.mark.parametrize(("suffix", "dtype", "channels"), WRITTEN.values(), ids=WRITTEN)
def test_every_kind_becomes_bgr_of_its_size(tmp_path, suffix, dtype, channels):
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(encoded(suffix, noise(dtype, channels)))
    frame = read_picture(path)
    assert frame.shape == (HEIGHT, WIDTH, 3)
    assert frame.dtype == np.uint8
    assert frame.flags.c_contiguous
    assert picture_size(path) == (HEIGHT, WIDTH)


def test_lossless_pixels_come_back(tmp_path):
    picture = noise(np.uint8, 3)
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(".png", picture))
    np.testing.assert_array_equal(read_picture(path), picture)


def test_lossless_webp_size_is_read_from_its_header(tmp_path):
    path = tmp_path / "picture.webp"
    path.write_bytes(encoded(".webp", noise(np.uint8, 3), cv2.IMWRITE_WEBP_QUALITY, 101))
    assert picture_size(path) == (HEIGHT, WIDTH)


def tiff_tags(order, entry):
    """Width as LONG, height as SHORT, in either byte order."""
    return struct.pack(order + entry, 256, 4, 1, WIDTH) + (
        struct.pack(order + entry[:-1] + "H", 257, 3, 1, HEIGHT).ljust(
            struct.calcsize(order + entry), b"\0"
        )
    )


HEADERS = {
    "gif": b"GIF89a" + struct.pack("<HH", WIDTH, HEIGHT) + bytes(10),
    "bmp-top-down": b"BM" + bytes(12) + struct.pack("<Iii", 40, WIDTH, -HEIGHT),
    "bmp-of-os2": b"BM" + bytes(12) + struct.pack("<IHH", 12, WIDTH, HEIGHT),
    "tiff-big-endian": b"MM\0*" + struct.pack(">IH", 8, 2) + tiff_tags(">", "HHII"),
    "tiff-little-endian": b"II*\0" + struct.pack("<IH", 8, 2) + tiff_tags("<", "HHII"),
    "bigtiff": b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 2) + tiff_tags("<", "HHQQ"),
    "avif": b"\0\0\0\x1cftypavif" + bytes(16) + b"ispe" + struct.pack(">III", 0, WIDTH, HEIGHT),
    "pbm-with-comment": b"P4\n# by hand\n%d %d\n" % (WIDTH, HEIGHT),
    "jpeg-with-fill-bytes": b"\xff\xd8\xff\xe0\0\4\0\0\xff\xff\xff\xc2\0\x11\x08"
    + struct.pack(">HH", HEIGHT, WIDTH),
}


@pytest.mark.parametrize("data", HEADERS.values(), ids=HEADERS)
def test_size_is_read_from_the_header_alone(tmp_path, data):
    path = tmp_path / "picture"
    path.write_bytes(data)
    assert picture_size(path) == (HEIGHT, WIDTH)


def test_content_decides_and_not_the_suffix(tmp_path):
    path = tmp_path / "wörter 1.jpg"
    path.write_bytes(encoded(".png", noise(np.uint8, 3)))
    assert read_picture(path).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("size", [(1, 1), (4, 20_000)], ids=["1x1", "4x20000"])
def test_odd_sizes_are_read(tmp_path, size):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(".png", np.zeros((*size, 3), np.uint8)))
    assert read_picture(path).shape == (*size, 3)


def test_exif_rotation_is_honoured(tmp_path):
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, :16] = 255  # white on the left
    jpeg = encoded(".jpg", picture, cv2.IMWRITE_JPEG_QUALITY, 100)
    turn_right = 6  # the stored left side is the top of the upright picture
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, turn_right, 0, 0)
    app1 = b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(tiff)) + b"Exif\0\0" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + app1 + jpeg[2:])
    frame = read_picture(path)
    assert frame.shape == (32, 16, 3)
    assert frame[:12].mean() > 200
    assert frame[20:].mean() < 50


def claims(width, height):
    data = bytearray(encoded(".png", np.zeros((2, 2, 3), np.uint8)))
    data[16:24] = struct.pack(">II", width, height)
    return bytes(data)


def half(data):
    return data[: len(data) // 2]


JPEG = encoded(".jpg", noise(np.uint8, 3, 64, 64))
PNG = encoded(".png", noise(np.uint8, 3, 64, 64))
BAD = {
    "empty": (b"", "is empty"),
    "text": (b"this is no picture at all, it is text\n" * 9, "is not a picture"),
    "mp4": (b"\0\0\0\x20ftypisom" + bytes(40), "is not a picture"),
    "half-jpeg": (half(JPEG), "damaged or cut"),
    "jpeg-without-end": (JPEG[:-2], "damaged or cut"),
    "half-png": (half(PNG), "damaged or cut"),
    "jpeg-of-20-bytes": (JPEG[:20], "header of this JPEG file is damaged or cut"),
    "png-of-20-bytes": (PNG[:20], "header of this PNG file is damaged or cut"),
    "tiff-of-8-bytes": (b"II*\0\x08\0\0\0", "header of this TIFF file is damaged or cut"),
    "jpeg-without-frame": (JPEG[:2] + b"\xff\xd9", "header of this JPEG file is damaged or cut"),
    "no-pixels": (claims(0, 40), "header of this PNG file is damaged or cut"),
    "absurd-size": (claims(40_000, 40_000), "40000x40000 is 1600 megapixels, at most 200"),
    "float-tiff": (
        encoded(".tif", np.zeros((8, 8), np.float32)),
        "32-bit floating-point TIFF can't be read",
    ),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_with_one_line(tmp_path, data, message):
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_picture(tmp_path / "missing.jpg")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_picture(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_without_reading_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="not a regular file"):
        read_picture(tmp_path / "pipe.jpg")


def test_an_unreadable_file_is_refused_with_the_systems_reason(tmp_path):
    path = tmp_path / "secret.jpg"
    path.write_bytes(JPEG)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InputError, match="Permission denied"):
        read_picture(path)


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_no_cut_or_garbled_start_escapes_the_error_tree(tmp_path, cut):
    path = tmp_path / "picture.jpg"
    garbled = bytearray(PNG[:400])
    garbled[cut] ^= 0xFF
    path.write_bytes(bytes(garbled))
    with pytest.raises(InputError):
        read_picture(path)
