"""The data card of a report, and the schema of its JSON."""

import json
from dataclasses import replace
from importlib import resources

import jsonschema
import numpy as np
import pytest
from people import people, shuffled

from geurim.contract import Lineage, Privacy
from geurim.verify import Report, verify

TABLES = [people(700, np.random.default_rng(s)) for s in (1, 2, 3)]


@pytest.fixture(scope="module")
def broken() -> Report:
    rows = shuffled(TABLES[0], np.random.default_rng(4))
    return verify(rows, TABLES[1], holdout=TABLES[2], checks=["columns", "pairs", "copies"])


def test_the_card_tells_verdicts_reasons_and_limits(broken: Report, tmp_path) -> None:
    broken.save_markdown(tmp_path / "README.md", "People | made")
    text = (tmp_path / "README.md").read_text("utf-8")
    assert text.startswith("# People \\| made\n\nVerdict: **fail**")
    assert "| private | pass | 1 pass |" in text
    assert "**fail** (`pair\\_" not in text and "**fail** (`pair_" in text
    assert "anonymous in law" in text and "700 real rows" in text


def test_the_card_shows_the_privacy_budget_and_hostile_names_stay_text(broken: Report) -> None:
    spent = Privacy(unit="row", contributions=1, epsilon=1.5, delta=1e-6)
    lineage = Lineage.made("private <b>*x*</b>", seed=1, request=[], parents=())
    private = replace(broken, lineage={"synthetic": replace(lineage, privacy=(spent,))})
    text = private.to_markdown()
    assert "epsilon 1.5, delta 1e-06 for each row" in text
    assert "private \\<b\\>\\*x\\*\\</b\\>" in text


def test_every_report_keeps_the_published_schema(broken: Report) -> None:
    file = resources.files("geurim") / "verify" / "report.schema.json"
    schema = json.loads(file.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    state = json.loads(json.dumps(broken.to_json()))
    jsonschema.validate(state, schema)
    state["findings"][0]["verdict"] = "great"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(state, schema)
