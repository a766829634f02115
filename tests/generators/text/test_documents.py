"""Documents become passages: whole sentences, the right place, and nothing from outside."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geurim.errors import DataError, MissingExtra, NotFound, SettingError
from geurim.generators.text._passages import Block, pack, sentences
from geurim.generators.text.documents import SKIPPED, passages

KOREAN = (
    "배송은 보통 이틀이 걸립니다. 주말에는 쉬나요? 네, 토요일과 일요일은 쉽니다! "
    "문의는 전화로 해 주세요."
)
ENGLISH = (
    "Orders ship in two days. Does Dr. Kim work at weekends? No, e.g. Sundays are free. Call us."
)


def rows(paths: Any, **settings_: Any) -> list[dict[str, str]]:
    return list(passages(paths, **settings_).to_arrow().to_pylist())


def skipped(paths: Any) -> dict[str, str]:
    source = passages(paths, strict=False)
    found = json.loads((source.schema.metadata or {}).get(SKIPPED, b"{}"))
    for batch in source.read():
        assert batch.schema.metadata == source.schema.metadata
    return dict(found)


def pdf(path: Path, pages: Sequence[Sequence[str]], title: str = "") -> Path:
    """A small PDF with a font whose codes are UTF-16, so that any script can stand in it."""
    kids, objects = [], []
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
        b"1 beginbfrange <0000> <FFFF> <0000> endbfrange\nendcmap end end"
    )
    for i, lines in enumerate(pages):
        text = b"BT /F1 12 Tf 14 TL 50 800 Td\n"
        text += b"".join(b"<%s> Tj T*\n" % x.encode("utf-16-be").hex().encode() for x in lines)
        kids.append(b"%d 0 R" % (7 + 2 * i))
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 850] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % (8 + 2 * i),
            b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text) + 2, text + b"ET"),
        ]
    first = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids)),
        b"<< /Type /Font /Subtype /Type0 /BaseFont /None /Encoding /Identity-H "
        b"/DescendantFonts [4 0 R] /ToUnicode 5 0 R >>",
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /None /DW 500 "
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(cmap), cmap),
        b"<< /Title <FEFF%s> >>" % title.encode("utf-16-be").hex().encode(),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate([*first, *objects], 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    out += b"".join(b"%010d 00000 n \n" % p for p in places)
    out += b"trailer << /Size %d /Root 1 0 R /Info 6 0 R >>\n" % (len(places) + 1)
    path.write_bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)
    return path


def docx(path: Path, title: str = "") -> Path:
    import docx as library

    document = library.Document()
    document.core_properties.title = title
    document.add_heading("사용 설명서", 0)
    document.add_paragraph("이 제품은 물을 끓입니다.")
    document.add_heading("Setup", 1)
    document.add_paragraph(ENGLISH)
    document.add_heading("Network", 2)
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [c for r in table.rows for c in r.cells], ["port", "use", "80", "web"], strict=True
    ):
        cell.text = text
    document.save(str(path))
    return path


# Sentences and passages


def test_sentences_of_korean_and_english_end_where_they_end() -> None:
    assert [s.strip() for s in sentences(KOREAN)] == [
        "배송은 보통 이틀이 걸립니다.", "주말에는 쉬나요?", "네, 토요일과 일요일은 쉽니다!",
        "문의는 전화로 해 주세요.",
    ]  # fmt: skip
    assert [s.strip() for s in sentences(ENGLISH)] == [
        "Orders ship in two days.", "Does Dr. Kim work at weekends?",
        "No, e.g. Sundays are free.", "Call us.",
    ]  # fmt: skip
    assert sentences("他来了。她走了！") == ["他来了。", "她走了！"]
    assert sentences("He paid 3.50 won. 1. First item") == ["He paid 3.50 won. ", "1. First item"]


@given(st.text(alphabet="가나다 .!?\n\"'aB1。", max_size=200))
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


WORDS = st.lists(
    st.text(alphabet="가각나달람abcXYZ019-", min_size=1, max_size=30), min_size=1, max_size=80
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(WORDS, min_size=1, max_size=8),
    st.integers(100, 400),
    st.floats(0, 0.49),
    st.randoms(use_true_random=False),
)
def test_no_word_is_cut_none_is_lost_and_no_passage_is_too_long(
    paragraphs: list[list[str]], size: int, overlap: float, random: Any
) -> None:
    """Every word of the text is in a passage, in order; every word of a passage is in the text."""
    texts = ["".join(w + random.choice([" ", " ", ". ", "\n"]) for w in p) for p in paragraphs]
    blocks = [Block(t.strip(), "x") for t in texts]
    got = [p for _, p in pack(blocks, size, overlap)]
    assert all(0 < len(p) <= size for p in got)
    words = [w for t in texts for w in t.split()]
    place = 0
    for passage in got:
        mine = passage.split()
        # Where the passage starts: at most some words back, never ahead of the next new word.
        starts = [s for s in range(place + 1) if words[s : s + len(mine)] == mine]
        assert starts, (mine, words[max(0, place - 5) : place + 5])
        place = max(place, *(s + len(mine) for s in starts))
    assert place == len(words)


def test_what_is_longer_than_any_word_is_cut_where_it_must_be() -> None:
    got = [p for _, p in pack([Block("a" * 1000 + " end", "x")], 150, 0.1)]
    assert "".join(got).replace(" ", "") == "a" * 1000 + "end" and max(map(len, got)) <= 150


def test_a_letter_keeps_its_marks() -> None:
    letter = "q\u0301"  # has no composed form
    got = [p for _, p in pack([Block("x" + letter * 200, "x")], 100, 0.0)]
    assert len(got) > 3 and not any(p.startswith("\u0301") for p in got)


def test_a_passage_begins_with_the_last_sentences_of_the_one_before() -> None:
    text = " ".join(f"Sentence number {i} says this." for i in range(40))
    shared, apart = ([p for _, p in pack([Block(text, "x")], 300, share)] for share in (0.25, 0.0))
    for one, two in itertools.pairwise(shared):
        first = sentences(two)[0].strip()
        assert first in one and one.endswith(" ".join(s.strip() for s in sentences(two)[:2]))
    assert sum(map(len, apart)) < sum(map(len, shared))
    assert " ".join(apart) == text


def test_a_heading_goes_with_what_follows_and_code_is_never_cut() -> None:
    code = "```\n" + "x = 1\n" * 100 + "```"
    blocks = [
        Block("One. " * 40, "A"),
        Block("Title", "B", heading=True),
        Block(code, "B", whole=True),
        Block("After. " * 5, "B"),
    ]
    got = list(pack(blocks, 250, 0.1))
    assert [p for p in got if p[1].endswith("Title")] == []
    assert sum(code in text for _, text in got) == 1
    assert {place for place, text in got if "One." in text} == {"A"}
    assert next(place for place, text in got if "Title" in text) == "B"


def test_a_long_table_is_cut_between_rows_and_says_its_columns_again(tmp_path: Path) -> None:
    body = "".join(f"| item {i} | It costs {i}. It is good. |\n" for i in range(30))
    (tmp_path / "a.md").write_text(f"# Prices\n\n| name | note |\n|---|:--:|\n{body}\nThe end.\n")
    got = [r["passage"] for r in rows(tmp_path, size=300)]
    assert len(got) > 3 and all(len(p) <= 300 for p in got)
    for passage in got[1:]:
        assert passage.startswith("| name | note |\n|---|:--:|\n| item")
    lines = [x for p in got for x in p.split("\n") if x.startswith("| item")]
    assert lines == body.splitlines() and got[-1].endswith("The end.")


# The kinds of files


def test_markdown_keeps_headings_as_the_place_and_fences_whole(tmp_path: Path) -> None:
    fence = "```python\n# not a heading\n\n" + "call(1, 2)\n" * 60 + "```"
    text = (
        f"---\ntitle: 설명서\n---\n# Manual\n\n{KOREAN * 2}\n\n## Setup\n\n{ENGLISH * 5}\n\n"
        f"{fence}\n\nRest\n====\n\n<!-- hidden -->\n{ENGLISH * 3}\n"
    )
    (tmp_path / "a.md").write_text(text)
    got = rows(tmp_path / "a.md", size=400)
    assert {r["title"] for r in got} == {"설명서"}
    assert {r["place"] for r in got} == {"Manual", "Manual > Setup", "Rest"}
    assert sum(fence in r["passage"] for r in got) == 1
    assert not any("hidden" in r["passage"] for r in got)
    assert all(r["document"] == "a.md" for r in got)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_plain_text_in_every_encoding_with_its_headings(tmp_path: Path, encoding: str) -> None:
    more = KOREAN * 4
    text = f"안내\n====\n\n{KOREAN * 2}\n\n제2장 교환과 환불\n\n{more}\n\n2.1 기간\n\n{more}\n"
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    got = rows(tmp_path / "a.txt", size=300)
    places = ["안내", "제2장 교환과 환불", "제2장 교환과 환불 > 2.1 기간"]
    assert list(dict.fromkeys(r["place"] for r in got)) == places
    assert got[0]["passage"].startswith(f"안내\n\n{KOREAN}")


def test_decomposed_hangul_is_composed(tmp_path: Path) -> None:
    import unicodedata

    name = unicodedata.normalize("NFD", "한글.txt")
    (tmp_path / name).write_text(unicodedata.normalize("NFD", KOREAN))
    (got,) = rows(tmp_path)
    assert got["passage"] == KOREAN and got["document"] == "한글.txt"


def test_html_without_scripts_and_navigation(tmp_path: Path) -> None:
    page = f"""<!doctype html><html><head><title>도움말 &amp; 안내</title><style>p {{}}</style>
    <script>var secret = "script";</script></head><body><header>site header</header>
    <nav>Home <p>menu</p></nav><main><h1>Help <a href="#h">#</a></h1><p>{ENGLISH}<br>New   line
    <b>bold</b>.</p><h2>Ports</h2><table><tr><th>port</th><th>use</th></tr><tr><td>80</td><td>web
    </td></tr></table><pre>  if x:
      y()</pre><ul><li>first<li>second</ul><p hidden>gone</p><p style="display: none">away</p>
    <noscript>enable</noscript></main><footer>imprint</footer></body></html>"""
    (tmp_path / "a.html").write_text(page)
    got = rows(tmp_path)
    text = "\n\n".join(r["passage"] for r in got)
    assert {r["title"] for r in got} == {"도움말 & 안내"}
    for gone in (
        "script",
        "header",
        "menu",
        "Home",
        "imprint",
        "gone",
        "away",
        "enable",
        "p {",
        "#",
    ):
        assert gone not in text, gone
    assert text.startswith("Help\n\nOrders") and "Call us.\nNew line bold." in text
    assert "port | use\n80 | web" in text and "  if x:\n      y()" in text
    assert "- first\n\n- second" in text


def test_html_in_the_encoding_that_it_names(tmp_path: Path) -> None:
    page = (
        f'<html><head><meta charset="euc-kr"></head><body><h1>똠방각하</h1><p>{KOREAN}</p></body>'
    )
    (tmp_path / "a.htm").write_bytes(page.encode("cp949"))
    (got,) = rows(tmp_path)
    assert got["passage"] == f"똠방각하\n\n{KOREAN}" and got["place"] == "똠방각하"


def test_a_very_deep_page_is_read(tmp_path: Path) -> None:
    deep = "<div>" * 2_000 + ENGLISH + "</div>" * 2_000
    (tmp_path / "a.html").write_text(f"<html><body>{deep}</body></html>")
    (got,) = rows(tmp_path)
    assert got["passage"] == ENGLISH


def test_word_files_with_headings_and_tables(tmp_path: Path) -> None:
    docx(tmp_path / "a.docx", title="주전자")
    got = rows(tmp_path / "a.docx", size=150)
    assert {r["title"] for r in got} == {"주전자"}
    assert [r["place"] for r in got][-1] == "사용 설명서 > Setup > Network"
    text = "\n".join(r["passage"] for r in got)
    assert "이 제품은 물을 끓입니다." in text and "port | use\n80 | web" in text


def test_pdf_pages_in_korean_and_english(tmp_path: Path) -> None:
    first = ["Kettle manual 1", "Orders ship in two days, and the long line goes on to be con-",
             "tinued here. Call us.", "배송은 보통 이틀이 걸립니다.", "page 1"]  # fmt: skip
    second = ["Kettle manual 2", "교환은 일주일 안에 됩니다.", "page 2"]
    third = ["Kettle manual 3", "환불은 한 달 안에 됩니다.", "page 3"]
    pdf(tmp_path / "a.pdf", [first, second, third], title="주전자 설명서")
    got = rows(tmp_path)
    text = "\n".join(r["passage"] for r in got)
    assert {r["title"] for r in got} == {"주전자 설명서"} and got[0]["place"] == "pages 1-3"
    assert "to be continued here." in text and "배송은 보통 이틀이 걸립니다." in text
    assert "Kettle manual" not in text and "page 2" not in text  # what runs along on each page
    small = rows(tmp_path, size=100)
    assert next(r["place"] for r in small if "환불" in r["passage"]).endswith("3")


def test_a_pdf_of_two_pages_keeps_all_its_lines(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", [["Title", "One."], ["Title", "Two."]])
    (got,) = rows(tmp_path)
    assert got["passage"].split() == ["Title", "One.", "Title", "Two."]
    assert (got["place"], got["title"]) == ("pages 1-2", "a")


# Hostile files


def encrypted(path: Path) -> None:
    import pypdf

    writer = pypdf.PdfWriter(clone_from=pdf(path.with_name("plain.pdf"), [["secret"]]))
    writer.encrypt("password", algorithm="RC4-128")
    writer.write(path)
    path.with_name("plain.pdf").unlink()


def bomb(path: Path) -> None:
    docx(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("word/more.xml", bytes(257 << 20))


HOSTILE = {
    "password.pdf": (encrypted, "password"),
    "scan.pdf": (lambda p: pdf(p, [[], []]), "OCR"),
    "cut.pdf": (lambda p: p.write_bytes(pdf(p, [["x"]]).read_bytes()[:200]), "cannot be read"),
    "fake.pdf": (lambda p: p.write_text("hello"), "no PDF"),
    "empty.txt": (lambda p: p.write_bytes(b""), "empty"),
    "blank.md": (lambda p: p.write_text(" \n\n--- \n"), "no text"),
    "binary.txt": (lambda p: p.write_bytes(bytes(range(256)) * 9), "not text"),
    "control.txt": (lambda p: p.write_bytes(bytes(range(1, 32)) * 99), "not text"),
    "huge.txt": (lambda p: _sparse(p, 300 << 20), "too large"),
    "packed.txt": (lambda p: p.write_bytes(gzip.compress(bytes(257 << 20), 1)), "unpacks"),
    "bomb.docx": (bomb, "unpacks"),
    "not.docx": (lambda p: p.write_text("hello"), "no DOCX"),
    "old.docx": (lambda p: p.write_bytes(b"\xd0\xcf\x11\xe0" * 200), "old Word"),
    "zip.txt": (lambda p: p.write_bytes(b"PK\x03\x04" * 200), "archive"),
    "deep.html": (lambda p: p.write_text("<p>start</p>" + "<div>" * 9999 + "deep"), "too deep"),
    "none.html": (lambda p: p.write_text("<html><script>x</script></html>"), "no text"),
}


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_named_or_left_out_with_a_note(tmp_path: Path, name: str) -> None:
    make, said = HOSTILE[name]
    make(tmp_path / name)
    (tmp_path / "good.txt").write_text(KOREAN)
    with pytest.raises(DataError, match=said) as caught:
        passages(tmp_path)
    assert name in str(caught.value) and "strict=False" in str(caught.value)
    assert [r["document"] for r in rows(tmp_path, strict=False)] == ["good.txt"]
    left = skipped(tmp_path)
    assert list(left) == [name] and said in left[name]


def test_nothing_but_hostile_files_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    with pytest.raises(DataError, match=r"no passage.*a\.txt"):
        passages(tmp_path, strict=False)
    with pytest.raises(DataError, match="no file"):
        passages(tmp_path, pattern="*.pdf")


def test_links_hidden_files_and_patterns_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    for folder in (outside, inside / ".git", inside / "sub"):
        folder.mkdir(parents=True)
        (folder / "secret.txt").write_text(KOREAN)
    (inside / "sub" / "secret.txt").rename(inside / "sub" / "mine.txt")
    (inside / "link.txt").symlink_to(outside / "secret.txt")
    (inside / "folder").symlink_to(outside)
    (inside / "picture.png").write_bytes(b"\x89PNG")
    for pattern in ("**/*", "*/*", "../outside/*", "folder/*", "**/*.txt"):
        try:
            got = {r["document"] for r in rows(inside, pattern=pattern)}
        except DataError:
            got = set()
        assert got <= {"sub/mine.txt"}, pattern
    assert set(skipped(inside)) == {"link.txt", "picture.png"}


def test_settings_out_of_range_and_missing_paths(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="99 characters"):
        passages(tmp_path, size=99)
    with pytest.raises(SettingError, match="overlap"):
        passages(tmp_path, overlap=0.5)
    with pytest.raises(SettingError, match="No path"):
        passages([])
    with pytest.raises(SettingError, match="pattern"):
        passages(tmp_path, pattern="/etc/*")
    with pytest.raises(NotFound, match="nowhere"):
        passages(tmp_path / "nowhere")


def test_a_missing_library_gives_the_install_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    pdf(tmp_path / "a.pdf", [["text"]])
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(MissingExtra, match=r"reading PDF needs an extra.*geurim\[text\]"):
        passages(tmp_path, strict=False)


# The Source


def test_the_source_is_real_repeatable_and_names_no_place(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text(KOREAN)
    (tmp_path / "a.txt").write_text(ENGLISH)
    source = passages(tmp_path)
    assert source.lineage.real and source.lineage.depth == 0 and source.rows == 2
    assert source.to_arrow() == source.to_arrow()
    assert source.to_arrow()["document"].to_pylist() == ["a.txt", "b.txt"]
    assert str(tmp_path) not in json.dumps(source.lineage.to_json()) + str(source.to_arrow())
    again = passages([tmp_path / "b.txt", tmp_path / "a.txt"])
    assert again.lineage.digest != source.lineage.digest  # another order, other rows
    (tmp_path / "a.txt").write_text(ENGLISH + "!")
    assert passages(tmp_path).lineage.digest != source.lineage.digest


def test_names_and_numbers_are_unique(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text("\n\n".join([KOREAN * 3] * 4))
    both = [tmp_path / "x", tmp_path / "y", tmp_path / "x" / "a.txt"]
    got = rows(both, size=200, overlap=0.0)
    assert {r["document"] for r in got} == {"a.txt", "y/a.txt"}
    assert len({r["passage_id"] for r in got}) == len(got) > 4
    assert all(re.fullmatch("[0-9a-f]{16}", r["passage_id"]) for r in got)
    assert rows(both, size=200, overlap=0.0) == got
