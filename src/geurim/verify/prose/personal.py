"""Private? Personal data in synthetic texts, and real values that came out again."""

from __future__ import annotations

import re

from geurim.contract import Finding, Verdict
from geurim.curate.personal import personal_data
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.prose.compare import Prose
from geurim.verify.prose.texts import Texts
from geurim.verify.verdict import judge

SENSITIVE = ("national_id", "card_number", "iban")
"""What no text should hold, invented or not: one is a warning."""

_VALUE = re.compile(r"[^\s<>()\"',;]+@[^\s<>()\"',;]+|\+?\d[\d .()-]{6,}\d")
SHOWN = 6


def personal(p: Prose) -> list[Finding]:
    """The share of texts with personal data by kind, and the real values that came out again."""
    made = flagged(p.synthetic.texts)
    real = [flagged(c.texts) for c in p.sets[1:]]
    kinds = sorted({k for f in (made, *real) for k in f})
    out = [_kind(p, kind, [len(f.get(kind, ())) for f in (made, *real)], made) for kind in kinds]
    if not kinds:
        out = [_kind(p, "", [0] * len(p.sets), made)]
    if p.seeds is not None:
        out.append(_survivors(p, made, real))
    return out


def flagged(texts: Texts) -> dict[str, list[int]]:
    """The numbers of the texts that hold personal data, by kind."""
    found: dict[str, list[int]] = {}
    for place, kinds in personal_data(texts.values).items():
        for kind in kinds:
            found.setdefault(kind, []).append(place)
    return found


def _kind(p: Prose, kind: str, hits: list[int], made: dict[str, list[int]]) -> Finding:
    counts = [len(c) for c in p.sets]
    share = hits[0] / counts[0]
    low, high = stats.wilson(hits[0], counts[0])
    real, others = sum(hits[1:]), sum(counts[1:])
    what = kind.replace("_", " ") or "personal"
    verdict: Verdict = "info"
    if others or kind in SENSITIVE:
        under, over = stats.difference(hits[0], counts[0], real, others) if others else (low, high)
        excess = share - (real / others if others else 0.0)
        verdict = judge("text_personal", excess, under, over) if hits[0] else "pass"
        if kind in SENSITIVE and hits[0] and verdict != "fail":
            verdict = "warn"
    elif not hits[0]:
        verdict = "pass"
    text = f"{hits[0]:,} of {counts[0]:,} synthetic texts hold what looks like {what} data"
    text += f"; {percent(real / others)} of the real ones do." if others else "."
    return Finding(
        question="private",
        name="text_personal",
        value=share,
        low=low,
        high=high,
        reference=hits[2] / counts[2] if others else None,
        count=counts[0],
        verdict=verdict,
        text=text,
        columns=(what,),
        details={"texts": _masked(p.synthetic.texts, made.get(kind, []))},
    )


def _masked(texts: Texts, rows: list[int]) -> list[str]:
    """The places, with every digit and mailbox blotted out: a report must not spread the data."""
    out = []
    for row in rows[:SHOWN]:
        text = re.sub(r"[^\s@]+(?=@)", "***", texts.raw[row][:2_000])
        text = re.sub(r"\d", "#", text)
        at = min((m.start() for m in re.finditer(r"#|\*\*\*", text)), default=0)
        out.append(text[max(0, at - 60) : at + 90])
    return out


def _survivors(p: Prose, made: dict[str, list[int]], real: list[dict[str, list[int]]]) -> Finding:
    halves = [_values(c.texts, f) for c, f in zip(p.sets[1:], real, strict=True)]
    # What stands in both halves is written by many: an office's address, nobody's secret.
    known = halves[0] ^ halves[1]
    own = _values(p.synthetic.texts, made)
    again = own & known
    low, high = stats.wilson(len(again), len(own))
    share = len(again) / max(len(own), 1)
    sure = judge("text_personal_survives", share, low, high)
    verdict: Verdict = "pass" if not again else "fail" if sure == "fail" else "warn"
    return Finding(
        question="private",
        name="text_personal_survives",
        value=share,
        low=low if own else 0.0,
        high=high if own else 0.0,
        reference=0.0,
        count=len(own),
        verdict=verdict,
        text=f"{len(again):,} of {len(own):,} mail addresses and long numbers in the synthetic "
        f"texts stand in one half of the real texts too, of {len(known):,} that do; "
        "what both halves have is public."
        if own
        else "The synthetic texts hold no mail address and no long number.",
        columns=(p.column,),
    )


def _values(texts: Texts, found: dict[str, list[int]]) -> set[str]:
    """The values of the texts that hold personal data: numbers by their digits alone."""
    rows = {row for kind, own in found.items() if kind not in ("address", "url") for row in own}
    values: set[str] = set()
    for row in rows:
        for match in _VALUE.findall(texts.raw[row]):
            digits = re.sub(r"\D", "", match)
            values.add(digits if "@" not in match else match.lower())
    return {v for v in values if len(v) >= 7}
