"""Evidence to archive, and archives to look into."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from edge.archive import Archive, ArchiveReader, Evidence
from edge.archive.packing import Packed, pack
from edge.archive.store import Store
from edge.settings.archive import ArchiveSettings
from edge.types import ImageU8

START = datetime(2026, 11, 22, 7, 15, 3, 123_000, tzinfo=timezone.utc)
OVERLAY = b"\xff\xd8 a picture \xff\xd9"
DEADLINE_S = 30.0


def frame(seed: int = 0, size_wh: tuple[int, int] = (24, 16), colour: bool = True) -> ImageU8:
    shape = (size_wh[1], size_wh[0], 3) if colour else (size_wh[1], size_wh[0])
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def evidence(number: int = 0, **changes: Any) -> Evidence:
    """A FAIL of view front with all its parts, one per second."""
    scores = np.random.default_rng(number).normal(0, 1, (8, 12)).astype(np.float32)
    given: dict[str, Any] = {
        "result_id": f"result-{number}",
        "kind": "verdict",
        "outcome": "FAIL",
        "reason": "",
        "decided_at": START + timedelta(seconds=number),
        "document": {"resultId": f"result-{number}", "outcome": "FAIL", "regions": []},
        "view": "front",
        "batch": "B1",
        "product": "P1",
        "request_id": "q",
        "recipe": "front",
        "recipe_version": 3,
        "score": 0.75,
        "threshold": 0.5,
        "frame": frame(number),
        "anomaly_map": scores,
        "judged": scores > 0,
        "map_to_reference": np.diag([2.0, 2.0, 1.0]),
        "overlay": lambda: (OVERLAY, "image/jpeg"),
        **changes,
    }
    return Evidence(**given)


def bare(number: int = 0, **changes: Any) -> Evidence:
    """Nothing but the JSON: an UNDECIDED without a frame."""
    nothing = dict.fromkeys(("frame", "anomaly_map", "judged", "map_to_reference", "overlay", "score"))
    return evidence(number, **{"outcome": "UNDECIDED", "reason": "camera_lost", **nothing, **changes})


def packed(number: int = 0, **changes: Any) -> Packed:
    one = evidence(number, **changes)
    return pack(one, one.overlay() if one.overlay is not None else None)


def settings(**changes: Any) -> ArchiveSettings:
    return ArchiveSettings.model_validate({"pass_share": 1.0, "min_free_bytes": 0, **changes})


@contextmanager
def running(folder: Path, now: Callable[[], datetime] = lambda: START, **changes: Any) -> Iterator[Archive]:
    """An archive whose clock stands still unless told otherwise, so that nothing is too old; retries at once."""
    on_purge = changes.pop("on_purge", None)
    with Archive(folder, settings(**changes), now, on_purge, retry_s=0.02) as archive:
        yield archive


def stored(folder: Path, *given: Evidence, **changes: Any) -> ArchiveReader:
    """An archive that has written all this and was closed."""
    with running(folder, **changes) as archive:
        for one in given:
            archive.submit(one)
    assert archive.health()["archive.missing"] == 0, archive.alarm
    return ArchiveReader(folder)


@contextmanager
def store(folder: Path) -> Iterator[Store]:
    """The folder as the archive's thread has it."""
    opened = Store(folder)
    try:
        opened.recover()
        yield opened
    finally:
        opened.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another thread does; fails after DEADLINE_S."""
    deadline = time.monotonic() + DEADLINE_S
    turn = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        turn.wait(0.005)


def files(folder: Path) -> list[str]:
    """Every evidence file, relative."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("????-??-??/??/*"))
