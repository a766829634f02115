"""Attacks find what a leaking generator leaks, in every dose, and blame no honest one."""

import numpy as np
import pyarrow as pa
import pytest
from people import mixed, noisy, numbers, people, put

from geurim.contract import Lineage, Privacy, Source
from geurim.errors import SettingError
from geurim.verify import stats, verify
from geurim.verify.attacks import Tries
from geurim.verify.private import bounded
from geurim.verify.unusual import unusual

ROWS = 2_000
TRAINING, HOLDOUT, HONEST = (people(ROWS, np.random.default_rng(s)) for s in (11, 12, 13))
CHECKS = ["dcr", "near", "singling_out", "linkability", "inference", "membership", "unusual"]
NAMES = [
    "nndr",
    "near_copies",
    "singling_out_one",
    "singling_out_several",
    "linkability",
    "inference",
    "membership_distance",
    "membership_distance_tpr",
    "membership_density",
    "membership_density_tpr",
    "unique_combinations",
]


def judged(rows: pa.Table, checks: list[str], training=TRAINING, holdout=HOLDOUT):
    return verify(rows, training, holdout=holdout, checks=checks)


def blamed(report) -> dict[str, str]:
    return {f.name: f.verdict for f in report.findings if f.verdict in ("warn", "fail")}


def integers(rows: int, rng: np.random.Generator) -> pa.Table:
    """Few values, so that honest rows are copies of each other."""
    return pa.table({f"c{i}": rng.integers(0, 3 + i, rows) for i in range(5)})


def one(rows: int, rng: np.random.Generator) -> pa.Table:
    return pa.table({"x": rng.normal(size=rows)})


def heavy(rows: int, rng: np.random.Generator) -> pa.Table:
    tail = np.exp(2 * rng.standard_t(2, rows))
    return pa.table({"tail": tail, "count": rng.poisson(0.3, rows), "kind": rng.choice(40, rows)})


@pytest.mark.parametrize("population", [people, integers, one, heavy], ids=lambda p: p.__name__)
@pytest.mark.parametrize("seed", range(2))
def test_no_attack_blames_honest_rows(population, seed):
    rng = np.random.default_rng([20, seed])
    training, holdout, rows = (population(n, rng) for n in (600, 300, 500))
    assert blamed(judged(rows, CHECKS, training, holdout)) == {}


@pytest.mark.slow
def test_intervals_of_honest_rows_hold_the_ideal_as_often_as_they_say():
    """200 draws: 95% of them within four deviations; nobody is blamed."""
    held: dict[str, list[bool]] = {}
    for seed in range(200):
        rng = np.random.default_rng([21, seed])
        training, holdout, rows = (people(500, rng) for _ in range(3))
        report = judged(rows, CHECKS, training, holdout)
        assert blamed(report) == {}
        for finding in report.findings:
            held.setdefault(finding.name, []).append(
                finding.low <= (finding.reference or 0.0) <= finding.high
            )
    ideal = ("dcr_share", "nndr", "membership_distance", "membership_density", "linkability")
    shares = {n: np.mean(held[n]) for n in ideal}
    assert {n: s for n, s in shares.items() if s < 0.95 - 4 * (0.95 * 0.05 / 200) ** 0.5} == {}


@pytest.mark.parametrize(
    ("share", "least"),
    [(0.02, {"near_copies"}), (0.3, {*NAMES} - {"singling_out_one", "unique_combinations"})],
)
def test_noisy_copies_are_found_in_any_dose(share, least):
    rows = noisy(HONEST, TRAINING, share, np.random.default_rng(30))
    checks = ["near"] if share < 0.1 else CHECKS
    found = blamed(judged(rows, checks))
    # What a few noisy copies hardly change: several columns, and the mean over pairs.
    assert least - {"singling_out_several", "nndr", "inference"} <= set(found)


