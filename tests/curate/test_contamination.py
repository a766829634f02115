import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from judging import HOSTILE, dropped, reasons, source_of

from geurim.curate import Contamination
from geurim.errors import DataError, NotFound, SettingError

QUESTIONS = [
    "A farmer has seventeen sheep and all but nine run away, so how many sheep does the farmer "
    "have left after the storm has passed over the valley",
    "What is the capital of France?",
    "우리나라에서 가장 긴 강의 이름과 그 길이를 킬로미터로 답하시오. 단, 북한의 강은 제외한다.",
    "세종대왕이 만든 글자의 이름은 무엇인가?",
]
OTHERS = [
    "My neighbour keeps sheep and the storm took nine of them last winter, which was a sad day",
    "Paris is lovely in spring, and the capital has many museums to see",
    "한강은 서울을 지나 서해로 흐르는 강이며 여름에는 물놀이를 하는 사람이 많다",
    "세종대왕은 조선의 네 번째 왕이다",
]


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    path = tmp_path / "test.parquet"
    pq.write_table(
        pa.table({"question": QUESTIONS, "answer": ["8", "Paris", "낙동강", "한글"]}), path
    )
    return path


def test_leaked_questions_are_caught_and_others_are_not(benchmark: Path) -> None:
    step = Contamination(against=benchmark)
    leaked = [f"Q) {q.upper()} -- tell me!" for q in QUESTIONS]
    assert dropped(step, [*OTHERS, *leaked]) == [4, 5, 6, 7]
    assert "test.parquet, question, row 1" in str(reasons(step, [leaked[0]])[0])
    assert "row 4" in str(reasons(step, [leaked[3]])[0])


def test_a_piece_of_a_long_question_is_enough(benchmark: Path) -> None:
    step = Contamination(against=benchmark)
    words = QUESTIONS[0].split()
    assert dropped(step, [" ".join(words[4:17]), " ".join(words[4:16])]) == [0]
    letters = "".join(c for c in QUESTIONS[2] if c.isalnum())
    assert dropped(step, [f"다음은 {letters[5:25]} 입니다", letters[5:24]]) == [0]


def test_blanks_and_signs_do_not_hide_a_korean_question(benchmark: Path) -> None:
    hidden = QUESTIONS[3].replace(" ", "").replace("?", "…")
    assert dropped(Contamination(against=benchmark), [hidden]) == [0]


def test_every_window_is_found_as_plain_python_finds_it() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(30)]
    bench = [" ".join(rng.choice(words, rng.integers(1, 12))) for _ in range(40)]
    texts = [" ".join(rng.choice(words, rng.integers(1, 20))) for _ in range(300)]
    step = Contamination(
        against=source_of(q=bench), words=3, least_words=2, common=10**6, characters=20
    )

    def windows(text: str, size: int) -> set[tuple[str, ...]]:
        own = text.split()
        return {tuple(own[i : i + size]) for i in range(len(own) - size + 1)}

    known = set().union(*(windows(b, 3) for b in bench)) | {
        tuple(b.split()) for b in bench if len(b.split()) == 2
    }
    expected = [i for i, t in enumerate(texts) if (windows(t, 3) | windows(t, 2)) & known]
    assert 20 < len(expected) < 280
    assert dropped(step, texts) == expected == dropped(step, texts, batch=1)


def test_what_many_questions_share_proves_nothing() -> None:
    phrase = "write a python function that takes a list and gives back its sorted copy where"
    bench = [f"{phrase} number {i} is left out of it entirely please" for i in range(20)]
    text = f"please {phrase} something quite different is asked"
    assert dropped(Contamination(against=source_of(q=bench)), [text]) == []
    assert dropped(Contamination(against=source_of(q=bench), common=20), [text]) == [0]


def test_json_lines_with_nested_turns_are_read(tmp_path: Path) -> None:
    path = tmp_path / "bench.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for i, question in enumerate(QUESTIONS):
            file.write(json.dumps({"id": i, "turns": [question, "Why?"]}) + "\n")
    assert dropped(Contamination(against=[path]), [*OTHERS, QUESTIONS[0]]) == [4]
    path = tmp_path / "broken.jsonl"
    path.write_text('{"q": 1}\n{')
    with pytest.raises(DataError, match="Line 2"):
        Contamination(against=path).start()


def embedder(texts: list[str]) -> np.ndarray:
    """Texts by the share of each letter: anagrams are equal."""
    return np.array([[t.lower().count(c) + 1e-3 for c in "abcdefghijklmnop"] for t in texts])


def test_paraphrases_are_caught_where_an_embedder_is_given() -> None:
    bench = source_of(q=["the old man sat by the sea alone"])
    texts = ["alone by the sea sat the old man", "fix the broken pipe and call back"]
    assert dropped(Contamination(against=bench), texts) == []
    step = Contamination(against=bench, embedder=embedder, cosine=0.99)
    assert dropped(step, [*texts, None]) == [0]


def test_hostile_texts_are_judged(benchmark: Path) -> None:
    step = Contamination(against=[benchmark, source_of(t=pa.array(HOSTILE))])
    assert dropped(step, HOSTILE, 1) == dropped(step, HOSTILE, 100)
    assert HOSTILE.index("가" * 5_000) in dropped(step, HOSTILE)


def test_errors_say_what_to_do(benchmark: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="no column 'quest'"):
        Contamination(against=benchmark, columns=("quest",)).start()
    with pytest.raises(NotFound):
        Contamination(against=tmp_path / "none.jsonl").start()
    with pytest.raises(NotFound):
        Contamination(against=str(tmp_path / "none.parquet")).start()
    with pytest.raises(DataError, match="holds text"):
        Contamination(against=source_of(n=[1, 2])).start()
    for wrong in ({"words": 3}, {"cosine": 2}, {"against": []}):
        with pytest.raises(SettingError):
            Contamination(**({"against": benchmark} | wrong))
