"""The world of patients: figures that are cited, lives that make sense, exports that are valid."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from geurim.errors import NotFound
from geurim.generators.rules.export import export_fhir, export_omop
from geurim.generators.rules.world import World
from geurim.relations import write_database

Tables = dict[str, list[dict[str, Any]]]
DAY = dt.datetime(2020, 1, 1)


def made(rows: int, seed: int, **parameters: Any) -> Tables:
    database = World.load("patients", **parameters).sample(rows, seed=seed)
    return {n: s.to_arrow().to_pylist() for n, s in database.tables.items()}


@pytest.fixture(scope="module")
def korea() -> Tables:
    return made(4000, 1, country="KR")


@pytest.fixture(scope="module")
def america() -> Tables:
    return made(4000, 2, country="US")


@pytest.fixture(scope="module")
def rare() -> Tables:
    return made(300, 3, fabry_share=0.5)


def ill(tables: Tables, names: tuple[str, ...], low: float, high: float = 200) -> tuple[int, int]:
    """How many of the living of an age have one of the illnesses on the day, and how many live."""
    known = {r["id"]: r["illness"] for r in tables["illnesses"]}
    living = {
        p["id"]
        for p in tables["patients"]
        if low * 365.25 <= (DAY.date() - p["born"]).days < high * 365.25
        and (p["died"] is None or p["died"] > DAY)
    }
    having = {
        c["patient"]
        for c in tables["conditions"]
        if known[c["illness"]] in names
        and c["onset"] <= DAY
        and (c["resolved"] is None or c["resolved"] > DAY)
    }
    return len(living & having), len(living)


FIGURES = [
    # illness, from age, to age, in 100 Koreans, in 100 Americans: sources in the world's file
    (("type_1", "type_2"), 30, 200, 16.3, None),
    (("type_1", "type_2"), 18, 200, None, 14.7),
    (("prediabetes",), 30, 200, 41.3, None),
    (("prediabetes",), 18, 200, None, 38.0),
    (("hypertension",), 20, 200, 28.0, 29.0),
    (("hypertension",), 40, 60, None, 33.2),
    (("hypertension",), 60, 200, None, 63.1),
    (("asthma",), 20, 200, 3.0, 8.0),
    (("heart_failure",), 0, 200, 2.6, 2.3),
    (("stage_3", "stage_4", "stage_5"), 20, 200, 4.0, 6.0),
    (("depression", "depression_again"), 20, 200, 3.0, 4.5),
    (("breast_cancer",), 0, 200, 0.59, 1.2),
    (("lung_cancer",), 0, 200, 0.23, 0.2),
]
WITHIN = 0.3  # of the figure, beside what chance does at 3.5 standard errors


@pytest.mark.parametrize("country", ["KR", "US"])
def test_prevalences_are_those_of_the_sources(country: str, request: pytest.FixtureRequest) -> None:
    tables = request.getfixturevalue({"KR": "korea", "US": "america"}[country])
    for names, low, high, *both in FIGURES:
        expected = both[country == "US"]
        if expected is not None:
            found, of = ill(tables, names, low, high)
            chance = 3.5 * np.sqrt(expected / 100 * (1 - expected / 100) / of)
            told = f"{names} of {low}-{high} in {country}: {100 * found / of:.2f} for {expected}"
            assert abs(found / of - expected / 100) < WITHIN * expected / 100 + chance, told


def test_deaths_are_as_many_as_in_the_country(korea: Tables, america: Tables) -> None:
    # A year of 1,000: Korea 5.4 (2015) to 7.3 (2022); the US 8.4 to 10.4.
    for tables, low, high in ((korea, 5.0, 8.5), (america, 7.5, 11.0)):
        died = sum(p["died"] is not None for p in tables["patients"])
        assert low < died / len(tables["patients"]) / 10 * 1000 < high
        causes = [p["cause"] is not None for p in tables["patients"]]
        assert causes == [p["died"] is not None for p in tables["patients"]]


def people(tables: Tables) -> dict[str, dict[str, Any]]:
    return {p["id"]: p for p in tables["patients"]}


def age(person: dict[str, Any], at: dt.datetime) -> float:
    return (at.date() - person["born"]).days / 365.25


def test_nothing_happens_before_birth_or_after_death(korea: Tables, rare: Tables) -> None:
    times = {
        "conditions": ("onset", "resolved"),
        "encounters": ("start", "stop"),
        "observations": ("time",),
        "medications": ("start", "stop"),
        "reports": ("time",),
    }
    for tables in (korea, rare):
        who = people(tables)
        for name, columns in times.items():
            for row in tables[name]:
                person = who[row["patient"]]
                moments = [row[c] for c in columns if row[c] is not None]
                assert moments == sorted(moments)
                assert moments[0].date() >= person["born"]
                assert person["died"] is None or moments[-1] <= person["died"]


def test_illnesses_are_of_those_who_can_have_them(korea: Tables, america: Tables) -> None:
    for tables in (korea, america):
        who, known = people(tables), {r["id"]: r["illness"] for r in tables["illnesses"]}
        for row in tables["conditions"]:
            person, name = who[row["patient"]], known[row["illness"]]
            if name in ("pregnancy", "miscarriage"):
                assert person["sex"] == "F" and 14.9 < age(person, row["onset"]) < 46
            if name in ("type_2", "prediabetes"):
                assert age(person, row["onset"]) >= 14.9
            if name == "fabry":
                assert person["fabry"]


def test_pregnancies_of_a_woman_do_not_overlap(america: Tables) -> None:
    spans = defaultdict(list)
    for row in america["conditions"]:
        if row["name"] in ("Pregnancy", "Miscarriage"):
            spans[row["patient"]].append((row["onset"], row["resolved"]))
    assert len(spans) > 200
    for mine in spans.values():
        ordered = sorted(mine)
        for (_, end), (start, _) in pairwise(ordered):
            assert end is not None and end < start


def test_medications_agree_with_illnesses_and_stop_with_them(korea: Tables) -> None:
    known = {r["id"]: r["illness"] for r in korea["illnesses"]}
    spans = defaultdict(list)
    for row in korea["conditions"]:
        name = known[row["illness"]].removesuffix("_again")
        spans[row["patient"], name].append((row["onset"], row["resolved"] or dt.datetime.max))
    first = {p: min(mine)[0] for (p, name), mine in spans.items() if name == "pregnancy"}
    ending = {"asthma", "depression", "pregnancy", "pneumonia"}
    for row in korea["medications"]:
        own = [s for s in spans[row["patient"], row["reason"]] if s[0] <= row["start"] < s[1]]
        slack = dt.timedelta(days=25)  # folic acid is taken before the pregnancy is on record
        assert own or (
            row["reason"] == "pregnancy" and row["start"] + slack >= first[row["patient"]]
        ), row
        if own and row["reason"] in ending:
            assert (row["stop"] or dt.datetime.max) <= own[-1][1], row


def values(tables: Tables, name: str) -> list[tuple[dict[str, Any], float]]:
    codes = {r["id"]: r["test"] for r in tables["tests"]}
    return [(r, r["value"]) for r in tables["observations"] if codes[r["test"]] == name]


def test_measurements_follow_the_state(korea: Tables, rare: Tables) -> None:
    reason = {e["id"]: e["reason"] for e in korea["encounters"]}
    sugar = [(reason[r["encounter"]], v) for r, v in values(korea, "a1c")]
    of = {n: np.array([v for w, v in sugar if w == n]) for n in ("prediabetes", "type_2")}
    assert 5.7 < of["prediabetes"].mean() < 6.4 < of["type_2"].mean() < 8.0
    sex = {p["id"]: p["sex"] for p in rare["patients"]}
    lyso = [(sex[r["patient"]], v) for r, v in values(rare, "lyso_gb3")]
    men, women = (np.array([v for s, v in lyso if s == x]) for x in "MF")
    assert len(men) > 50 and np.median(men) > 15 > np.median(women) > 1.8
    assert all(v < 3 for r, v in values(rare, "enzyme") if sex[r["patient"]] == "M")
    assert all(r["value"] is not None and r["unit"] for r in korea["observations"])


def test_the_filtration_rate_is_that_of_the_creatinine(korea: Tables) -> None:
    """CKD-EPI 2021, computed here from the table's own creatinine (Inker, NEJM 2021)."""
    who = people(korea)
    start = {e["id"]: e["start"] for e in korea["encounters"]}
    rates = {r["encounter"]: v for r, v in values(korea, "egfr")}
    pairs = [(r, v, rates[r["encounter"]]) for r, v in values(korea, "creatinine")]
    assert len(pairs) > 10_000
    for row, creatinine, rate in pairs[::50]:
        person = who[row["patient"]]
        woman = person["sex"] == "F"
        kappa, alpha = (0.7, -0.241) if woman else (0.9, -0.302)
        low, high = min(creatinine / kappa, 1) ** alpha, max(creatinine / kappa, 1) ** -1.2
        exact = 142 * low * high * 0.9938 ** age(person, start[row["encounter"]])
        assert abs(exact * (1.012 if woman else 1) - rate) < 0.6


