"""SDV's PAR on one table of series, in its own environment: fit, draw, and how long each took.

python _par.py real.parquet drawn.parquet entity time units seed   ("-" for no entity or time)
"""

from __future__ import annotations

import json
import sys
import time

import pandas as pd


def main() -> None:
    from sdv.metadata import Metadata
    from sdv.sequential import PARSynthesizer

    real, drawn, entity, order, units, seed = sys.argv[1:]
    rows = pd.read_parquet(real)
    if entity == "-":
        entity, rows["series"] = "series", "one"
    metadata = Metadata.detect_from_dataframes({"events": rows})
    metadata.update_column(column_name=entity, sdtype="id", table_name="events")
    metadata.set_sequence_key(entity, table_name="events")
    if order != "-":
        metadata.set_sequence_index(order, table_name="events")
    import torch

    torch.manual_seed(int(seed))
    start = time.process_time()
    model = PARSynthesizer(metadata)
    model.fit({"events": rows})
    fitted = time.process_time()
    made = model.sample(num_sequences=int(units))
    end = time.process_time()
    if isinstance(made, dict):
        made = made["events"]
    made.drop(columns=["series"], errors="ignore").to_parquet(drawn, index=False)
    print(json.dumps({"fit": fitted - start, "draw": end - fitted}))


if __name__ == "__main__":
    main()
