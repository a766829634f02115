"""Patients who do not exist: a rare disease made common, and the records as hospitals send them."""

import json
from collections import Counter
from pathlib import Path

import geurim
from geurim.generators.rules.export import export_fhir
from geurim.relations import write_database

world = geurim.World.load("patients", fabry_share=0.1)
made = world.sample(200, seed=7)
tables = {name: source.to_arrow() for name, source in made.tables.items()}
print({name: table.num_rows for name, table in tables.items()})

print(Counter(tables["conditions"]["name"].to_pylist()).most_common(8))
report = next(r for r in tables["reports"].to_pylist() if r["kind"] != "chest X-ray")
print(report["text_en"])
print(report["text_ko"])

write_database(made, "clinic")
export_fhir("clinic", "clinic.ndjson")
bundle = json.loads(Path("clinic.ndjson").read_text("utf-8").splitlines()[0])
print(Counter(entry["resource"]["resourceType"] for entry in bundle["entry"]))