def test_reports_say_what_the_columns_say(korea: Tables, america: Tables) -> None:
    korean = {"left": "좌", "right": "우"}
    seen = set()
    for row in korea["reports"] + america["reports"]:
        seen.add(row["kind"])
        assert korean[row["side"]] in row["text_ko"] and row["side"] in row["text_en"]
        assert korean[{"left": "right", "right": "left"}[row["side"]]] not in row["text_ko"]
        if row["kind"] != "chest X-ray":
            assert (
                f"{row['size_mm']} mm" in row["text_en"]
                and f"{row['size_mm']} mm" in row["text_ko"]
            )
            assert (
                f"stage {row['stage']}" in row["text_en"] and f"{row['stage']}기" in row["text_ko"]
            )
        if row["kind"] == "pathology":
            assert row["site"] == "breast" and "유방" in row["text_ko"]
            assert f"grade {row['grade']}" in row["text_en"]
            assert f"등급 {row['grade']}" in row["text_ko"]
            assert f"ER {row['er']}" in row["text_en"] and f"HER2 {row['her2']}" in row["text_en"]
            word = {"positive": "양성", "negative": "음성"}
            assert f"ER {word[row['er']]}" in row["text_ko"]
            assert f"HER2 {word[row['her2']]}" in row["text_ko"]
        else:
            assert "유방" not in row["text_ko"] and "reast" not in row["text_en"]
    assert seen == {"pathology", "chest CT", "chest X-ray"}


