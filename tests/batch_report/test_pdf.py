from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edge.batch_report import BatchContent, check_pdf, html_report, pdf_report
from edge.errors import ConfigError
from tests.batch_report.samples import START

pytest.importorskip("fpdf", reason="fpdf2 is not installed: pip install 'lineclear[pdf]'")

from edge.batch_report import faces, pdf
from edge.batch_report.blocks import (
    Answer,
    Code,
    Column,
    Facts,
    Group,
    Heading,
    Mark,
    Picture,
    Report,
    Signatures,
    Table,
    Words,
)  # fmt: skip
from edge.batch_report.paper import Paper

needs_reader = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="pdftotext is not installed: bash .ci/install-system-packages"
)


@pytest.fixture
def core_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without DejaVu."""
    monkeypatch.setattr(faces.load_faces, "__defaults__", ((),))


def pages(data: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", data))


def words(data: bytes, tmp_path: Path) -> str:
    (tmp_path / "a.pdf").write_bytes(data)
    done = subprocess.run(["pdftotext", "-layout", "a.pdf", "-"], cwd=tmp_path, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout.decode("utf-8")


def one(*blocks: object) -> Report:
    return Report("title", blocks, START)  # type: ignore[arg-type]


def test_it_is_a_pdf_with_the_pictures_in_it(content: BatchContent) -> None:
    data = pdf_report(content, anchor="17:" + "ab" * 32)
    assert data.startswith(b"%PDF-1.")
    assert data.rstrip().endswith(b"%%EOF")
    pictures = [shown.data for shown in content.pictures.values()]
    assert len(pictures) == 4
    assert all(picture in data for picture in pictures)
    assert pages(data) >= 4


def test_the_same_batch_gives_the_same_bytes(content: BatchContent) -> None:
    assert pdf_report(content) == pdf_report(content)
    assert pdf_report(content) != pdf_report(content, made_at=START)


@needs_reader
def test_it_says_what_the_page_says(content: BatchContent, tmp_path: Path) -> None:
    from tests.batch_report.reading import read

    found = re.sub(r"\s+", "", words(pdf_report(content), tmp_path))
    page = read(html_report(content))
    told = [text for tag, text in page.texts if tag not in ("title", "th")]
    absent = [text for text in told if re.sub(r"\s+", "", text)[:12] not in found]
    assert absent == []
    assert len(told) > 200


@needs_reader
def test_every_page_says_what_it_belongs_to(content: BatchContent, tmp_path: Path) -> None:
    data = pdf_report(content)
    sheets = words(data, tmp_path).split("\f")[:-1]
    assert len(sheets) == pages(data)
    for place, sheet in enumerate(sheets, 1):
        assert f"page {place} of {len(sheets)}" in sheet
        assert "Line clearance, batch B4711" in sheet.strip().splitlines()[-1]


@needs_reader
def test_letters_that_are_there_are_shown_and_others_spelt(tmp_path: Path) -> None:
    if not any((folder / "DejaVuSans.ttf").is_file() for folder in faces.FOLDERS):
        pytest.skip("no DejaVu on this machine: bash .ci/install-system-packages")
    found = words(pdf.render_pdf(one(Words("Größe Ωμέγα Ж 批次 🧪"))), tmp_path)
    assert "Größe Ωμέγα Ж" in found
    assert "\\u6279\\u6b21 \\U0001f9ea" in found


@needs_reader
def test_without_fonts_latin_is_shown_and_others_spelt(core_fonts: None, tmp_path: Path) -> None:
    found = words(pdf.render_pdf(one(Words("Größe Ω"), Facts((("a", Code("µ批")),)))), tmp_path)
    assert "Größe \\u03a9" in found
    assert "µ\\u6279" in found


HOSTILE = st.text(alphabet=st.characters(), max_size=400) | st.sampled_from(["x" * 4096, "{nb}", "**b** __i__", "\\u4e2d", ""])


@settings(max_examples=12, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(HOSTILE, HOSTILE)
def test_any_text_in_any_block_is_written(first: str, second: str) -> None:
    table = Table((Column(first[:40]), Column("b", look="number")), ((first[:400], Mark("PASS", second[:60])),) * 2)
    blocks = (
        Heading(first[:200], 1), Heading(second[:100], 3, Mark("FAIL", first[:40])), Words(first, "warning"), Words(second),
        Facts(((first[:40], second), ("hash", Code(second)))), Answer(Mark("CLEAR", second[:40]), (first,)), table,
    )  # fmt: skip
    assert pdf.render_pdf(one(*blocks)).startswith(b"%PDF")


def test_rows_stay_whole_and_long_tables_have_their_head_on_every_page(tmp_path: Path) -> None:
    rows = tuple((f"row {number}", "word " * 12) for number in range(150))
    data = pdf.render_pdf(one(Table((Column("the head"), Column("b")), rows)))
    assert pages(data) > 3
    if shutil.which("pdftotext") is not None:
        sheets = words(data, tmp_path).split("\f")[:-1]
        assert all("the head" in sheet for sheet in sheets)
        assert all(f"row {number}\n" in re.sub(r" +word.*", "", "\n".join(sheets)) for number in range(150))


def test_what_does_not_fit_begins_a_new_page(content: BatchContent) -> None:
    shown = content.pictures["front-11"]
    picture = Picture(shown.data, shown.content_type, shown.size_wh, "alt", "caption")
    group = Group((Heading("view", 3, Mark("FAIL", "FAIL")), picture))
    filler = Words("word " * 1000)
    assert pages(pdf.render_pdf(one(filler))) == 1
    assert pages(pdf.render_pdf(one(filler, group))) == 2
    assert pages(pdf.render_pdf(one(filler, Signatures("text", "hash", ("a", "b", "c"))))) == 2


def test_room_is_not_left_at_the_top_of_a_page() -> None:
    paper = Paper("title")
    paper.letters(9)
    top = paper.y
    paper.down(20)
    assert paper.y == top
    assert not paper.need(10_000)
    paper.text("a", 14, 50)
    assert paper.need(10_000)
    paper.close()


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, content: BatchContent) -> None:
    check_pdf()
    for name in [name for name in sys.modules if name.partition(".")[0] == "fpdf" or name == "edge.batch_report.pdf"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "edge.batch_report.paper", raising=False)
    monkeypatch.setitem(sys.modules, "fpdf", None)
    with pytest.raises(ConfigError, match=r'fpdf2, which is not installed: install it: pip install "lineclear\[pdf\]"'):
        check_pdf()
    with pytest.raises(ConfigError):
        pdf_report(content)
    assert html_report(content).startswith(b"<!doctype html>")


def test_streams_can_be_unpacked(content: BatchContent) -> None:
    data = pdf_report(content)
    packed = re.findall(rb"/Filter /FlateDecode.*?stream\n(.*?)\nendstream", data, re.DOTALL)
    assert len(packed) > 3
    assert all(zlib.decompress(stream) for stream in packed)
