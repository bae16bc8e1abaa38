"""The batch report as bytes, one at a time: it reads and checks every file of the batch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from edge.archive import ArchiveReader
from edge.batch_report import BatchContent, check_pdf, gather, html_report, pdf_report
from edge.batch_report.style import POLICY
from edge.errors import ConfigError, StationBusy

SANDBOX: Final = (
    f"{POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox allow-same-origin allow-modals"
)
"""The policy of the report's own page. It has styles inside, which no other page of ours may have: so it stands alone. No
script runs in it and nothing is fetched; same-origin and modals only let the page around it print it.
"""
_WAIT_S: Final = 30.0
_ONE_AT_A_TIME: Final = threading.Lock()


def has_batch(reader: ArchiveReader, batch: str) -> bool:
    """True if the archive holds something of this batch. ArchiveError: it cannot be read."""
    return bool(reader.find(batch=batch, limit=1))


def has_pdf() -> bool:
    """True if this machine can make a PDF."""
    try:
        check_pdf()
    except ConfigError:
        return False
    return True


def as_html(reader: ArchiveReader, batch: str) -> bytes:
    """The report as one HTML file. ArchiveError; StationBusy: others are being made."""
    with _turn():
        return html_report(_content(reader, batch))


def as_pdf(reader: ArchiveReader, batch: str) -> bytes:
    """The report as PDF. ConfigError: this machine has no library for it; ArchiveError; StationBusy."""
    check_pdf()
    with _turn():
        return pdf_report(_content(reader, batch))


def _content(reader: ArchiveReader, batch: str) -> BatchContent:
    return gather(reader, batch)


@contextmanager
def _turn() -> Iterator[None]:
    if not _ONE_AT_A_TIME.acquire(timeout=_WAIT_S):
        raise StationBusy("another report is being made", where="batch report", remedy="try again in a minute")
    try:
        yield
    finally:
        _ONE_AT_A_TIME.release()
