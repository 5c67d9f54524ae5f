"""Finding font files."""

import shutil
import sys
from pathlib import Path

import pytest

from dbrt.errors import InputError, RunnerError
from dbrt.synth import fonts
from dbrt.synth.lettering import load_font


def test_fonts_are_found_below_a_folder_once_by_name(font, tmp_path):
    (tmp_path / "deep").mkdir()
    shutil.copy(font, tmp_path / "b.ttf")
    shutil.copy(font, tmp_path / "deep" / "a.OTF")
    shutil.copy(font, tmp_path / "deep" / "b.ttf")
    shutil.copy(font, tmp_path / "webdings-symbol.ttf")
    (tmp_path / "read.me").write_text("no font")
    assert [path.name for path in fonts.font_files(tmp_path)] == ["a.OTF", "b.ttf"]


def test_fonts_that_cannot_be_read_are_left_out(font, tmp_path):
    shutil.copy(font, tmp_path / "good.ttf")
    (tmp_path / "bad.ttf").write_text("not a font")
    assert [path.name for path in fonts.latin_fonts(tmp_path)] == ["good.ttf"]


def test_a_folder_without_latin_fonts_says_what_to_install(font, tmp_path):
    (tmp_path / "bad.ttf").write_text("not a font")
    with pytest.raises(InputError, match="apt-get install fonts-dejavu-core"):
        fonts.latin_fonts(tmp_path)


def test_an_empty_folder_says_what_to_install(tmp_path):
    with pytest.raises(InputError, match="apt-get install fonts-dejavu-core"):
        fonts.font_files(tmp_path)


def test_a_system_without_fonts_says_what_to_install(monkeypatch):
    monkeypatch.setattr(fonts, "system_folders", lambda: [Path("/nonexistent/fonts")])
    with pytest.raises(InputError, match=r"system's font folders.*apt-get install"):
        fonts.font_files()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="no such folder of fonts"):
        fonts.font_files(tmp_path / "none")


def test_a_font_is_found_by_its_name(font):
    assert fonts.font_named("default.ttf", font.parent) == font


def test_a_font_that_is_missing_by_name_is_named(font):
    with pytest.raises(InputError, match=r"other\.ttf is not on this machine"):
        fonts.font_named("other.ttf", font.parent)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_platform_has_font_folders(monkeypatch, platform):
    monkeypatch.setattr(fonts.sys, "platform", platform)
    assert fonts.system_folders()


def test_without_pillow_the_extra_is_named(font, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    load_font.cache_clear()
    with pytest.raises(RunnerError, match=r"pip install .dbrt\[synth\]"):
        fonts.latin_fonts(font.parent)
