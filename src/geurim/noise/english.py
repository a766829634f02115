"""English as it is typed: slips of the keys, no apostrophes, abbreviations, capitals, asides."""

from __future__ import annotations

import re

from geurim.noise.hangul import LATIN_NEIGHBOURS
from geurim.noise.kinds import Kind, alternatives, each, listed, matches, pick, table
from geurim.noise.korean_typing import SPACES
from geurim.noise.sheet import END, KEPT, SEP
from geurim.noise.tails import (
    BANGS,
    DOTS,
    PUNCTUATION_MISSING,
    asides,
    one_of,
    run_length,
    tail,
)

MISSPELLINGS = table(
    """
    definitely=definately|definitly separate=seperate receive=recieve received=recieved
    believe=beleive weird=wierd until=untill really=realy tomorrow=tommorow necessary=neccessary
    occurred=occured because=becuase|becasue their=thier friend=freind which=wich a_lot=alot
    beginning=begining disappointed=dissapointed|disapointed recommend=recomend|reccomend
    address=adress apparently=apparantly experience=experiance excellent=excelent
    immediately=immediatly government=goverment business=buisness calendar=calender
    restaurant=restaraunt probably=probly too_much=to_much you're=your it's=its than=then lose=loose
    losing=loosing could_have=could_of should_have=should_of would_have=would_of truly=truely
    argument=arguement embarrassed=embarassed successful=succesful unfortunately=unfortunatly
    writing=writting
    """
)
ABBREVIATIONS = table(
    """
    you=u are=r your=ur please=pls|plz thanks=thx|thnx thank_you=ty|thx because=cuz|bc people=ppl
    going_to=gonna want_to=wanna got_to=gotta have_to=hafta kind_of=kinda sort_of=sorta about=abt
    with=w/ without=w/o something=smth probably=prolly message=msg picture=pic tomorrow=tmrw
    tonight=tonite though=tho through=thru know=kno okay=ok to_be_honest=tbh right_now=rn
    in_my_opinion=imo as_soon_as_possible=asap by_the_way=btw I_don't_know=idk don't_know=dunno
    give_me=gimme let_me=lemme customer_service=cs information=info account=acct love=luv
    """
)
SLANG = table(
    """
    very=super|hella|mad great=dope|lit|awesome bad=trash|garbage good=solid really=legit
    terrible=trash annoying=cringe excellent=fire angry=pissed expensive=pricey cheap=dirt_cheap
    tired=dead_tired amazing=insane boring=meh
    """
)
RUN_ON = (" ", " and ", " so ", ", ", " like ")
INTENSIFIERS = ("honestly ", "seriously ", "I mean ", "ok so ", "like ", "look, ", "so ")
REPEATED = listed("very really so never please again still always just")
EMOTICONS = (":)", ":)", ":D", ";)", "^^", "xD", ":P")
FROWNS = (":(", ":/", "-_-", "smh", "ugh", ":-(")
EMOJI = ("😊", "🙏", "👍", "😂", "😅", "🤔", "👀", "💦")
INTERJECTIONS = ("lol", "lol", "omg", "tbh", "ngl", "haha", "imo", "lmao")
ASIDES = (
    "Sorry for the long message.",
    "I usually never write these.",
    "Typing this on the bus so ignore the typos.",
    "Anyway, that is my story.",
    "My sister said the same thing by the way.",
    "Also the weather is awful here today.",
)
ANGER = (
    "This is ridiculous.",
    "How many times do I have to say this?",
    "I am done waiting.",
    "Get me your manager.",
    "Are you kidding me?",
    "Do better.",
)

_LOWER = rf"(?<![{KEPT}\w'’])"
_EDGE = r"(?![\w'’])"


