"""When a value is a pass, a warning or a failure: every tolerance in one table, and one rule.

A verdict compares a value with its ideal: what the holdout gets, or what chance alone gives. `warn`
and `fail` say how far beyond the ideal is too far. Distances below `warn` are those between honest
samples of one population, with some room; `fail` is where a user would notice. docs/verify.md
explains each row; a test keeps the two alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import NormalDist

from geurim.contract import Finding, Verdict
from geurim.verify.stats import Z

LEVEL = 1e-4
"""A warning or failure is given only if an honest sample would get it less often than this."""

TOLERANCES: Mapping[str, tuple[float, float]] = {
    "missing_gap": (0.02, 0.10),
    "column_ks": (0.05, 0.15),
    "column_tv": (0.05, 0.15),
    "pair_distance": (0.02, 0.05),
    "pair_association": (0.10, 0.30),
    "c2st_auc": (0.10, 0.30),
    "tstr_gap": (0.03, 0.10),
    "dcr_share": (0.03, 0.10),
    "exact_copies": (0.002, 0.02),
    "nndr": (0.05, 0.15),
    "near_copies": (0.001, 0.005),
    "singling_out_one": (0.02, 0.10),
    "singling_out_several": (0.02, 0.10),
    "linkability": (0.02, 0.10),
    "inference": (0.05, 0.15),
    "membership_distance": (0.03, 0.10),
    "membership_distance_tpr": (0.02, 0.10),
    "membership_density": (0.03, 0.10),
    "membership_density_tpr": (0.02, 0.10),
    "unique_combinations": (0.05, 0.15),
    "canaries": (0.05, 0.20),
    "personal_survives": (0.0, 0.001),
    "names_survive": (0.02, 0.10),
    "personal_found": (0.001, 0.01),
    "rare_categories": (0.15, 0.40),
    "tail_low": (0.40, 0.70),
    "tail_high": (0.40, 0.70),
    "invented_categories": (0.005, 0.05),
    "out_of_range": (0.005, 0.05),
    "group_share": (0.20, 0.50),
    "outcome_gap": (0.02, 0.05),
    "odds_gap": (0.05, 0.15),
    "review_accuracy": (0.10, 0.30),
    "triple_dependence": (0.03, 0.10),
    "missing_pattern": (0.05, 0.15),
    "missing_dependence": (0.10, 0.30),
    "date_hour": (0.05, 0.15),
    "date_weekday": (0.05, 0.15),
    "date_month": (0.05, 0.15),
    "date_gap": (0.05, 0.15),
    "broken_rules": (0.001, 0.01),
    "broken_lookups": (0.02, 0.15),
    "duplicate_rows": (0.01, 0.05),
    "number_digits": (0.05, 0.15),
    "string_length": (0.02, 0.10),
    "lost_categories": (0.002, 0.02),
    "minority_share": (0.40, 0.70),
    "lost_combinations": (0.002, 0.02),
    "new_combinations": (0.002, 0.02),
    "tail_shape": (0.10, 0.30),
    "precision": (0.05, 0.15),
    "recall": (0.05, 0.15),
    "alpha_precision": (0.05, 0.15),
    "beta_recall": (0.05, 0.15),
    "authenticity": (0.05, 0.15),
    "small_clusters": (0.15, 0.40),
    "tstr_linear": (0.03, 0.10),
    "tstr_neighbours": (0.03, 0.10),
    "model_choice": (0.03, 0.10),
    "importance_gap": (0.05, 0.15),
    "augmented_gap": (0.03, 0.10),
    "query_error": (0.03, 0.10),
    "collapse_variance": (0.10, 0.30),
    "collapse_tails": (0.20, 0.50),
    "collapse_rare": (0.10, 0.30),
    "collapse_categories": (0.10, 0.30),
    "collapse_distinct": (0.05, 0.15),
    "collapse_pairs": (0.03, 0.10),
    "collapse_c2st": (0.05, 0.15),
    "sequence_length": (0.05, 0.15),
    "sequence_gap": (0.05, 0.15),
    "sequence_autocorrelation": (0.10, 0.30),
    "sequence_transitions": (0.05, 0.15),
    "sequence_cross": (0.10, 0.30),
    "sequence_trend": (0.10, 0.30),
    "sequence_hour": (0.05, 0.15),
    "sequence_weekday": (0.05, 0.15),
    "sequence_month": (0.05, 0.15),
    "sequence_season_hour": (0.10, 0.30),
    "sequence_season_weekday": (0.10, 0.30),
    "sequence_season_month": (0.10, 0.30),
    "sequence_memory": (0.20, 0.50),
    "related_siblings": (0.20, 0.50),
    "text_c2st_auc": (0.10, 0.30),
    "text_length": (0.05, 0.15),
    "text_word_divergence": (0.03, 0.10),
    "text_character_divergence": (0.03, 0.10),
    "text_style": (0.05, 0.15),
    "text_label_gap": (0.03, 0.10),
    "text_exact_copies": (0.001, 0.01),
    "text_near_copies": (0.01, 0.05),
    "text_copied_spans": (0.01, 0.05),
    "text_personal": (0.001, 0.01),
    "text_personal_survives": (0.0, 0.001),
    "text_contamination": (0.0, 0.001),
    "text_clusters": (0.15, 0.40),
    "text_quota": (0.05, 0.15),
    "text_distinct_1": (0.10, 0.30),
    "text_distinct_2": (0.10, 0.30),
    "text_distinct_3": (0.10, 0.30),
    "text_self_bleu": (0.05, 0.15),
    "text_vendi": (0.10, 0.30),
    "text_compression": (0.10, 0.30),
    "text_openings": (0.05, 0.20),
    "text_exact_duplicates": (0.01, 0.05),
    "text_near_duplicates": (0.02, 0.10),
}
"""Measure -> how far beyond its ideal a value may be before a warning, and before a failure."""

ORDER: tuple[Verdict, ...] = ("info", "pass", "warn", "fail")


def judge(name: str, excess: float, low: float, high: float, *, tests: int = 1) -> Verdict:
    """The verdict of an excess over the ideal, given its 95% interval.

    "fail" and "warn" need the whole interval beyond the tolerance, widened so that `tests` honest
    values together would be wrongly blamed with probability `LEVEL` (Bonferroni). "pass" needs the
    value within `warn` and the 95% interval within `fail`; between the two there are too few rows
    to tell, which is "info".
    """
    warn, fail = TOLERANCES[name]
    stretch = NormalDist().inv_cdf(1 - LEVEL / max(tests, 1)) / Z
    surely = excess - (excess - low) * stretch
    if surely > fail:
        return "fail"
    if surely > warn:
        return "warn"
    return "pass" if excess <= warn and high <= fail else "info"


def worst(findings: Iterable[Finding]) -> Verdict:
    """The worst verdict among findings; "info" where nothing was judged."""
    return max((f.verdict for f in findings), key=ORDER.index, default="info")


def not_judged(question: str, name: str, text: str) -> Finding:
    """A check that these rows do not allow: no value, and the reason in `text`."""
    nan = math.nan  # the one object, so that two such findings are equal
    return Finding(
        question=question,
        name=name,
        value=nan,
        low=nan,
        high=nan,
        reference=None,
        count=0,
        verdict="info",
        text=text,
    )
