"""`dbrt synth` on the command line."""

import json
import shutil

import cv2
import numpy as np
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
    assert printed["schema"] == "dbrt.synth/2"
    assert printed["pictures"] == 2
    assert printed["fonts"] == 1
    assert "latin" in printed["scripts"]
    assert sorted(p.name for p in out.rglob("*.*")) == [
        "LICENCES.txt", "gt_img_1.txt", "gt_img_2.txt", "img_1.jpg", "img_2.jpg",
        "poly_gt_img_1.txt", "poly_gt_img_2.txt",
    ]  # fmt: skip
    assert sheet.stat().st_size > 0


def test_lines_can_be_labelled_and_photographs_named(fonts, tmp_path, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "a.png"), np.full((300, 400, 3), 90, np.uint8))
    small = ("--count", 1, "--size", "320x200", "--fonts", fonts, "--photos", photos)
    assert synth(tmp_path / "out", *small, "--unit", "line", "--scripts", "latin") == 0
    printed = capsys.readouterr().out
    assert "1 picture, " in printed
    assert " lines and " in printed or " line and " in printed
    assert "1 photograph;" in printed


def test_backgrounds_can_all_be_drawn(fonts, tmp_path, capsys):
    small = ("--count", 1, "--size", "320x200", "--fonts", fonts, "--photos", "none")
    assert synth(tmp_path / "out", *small) == 0
    printed = capsys.readouterr()
    assert "0 photographs" in printed.out
    assert printed.err == ""


def test_without_wallpapers_it_says_so_and_draws_on(fonts, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("dbrt.synth.backgrounds.installed", lambda wallpapers: [])
    assert synth(tmp_path / "out", "--count", 1, "--size", "320x200", "--fonts", fonts) == 0
    assert "apt-get install lomiri-wallpapers-16.04" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--scripts", "runic"), 2, "no script 'runic'"),
        (("--scripts", "chinese"), 3, "apt-get install fonts-noto-cjk"),
        (("--photos", "/nonexistent"), 3, "no such folder of photographs"),
        (("--size", "640x480,10x10"), 2, "--size 10x10"),
    ],
)
def test_what_cannot_be_done_is_one_line(fonts, tmp_path, capsys, arguments, code, message):
    assert synth(tmp_path / "out", "--fonts", fonts, *arguments) == code
    assert message in capsys.readouterr().err


def test_a_preview_of_another_kind_is_refused_before_anything_is_drawn(fonts, tmp_path, capsys):
    assert synth(tmp_path / "out", "--fonts", fonts, "--preview", tmp_path / "a.gif") == 7
    assert "name it .png or .jpg" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


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
