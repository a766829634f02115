"""Pages in a real browser: light, dark and narrow, nothing overflows, is cut off or too pale.

Needs Chromium (`chromium`, `google-chrome`, or the file that the environment variable CHROMIUM
names); without it these tests are skipped. With SCREENSHOTS=FOLDER they leave pictures there.
"""

import json
import os
import re
import shutil
import struct
import subprocess
from html import unescape
from pathlib import Path

import pytest

from geurim import html

REPORTS = Path(__file__).parent.parent / "docs" / "reports"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
PAGES = sorted(REPORTS.glob("*.html"))
VIEWS = {"light": (1200, False), "dark": (1200, True), "narrow": (400, False)}
CONTRAST = 4.5  # of text on its ground: WCAG 2.2, criterion 1.4.3

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

PROBE = """
const box = e => e.getBoundingClientRect();
const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
  .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b };
const clear = c => c === 'rgba(0, 0, 0, 0)' || c === 'transparent';
const ground = e => { while (e && clear(getComputedStyle(e).backgroundColor)) e = e.parentElement;
  return e ? getComputedStyle(e).backgroundColor : 'rgb(255, 255, 255)' };
const contrast = (e, ink) => { const [a, b] = [light(ink), light(ground(e))].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05) };
for (const d of document.querySelectorAll('details')) d.open = true;
const words = [...document.querySelectorAll('svg text')];
const html = [...document.querySelectorAll('body *')].filter(e => !e.closest('svg')
  && !e.matches('script,style')
  && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
const cut = e => { const t = box(e), s = box(e.closest('svg'));
  return t.left < s.left - 1 || t.right > s.right + 1
    || t.top < s.top - 1 || t.bottom > s.bottom + 1 };
const out = e => !e.closest('.scroll') && box(e).right > document.documentElement.clientWidth + 1;
const said = es => [...new Set(es.map(e => [...e.childNodes].filter(n => n.nodeType === 3)
  .map(n => n.data).join(' ').trim().slice(0, 60)))];
const found = {
  width: innerWidth,
  scroll: document.documentElement.scrollWidth,
  ground: light(getComputedStyle(document.body).backgroundColor),
  texts: words.length + html.length,
  cut: said(words.filter(cut)),
  out: said(html.filter(out)),
  pale: said([...html.filter(e => contrast(e, getComputedStyle(e).color) < CONTRAST),
    ...words.filter(e => contrast(e, getComputedStyle(e).fill) < CONTRAST)]),
};
const kept = parent.document.createElement('pre');
kept.id = 'found';
kept.textContent = JSON.stringify(found);
parent.document.body.append(kept);
"""


def browse(page: Path, folder: Path, view: str, *more: str) -> bytes:
    width, dark = VIEWS[view]
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={folder / 'profile'}", f"--window-size={width},1600"]
    command += ["--blink-settings=preferredColorScheme=0"] if dark else []
    return subprocess.run(
        [*command, *more, page.as_uri()], check=True, capture_output=True, timeout=120
    ).stdout


def probed(page: Path, folder: Path, view: str, more: str = "") -> dict[str, object]:
    """What a browser sees of a page that has our script in it (its own policy allows none).

    It stands in a frame, for a window has a least width.
    """
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    script = f"<script>{PROBE.replace('CONTRAST', str(CONTRAST))}</script>"
    copy, frame = folder / "copy.html", folder / "frame.html"
    copy.write_text(text.replace("</body>", f"{more}{script}</body>"), encoding="utf-8")
    frame.write_text(
        f'<iframe src="copy.html" width="{VIEWS[view][0]}" height="1600" style="border:0"></iframe>'
    )
    seen = browse(frame, folder, view, "--allow-file-access-from-files", "--dump-dom")
    return json.loads(unescape(re.search(r'<pre id="found">(.*?)</pre>', seen.decode(), re.S)[1]))


NOTHING: dict[str, list[str]] = {"cut": [], "out": [], "pale": []}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_report_can_be_read_in_every_view(page: Path, view: str, tmp_path: Path) -> None:
    found = probed(page, tmp_path, view)
    assert found["width"] == found["scroll"] == VIEWS[view][0]
    assert (found["ground"] < 0.1) == (view == "dark")
    assert found["texts"] > 100
    assert {name: found[name] for name in NOTHING} == NOTHING


def test_what_cannot_be_read_is_noticed(tmp_path: Path) -> None:
    broken = (
        '<p style="width:900px">far too wide</p><p style="color:#bbb">too pale</p>'
        '<svg viewBox="0 0 40 10"><text x="30" y="8">cut off</text></svg>'
    )
    found = probed(PAGES[0], tmp_path, "narrow", broken)
    assert found["scroll"] > found["width"]
    assert (found["out"], found["pale"], found["cut"]) == (
        ["far too wide"],
        ["too pale"],
        ["cut off"],
    )


def test_charts_cut_labels_before_their_edge_does(tmp_path: Path) -> None:
    names = ["ALL_IN_CAPITALS_" * 3, "아주 긴 이름을 가진 열입니다 " * 3, "mmmmwwww" * 5, "x" * 60]
    charts = [
        html.bars(names, {"one": [0.5] * 4, "two": [0.005] * 4}),
        html.heatmap(names, [[0.5] * 4] * 4),
        html.intervals([(name, 0.1, 0.2, 0.3, 0.2, "pass") for name in names]),
        html.histogram([0, 1, 2], {"one": [0.5, 0.5]}, missing=[0.00251, 0.00001]),
    ]
    page = tmp_path / "charts.html"
    page.write_text(html.page("charts", "".join(html.card("c", c) for c in charts)), "utf-8")
    assert probed(page, tmp_path, "narrow")["cut"] == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_screenshot_can_be_taken(view: str, tmp_path: Path) -> None:
    """Of every report where there is a folder to keep them in, else of one."""
    kept = Path(os.environ.get("SCREENSHOTS", tmp_path))
    for page in PAGES if kept != tmp_path else PAGES[:1]:
        picture = kept.absolute() / f"{page.stem}-{view}.png"
        browse(page, tmp_path, view, f"--screenshot={picture}")
        assert struct.unpack(">I", picture.read_bytes()[16:20])[0] == VIEWS[view][0]
