from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.batch_report import BatchContent, gather, html_report
from edge.batch_report.blocks import Column as Head
from edge.batch_report.blocks import Facts, Heading, Mark, Report, Table, Words
from edge.batch_report.html import render_html
from edge.batch_report.markup import css_string, join, tag, trusted
from edge.batch_report.shapes import SHAPES, look_of
from edge.batch_report.words import printable
from edge.types import Reason, ReasonCode
from tests.batch_report.reading import Page, read
from tests.batch_report.samples import START, clearance, evidence_of, record_of, stored, verdict, view_of

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><script src=//evil></script>",
    "a/b\n../c",
    "]]>--><!--",
    "x" * 4096,
    "\u202egnp.exe",
    "&lt;b&gt; &#x3c;",
    "批次 η Ω 🧪",
    "\ud800\x00\x1b[31m",
    "javascript:alert(1)",
    "}*{display:none}",
]


@pytest.fixture(scope="module")
def page(content: BatchContent) -> Page:
    return read(html_report(content, anchor="17:" + "ab" * 32))


def test_it_is_one_page_that_fetches_nothing(page: Page) -> None:
    assert page.references == []
    assert "script" not in page.tags
    assert ("meta", "content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in page.attributes
    assert {tag for tag in page.tags if tag in ("iframe", "object", "embed", "link", "base", "form")} == set()


def test_pictures_are_in_it_as_they_were_stored(page: Page, content: BatchContent) -> None:
    assert sorted(page.pictures) == sorted(shown.data for shown in content.pictures.values())
    alts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert "front: FAIL, 0.83 against threshold 0.5 (166% of it)" in alts


def test_everything_that_the_blocks_say_can_be_read(page: Page) -> None:
    for line in (
        "NOT CLEAR",
        "RELEASED BY Dr. B. Keller",
        "Signatures",
        "SHA-256 of manifest.json",
        "front-11",
        "name",
        "date",
    ):
        assert line in page.words


def test_an_outcome_is_word_and_shape(page: Page) -> None:
    marks = [value for tag, name, value in page.attributes if (tag, name) == ("span", "class")]
    assert len(marks) == page.tags.count("svg")
    assert {"mark good", "mark bad", "mark person"} <= set(marks)
    assert len({str(shape) for shape in SHAPES.values()}) == 4


@pytest.mark.parametrize(
    ("outcome", "look"),
    [
        ("PASS", "good"), ("CLEAR", "good"), ("FAIL", "bad"), ("NOT_CLEAR", "bad"), ("UNDECIDED", "open"),
        ("RELEASED_BY", "person"), ("", "open"), ("CLEARED", "open"), ("pass", "open"),
    ],
)  # fmt: skip
def test_only_what_passed_looks_good(outcome: str, look: str) -> None:
    assert look_of(outcome) == look


def test_the_same_batch_gives_the_same_bytes(content: BatchContent) -> None:
    assert html_report(content) == html_report(content)
    assert html_report(content) != html_report(content, made_at=START)


def test_it_prints_and_turns_dark_and_fits_a_phone(page: Page) -> None:
    for rule in ("@media print", "@page{size:A4", "prefers-color-scheme:dark", "max-width:40rem", "break-inside:avoid"):
        assert rule in page.style
    assert 'content:"Line\\000020clearance\\00002c\\000020batch\\000020B4711"' in page.style
    assert ("meta", "name", "viewport") in page.attributes


def hostile_page(batch: str, text: str) -> Page:
    """A whole batch in which every text that a person can choose is hostile."""
    with tempfile.TemporaryDirectory() as folder:
        lost = verdict("front-1", "front", "not_registered", 99, "c")
        view = view_of(text, "not_registered", (lost,))
        reasons = (Reason(ReasonCode.NOT_FIT, text),)
        one = clearance(
            1, "UNDECIDED", (view,), batch=batch, operator=text, note=text, product=text, request_id=text, reasons=reasons,
            previous=text,
        )  # fmt: skip
        reader = stored(Path(folder), evidence_of(lost, batch=batch), record_of(one))
        return read(html_report(gather(reader, batch), anchor=text))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_stay_text(text: str) -> None:
    plain, page = hostile_page("B1", "x"), hostile_page(text, text)
    assert page.references == []
    assert set(page.tags) == set(plain.tags)
    assert {name for _, name, _ in page.attributes} == {name for _, name, _ in plain.attributes}
    assert printable(text)[:60] in page.words


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet=st.characters(), min_size=1, max_size=300))
def test_any_name_stays_text(text: str) -> None:
    page = hostile_page(text, text)
    assert page.references == []
    assert "script" not in page.tags


TEXT = st.text(alphabet=st.characters()) | st.sampled_from(HOSTILE)


@settings(max_examples=200, deadline=None)
@given(TEXT, TEXT)
def test_any_text_in_any_block_stays_text(first: str, second: str) -> None:
    table = Table((Head(first), Head(second, look="number")), ((first, Mark(second, first)),))
    blocks = (Heading(first, 1, Mark(first, second)), Words(second, "warning"), Facts(((first, second),)), table)
    page = read(render_html(Report(first, blocks, START)))
    assert page.references == []
    assert page.tags.count("td") == 2
    assert page.style.count("@bottom-left") == 1
    assert page.style.endswith("font:7.5pt sans-serif}}")


@given(TEXT)
def test_a_string_in_a_style_sheet_cannot_end_it(text: str) -> None:
    written = css_string(text)
    assert written.isascii()
    assert not set(written[1:-1]) & set("\"'<>{}();\n")


def test_markup_is_escaped_unless_it_was_made_here() -> None:
    assert tag("p", "<b>", tag("i", "&"), None) == "<p>&lt;b&gt;<i>&amp;</i></p>"
    assert tag("img", alt='"', class_=None, aria_hidden="true") == '<img alt="&quot;" aria-hidden="true"/>'
    assert join("<", trusted("<br/>")) == "&lt;<br/>"
