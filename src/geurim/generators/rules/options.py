"""The keys of a world: the shape of what stands under each, and what it means.

Readers refuse other keys, and `schema.py` tells editors: both by these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Option(NamedTuple):
    """A key: `shape` names an entry of `SHAPES` in schema.py, or lists the words to choose from."""

    shape: str | tuple[str, ...]
    about: str


Options = Mapping[str, Option]

ABOUT = Option("text", "What it is, in a sentence.")
HIDE = Option("flag", "Others may use it, but it is not put out.")
LABEL = Option("text", "The name of the column that it makes.")
WHERE = Option("formula", "A condition: only of rows for which it holds.")
LOCALE = Option("text", "The language and country of names and addresses, such as ko_KR.")

STEPS = {"millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
"""Seconds in the finest steps of time that can be put out."""

WORLD: Options = {
    "world": Option("text", "The name of the world."),
    "about": ABOUT,
    "period": Option("period", "The time of the world: its first day, and the day after its last."),
    "step": Option(tuple(STEPS), "The finest step of time that is put out; else the second."),
    "locale": LOCALE,
    "calendar": Option("text", "A country whose holidays count, such as KR."),
    "parameters": Option("parameters", "Numbers, texts and dates that formulas use by their names"),
    "schedules": Option("schedules", "When things happen more often, by their names."),
}

PARAMETER: Options = {
    "value": Option("scalar", "The usual value."),
    "formula": Option("formula", "In place of a value: a formula of parameters above."),
    "low": Option("constant number", "The least value."),
    "high": Option("constant number", "The greatest value."),
    "about": ABOUT,
}

SCHEDULE: Options = {
    "hours": Option("hours", 'Opening hours such as "09:00-12:30, 13:30-18:00", or 24 weights.'),
    "weekdays": Option("weights", "Seven weights, Monday first."),
    "months": Option("weights", "Twelve weights."),
    "monthdays": Option("factors", "Factors of days of the month; -1 is the last."),
    "holidays": Option("constant number", "The factor of holidays of the calendar."),
    "growth": Option("constant number", "The factor by which the rate rises in a year."),
    "about": ABOUT,
}

TABLE: Options = {
    "about": ABOUT,
    "of": Option("text", "The table that its rows belong to."),
    "as": Option("text", "What its rows call their owner."),
    "hide": HIDE,
    "rows": Option("number", "How many rows, where it belongs to no other table."),
    "table": Option("rows", "Its rows, written down: a list of mappings."),
    "file": Option("text", "A file with its rows, beside the world."),
    "union": Option("names", "The tables whose rows it joins."),
    "sort": Option("names", "The columns by which it is put out in order."),
    "block": Option("count", "How many owners' rows are made at once; a matter of memory."),
}

MORE: Options = {
    "columns": Option("columns", "Its columns by their names."),
    "constraints": Option("formulas", "Conditions that every row keeps."),
    "where": Option("formula", "A condition: rows for which it does not hold are not put out."),
    "anomalies": Option("anomalies", "What is spoilt on purpose, and labelled."),
    "edge_cases": Option("edge cases", "What hardly ever comes by chance, made on request."),
}

ANOMALY: Options = {
    "name": Option("text", "The label of the rows that are spoilt."),
    "share": Option("number", "The share of rows that are spoilt."),
    "where": WHERE,
    "set": Option("kinds", "Columns, and what is put out instead."),
    "label": Option("text", "The column of the label; else anomaly."),
    "about": ABOUT,
}

EDGE_CASE: Options = {
    "name": Option("text", "Its name."),
    "set": Option("kinds", "Columns, and how they then come about."),
    "about": ABOUT,
}

WRITING: Options = {
    "about": ABOUT,
    "hide": HIDE,
    "unit": Option("text", "The unit, such as kg or km/h; formulas are checked by it."),
    "noise": Option("noise", "An error of measurement: its deviation, or a distribution."),
    "missing": Option("number", "The share that is missing in what is put out."),
    "digits": Option("digits", "How many digits are put out after the point."),
}
"""What any column may say beside its kind."""

SCHEDULED = Option("text", "The schedule by whose hours it happens.")

WINDOW: Options = {
    "from": Option("moment", "From when: a date or the formula of one."),
    "to": Option("moment", "Until when: a date or the formula of one."),
}
