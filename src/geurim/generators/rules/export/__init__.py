"""The tables of the world of patients in the forms that hospitals and researchers exchange.

`fhir` makes a bundle of FHIR R4 resources for each patient, one a line; `omop` the tables of the
OMOP common data model. Both read a folder with the tables `patients`, `conditions`, `encounters`,
`medications`, `observations` and `reports`, of this world or of one with the same columns.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from geurim.errors import NotFound

TABLES = ("patients", "conditions", "encounters", "medications", "observations", "reports")
"""The tables that are read."""


def read_tables(folder: str | Path) -> dict[str, pa.Table]:
    """The tables of a folder that `geurim generate patients` wrote. Raises NotFound."""
    from geurim.read import read

    found = {}
    for name in TABLES:
        files = sorted(p for p in Path(folder).glob(f"{name}.*") if p.suffix != ".toml")
        if not files:
            raise NotFound(
                f"{str(folder)!r} has no table {name!r}. Make the folder by "
                "'geurim generate patients -o FOLDER'; an export reads "
                f"{', '.join(TABLES)}."
            )
        found[name] = read(files[0]).to_arrow()
    return found


def export_fhir(folder: str | Path, output: str | Path, *, overwrite: bool = False) -> int:
    """Write a FHIR R4 bundle for each patient, a line each (NDJSON); how many there are."""
    import json

    from geurim.generators.rules.export.fhir import bundles
    from geurim.write import claim

    count = 0
    tables = read_tables(folder)
    with claim(Path(output), overwrite=overwrite) as temporary, temporary.open("w") as file:
        for bundle in bundles(tables):
            file.write(json.dumps(bundle, ensure_ascii=False) + "\n")
            count += 1
    return count


def export_omop(folder: str | Path, output: str | Path, *, overwrite: bool = False) -> int:
    """Write the tables of the OMOP common data model as CSV into a folder; their rows."""
    from geurim.generators.rules.export.omop import cdm
    from geurim.read import read
    from geurim.write import write

    tables = cdm(read_tables(folder))
    Path(output).mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        write(read(table), Path(output) / f"{name}.csv", overwrite=overwrite)
    return sum(t.num_rows for t in tables.values())
