"""The report as one page that needs nothing beside it."""

from __future__ import annotations

from base64 import b64encode

from edge.batch_report.blocks import (
    Answer,
    Block,
    Cell,
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
)
from edge.batch_report.markup import Child, Markup, join, tag
from edge.batch_report.shapes import SHAPES, Shape, look_of
from edge.batch_report.style import POLICY, style

_CLASSES = {"good": "good", "bad": "bad", "open": "open", "person": "person"}


def render_html(report: Report) -> bytes:
    """A whole HTML file in UTF-8: nothing is fetched from anywhere, and the browser is told so."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width,initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", report.title),
        tag("style", style(report.title)),
    )
    document = tag("html", head, tag("body", tag("main", *map(_block, report.blocks))), lang="en")
    return f"<!doctype html>\n{document}\n".encode()


def _block(block: Block) -> Markup:
    if isinstance(block, Heading):
        return tag(f"h{block.level}", _mark(block.mark) if block.mark is not None else None, _text(block.text))
    if isinstance(block, Words):
        return tag("p", _text(block.text), class_=None if block.look == "plain" else block.look)
    if isinstance(block, Answer):
        return tag("div", _mark(block.mark), *(tag("p", _text(line)) for line in block.lines), class_="answer")
    if isinstance(block, Facts):
        return tag("dl", *(join(tag("dt", name), tag("dd", _cell(value))) for name, value in block.pairs))
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Picture):
        return _picture(block)
    if isinstance(block, Group):
        return tag("section", *map(_block, block.blocks), class_="view")
    return _signatures(block)


def _text(text: str) -> Markup:
    """A name written from right to left does not turn what stands around it."""
    return tag("bdi", text)


def _cell(cell: Cell) -> Child:
    if isinstance(cell, Mark):
        return _mark(cell)
    return tag("code", cell.text) if isinstance(cell, Code) else _text(cell)


def _mark(mark: Mark) -> Markup:
    look = look_of(mark.outcome)
    return tag("span", _shape(SHAPES[look]), _text(mark.says), class_=f"mark {_CLASSES[look]}")


def _shape(shape: Shape) -> Markup:
    """24 x 24 units; the word beside it says the same, so a screen reader skips it."""
    parts = [tag("polygon", points=_points(line)) if closed else tag("path", d=_path(line)) for line, closed in shape.lines]
    parts += [tag("circle", cx=f"{x:g}", cy=f"{y:g}", r=f"{r:g}") for x, y, r in shape.circles]
    return tag("svg", *parts, viewBox="0 0 24 24", aria_hidden="true")


def _points(line: tuple[tuple[float, float], ...]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in line)


def _path(line: tuple[tuple[float, float], ...]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in line)


def _table(table: Table) -> Markup:
    whole = sum(column.share for column in table.columns)
    widths = tag("colgroup", *(tag("col", style=f"width:{column.share / whole:.1%}") for column in table.columns))
    head = tag("tr", *(tag("th", column.name, scope="col", class_=_look(column)) for column in table.columns))
    body = (
        tag("tr", *(tag("td", _cell(cell), class_=_look(column)) for cell, column in zip(row, table.columns, strict=True)))
        for row in table.rows
    )
    return tag("div", tag("table", widths, tag("thead", head), tag("tbody", *body)), class_="scroll", tabindex=0)


def _look(column: Column) -> str | None:
    return "number" if column.look == "number" else None


def _picture(picture: Picture) -> Markup:
    width, height = picture.size_wh
    source = f"data:{picture.content_type};base64,{b64encode(picture.data).decode('ascii')}"
    return tag(
        "figure",
        tag("img", src=source, alt=picture.alt, width=width, height=height),
        tag("figcaption", _text(picture.caption)),
    )


def _signatures(signatures: Signatures) -> Markup:
    lines = [tag("div", tag("div", signatures.hash_of), tag("div", "64 hexadecimal digits", class_="wide"), class_="sign")]
    for role in signatures.roles:
        blanks = (tag("div", name) for name in ("name", "signature", "date"))
        lines.append(tag("div", tag("div", role), *blanks, class_="sign"))
    return tag("section", tag("p", signatures.text), *lines, class_="signatures")
