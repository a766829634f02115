"""The page shell and the charts: data are escaped, and drawings mean what they say."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geurim import html

EVIL = "<script>alert(1)</script>\"'&\x00\u202e"


class Outline(HTMLParser):
    """Collects the tags of a page and what a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.words.append(data)


def outline(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    return found


DRAWINGS = {
    "bars": lambda t: html.bars([t, "b"], {t: [0.5, 0.1], "other": [0.2, float("nan")]}),
    "histogram": lambda t: html.histogram([0, 1, 2], {t: [0.5, 0.5]}, missing=[0.1]),
    "heatmap": lambda t: html.heatmap([t, "b"], [[1, float("nan")], [-0.5, 1]]),
    "lines": lambda t: html.lines([0, 1], {t: [0, 1]}, across=t, up=t, diagonal=True),
    "intervals": lambda t: html.intervals([(t, 0, 1, 2, None, "pass"), (t, 0, 1, 2, 3.0, "x")]),
    "overlay": lambda t: html.overlay([(0, 0, 0.5)], [(0.1, 0.9)], side=2, across=t, up=t, label=t),
    "card": lambda t: html.card(t, html.legend(t)),
    "table": lambda t: html.table([t], [[html.esc(t)]]),
    "page": lambda t: html.page(t, ""),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_no_drawing_lets_markup_from_the_data_through(name):
    text = DRAWINGS[name](EVIL)
    assert "script" not in outline(text).tags
    assert "\x00" not in text and "\u202e" not in text


@given(st.text())
def test_escaped_text_holds_no_markup_and_can_be_written(text):
    safe = html.esc(text)
    assert not outline(f"<p>{safe}</p>").tags[1:]
    assert not re.search("[<>\"']", safe)
    safe.encode("utf-8")


def test_lone_surrogates_can_be_written_to_a_file():
    assert html.esc("a\ud800b").encode("utf-8")


def test_a_page_asks_for_nothing_from_elsewhere():
    text = html.page("t", html.bars(["a"], {"real": [0.1]}))
    assert "http://" not in text and "https://" not in text and "default-src 'none'" in text


def test_bar_length_is_in_proportion_to_its_share():
    widths = [float(w) for w in re.findall(r'width="([\d.]+)"', html.bars("ab", {"x": [0.4, 0.1]}))]
    assert widths[0] == pytest.approx(4 * widths[1], abs=0.2)


def test_heat_map_cell_strength_is_in_proportion_to_its_value():
    text = html.heatmap(["a", "b"], [[1, 0.25], [-0.5, float("nan")]])
    assert re.findall(r'fill-opacity="([\d.]+)"', text) == ["1.00", "0.25", "0.50"]
    assert text.count('class="f1"') == 1  # the one below zero has the other colour


def test_overlay_puts_cells_and_dots_on_the_same_scale():
    text = html.overlay(
        [(0, 0, 0.4), (1, 1, 0.1)], [(0.5, 0.5)], side=2, across="x", up="y", label="z"
    )
    places = [tuple(map(float, m)) for m in re.findall(r"M([\d.]+),([\d.]+)h", text)]
    cells, dot = places[:2], places[2]
    assert dot == (cells[0][0], cells[1][1])  # right of one, below the other
    assert re.findall(r'fill-opacity="([\d.]+)"', text) == ["0.30", "0.60"]  # by the root


def test_histogram_height_is_in_proportion_to_its_share():
    text = html.histogram([0, 1, 2], {"x": [0.4, 0.1]})
    heights = [
        130 - float(p.split(",")[1]) for p in re.findall(r'points="([^"]+)"', text)[0].split()
    ]
    assert heights[1] == pytest.approx(4 * heights[3], abs=0.2)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (float("nan"), "–"), (12345.0, "12,345"), (0.5, "0.5"), (1234.5, "1,234"),
     (1e-7, "1.00e-07"), (float("inf"), "∞"), (-0.25, "-0.25")],
)  # fmt: skip
def test_numbers_are_written_for_reading(value, shown):
    assert html.number(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.5, "50%"), (0.0123, "1.2%"), (0.00123, "0.12%"), (0.0, "0%"), (1e-6, "<0.01%")],
)
def test_shares_are_written_as_percentages(share, shown):
    assert html.percent(share) == shown


def test_charts_of_nothing_still_draw():
    assert "<svg" in html.bars([], {"a": []})
    assert "<svg" in html.heatmap([], [])
    assert "<svg" in html.intervals([])
    assert "<svg" in html.overlay([], [], side=9, across="x", up="y", label="z")
    assert "<svg" in html.lines([], {"a": []}, across="x", up="y")
    assert "<svg" in html.histogram([1, 1], {"a": [0]})
