"""`dbrt synth` on the command line."""

import json
import shutil

import pytest

from dbrt.cli import main


@pytest.fixture
def fonts(tmp_path):
    image_font = pytest.importorskip("PIL.ImageFont", reason="Pillow is not installed")
    folder = tmp_path / "fonts"
    folder.mkdir()
    (folder / "default.ttf").write_bytes(image_font.load_default(20).font_bytes)
    return folder


def synth(*arguments):
    return main(["synth", *map(str, arguments)])


def test_pictures_labels_and_preview_are_written(fonts, tmp_path, capsys):
    out, sheet = tmp_path / "out", tmp_path / "sheet.png"
    small = ("--size", "320x200", "--workers", 1, "--fonts", fonts)
    assert synth(out, "--count", 2, "--seed", 3, *small, "--preview", sheet, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["schema"] == "dbrt.synth/1"
    assert printed["pictures"] == 2
    assert printed["fonts"] == 1
    assert sorted(p.name for p in out.rglob("*.*")) == [
        "gt_img_1.txt", "gt_img_2.txt", "img_1.jpg", "img_2.jpg",
    ]  # fmt: skip
    assert sheet.stat().st_size > 0


@pytest.mark.parametrize("size", ["1280", "1280x", "axb", "10x10", "90000x100"])
def test_a_size_that_makes_no_sense_is_a_usage_error(fonts, tmp_path, capsys, size):
    assert synth(tmp_path / "out", "--size", size, "--fonts", fonts) == 2
    assert f"--size {size}" in capsys.readouterr().err


def test_missing_fonts_are_an_input_error(tmp_path, capsys):
    assert synth(tmp_path / "out", "--fonts", tmp_path) == 3
    assert "apt-get install" in capsys.readouterr().err


def test_a_folder_in_use_is_an_output_error(fonts, tmp_path, capsys):
    (tmp_path / "out" / "images").mkdir(parents=True)
    shutil.copy(fonts / "default.ttf", tmp_path / "out" / "images")
    assert synth(tmp_path / "out", "--fonts", fonts) == 7
    assert "is not empty" in capsys.readouterr().err
