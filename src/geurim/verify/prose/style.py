"""Faithful? Register and noise: the shares of texts with certain marks of how people write."""

from __future__ import annotations

from geurim.analyze.traits import traits
from geurim.contract import Finding
from geurim.html import percent
from geurim.verify import stats
from geurim.verify.prose.compare import Corpus, Prose
from geurim.verify.verdict import judge


def style(p: Prose) -> list[Finding]:
    """The share of texts with each trait, beside that of the real texts."""
    shares = [traits(c.texts.values, c.texts.characters) for c in p.sets]
    met = [t for t in shares[0] if any(s[t] > 0.002 for s in shares)]
    if len(shares) == 1:
        return [_alone(p.synthetic, t, shares[0][t]) for t in met]
    sizes = [len(c) for c in p.sets]
    return [_style(t, [s[t] for s in shares], sizes, len(met)) for t in met]


def _style(trait: str, shares: list[float], sizes: list[int], tests: int) -> Finding:
    low, high = _gap(shares[0], sizes[0], shares[1], sizes[1])
    drift = max(0.0, _gap(shares[2], sizes[2], shares[1], sizes[1])[0])
    value = abs(shares[0] - shares[1])
    verdict = judge("text_style", value - drift, low - drift, high - drift, tests=tests)
    return Finding(
        question="faithful",
        name="text_style",
        value=value,
        low=max(0.0, low),
        high=high,
        reference=abs(shares[2] - shares[1]),
        count=sizes[0],
        verdict=verdict,
        text=f"{percent(shares[0])} of the synthetic texts have this, and {percent(shares[1])} of "
        f"the real ones ({percent(shares[2])} of the other half).",
        columns=(trait,),
        details=dict(zip(("synthetic", "training", "holdout"), shares, strict=True)),
    )


def _gap(share: float, count: int, other: float, others: int) -> tuple[float, float]:
    """The interval of |a - b|: that of the difference, turned so that the difference is up."""
    low, high = stats.difference(share * count, count, other * others, others)
    return (low, high) if share >= other else (-high, -low)


def _alone(corpus: Corpus, trait: str, share: float) -> Finding:
    low, high = stats.wilson(share * len(corpus), len(corpus))
    return Finding(
        question="faithful",
        name="text_style",
        value=share,
        low=low,
        high=high,
        reference=None,
        count=len(corpus),
        verdict="info",
        text=f"{percent(share)} of the texts have this.",
        columns=(trait,),
        details={"synthetic": share},
    )
