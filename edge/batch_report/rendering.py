"""What was gathered of a batch as the bytes of a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from edge.batch_report.blocks import Report
from edge.batch_report.content import BatchContent
from edge.batch_report.document import report_of
from edge.batch_report.html import render_html
from edge.errors import ConfigError


def html_report(content: BatchContent, *, anchor: str = "", made_at: datetime | None = None) -> bytes:
    """One self-contained HTML file. anchor: head of the audit log, `number:hash`. made_at: when it is made, with a zone;
    without it the same batch gives the same bytes.
    """
    return render_html(report_of(content, anchor=anchor, made_at=made_at))


def pdf_report(content: BatchContent, *, anchor: str = "", made_at: datetime | None = None) -> bytes:
    """The same as PDF, A4. Raises ConfigError where the library that makes it is not installed."""
    return _pdf_renderer()(report_of(content, anchor=anchor, made_at=made_at), made_at)


def check_pdf() -> None:
    """ConfigError if there is no library for PDF: asked before long work, not after."""
    _pdf_renderer()


def _pdf_renderer() -> Callable[[Report, datetime | None], bytes]:
    try:
        from edge.batch_report.pdf import render_pdf
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "fpdf":
            raise
        remedy = 'install it: pip install "lineclear[pdf]"; or leave out --pdf and print report.html'
        raise ConfigError("a PDF needs the library fpdf2, which is not installed", where="--pdf", remedy=remedy) from None
    return render_pdf
