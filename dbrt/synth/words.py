"""What the generator writes: common words, made-up names, numbers, prices, times, codes.

No list names anything real; telephone numbers are from the range kept free for fiction (555-01xx).
"""

from __future__ import annotations

import numpy as np

COMMON = tuple(
    """a able about above across after again air all also always an and animal any apple area arm
    art as ask at autumn away baby back bag ball bank bar bath be beach bean bear beauty bed bell
    best big bike bird black blue board boat body book box boy bread bridge bright brother brown
    build building bus business but butter buy by cake call camp car card care carry case cat
    center central chair change cheap cheese chicken child choice city class clean clear clock
    close cloth club coat coffee cold color come computer cook cool corner cotton country course
    cream cross cup cut daily dance dark day dear deep deliver design desk dinner direct do doctor
    dog dollar door down dream dress drink drive dry early earth east easy eat egg eight electric
    energy engine enjoy entrance even evening every exit express eye face fact family farm fashion
    fast father feel field fine fire first fish five flat floor flower fly food foot for forest
    form four free fresh friday friend from front fruit full future game garden gate general gift
    girl give glass go gold good grand grass great green ground group grow guest hair half hall
    hand happy hard hat have head health heart help here high hill history holiday home honey hope
    horse hot hotel hour house how ice idea if in information inside island it job juice june just
    keep key kind king kitchen knife lady lake land large last late laugh lead leaf learn leave
    left lemon less letter level library life light like line list little live local long look
    love low lunch machine main make man many map march market master may meal meat medical meet
    metal middle milk mind mini mobile modern monday money moon more morning mother motor mountain
    music name nature near never new news next nice night nine no north not now number ocean of
    off offer office oil old on one only open orange order other our out over own paint paper park
    parking part party pass past path pay people pepper phone photo piano picture place plan plant
    plate play please point police pool post power press price private public pull push quality
    queen quick quiet radio rain read ready real red repair rest restaurant rice rich right ring
    river road rock roof room rose round royal run safe sale salt sand saturday save school sea
    season second see sell service seven shoe shop short show side sign silver simple sing sister
    six sky sleep slow small smile smoke snow so soap soft some song soon soup south space special
    speed spice sport spring square staff stage stair star start station stay steam steel step
    still stone stop store story street strong student studio style sugar summer sun sunday super
    sure sweet swim table take talk taste taxi tea team telephone ten test that the theater there
    thing this three thursday ticket time tin to today toilet tomato top total tour town toy trade
    train travel tree true tuesday turn two under union unit until up use value very video view
    village visit voice wait walk wall want warm wash watch water way we wear wednesday week
    weekend welcome well west wet wheel when where white wide wild wind window wine winter with
    wonder wood word work world write yard year yellow yes you young your zero zone""".split()
)
ONSETS = tuple("b br c d dr f g gr h k l m n p qu r s st t th tr v w y z".split())
VOWELS = tuple("a e i o u ai ea oo ou".split())
CODAS = ("", "", "l", "m", "n", "nd", "r", "rt", "s", "t", "x", "ck", "ng")
BEGINNINGS = tuple("re un in over under inter super out mis non".split())
ENDINGS = tuple(
    "s s s ing ed er ers ly ness ment ful less able tion ation ity ist ian ship".split()
)
PLATE_FORMS = ("AA 00 AAA", "AAA 0000", "00 AAA 00", "A 000 AA", "AAA-000", "0000 AAA", "AA-000-AA")
CODE_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _name(rng: np.random.Generator) -> str:
    syllables = int(rng.integers(1, 4))
    return "".join(_pick(ONSETS, rng) + _pick(VOWELS, rng) for _ in range(syllables)) + _pick(
        CODAS, rng
    )


def number(rng: np.random.Generator) -> str:
    """A number as signs bear it: a price, a time, a date, a share, a telephone number, a code."""
    kind = int(rng.integers(9))
    n = [int(v) for v in rng.integers(0, 100, 4)]
    letters = "".join(CODE_LETTERS[int(i)] for i in rng.integers(0, len(CODE_LETTERS), 3))
    return (
        str(int(rng.integers(1, 10 ** int(rng.integers(1, 6))))),
        f"${n[0]}.{n[1]:02d}",
        f"{n[0]}.{n[1]:02d}",
        f"{n[0] % 24}:{n[1] % 60:02d}",
        f"{5 * (n[0] % 19 + 1)}%",
        f"555-01{n[0]:02d}",
        f"{n[0] % 28 + 1}/{n[1] % 12 + 1}",
        f"{letters[: n[2] % 3 + 1]}{n[0]}",
        f"{n[0]},{10 * n[1]:03d}",
    )[kind]


def plate(rng: np.random.Generator) -> str:
    """Letters and digits as on a number plate, in one of a few made-up forms."""
    form = _pick(PLATE_FORMS, rng)
    letters, digits = CODE_LETTERS, "0123456789"
    return "".join(
        _pick(tuple(letters if c == "A" else digits), rng) if c in "A0" else c for c in form
    )


def address(rng: np.random.Generator) -> str:
    """An e-mail address or a web address under a name that is kept free for examples."""
    host = _name(rng) + _pick((".example", ".test", ".example"), rng)
    kind = rng.random()
    if kind < 0.4:
        return f"{_pick(COMMON, rng)}@{host}"
    return f"www.{host}" if kind < 0.8 else f"{host}/{_pick(COMMON, rng)}"


def _derived(rng: np.random.Generator) -> str:
    """A longer word: a common one with a beginning or an ending."""
    stem = _pick(COMMON, rng)
    kind = rng.random()
    if kind < 0.2:
        return _pick(BEGINNINGS, rng) + stem
    if kind < 0.85:
        return stem + _pick(ENDINGS, rng)
    return stem + _pick(COMMON, rng)


def word(rng: np.random.Generator) -> str:
    """Draw one word in lower case, or a number; as long as words are in running text."""
    kind = rng.random()
    if kind < 0.56:
        return _pick(COMMON, rng)
    if kind < 0.74:
        return _derived(rng)
    if kind < 0.85:
        return _name(rng)
    return number(rng) if kind < 0.985 else address(rng)


def cased(words: list[str], rng: np.random.Generator, *, capitals: float = 0.4) -> list[str]:
    """Put words into one case: all capitals, each with a capital, the first with one, or none."""
    kind = rng.random()
    if kind < capitals:
        return [w if "@" in w else w.upper() for w in words]
    rest = (kind - capitals) / max(1 - capitals, 1e-9)
    if rest < 0.35:
        return [w if "@" in w else w.capitalize() for w in words]
    return [words[0].capitalize(), *words[1:]] if rest < 0.7 and words else list(words)


def line(rng: np.random.Generator, most: int = 4) -> str:
    """Draw one to `most` words in one case, now and then with a mark behind the last."""
    words = [word(rng) for _ in range(int(rng.integers(1, most + 1)))]
    text = " ".join(cased(words, rng, capitals=0.45))
    mark = rng.random()
    return text + (_pick((".", "!", "?", ":", ","), rng) if mark < 0.08 else "")