def test_the_rare_disease_can_be_raised(rare: Tables) -> None:
    share = sum(p["fabry"] for p in rare["patients"]) / len(rare["patients"])
    assert abs(share - 0.5) < 0.12
    assert any(r["name"] == "agalsidase beta" for r in rare["medications"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("patients") / "out"
    write_database(World.load("patients", fabry_share=0.2).sample(60, seed=5), str(out))
    return out


def test_bundles_hold_every_row_and_are_valid(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "patients.ndjson"
    assert export_fhir(folder, out) == 60
    bundles = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    count: dict[str, int] = defaultdict(int)
    for bundle in bundles:
        known = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle["entry"]}
        for entry in bundle["entry"]:
            resource = entry["resource"]
            count[resource["resourceType"]] += 1
            for key in ("subject", "encounter"):
                assert resource.get(key, {}).get("reference", next(iter(known))) in known
    tables = {"Observation": "observations", "Condition": "conditions", "Encounter": "encounters"}
    from geurim.read import read

    for kind, name in tables.items():
        assert count[kind] == read(next(folder.glob(f"{name}.*"))).to_arrow().num_rows
    models = pytest.importorskip("fhir.resources.R4B.bundle")
    for bundle in bundles[:25]:
        models.Bundle.model_validate(bundle)
    bundles[0]["entry"][0]["resource"]["birthDate"] = "yesterday"
    with pytest.raises(ValueError, match="birthDate"):
        models.Bundle.model_validate(bundles[0])


def test_tables_of_omop_refer_to_each_other(folder: Path, tmp_path: Path) -> None:
    from geurim.read import read

    rows = export_omop(folder, tmp_path / "cdm")
    found: dict[str, pa.Table] = {
        p.stem: read(p).to_arrow() for p in (tmp_path / "cdm").glob("*.csv")
    }
    assert sum(t.num_rows for t in found.values()) == rows
    people = set(found["person"]["person_id"].to_pylist())
    visits = set(found["visit_occurrence"]["visit_occurrence_id"].to_pylist())
    for name, table in found.items():
        assert set(table["person_id"].to_pylist()) <= people, name
        if "visit_occurrence_id" in table.column_names:
            assert set(table["visit_occurrence_id"].to_pylist()) - {None} <= visits, name
    assert set(found["person"]["gender_concept_id"].to_pylist()) == {8507, 8532}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="has no table 'patients'"):
        export_fhir(tmp_path, tmp_path / "x.ndjson")