def test_a_hundredth_of_copies_is_found_in_more_rows():
    training, holdout, honest = (people(4_000, np.random.default_rng(s)) for s in (31, 32, 33))
    copied = mixed(honest, training, 0.01)
    assert "near_copies" in blamed(judged(copied, ["near"], training, holdout))
    report = judged(honest, ["near"], training, holdout)
    assert report.find("near_copies").verdict == "pass"


def outliers(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """A twentieth of the rows have incomes and scores far beyond all others."""
    far = rng.random(len(table)) < 0.05
    income = numbers(table, "income") * np.where(far, rng.lognormal(5, 1, len(table)), 1)
    score = numbers(table, "score") + np.where(far, rng.normal(0, 60, len(table)), 0)
    table = put(table, "income", income.round(2))
    return put(table, "score", pa.array(score, mask=np.isnan(score)))


def test_memorised_outliers_are_found():
    """All else is honest: the rows that stand out come back with a little noise."""
    rng = np.random.default_rng(34)
    training, holdout, honest = (outliers(t, rng) for t in (TRAINING, HOLDOUT, HONEST))
    far = np.flatnonzero(np.abs(np.nan_to_num(numbers(training, "score"))) > 25)
    memorised = noisy(honest, training.take(pa.array(far)), len(far) / ROWS, rng)
    assert len(far) > 30
    found = blamed(judged(memorised, ["near", "membership"], training, holdout))
    assert "near_copies" in found
    assert blamed(judged(honest, ["near", "membership"], training, holdout)) == {}


def test_leak_of_one_column_is_named():
    """Scores of training rows are attached to honest rows that are near to them: one secret."""
    rows = put(TRAINING, "day", HONEST["day"])  # all but one column is copied
    report = judged(rows, ["inference"])
    named = {f.columns[0] for f in report.findings if f.columns and f.verdict == "fail"}
    assert {"age", "income", "score"} <= named and "day" not in named


def test_risk_is_the_published_formula():
    """Giomi et al. 2023: R = (r_train - r_control) / (1 - r_control), on Wilson's centres."""
    tries = Tries(hits=60, count=100, control_hits=20, control_count=100, guessing=0.1)
    attack, control = (sum(stats.wilson(h, 100)) / 2 for h in (60, 20))
    value, low, high = tries.risk()
    assert value == pytest.approx((attack - control) / (1 - control))
    assert low < value < high
    equal = Tries(hits=7, count=50, control_hits=7, control_count=50, guessing=0.0)
    assert equal.risk()[0] == 0


def test_risk_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(35)
    drawn = rng.binomial(500, [0.3, 0.1], (2_000, 2))
    truth = (0.3 - 0.1) / (1 - 0.1)
    held = []
    for hits, control in drawn:
        _, low, high = Tries(
            hits=hits, count=500, control_hits=control, control_count=500, guessing=0.0
        ).risk()
        held.append(low <= truth <= high)
    assert abs(np.mean(held) - 0.95) < 0.02


def test_every_attack_says_what_its_control_and_guessing_reach():
    report = judged(HONEST, ["singling_out", "linkability", "inference"])
    assert {f.name for f in report.findings} == set(NAMES[2:6])
    for finding in report.findings:
        details = finding.details
        assert 0 <= details["guessing"] <= 1 and details["control"] == pytest.approx(
            details["attack"], abs=0.08
        )
        assert "by guessing" in finding.text
    risks = report.find("inference").details["risks"]
    assert set(risks) == {"age", "income", "class", "place", "score", "member", "day"}


def test_halves_to_link_hold_each_column_once():
    halves = judged(HONEST, ["linkability"]).find("linkability").details["halves"]
    assert sorted(halves[0] + halves[1]) == sorted(set(HONEST.column_names) - {"email"})
    assert abs(len(halves[0]) - len(halves[1])) <= 1


def test_roc_of_copies_lies_above_that_of_guessing():
    finding = judged(mixed(HONEST, TRAINING, 0.5), ["membership"]).find("membership_distance")
    curve, alarms = (np.array(finding.details[k]) for k in ("roc", "false_alarms"))
    assert (curve[1:-1] > alarms[1:-1]).all() and curve[-1] == 1 and curve[0] > 0.3


def test_without_a_holdout_no_attack_is_faked():
    report = verify(HONEST, TRAINING, checks=[*CHECKS, "budget"])
    silent = {f.name for f in report.findings if f.verdict == "info" and np.isnan(f.value)}
    assert silent == {*NAMES, "dcr_share", "privacy_budget"} - {"nndr", "near_copies"}
    assert report.find("near_copies").verdict == "pass"  # judged against the other half
    copied = verify(TRAINING, TRAINING, checks=["near"])
    assert copied.find("near_copies").verdict == "fail"


@pytest.mark.parametrize("rows", [1, 3, 19])
def test_few_rows_are_not_judged(rows):
    few = [t.slice(0, rows) for t in (HONEST, TRAINING, HOLDOUT)]
    report = verify(few[0], few[1], holdout=few[2], checks=[*CHECKS, "budget"])
    assert {f.verdict for f in report.findings} == {"info"}
    assert not any("broke down" in f.text for f in report.findings)


def test_a_table_without_learned_columns_is_not_judged():
    tables = [t.select(["email"]) for t in (HONEST, TRAINING, HOLDOUT)]
    report = verify(tables[0], tables[1], holdout=tables[2], checks=CHECKS)
    assert {f.verdict for f in report.findings} == {"info"}


def test_quasi_identifiers_can_be_told():
    from test_neighbours import compared

    c = compared(TRAINING, HOLDOUT, TRAINING)
    (finding,) = unusual(c, ["age", "place"])
    assert finding.columns == ("age", "place") and finding.verdict == "fail"
    assert finding.value == 1.0 and finding.reference == 0.0
    assert finding.details["most_returned"][0][1] == ["age", "place"]
    with pytest.raises(SettingError, match=r"'zip'.*'age'"):
        unusual(c, ["zip"])


def test_unusual_rows_of_honest_draws_come_back_as_often_as_the_holdouts():
    finding = judged(HONEST, ["unusual"]).find("unique_combinations")
    assert finding.verdict in ("pass", "info") and finding.count > 100
    assert "email" not in finding.columns and "income" not in finding.columns


def released(privacy: tuple[Privacy, ...], parents: tuple[Lineage, ...] = ()) -> Lineage:
    return Lineage.made("a generator", parents=parents, privacy=privacy)


REAL = Lineage(maker="people.csv", digest="0", real=True)
RELEASE = Privacy(unit="person", contributions=3, epsilon=1.5, delta=1e-6)


def test_budget_is_that_of_the_lineage():
    lineage = released((RELEASE, RELEASE), (REAL,))
    rows = Source(
        schema=HONEST.schema, lineage=lineage, read=lambda: iter(HONEST.to_batches()), rows=ROWS
    )
    finding = verify(rows, TRAINING, checks=["budget"]).find("privacy_budget")
    assert finding.value == 3.0 and finding.details["delta"] == 2e-6
    assert finding.verdict == "pass"
    assert "person of up to 3 rows" in finding.text


@pytest.mark.parametrize(
    ("lineage", "releases"),
    [
        (REAL, 0),
        (released((), (REAL,)), 0),
        (released((), (released((RELEASE,), (REAL,)),)), 1),
        (released((), (released((RELEASE,), (REAL,)), REAL)), 0),
        (released((), (released((RELEASE,)), Lineage.made("another", privacy=(RELEASE,)))), 2),
        (released((), (released((RELEASE,)), released((RELEASE,)))), 1),
    ],
    ids=["real", "not private", "private", "real rows beside", "two", "one twice"],
)
def test_a_budget_holds_only_if_all_passed_through_it(lineage, releases):
    assert len(bounded(lineage)) == releases
