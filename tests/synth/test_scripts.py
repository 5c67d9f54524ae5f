"""Scripts: words are made of what a font must have, and fonts have glyphs for all of it."""

import numpy as np
import pytest

from dbrt.errors import InputError
from dbrt.synth import fonts
from dbrt.synth.fonts import font_book, has_raqm
from dbrt.synth.layouts import Press, column, lines, plate, press, receipt
from dbrt.synth.scripts import SCRIPTS
from dbrt.synth.typeset import INK, Face

each_script = pytest.mark.parametrize("name", SCRIPTS)


@each_script
def test_words_are_made_of_the_repertoire(name):
    rng, script = np.random.default_rng(1), SCRIPTS[name]
    words = [script.word(rng) for _ in range(400)]
    assert all(words)
    written = set("".join(words)) | set("".join(words).upper())
    assert written <= set(script.repertoire)
    assert len(set(words)) > 150


@each_script
def test_words_differ_in_length(name):
    rng, script = np.random.default_rng(2), SCRIPTS[name]
    lengths = [len(script.word(rng)) for _ in range(300)]
    assert min(lengths) <= 3
    assert max(lengths) >= 6
    assert 1.5 < np.mean(lengths) < 9


@pytest.fixture(scope="module")
def system_book():
    pytest.importorskip("PIL", reason="Pillow is not installed")
    pytest.importorskip("fontTools", reason="fonttools is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fonts, "FAMILY_FILES", 1)  # reading all takes seconds
        try:
            return font_book()
        except InputError as exc:
            pytest.skip(str(exc))


@each_script
def test_each_script_is_drawn_with_glyphs_of_its_own(system_book, name):
    """No box for a missing glyph: those of different characters would be alike."""
    script = SCRIPTS[name]
    if name not in system_book.families:
        pytest.skip(f"no font for {name}: apt-get install {' '.join(script.packages)}")
    rng = np.random.default_rng(5)
    own = sorted(set(script.repertoire) - set(SCRIPTS["latin"].repertoire)) or list("ABCabc019")
    for family in system_book.families[name][:6]:
        font = Face(family[0], 28, script.needs_shaping).open()
        missing = bytes(font.getmask("\U0010fffe"))
        drawn = [bytes(font.getmask(c)) for c in rng.choice(own, 9, replace=False)]
        assert missing not in [glyph for glyph in drawn if glyph]
        assert len(set(drawn)) > 4


@pytest.mark.parametrize("name", [n for n, s in SCRIPTS.items() if s.needs_shaping])
def test_joined_scripts_are_shaped(system_book, name):
    if name not in system_book.families or not has_raqm():
        pytest.skip(f"no font or no raqm for {name}")
    text = {"arabic": "ببب", "devanagari": "कि", "thai": "กิ่"}[name]
    path = system_book.families[name][0][0]
    shaped, plain = (Face(path, 40, way).open() for way in (True, False))
    differs = shaped.getlength(text) != plain.getlength(text)
    assert differs or bytes(shaped.getmask(text)) != bytes(plain.getmask(text))


@each_script
@pytest.mark.parametrize("seed", range(2))
def test_each_script_can_be_laid_out_in_every_way(system_book, name, seed):
    if name not in system_book.families:
        pytest.skip(f"no font for {name}: apt-get install {' '.join(SCRIPTS[name].packages)}")
    rng = np.random.default_rng(seed)
    alone = type(system_book)({name: system_book.families[name]})
    one = Press(alone, ((name, 1.0),), rng)
    blocks = [
        lines(one, 20.0, 300, count=3),
        lines(one, 9.0, 300, count=4, is_full=True),
        plate(one, 20.0),
        column(one, 20.0, 300),
        receipt(one, 9.0, 200, 8),
    ]
    assert sum(block is not None for block in blocks) >= 4
    for block in filter(None, blocks):
        ink = block.mask >= INK
        boxes = np.concatenate([line.boxes for line in block.lines]).astype(int)
        covered = np.zeros_like(ink)
        for left, top, right, bottom in boxes:
            covered[top:bottom, left:right] = True
        assert ink.any()
        assert (ink & ~covered).sum() <= 0.002 * ink.sum()


def test_a_picture_has_a_main_script_and_latin_beside_it(system_book):
    rng = np.random.default_rng(0)
    drawn = [press(system_book, rng).scripts for _ in range(300)]
    assert {len(scripts) for scripts in drawn} <= {1, 2}
    assert all(scripts[1][0] == "latin" for scripts in drawn if len(scripts) == 2)
    latin = sum(scripts[0][0] == "latin" for scripts in drawn) / len(drawn)
    assert 0.5 < latin <= 1.0
