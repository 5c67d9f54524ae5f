"""The scripts that text is drawn in: what each may write, and how its words are made.

No list of words is taken from anywhere: outside of Latin, words are made by rule from the letters
of the script, which is what a detector sees of them. The Chinese, Japanese and Korean characters
are those of the national standards' first levels, read off Python's own codecs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dbrt.synth import words

Rng = np.random.Generator
ASCII_MARKS = "!%&'()+,-./:?@#$*"


@dataclass(frozen=True)
class Script:
    """A script.

    weight         its share of the text, against the others that the fonts allow
    repertoire     all characters that may be written: a font must have every one
    word           draws one word, or a run of characters where the script has no spaces
    needs_shaping  letters join or stack: Pillow must have raqm
    is_rtl         written from right to left
    is_cjk         square characters that may also run downwards
    packages       Debian packages with fonts
    """

    name: str
    weight: float
    repertoire: str
    word: Callable[[Rng], str]
    packages: tuple[str, ...]
    needs_shaping: bool = False
    is_rtl: bool = False
    is_cjk: bool = False


def _pick(options: str | tuple[str, ...], rng: Rng) -> str:
    return options[int(rng.integers(len(options)))]


def _rows(codec: str, first: int, last: int) -> str:
    """The two-byte characters of an EUC encoding whose first byte lies in a range."""
    cells = bytes(b for row in range(first, last + 1) for c in range(0xA1, 0xFF) for b in (row, c))
    return cells.decode(codec, errors="ignore")


HANZI = _rows("gb2312", 0xB0, 0xD7)  # GB 2312 level 1, by use
KANJI = _rows("euc_jp", 0xB0, 0xCF)  # JIS X 0208 level 1
HANGUL = _rows("euc_kr", 0xB0, 0xC8)  # KS X 1001
HIRAGANA = "".join(map(chr, range(0x3042, 0x3094)))
KATAKANA = "".join(map(chr, range(0x30A2, 0x30F4))) + "ー"
DIGITS = "0123456789"


def _run(characters: str, longest: int, rng: Rng) -> str:
    length = 1 + min(int(rng.geometric(0.28)), longest - 1)
    return "".join(_pick(characters, rng) for _ in range(length))


def _hanzi(rng: Rng) -> str:
    # the first characters of the list are not the commonest: it is ordered by sound
    return _run(HANZI, 12, rng) if rng.random() < 0.93 else words.number(rng)


def _japanese(rng: Rng) -> str:
    kind = rng.random()
    if kind < 0.3:
        return _run(KATAKANA, 8, rng)
    if kind < 0.55:
        return _run(KANJI, 6, rng)
    parts = [_run(KANJI, 3, rng) + _run(HIRAGANA, 3, rng) for _ in range(int(rng.integers(1, 4)))]
    return "".join(parts)


def _korean(rng: Rng) -> str:
    return _run(HANGUL, 6, rng)


CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
CYRILLIC_VOWELS, CYRILLIC_CONSONANTS = "аеиоуыюяэ", "бвгдзжклмнпрстфхцчшщ"
GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώ"
GREEK_VOWELS, GREEK_CONSONANTS = "αεηιουωάέίό", "βγδζθκλμνξπρστφχψ"
ARABIC = "ابتثجحخدذرزسشصضطظعغفقكلمنهوية"
DEVANAGARI_LETTERS = "कखगघचछजझटठडढतथदधनपफबभमयरलवशषसह"
DEVANAGARI_SIGNS = ("", "", "ा", "ि", "ी", "ु", "ू", "े", "ै", "ो", "ौ", "ं")
DEVANAGARI_VOWELS = "अआइईउऊएऐओऔ"
THAI_CONSONANTS = "กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศษสหอ"
THAI_AFTER, THAI_BEFORE, THAI_TONES = "ะาำ", "เแโใไ", "่้"
THAI_ABOVE = "ัิีึืุู"
ACCENTED = "áàâäãåçéèêëíìîïñóòôöõøúùûüýßœæ"


def _cased(word: str, rng: Rng) -> str:
    kind = rng.random()
    return word.upper() if kind < 0.35 else word.capitalize() if kind < 0.65 else word


def _syllables(consonants: str, vowels: str, last: str, rng: Rng) -> str:
    count = min(int(rng.geometric(0.35)), 5)
    parts = []
    for _ in range(count):
        parts.append(_pick(consonants, rng) + _pick(vowels, rng))
        if rng.random() < 0.3:
            parts.append(_pick(last, rng))
    return "".join(parts)


def _cyrillic(rng: Rng) -> str:
    if rng.random() < 0.1:
        return words.number(rng)
    end = _pick(("", "", "ь", "й", "ъ"), rng)
    return _cased(_syllables(CYRILLIC_CONSONANTS, CYRILLIC_VOWELS, "нрстлмк", rng) + end, rng)


def _greek(rng: Rng) -> str:
    end = _pick(("ς", "ν", "", ""), rng)
    return _cased(_syllables(GREEK_CONSONANTS, GREEK_VOWELS, "νρλσ", rng) + end, rng)


def _arabic(rng: Rng) -> str:
    return "".join(_pick(ARABIC, rng) for _ in range(2 + min(int(rng.geometric(0.35)), 6)))


def _devanagari(rng: Rng) -> str:
    count = 1 + min(int(rng.geometric(0.4)), 5)
    start = _pick(DEVANAGARI_VOWELS, rng) if rng.random() < 0.15 else ""
    pairs = (_pick(DEVANAGARI_LETTERS, rng) + _pick(DEVANAGARI_SIGNS, rng) for _ in range(count))
    return start + "".join(pairs)


def _thai(rng: Rng) -> str:
    parts = []
    for _ in range(min(int(rng.geometric(0.3)), 7)):
        kind, letter = rng.random(), _pick(THAI_CONSONANTS, rng)
        tone = _pick(THAI_TONES, rng) if rng.random() < 0.25 else ""
        if kind < 0.3:
            parts.append(letter + tone + _pick(THAI_AFTER, rng))
        elif kind < 0.55:
            parts.append(_pick(THAI_BEFORE, rng) + letter + tone)
        elif kind < 0.85:
            parts.append(letter + _pick(THAI_ABOVE, rng) + tone + _pick(THAI_CONSONANTS, rng))
        else:
            parts.append(letter + _pick(THAI_CONSONANTS, rng))
    return "".join(parts)


def _accented(rng: Rng) -> str:
    """A Latin word with one or two of its letters replaced by accented ones."""
    letters = list(words.word(rng))
    for _ in range(int(rng.integers(1, 3))):
        letters[int(rng.integers(len(letters)))] = _pick(ACCENTED, rng)
    return _cased("".join(letters), rng)


def _unique(*parts: str) -> str:
    return "".join(sorted(set("".join(parts))))


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_LATIN = _unique(_LETTERS, _LETTERS.upper(), DIGITS, ASCII_MARKS)
_CJK = {"is_cjk": True}

SCRIPTS: dict[str, Script] = {
    s.name: s
    for s in (
        Script("latin", 0.66, _LATIN, words.word, ("fonts-dejavu-core", "fonts-lato")),
        Script(
            "accented", 0.05, _unique(_LATIN, ACCENTED, ACCENTED.upper()), _accented,
            ("fonts-dejavu-core", "fonts-lato"),
        ),
        Script(
            "cyrillic", 0.05, _unique(_LATIN, CYRILLIC, CYRILLIC.upper()), _cyrillic,
            ("fonts-dejavu-core", "fonts-paratype"),
        ),
        Script(
            "greek", 0.02, _unique(_LATIN, GREEK, GREEK.upper()), _greek,
            ("fonts-dejavu-core", "fonts-freefont-ttf"),
        ),
        Script(
            "chinese", 0.09, _unique(_LATIN, HANZI), _hanzi,
            ("fonts-noto-cjk", "fonts-wqy-microhei"), is_cjk=True,
        ),
        Script(
            "japanese", 0.04, _unique(KANJI, HIRAGANA, KATAKANA), _japanese,
            ("fonts-noto-cjk", "fonts-ipafont-gothic"), is_cjk=True,
        ),
        Script(
            "korean", 0.04, _unique(HANGUL), _korean, ("fonts-noto-cjk", "fonts-nanum"),
            is_cjk=True,
        ),
        Script(
            "arabic", 0.02, _unique(ARABIC), _arabic, ("fonts-noto-core", "fonts-hosny-amiri"),
            needs_shaping=True, is_rtl=True,
        ),
        Script(
            "devanagari", 0.015,
            _unique(DEVANAGARI_LETTERS, DEVANAGARI_VOWELS, *DEVANAGARI_SIGNS), _devanagari,
            ("fonts-noto-core", "fonts-lohit-deva"), needs_shaping=True,
        ),
        Script(
            "thai", 0.015,
            _unique(THAI_CONSONANTS, THAI_AFTER, THAI_BEFORE, THAI_TONES, THAI_ABOVE), _thai,
            ("fonts-noto-core",), needs_shaping=True,
        ),
    )
}  # fmt: skip
