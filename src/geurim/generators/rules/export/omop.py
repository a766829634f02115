"""The OMOP common data model 5.4 (https://ohdsi.github.io/CommonDataModel): its tables and names.

Codes stand in the `…_source_value` columns, and concept ids of conditions, drugs and measurements
are 0 ("no matching concept"), for the vocabularies that map them are licensed by their owners.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

_SEX = {"M": 8507, "F": 8532}
_VISIT = {"AMB": 9202, "EMER": 9203, "IMP": 9201}
_RECORD = 32817  # the type concept "EHR"


def cdm(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """person, visit_occurrence, condition_occurrence, drug_exposure, measurement and death."""
    people, visits = tables["patients"], tables["encounters"]
    dead = people.filter(pc.is_valid(people["died"]))
    return {
        "person": pa.table(
            {
                "person_id": _number(people["id"]),
                "gender_concept_id": _concept(people["sex"], _SEX),
                "year_of_birth": pc.year(people["born"]),
                "month_of_birth": pc.month(people["born"]),
                "day_of_birth": pc.day(people["born"]),
                "race_concept_id": _same(people, 0),
                "ethnicity_concept_id": _same(people, 0),
                "person_source_value": people["id"],
                "gender_source_value": people["sex"],
            }
        ),
        "visit_occurrence": pa.table(
            {
                "visit_occurrence_id": _number(visits["id"]),
                "person_id": _number(visits["patient"]),
                "visit_concept_id": _concept(visits["class"], _VISIT),
                **_when("visit_start", visits["start"]),
                **_when("visit_end", visits["stop"]),
                "visit_type_concept_id": _same(visits, _RECORD),
                "visit_source_value": visits["reason"],
            }
        ),
        "condition_occurrence": _conditions(tables["conditions"]),
        "drug_exposure": _drugs(tables["medications"]),
        "measurement": _measurements(tables["observations"]),
        "death": pa.table(
            {
                "person_id": _number(dead["id"]),
                **_when("death", dead["died"]),
                "death_type_concept_id": _same(dead, _RECORD),
                "cause_source_value": dead["cause"],
            }
        ),
    }


def _conditions(rows: pa.Table) -> pa.Table:
    return pa.table(
        {
            "condition_occurrence_id": _number(rows["id"]),
            "person_id": _number(rows["patient"]),
            "condition_concept_id": _same(rows, 0),
            **_when("condition_start", rows["onset"]),
            **_when("condition_end", rows["resolved"]),
            "condition_type_concept_id": _same(rows, _RECORD),
            "visit_occurrence_id": _number(rows["encounter"]),
            "condition_source_value": rows["code"],
        }
    )


def _drugs(rows: pa.Table) -> pa.Table:
    """What goes on has no end here, though CDM asks for one: set the date of your extract."""
    return pa.table(
        {
            "drug_exposure_id": _number(rows["id"]),
            "person_id": _number(rows["patient"]),
            "drug_concept_id": _same(rows, 0),
            **_when("drug_exposure_start", rows["start"]),
            **_when("drug_exposure_end", rows["stop"]),
            "drug_type_concept_id": _same(rows, _RECORD),
            "sig": rows["dose"],
            "drug_source_value": rows["atc"],
        }
    )


def _measurements(rows: pa.Table) -> pa.Table:
    return pa.table(
        {
            "measurement_id": _number(rows["id"]),
            "person_id": _number(rows["patient"]),
            "measurement_concept_id": _same(rows, 0),
            **_when("measurement", rows["time"]),
            "measurement_type_concept_id": _same(rows, _RECORD),
            "value_as_number": rows["value"],
            "range_low": rows["low"],
            "range_high": rows["high"],
            "visit_occurrence_id": _number(rows["encounter"]),
            "measurement_source_value": pc.coalesce(rows["code"], rows["name"]),
            "unit_source_value": rows["unit"],
        }
    )


def _number(keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """The number in a key such as P000012."""
    return pc.replace_substring_regex(keys, r"\D+", "").cast(pa.int64())


def _same(rows: pa.Table, value: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.int64()), rows.num_rows)


def _concept(values: pa.ChunkedArray, concepts: Mapping[str, int]) -> pa.Array:
    return pa.array([concepts[v] for v in values.to_pylist()], pa.int64())


def _when(name: str, moments: pa.ChunkedArray) -> dict[str, Any]:
    return {f"{name}_date": moments.cast(pa.date32(), safe=False), f"{name}_datetime": moments}
