import gc
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from judging import HOSTILE, source_of

from geurim.contract import Event, Lineage, Source
from geurim.curate import STEPS, ExactDuplicates, NearDuplicates, Novelty, curate, step
from geurim.errors import DataError, SettingError

TEXTS = [
    "one two three four",
    "ONE  two three four ",
    "five six seven eight",
    "가나다라",
    "가나다라",
]


def test_kept_rejects_and_counts_are_the_rows_that_came_in() -> None:
    rows = source_of(text=TEXTS, number=range(5))
    curated = curate(rows, [ExactDuplicates()], column="text")
    assert curated.kept.to_arrow()["number"].to_pylist() == [0, 2, 3]
    rejects = curated.rejects.to_arrow()
    assert rejects["number"].to_pylist() == [1, 4]
    assert rejects["stage"].to_pylist() == ["exact duplicates"] * 2
    assert all(rejects["reason"].to_pylist())
    assert curated.counts == {"rows": 5, "kept": 3, "exact duplicates": 2}


def test_texts_come_out_as_they_went_in() -> None:
    texts = ["  ÉCOLE e\u0301  ", "Ｗｉｄｅ", "\u1100\u1161"]
    curated = curate(source_of(text=texts), [ExactDuplicates(), NearDuplicates()], column="text")
    assert curated.kept.to_arrow()["text"].to_pylist() == texts


def test_rejects_and_counts_read_the_rows_where_nobody_did() -> None:
    curated = curate(source_of(text=TEXTS), [ExactDuplicates()], column="text")
    assert curated.rejects.to_arrow().num_rows == 2
    assert curate(source_of(text=TEXTS), [ExactDuplicates()], column="text").counts["kept"] == 3


def test_nothing_is_read_before_kept_is() -> None:
    def read() -> Iterator[pa.RecordBatch]:
        raise AssertionError("was read")
        yield

    rows = Source(
        schema=pa.schema([("text", pa.string())]), lineage=Lineage(maker="", digest=""), read=read
    )
    curated = curate(rows, [ExactDuplicates()], column="text")
    with pytest.raises(AssertionError, match="was read"):
        curated.kept.to_arrow()


def test_each_reading_starts_anew() -> None:
    curated = curate(source_of(text=TEXTS), [ExactDuplicates(), Novelty()], column="text")
    assert curated.kept.to_arrow() == curated.kept.to_arrow()
    assert curated.counts["rows"] == 5
    assert curated.rejects.to_arrow().num_rows == 2


@pytest.mark.parametrize("batch", [1, 3, 1_000])
def test_batches_do_not_matter(batch: int) -> None:
    texts = (TEXTS + HOSTILE) * 3
    steps = [step(name) for name in ("exact", "near", "novelty")]
    curated = curate(source_of(batch, text=pa.array(texts)), steps, column="text")
    whole = curate(source_of(10_000, text=pa.array(texts)), steps, column="text")
    assert curated.kept.to_arrow() == whole.kept.to_arrow()
    by_row = [
        sorted(map(repr, c.rejects.to_arrow().to_pylist())) for c in (curated, whole)
    ]  # a batch's rejects come stage by stage
    assert by_row[0] == by_row[1]
    assert curated.counts == whole.counts


def test_many_rejects_go_to_a_file_that_goes_away() -> None:
    texts = ["the same text"] * 20_000
    curated = curate(source_of(batch=100, text=texts), [ExactDuplicates()], column="text")
    assert curated.counts["exact duplicates"] == 19_999
    assert curated._aside is not None and curated._aside.path is not None
    assert curated.rejects.to_arrow().num_rows == 19_999
    assert len(curated._aside.held) == 0
    path: Path = curated._aside.path
    assert path.exists()
    del curated
    gc.collect()
    assert not path.exists()


def test_several_columns_and_dialogues_are_joined() -> None:
    turns = [[{"role": "user", "content": "hello you"}], [{"role": "bot", "content": "Hello  you"}]]
    curated = curate(source_of(turns=turns, more=["x", "x"]), [ExactDuplicates()], column="turns")
    assert curated.counts["exact duplicates"] == 1, "roles are not text"
    both = curate(
        source_of(a=["x", "x", None], b=["y", "z", None]), [ExactDuplicates()], column=("a", "b")
    )
    assert both.counts == {"rows": 3, "kept": 3, "exact duplicates": 0}


def test_lineage_says_that_rows_were_chosen_not_made() -> None:
    rows = source_of(text=TEXTS)
    kept = curate(rows, [ExactDuplicates()], column="text").kept
    assert kept.lineage.depth == rows.lineage.depth == 0
    assert kept.lineage.digest != rows.lineage.digest
    assert "exact duplicates" in kept.lineage.maker


def test_a_stage_that_comes_twice_has_two_names() -> None:
    steps = [ExactDuplicates(), ExactDuplicates()]
    counts = curate(source_of(text=TEXTS), steps, column="text").counts
    assert counts["exact duplicates"] == 2 and counts["exact duplicates 2"] == 0


def test_progress_is_told() -> None:
    events: list[Event] = []
    curated = curate(source_of(2, text=TEXTS), [], column="text", progress=events.append)
    assert curated.kept.to_arrow().num_rows == 5
    assert [e.done for e in events] == [2, 4, 5] and events[0].total == 5


def test_errors_name_what_there_is() -> None:
    with pytest.raises(SettingError, match=r"'body'.*Choose from: text"):
        curate(source_of(text=TEXTS), [], column="body")
    with pytest.raises(SettingError, match="none was named"):
        curate(source_of(text=TEXTS), [], column=())
    with pytest.raises(SettingError, match="not a step"):
        curate(source_of(text=TEXTS), ["near"], column="text")  # type: ignore[list-item]
    with pytest.raises(DataError, match="'reason'"):
        curate(source_of(text=TEXTS, reason=TEXTS), [], column="text")


def test_steps_are_named_printed_and_compared() -> None:
    assert step("near", threshold=0.7) == NearDuplicates(threshold=0.7)
    assert "threshold=0.7" in repr(step("near", threshold=0.7))
    with pytest.raises(SettingError, match=r"Did you mean 'novelty'.*exact"):
        step("novelti")
    with pytest.raises(SettingError, match=r"no setting 'treshold'.*Did you mean 'threshold'"):
        step("near", treshold=0.7)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_names_its_stage(name: str) -> None:
    from geurim.curate import step_class

    assert step_class(name).name
