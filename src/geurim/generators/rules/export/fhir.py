"""FHIR R4: a collection of resources for each patient (https://hl7.org/fhir/R4).

Times have no zone in the tables, and are written as UTC.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa

Row = Mapping[str, Any]
Resource = dict[str, Any]

_TERMS = "http://terminology.hl7.org/CodeSystem"
_SYSTEMS = {
    "snomed": "http://snomed.info/sct",
    "icd10": "http://hl7.org/fhir/sid/icd-10",
    "loinc": "http://loinc.org",
    "atc": "http://www.whocc.no/atc",
    "ucum": "http://unitsofmeasure.org",
}
_BASE = "https://example.org/fhir"  # a name that is given to nobody (RFC 2606)


def bundles(tables: Mapping[str, pa.Table]) -> Iterator[Resource]:
    """A bundle for each patient, in their order."""
    of: dict[str, dict[str, list[Row]]] = {n: _by_patient(tables[n]) for n in MAKERS}
    for patient in tables["patients"].to_pylist():
        found = [_patient(patient)]
        for name, make in MAKERS.items():
            found += [make(row) for row in of[name].get(patient["id"], ())]
        yield {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [
                {"fullUrl": f"{_BASE}/{r['resourceType']}/{r['id']}", "resource": _full(r)}
                for r in found
            ],
        }


def _by_patient(table: pa.Table) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for row in table.to_pylist():
        found[row["patient"]].append(row)
    return found


def _patient(row: Row) -> Resource:
    return {
        "resourceType": "Patient",
        "id": row["id"],
        "name": [{"text": row["name"]}],
        "gender": {"M": "male", "F": "female"}[row["sex"]],
        "birthDate": row["born"].isoformat(),
        "deceasedDateTime": _time(row["died"]),
    }


def _condition(row: Row) -> Resource:
    state = "active" if row["resolved"] is None else "resolved"
    return {
        "resourceType": "Condition",
        "id": row["id"],
        "clinicalStatus": _concept(f"{_TERMS}/condition-clinical", state),
        "verificationStatus": _concept(f"{_TERMS}/condition-ver-status", "confirmed"),
        "code": {
            "coding": [
                _coding("snomed", row["code"], row["name"]),
                _coding("icd10", row["icd10"], row["name"]),
            ],
            "text": row["name"],
        },
        "subject": _to("Patient", row["patient"]),
        "encounter": _to("Encounter", row["encounter"]),
        "onsetDateTime": _time(row["onset"]),
        "abatementDateTime": _time(row["resolved"]),
    }


def _encounter(row: Row) -> Resource:
    return {
        "resourceType": "Encounter",
        "id": row["id"],
        "status": "finished",
        "class": {"system": f"{_TERMS}/v3-ActCode", "code": row["class"]},
        "subject": _to("Patient", row["patient"]),
        "period": {"start": _time(row["start"]), "end": _time(row["stop"])},
        "reasonCode": [{"text": row["reason"]}],
    }


def _medication(row: Row) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": row["id"],
        "status": "active" if row["stop"] is None else "completed",
        "intent": "order",
        "medicationCodeableConcept": {
            "coding": [_coding("atc", row["atc"], row["name"])],
            "text": row["name"],
        },
        "subject": _to("Patient", row["patient"]),
        "authoredOn": _time(row["start"]),
        "reasonCode": [{"text": row["reason"]}],
        "dosageInstruction": [{"text": row["dose"]}],
        "dispenseRequest": {
            "validityPeriod": {"start": _time(row["start"]), "end": _time(row["stop"])}
        },
    }


def _observation(row: Row) -> Resource:
    quantity = {"unit": row["unit"], "system": _SYSTEMS["ucum"], "code": row["unit"]}
    limits = {k: {"value": row[k], **quantity} for k in ("low", "high") if row[k] is not None}
    code: Resource = {"text": row["name"]}
    if row["code"] is not None:
        code["coding"] = [_coding("loinc", row["code"], row["name"])]
    flag = row["flag"]
    return {
        "resourceType": "Observation",
        "id": row["id"],
        "status": "final",
        "code": code,
        "subject": _to("Patient", row["patient"]),
        "encounter": _to("Encounter", row["encounter"]),
        "effectiveDateTime": _time(row["time"]),
        "valueQuantity": {"value": row["value"], **quantity},
        "interpretation": flag and [_concept(f"{_TERMS}/v3-ObservationInterpretation", flag)],
        "referenceRange": [limits] if limits else None,
    }


def _report(row: Row) -> Resource:
    text = base64.b64encode(row["text_ko"].encode()).decode()
    return {
        "resourceType": "DiagnosticReport",
        "id": row["id"],
        "status": "final",
        "code": {"text": row["kind"]},
        "subject": _to("Patient", row["patient"]),
        "encounter": _to("Encounter", row["encounter"]),
        "effectiveDateTime": _time(row["time"]),
        "conclusion": row["text_en"],
        "presentedForm": [{"contentType": "text/plain", "language": "ko", "data": text}],
    }


MAKERS: dict[str, Callable[[Row], Resource]] = {
    "encounters": _encounter,
    "conditions": _condition,
    "medications": _medication,
    "observations": _observation,
    "reports": _report,
}
"""Table -> how one of its rows becomes a resource."""


def _to(kind: str, key: str | None) -> Resource | None:
    return None if key is None else {"reference": f"{kind}/{key}"}


def _coding(system: str, code: str, name: str) -> Resource:
    return {"system": _SYSTEMS[system], "code": code, "display": name}


def _concept(system: str, code: str) -> Resource:
    return {"coding": [{"system": system, "code": code}]}


def _time(moment: dt.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds") + "Z"


def _full(found: Any) -> Any:
    """Without what is missing: FHIR leaves an element out rather than say null."""
    if isinstance(found, dict):
        return {k: _full(v) for k, v in found.items() if v is not None}
    return [_full(v) for v in found] if isinstance(found, list) else found
