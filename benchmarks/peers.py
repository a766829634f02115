"""One peer, run inside its own environment by tables.py: fit once, sample as often as asked.

    python peers.py sdv-copula fit train.csv model
    python peers.py sdv-copula sample model 1000000 out.parquet
    python peers.py sdv-copula both train.csv model 1000 out.csv

Peers are told which columns are times, and otherwise keep their own defaults; one thread each.
"""

import sys
import warnings
from pathlib import Path

import pandas as pd

warnings.filterwarnings("ignore")


def read(path: str) -> pd.DataFrame:
    """The training rows, with text such as 2013-01-31 10:00:00 as times."""
    rows = pd.read_csv(path)
    for c in rows.select_dtypes("object"):
        if rows[c].dropna().str.fullmatch(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d").all():
            rows[c] = pd.to_datetime(rows[c])
    return rows


def write(rows: pd.DataFrame, path: str) -> None:
    if path.endswith(".csv"):
        rows.to_csv(path, index=False)
    else:
        rows.to_parquet(path, index=False)


def fit_sdv(name: str, train: str, model: str) -> None:
    from sdv import single_table
    from sdv.metadata import Metadata

    rows = read(train)
    metadata = Metadata.detect_from_dataframes({"rows": rows})
    kinds = {
        "sdv-copula": "GaussianCopulaSynthesizer",
        "sdv-tvae": "TVAESynthesizer",
        "sdv-ctgan": "CTGANSynthesizer",
    }
    synthesizer = getattr(single_table, kinds[name])(metadata)
    synthesizer.fit({"rows": rows})
    synthesizer.save(model)


def sample_sdv(name: str, model: str, count: int, path: str) -> None:
    from sdv import utils

    write(utils.load_synthesizer(model).sample(num_rows=count)["rows"], path)


def fit_mostlyai(name: str, train: str, model: str) -> None:
    from mostlyai import engine

    rows = read(train)
    engine.split(tgt_data=rows, workspace_dir=model, model_type="TABULAR", update_progress=quiet)
    engine.analyze(workspace_dir=model, update_progress=quiet)
    engine.encode(workspace_dir=model, update_progress=quiet)
    engine.train(workspace_dir=model, update_progress=quiet)


def sample_mostlyai(name: str, model: str, count: int, path: str) -> None:
    from mostlyai import engine

    engine.generate(workspace_dir=model, sample_size=count, update_progress=quiet)
    if path.endswith(".csv"):  # the many Parquet files that it writes count as the million rows
        write(pd.read_parquet(Path(model) / "SyntheticData"), path)


def quiet(**_: object) -> dict[str, object]:
    return {}


def main() -> None:
    name, verb, *rest = sys.argv[1:]
    fit, sample = (fit_mostlyai, sample_mostlyai) if name == "mostlyai" else (fit_sdv, sample_sdv)
    if verb in ("fit", "both"):
        fit(name, *rest[:2])
    if verb in ("sample", "both"):
        model, count, path = rest[-3:]
        sample(name, model, int(count), path)


if __name__ == "__main__":
    main()
