"""What the tests of curation share: rows from texts, and judging them in batches."""

from collections.abc import Sequence

import pyarrow as pa

from geurim.contract import Lineage, Source
from geurim.curate import Step, curate


def source_of(batch: int = 1_000, **columns: Sequence[object]) -> Source:
    """A Source over columns, read in batches of `batch` rows."""
    table = pa.table(dict(columns))
    lineage = Lineage(maker="test", digest="0" * 64, real=True)
    return Source(
        schema=table.schema,
        lineage=lineage,
        rows=table.num_rows,
        read=lambda: iter(table.to_batches(max_chunksize=batch)),
    )


def dropped(step: Step, texts: Sequence[str | None], batch: int = 1_000) -> list[int]:
    """Places of the texts that the step drops."""
    return [i for i, reason in enumerate(reasons(step, texts, batch)) if reason is not None]


def reasons(step: Step, texts: Sequence[str | None], batch: int = 1_000) -> list[str | None]:
    """What the step says of each text."""
    judge, found = step.start(), []
    column = pa.array(texts, pa.string())
    for start in range(0, len(texts), batch):
        part = column[start : start + batch]
        rows = pa.RecordBatch.from_arrays([part], names=["text"])
        found += judge.judge(part, rows).to_pylist()
    assert len(found) == len(texts)
    return found


def kept(step: Step, texts: Sequence[str | None]) -> list[str | None]:
    """The texts that `curate` keeps."""
    curated = curate(source_of(text=pa.array(texts, pa.string())), [step], column="text")
    return curated.kept.to_arrow()["text"].to_pylist()


HOSTILE = [
    "", " ", "\n\t ", None, "\U0001f642", "\U0001f642" * 3, "\U0001f469\u200d\U0001f467", "ㅋ",
    "ㅋㅋㅋㅋ", "\u200b", "\x00", "a", "가", "!!!", "가" * 5_000, "a b " * 3_000, "\u1100\u1161",
    "İstanbul ß", "한글과 English 섞인 text", "\U0001d4b3\U00010410", "٣٤٥", "<|im_start|>",
    "\ufeffbom", "e\u0301", "ﷺ", "1" * 400, "\\x", "'); DROP TABLE rows; --", "%s {} {0}",
]  # fmt: skip
