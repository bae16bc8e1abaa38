"""The report as PDF: the same blocks as on the page. Needs fpdf2 (the extra `pdf`)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from edge.batch_report.blocks import (
    Answer,
    Block,
    Cell,
    Facts,
    Group,
    Heading,
    Picture,
    Report,
    Signatures,
    Table,
    Words,
)
from edge.batch_report.paper import BOX, INK, LEFT, SOFT, WARN, WIDTH, Paper, picture_size, shares

_BODY, _SMALL, _TABLE = 9.0, 8.0, 7.8
_NAMES: Final = 40.0
_PICTURE: Final = 92.0
_HEADINGS: Final = {1: 17.0, 2: 13.0, 3: 10.5}
_PAD: Final = 1.0


def render_pdf(report: Report, made_at: datetime | None = None) -> bytes:
    """A whole PDF file. Its date is made_at, else that of the newest result, so that the same batch gives the same bytes."""
    paper = Paper(report.title)
    try:
        paper.pdf.set_title(report.title)
        paper.pdf.set_creator("lineclear")
        paper.pdf.set_lang("en")
        paper.pdf.set_creation_date(made_at or report.as_of)
        for block in report.blocks:
            _write(paper, block)
        return bytes(paper.pdf.output())
    finally:
        paper.close()


def _write(paper: Paper, block: Block) -> None:
    if isinstance(block, Heading):
        _heading(paper, block)
    elif isinstance(block, Words):
        _words(paper, block)
    elif isinstance(block, Answer):
        _answer(paper, block)
    elif isinstance(block, Facts):
        _facts(paper, block)
    elif isinstance(block, Table):
        _table(paper, block)
    elif isinstance(block, Picture):
        paper.picture(block, _PICTURE)
        paper.letters(_SMALL, SOFT)
        paper.text(block.caption, LEFT, WIDTH)
    elif isinstance(block, Group):
        paper.need(_beginning(block))
        for each in block.blocks:
            _write(paper, each)
    else:
        _signatures(paper, block)


def _beginning(group: Group) -> float:
    """What must not be parted: heading, sentences and picture."""
    pictures = [picture_size(each, _PICTURE)[1] for each in group.blocks if isinstance(each, Picture)]
    return 32.0 + (pictures[0] if pictures else 0.0)


def _heading(paper: Paper, heading: Heading) -> None:
    size = _HEADINGS[heading.level]
    paper.need(62.0 if heading.level == 2 else 22.0)
    paper.down({1: 0.0, 2: 6.0, 3: 3.5}[heading.level])
    if heading.level == 2:
        paper.rule()
        paper.down(2.5)
    x = LEFT
    if heading.mark is not None:
        top = paper.y
        paper.letters(size, bold=True)
        width = paper.text_width(heading.mark.says) + size * 0.7 + 2
        paper.mark(heading.mark, x, size, width)
        paper.pdf.set_y(top)
        x += width + 2
    paper.letters(size, bold=True)
    paper.text(heading.text, x, LEFT + WIDTH - x)
    paper.down(1.0)


def _words(paper: Paper, words: Words) -> None:
    if words.look != "warning":
        paper.letters(_BODY, SOFT if words.look == "soft" else INK)
        paper.text(words.text, LEFT, WIDTH)
        paper.down(1.0)
        return
    height = paper.cell_height(words.text, WIDTH - 8, _BODY) + 2 * _PAD
    paper.need(min(height, 200.0))
    paper.down(1.0)
    paper.box(height, WARN)
    paper.box(height, (184, 69, 0), width=1.2)
    paper.pdf.set_y(paper.y + _PAD)
    paper.cell(words.text, LEFT + 4, WIDTH - 8, _BODY)
    paper.pdf.set_y(paper.y + _PAD + 1)


def _answer(paper: Paper, answer: Answer) -> None:
    heights = [
        paper.cell_height(answer.mark, WIDTH - 8, 15.0),
        *(paper.cell_height(line, WIDTH - 8, _BODY) for line in answer.lines),
    ]
    height = sum(heights) + 6.5
    paper.need(height)
    paper.down(1.0)
    top = paper.y
    paper.box(height, BOX)
    paper.pdf.set_y(top + 2.5)
    paper.mark(answer.mark, LEFT + 4, 15.0, WIDTH - 8)
    paper.pdf.set_y(paper.y + 1)
    for line in answer.lines:
        paper.cell(line, LEFT + 4, WIDTH - 8, _BODY)
    paper.pdf.set_y(top + height + 2)


def _facts(paper: Paper, facts: Facts) -> None:
    paper.down(1.0)
    for name, value in facts.pairs:
        height = paper.cell_height(value, WIDTH - _NAMES, _BODY)
        paper.letters(_BODY, SOFT)
        name_height = paper.lines(name, _NAMES - 3) * 4.5
        paper.need(min(max(height, name_height), 60.0))
        top, page = paper.y, paper.pdf.page
        paper.letters(_BODY, SOFT)
        paper.text(name, LEFT, _NAMES - 3)
        bottom = paper.y
        paper.pdf.set_y(top)
        paper.cell(value, LEFT + _NAMES, WIDTH - _NAMES, _BODY)
        if paper.pdf.page == page:
            paper.pdf.set_y(max(bottom, paper.y))
    paper.down(1.5)


def _table(paper: Paper, table: Table) -> None:
    widths = shares([column.share for column in table.columns])
    aligns = ["R" if column.look == "number" else "L" for column in table.columns]
    paper.down(1.5)
    _head(paper, table, widths, aligns)
    for row in table.rows:
        height = max(paper.cell_height(cell, width - 2 * _PAD, _TABLE) for cell, width in zip(row, widths, strict=True))
        if paper.need(height + 2 * _PAD):
            _head(paper, table, widths, aligns)
        _row(paper, row, widths, aligns, height)
    paper.down(2.0)


def _head(paper: Paper, table: Table, widths: list[float], aligns: list[str]) -> None:
    paper.need(16.0)
    top = paper.y
    paper.box(4.4 + 2 * _PAD, BOX)
    x = LEFT
    for column, width, align in zip(table.columns, widths, aligns, strict=True):
        paper.pdf.set_y(top + _PAD)
        paper.letters(_TABLE, bold=True)
        paper.text(column.name, x + _PAD, width - 2 * _PAD, align=align)
        x += width
    paper.pdf.set_y(top + 4.4 + 2 * _PAD)
    paper.rule()


def _row(paper: Paper, row: tuple[Cell, ...], widths: list[float], aligns: list[str], height: float) -> None:
    top, x = paper.y, LEFT
    for cell, width, align in zip(row, widths, aligns, strict=True):
        paper.pdf.set_y(top + _PAD)
        paper.cell(cell, x + _PAD, width - 2 * _PAD, _TABLE, align)
        x += width
    paper.pdf.set_y(top + height + 2 * _PAD)
    paper.rule()


def _signatures(paper: Paper, signatures: Signatures) -> None:
    paper.need(20.0 + 14.0 * (len(signatures.roles) + 1))
    paper.letters(_BODY)
    paper.text(signatures.text, LEFT, WIDTH)
    _sign(paper, signatures.hash_of, [(46.0, 136.0, "64 hexadecimal digits")])
    for role in signatures.roles:
        _sign(paper, role, [(46.0, 46.0, "name"), (95.0, 52.0, "signature"), (150.0, 32.0, "date")])
    paper.down(2.0)


def _sign(paper: Paper, role: str, places: list[tuple[float, float, str]]) -> None:
    paper.pdf.set_y(paper.y + 9.0)
    top = paper.y
    paper.letters(_BODY)
    paper.text(role, LEFT, 45)
    paper.pdf.set_draw_color(*INK)
    paper.pdf.set_line_width(0.2)
    for x, width, name in places:
        paper.pdf.line(LEFT + x, top + 4.5, LEFT + x + width, top + 4.5)
        paper.pdf.set_y(top + 4.8)
        paper.letters(6.5, SOFT)
        paper.text(name, LEFT + x, width)
