"""Finding font files, and which scripts they can set."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from dbrt.errors import InputError, RunnerError, UsageError
from dbrt.synth import fonts
from dbrt.synth.lettering import load_font
from dbrt.synth.scripts import SCRIPTS


def test_fonts_are_found_below_a_folder_once_by_name(font, tmp_path):
    (tmp_path / "deep").mkdir()
    shutil.copy(font, tmp_path / "b.ttf")
    shutil.copy(font, tmp_path / "deep" / "a.OTF")
    shutil.copy(font, tmp_path / "deep" / "b.ttf")
    shutil.copy(font, tmp_path / "webdings-symbol.ttf")
    (tmp_path / "read.me").write_text("no font")
    assert [path.name for path in fonts.font_files(tmp_path)] == ["a.OTF", "b.ttf"]


def test_a_book_has_the_scripts_that_fonts_can_set(font, tmp_path):
    shutil.copy(font, tmp_path / "good.ttf")
    (tmp_path / "bad.ttf").write_text("not a font")
    book = fonts.font_book(tmp_path)
    assert book.families["latin"] == ((tmp_path / "good.ttf",),)
    assert "chinese" not in book.families
    assert book.files() == [tmp_path / "good.ttf"]
    assert book.pick("latin", np.random.default_rng(0)) == tmp_path / "good.ttf"


def test_files_of_one_family_are_one_choice(font, tmp_path):
    for name in ("A-Bold.ttf", "A-Italic.ttf", "A-Regular.ttf", "B.ttf"):
        shutil.copy(font, tmp_path / name)
    families = fonts.font_book(tmp_path).families["latin"]
    assert sorted(len(family) for family in families) == [1, 3]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("NotoSansThai-Bold.ttf", "notosansthai"),
        ("Courier Prime Bold Italic.otf", "courierprime"),
        ("Inter[wght].ttf", "inter"),
        ("Bold.ttf", "bold"),
    ],
)
def test_families_by_name(name, family):
    assert fonts.family(Path(name)) == family


def test_a_folder_without_latin_fonts_says_what_to_install(font, tmp_path):
    (tmp_path / "bad.ttf").write_text("not a font")
    with pytest.raises(InputError, match="draws latin: apt-get install fonts-dejavu-core"):
        fonts.font_book(tmp_path)


def test_a_script_without_a_font_says_what_to_install(font):
    with pytest.raises(InputError, match="draws chinese: apt-get install fonts-noto-cjk"):
        fonts.font_book(font.parent, ["latin", "chinese"])


def test_an_unknown_script_lists_the_known(font):
    with pytest.raises(UsageError, match=r"no script 'runic': choose from latin, .*thai"):
        fonts.font_book(font.parent, ["runic"])


def test_scripts_that_join_letters_need_raqm(font, monkeypatch):
    monkeypatch.setattr(fonts, "has_raqm", lambda: False)
    with pytest.raises(RunnerError, match="arabic needs Pillow with raqm"):
        fonts.font_book(font.parent, ["arabic"])
    assert "latin" in fonts.font_book(font.parent).families


def test_a_font_with_empty_glyphs_is_left_out(font, monkeypatch):
    blank = frozenset(map(ord, "é"))
    monkeypatch.setattr(fonts, "_mapped", lambda path: frozenset(range(0x20, 0x250)))
    assert "accented" in fonts.font_book(font.parent).families
    monkeypatch.setattr(fonts, "_blank", lambda path, characters: blank & characters)
    assert set(fonts.font_book(font.parent).families) == {"latin"}


def test_glyphs_without_ink_are_noticed(font):
    space, letter = ord(" "), ord("A")
    assert fonts._blank(font, frozenset([space, letter])) == {space}


def test_the_repertoire_of_latin_is_plain_ascii():
    assert SCRIPTS["latin"].repertoire.isascii()


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


@pytest.mark.parametrize("module", ["PIL", "fontTools.ttLib"])
def test_without_a_library_the_extra_is_named(font, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    load_font.cache_clear()
    with pytest.raises(RunnerError, match=r"pip install .dbrt\[synth\]"):
        fonts.font_book(font.parent)
