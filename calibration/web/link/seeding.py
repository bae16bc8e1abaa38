"""What the broker does not keep, from the archive: the last clearance, and each view's last result with its picture."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from calibration.web.link import reading
from calibration.web.link.mirror import Mirror
from edge.archive import ArchiveError, ArchiveReader, Entry

_LOG = logging.getLogger(__name__)


def seed(mirror: Mirror, archive: ArchiveReader, views: Iterable[str]) -> None:
    """Tell the mirror; what the archive does not have, or cannot give, is left out, and nothing else with it."""
    with _left_out("clearance"):
        for entry in archive.find(kind="clearance", limit=1):
            body = archive.document(entry)
            if reading.body_of(reading.Clearance, json.dumps(body).encode()) is not None:
                mirror.seed_clearance(body)
    for view in views:
        with _left_out(view):
            for entry in archive.find(kind="verdict", view=view, limit=1):
                _seed_view(mirror, archive, entry)


@contextmanager
def _left_out(what: str) -> Iterator[None]:
    try:
        yield
    except ArchiveError as error:
        _LOG.info("page_not_seeded what=%s why=%s", what, error)


def _seed_view(mirror: Mirror, archive: ArchiveReader, entry: Entry) -> None:
    body = archive.document(entry)
    if reading.body_of(reading.Result, json.dumps(body).encode()) is not None:
        picture = None
        with _left_out(f"the picture of {entry.view}"):
            picture = archive.overlay(entry) if "overlay" in entry.files else None
        mirror.seed_result(body, picture)