def _any_case(pairs: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {right.lower(): wrong for right, wrong in pairs.items()}


def _worded(name: str, what: str, pairs: dict[str, tuple[str, ...]]) -> Kind:
    lower = _any_case(pairs)

    def edit(piece: str, u: float) -> str:
        written = pick(lower[piece.lower()], u)[0]
        return (
            written[0].upper() + written[1:] if piece[0].isupper() and len(piece) > 1 else written
        )

    return Kind(
        name=name,
        unit="word that has such a form",
        what=what,
        places=matches(
            rf"{_LOWER}(?:{alternatives(tuple(lower))}){_EDGE}", re.IGNORECASE | re.ASCII
        ),
        rewrite=each(edit),
    )


def _key(piece: str, u: float) -> str:
    new = pick(LATIN_NEIGHBOURS[piece.lower()], u)[0]
    return new.upper() if piece.isupper() else new


# Any word of four letters or more but for these, and a few short ones.
_UNSTRESSED = listed(
    "with that this from they were have when what which them then than been will would could "
    "should about your their there into over some such just here where while after before because"
)
_STRESSED = (
    rf"(?<![\w{KEPT}'’/.@])(?!(?:{alternatives(_UNSTRESSED)})\b)"
    rf"(?:not|no|so|all|now|why|bad|(?=[A-Z]*[a-z])[A-Za-z]{{4,}})(?![\w{KEPT}@'’])"
)
_TYPING = (
    Kind(
        name="key",
        unit="letter",
        what="a neighbouring key: tge for the",
        places=matches(r"[A-Za-z]"),
        rewrite=each(_key),
    ),
    Kind(
        name="swap",
        unit="pair of different letters after a word's first",
        what="two letters in the wrong order: hte",
        places=matches(r"(?<=[A-Za-z])([A-Za-z])(?!\1)[A-Za-z]"),
        rewrite=each(lambda piece, u: piece[1] + piece[0]),
    ),
    Kind(
        name="drop",
        unit="letter inside a word",
        what="a letter left out: rcommend",
        places=matches(r"(?<=[A-Za-z])[A-Za-z]"),
        rewrite=each(lambda piece, u: ""),
    ),
    Kind(
        name="double",
        unit="letter",
        what="a letter typed twice: thhe",
        places=matches(r"[a-z]"),
        rewrite=each(lambda piece, u: piece * 2),
    ),
    Kind(
        name="space_extra",
        unit="gap between two letters of a word",
        what="a space inside a word: th e",
        places=matches(r"(?<=[a-z])(?=[a-z])"),
        rewrite=each(lambda piece, u: " "),
    ),
)


def _drawn(piece: str, u: float) -> str:
    at = max(i for i, c in enumerate(piece) if c.lower() in "aeioulyw")
    return piece[:at] + piece[at] * (1 + run_length(u, 1, 6)) + piece[at + 1 :]


WORDS = (
    _worded("abbreviation", "u, thx, gonna, idk", ABBREVIATIONS),
    _worded("slang", "trash, dope, hella", SLANG),
    _worded("misspelling", "a known misspelling: definately, could of", MISSPELLINGS),
)
STYLE: tuple[Kind, ...] = (
    Kind(
        name="intensifier",
        unit="sentence",
        what="honestly, seriously, ok so before it",
        places=matches(
            rf"(?:(?<={SEP})|(?<=[.!?…~\n] )|(?<=\n))(?:[A-Z](?=[a-z]+(?:[ '’]|{END}))|(?=I ))"
        ),
        rewrite=each(lambda piece, u: _before(piece, u)),
    ),
    Kind(
        name="repeat",
        unit="adverb that is often repeated",
        what="very very, never never",
        places=matches(rf"(?<![\w'’{KEPT}])(?:{alternatives(REPEATED)})(?= [a-z])"),
        rewrite=each(lambda piece, u: " ".join([piece] * run_length(u, 2, 4, 0.3))),
    ),
    Kind(
        name="run_on",
        unit="full stop between sentences",
        what="sentences run together",
        places=matches(rf"{END}\.[ \t]+(?:[A-Z](?=[a-z])|(?=[A-Za-z]))"),
        rewrite=each(lambda piece, u: pick(RUN_ON, u)[0] + piece[-1].strip().lower()),
    ),
    asides(
        "digression", "a sentence that has nothing to do with it", ASIDES, ASIDES, re.compile("")
    ),
    asides(
        "anger", "an angry sentence; only where the label is negative", ANGER, ANGER, re.compile("")
    ),
)


def _before(piece: str, u: float) -> str:
    start, _ = pick(INTENSIFIERS, u)
    return start[0].upper() + start[1:] + piece.lower()


CASE: tuple[Kind, ...] = (
    Kind(
        name="apostrophe",
        unit="apostrophe inside a word",
        what="dont, its, im",
        places=matches(r"(?<=[A-Za-z])['’](?=[A-Za-z])"),
        rewrite=each(lambda piece, u: ""),
    ),
    Kind(
        name="lower",
        unit="text with a capital",
        what="no capitals at all",
        places=matches(rf"(?<={SEP})[^{SEP}A-Z]*[A-Z][^{SEP}]*"),
        rewrite=each(lambda piece, u: re.sub("[A-Z]+", lambda m: m[0].lower(), piece)),
    ),
    Kind(
        name="caps",
        unit="word that can be stressed",
        what="a word in capitals: this is NOT ok",
        places=matches(_STRESSED),
        rewrite=each(lambda piece, u: piece.upper()),
    ),
)
TAILS: tuple[Kind, ...] = (
    PUNCTUATION_MISSING,
    Kind(
        name="drawn",
        unit="word that is often drawn",
        what="sooo, pleaseee, nooo",
        places=matches(
            rf"(?<![\w'’{KEPT}])(?:so|please|no|way|really|why|very|hello|well|ever|slow|long){_EDGE}",
            re.IGNORECASE | re.ASCII,
        ),
        rewrite=each(_drawn),
    ),
    DOTS,
    BANGS,
    tail("interjection", "lol, smh, tbh behind a sentence", one_of(INTERJECTIONS), glued=0.01),
    tail("emoticon", ":), :( or xD behind a sentence", one_of(EMOTICONS), glued=0.05),
    tail("frown", ":(, smh behind a sentence; for negative texts", one_of(FROWNS), glued=0.05),
    tail("emoji", "an emoji behind a sentence", one_of(EMOJI), glued=0.2),
)
KINDS: tuple[Kind, ...] = (*WORDS, *STYLE, *_TYPING, *SPACES[:2], *CASE, *TAILS)
