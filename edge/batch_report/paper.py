"""A4 sheets to write on: text, shapes and rows that stay whole. Lengths in millimetres, sizes of letters in points."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

from fpdf import FPDF

from edge.batch_report.blocks import Cell, Code, Mark, Picture
from edge.batch_report.faces import Faces, Kind, load_faces
from edge.batch_report.shapes import SHAPES, Look, look_of
from edge.batch_report.words import printable

Colour = tuple[int, int, int]
INK: Final[Colour] = (27, 31, 36)
SOFT: Final[Colour] = (87, 96, 106)
LINE: Final[Colour] = (208, 215, 222)
BOX: Final[Colour] = (246, 248, 250)
WARN: Final[Colour] = (255, 244, 229)
COLOURS: Final[dict[Look, Colour]] = {
    "good": (0, 103, 176),
    "bad": (184, 69, 0),
    "open": (90, 100, 112),
    "person": (123, 63, 143),
}
LEFT, TOP, BOTTOM, WIDTH = 14.0, 14.0, 18.0, 182.0
_END: Final = 297.0 - BOTTOM
_MM_PER_PT: Final = 25.4 / 72


class _Sheets(FPDF):  # type: ignore[misc]
    """Every page says what it belongs to, and which of how many it is."""

    def __init__(self, title: str) -> None:
        super().__init__(format="A4")
        self._title = title
        self.faces = load_faces(self)

    def footer(self) -> None:
        self.set_text_color(*SOFT)
        self.set_font(self.faces.families["sans"], "", 7.5)
        self.set_xy(LEFT, 297.0 - 12)
        self.cell(WIDTH - 30, 4, self.faces.shown(printable(self._title)))
        self.set_xy(LEFT + WIDTH - 30, 297.0 - 12)
        self.cell(30, 4, f"page {self.page_no()} of {{nb}}", align="R")


class Paper:
    """The PDF while it is written; `y` is how far down the page it is."""

    def __init__(self, title: str) -> None:
        self.pdf: Any = _Sheets(title)
        self.pdf.set_margins(LEFT, TOP, LEFT)
        self.pdf.set_auto_page_break(True, BOTTOM)
        self.pdf.c_margin = 0
        self.faces: Faces = self.pdf.faces
        self.pdf.add_page()

    def close(self) -> None:
        """Give the font files back."""
        for font in self.pdf.fonts.values():
            if hasattr(font, "ttfont"):
                font.ttfont.close()

    @property
    def y(self) -> float:
        """Where the next line begins."""
        return float(self.pdf.get_y())

    def down(self, by: float) -> None:
        """Leave room, but not at the top of a page."""
        if self.y > TOP:
            self.pdf.set_y(min(self.y + by, _END))

    def need(self, height: float) -> bool:
        """Begin a new page if there is not so much room on this one; True if it did."""
        if self.y + height <= _END or self.y <= TOP:
            return False
        self.pdf.add_page()
        return True

    def letters(self, size: float, colour: Colour = INK, *, bold: bool = False, kind: Kind = "sans") -> None:
        """What is written next looks like this."""
        self.pdf.set_font(self.faces.families[kind], "B" if bold else "", size)
        self.pdf.set_text_color(*colour)

    def text(self, text: str, x: float, width: float, *, align: str = "L", by_letter: bool = False) -> None:
        """Write from the current line on, over as many lines and pages as it takes."""
        self.pdf.set_x(x)
        height = self.pdf.font_size_pt * _MM_PER_PT * 1.4
        mode = "CHAR" if by_letter else "WORD"
        self.pdf.multi_cell(width, height, self._safe(text), align=align, wrapmode=mode, new_x="LMARGIN", new_y="NEXT")

    def lines(self, text: str, width: float, *, by_letter: bool = False) -> int:
        """How many lines the text takes."""
        mode = "CHAR" if by_letter else "WORD"
        return len(self.pdf.multi_cell(width, 1, self._safe(text), wrapmode=mode, dry_run=True, output="LINES"))

    def text_width(self, text: str) -> float:
        """Of one line."""
        return float(self.pdf.get_string_width(self._safe(text)))

    def _safe(self, text: str) -> str:
        return self.faces.shown(printable(text))

    def rule(self, colour: Colour = LINE) -> None:
        """A line across the page."""
        self.pdf.set_draw_color(*colour)
        self.pdf.set_line_width(0.2)
        self.pdf.line(LEFT, self.y, LEFT + WIDTH, self.y)

    def box(self, height: float, fill: Colour, x: float = LEFT, width: float = WIDTH) -> None:
        """A filled ground from the current line down."""
        self.pdf.set_fill_color(*fill)
        self.pdf.rect(x, self.y, width, height, style="F")

    def shape(self, mark: Mark, x: float, y: float, size: float) -> Colour:
        """An outcome's shape; its colour."""
        look = look_of(mark.outcome)
        colour = COLOURS[look]
        self.pdf.set_draw_color(*colour)
        self.pdf.set_line_width(size * 0.09)
        scale = size / 24
        for line, closed in SHAPES[look].lines:
            points = [(x + px * scale, y + py * scale) for px, py in line]
            self.pdf.polyline(points, polygon=closed)
        for cx, cy, radius in SHAPES[look].circles:
            self.pdf.ellipse(x + (cx - radius) * scale, y + (cy - radius) * scale, 2 * radius * scale, 2 * radius * scale)
        return colour

    def mark(self, mark: Mark, x: float, size: float, width: float) -> None:
        """Shape and word on the current line."""
        height = size * _MM_PER_PT * 1.4
        colour = self.shape(mark, x, self.y + (height - height * 0.86) / 2, height * 0.86)
        self.letters(size, colour, bold=True)
        self.text(mark.says, x + height * 1.2, width - height * 1.2)

    def picture(self, picture: Picture, max_height: float) -> None:
        """As wide as the page or as high as allowed."""
        width, height = picture_size(picture, max_height)
        self.need(height)
        at = self.y
        self.pdf.image(io.BytesIO(picture.data), LEFT, at, width, height, alt_text=self._safe(picture.alt))
        self.pdf.set_y(at + height + 1)

    def cell(self, cell: Cell, x: float, width: float, size: float, align: str = "L") -> None:
        """One cell from the current line on."""
        if isinstance(cell, Mark):
            self.mark(cell, x, size, width)
        elif isinstance(cell, Code):
            self.letters(size * 0.88, kind="mono")
            self.text(cell.text, x, width, by_letter=True)
        else:
            self.letters(size)
            self.text(cell, x, width, align=align)

    def cell_height(self, cell: Cell, width: float, size: float) -> float:
        """How high it will be."""
        height = size * _MM_PER_PT * 1.4
        if isinstance(cell, Mark):
            self.letters(size, bold=True)
            return self.lines(cell.says, width - height * 1.2) * height
        if isinstance(cell, Code):
            self.letters(size * 0.88, kind="mono")
            return self.lines(cell.text, width, by_letter=True) * height * 0.88
        self.letters(size)
        return self.lines(cell, width) * height


def picture_size(picture: Picture, max_height: float) -> tuple[float, float]:
    """Width and height on paper."""
    width_px, height_px = picture.size_wh
    scale = min(WIDTH / width_px, max_height / height_px)
    return width_px * scale, height_px * scale


def shares(parts: Sequence[float]) -> list[float]:
    """Widths of columns."""
    return [WIDTH * part / sum(parts) for part in parts]
