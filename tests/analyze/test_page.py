"""The profile page opens offline, shows every column, and escapes whatever the data say."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
from analyze_tables import source_of

from geurim.analyze import analyze, profile_page
from geurim.analyze.page import save_page

ATTACK = "<script>alert('x')</script>"
ATTRIBUTE = '" onload="alert(1)'


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [v or "" for name, v in attrs if name in ("src", "href", "action", "data")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def seen(page: str) -> Seen:
    parser = Seen()
    parser.feed(page)
    return parser


def all_roles() -> pa.Table:
    rng = np.random.default_rng(0)
    rows = 200
    return pa.table(
        {
            "id": np.arange(rows),
            "amount": np.append(rng.exponential(100, rows - 20), np.zeros(20)),
            "when": np.datetime64("2024-01-01", "us") + rng.integers(0, 10**12, rows),
            ATTACK: rng.choice([ATTACK, ATTRIBUTE, "plain"], rows),
            "rare": [f"secret{i}" if i % 9 == 0 else "common" for i in range(rows)],
            "same": ["one"] * rows,
            "none": pa.nulls(rows),
            "mail": [f"real.person{i}@firm.com" for i in range(rows)],
            "comment": [f"the parcel {i} came late again and nobody answered" for i in range(rows)],
            "holes": [None, 1.5, 2.5, 3.5] * (rows // 4),
            "flag": rng.random(rows) < 0.2,
        }
    )


def test_the_page_shows_every_column_and_no_value_of_few_rows() -> None:
    page = profile_page(analyze(source_of(all_roles())))
    words = " ".join(seen(page).words)
    for name in all_roles().column_names:
        assert name in words
    assert "common" in words and "secret" not in words
    assert "real.person" not in words and "parcel" not in words
    assert "25%" in words  # of holes are missing


def test_nothing_from_the_data_becomes_markup_and_nothing_is_loaded() -> None:
    parts = seen(profile_page(analyze(source_of(all_roles()))))
    assert "script" not in parts.tags and not parts.links
    assert not [a for a in parts.attributes if a.startswith("on")]
    assert any(ATTACK in w for w in parts.words)


def test_the_page_stays_small_for_a_wide_table() -> None:
    rng = np.random.default_rng(1)
    wide = pa.table({f"column {i}": rng.normal(size=60) for i in range(400)})
    page = profile_page(analyze(source_of(wide)))
    assert len(page) < 3_000_000
    assert "first 300 of 400 columns" in page


def test_few_whole_numbers_are_drawn_one_by_one() -> None:
    months = np.repeat([1, 10, 11, 12], [30, 10, 10, 50])
    page = profile_page(analyze(source_of(pa.table({"month": months}))))
    shape = page.split("<polyline", 1)[1].split('points="', 1)[1].split('"', 1)[0]
    heights = [float(p.split(",")[1]) for p in shape.split()[1:-1:2]]
    assert len(heights) == 12 and heights[1:9] == [130.0] * 8  # 130 is the base line


def test_a_page_is_saved_whole(tmp_path: Path) -> None:
    path = save_page(analyze(source_of(all_roles())), tmp_path / "profile.html")
    assert path.read_text(encoding="utf-8").endswith("</html>\n")


def test_a_table_of_one_value_has_a_page() -> None:
    for values in ([1], ["x"], [None], [1e300, -1e300]):
        assert "Profile of" in profile_page(analyze(source_of(pa.table({"a": values}))))
