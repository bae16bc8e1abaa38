"""A batch as a station leaves it: published documents and drawn overlays in a real archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.archive import Archive, ArchiveReader, Evidence
from edge.archive.packing import microseconds
from edge.archive.store import Store
from edge.heatmap import Picture, encode, overlay
from edge.publishers.payloads import clearance_body, verdict_body
from edge.settings.archive import ArchiveSettings
from edge.types import (
    Alignment,
    Box,
    ChallengeImage,
    ChallengeResult,
    Clearance,
    ClearanceOutcome,
    Gate,
    ImageU8,
    Judgement,
    Origin,
    Outcome,
    Reason,
    ReasonCode,
    Region,
    Release,
    Speaker,
    Verdict,
    ViewParts,
    ViewResult,
)  # fmt: skip

START = datetime(2026, 11, 22, 7, 15, 3, 123_000, tzinfo=timezone.utc)
BATCH = "B4711"
SPEAKER = Speaker("lineclear/acme/pack/line3/feeder", {"lineclear": "0.1.0", "numpy": "2.1.0"}, "c0ffee" * 10 + "abcd")
Draw = Callable[[Verdict], tuple[bytes, str]]


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def scene(seed: int = 0) -> ImageU8:
    noise = np.random.default_rng(seed).normal(0, 1, (120, 200)).astype(np.float32)
    grey = np.clip(120 + 400 * cv2.GaussianBlur(noise, (0, 0), 5), 20, 230).astype(np.uint8)
    return np.dstack([grey, grey, grey])


def draw(verdict: Verdict) -> tuple[bytes, str]:
    """The overlay of a frame that could not be placed: header and frame."""
    return encode(overlay(Picture(scene(), verdict.judgement, (200, 120), title=verdict.view)), "jpeg"), "image/jpeg"


def region(x: float = 40, peak: float = 0.83) -> Region:
    box = Box(x, 30, 18, 12)
    return Region(box, box, (x + 9, 36), (x + 9, 36), 171.0, peak)


def aligned(trusted: bool = True) -> Alignment:
    gates = (Gate("inliers", 212, 30, "min"), Gate("residual", 0.31 if trusted else 7.5, 2.0, "max"))
    return Alignment(np.eye(3), "track", "previous", "homography", 230, 212, 0.31, 0.9, 4.2, 0.97, 0.8, 1.0, gates)


def judgement(outcome: str, score: float | None = None) -> Judgement:
    """PASS, FAIL or the code of a reason."""
    if outcome in ("PASS", "FAIL"):
        is_fail = outcome == "FAIL"
        regions = (region(), region(90, 0.61)) if is_fail else ()
        return Judgement(Outcome(outcome), None, score or (0.83 if is_fail else 0.21), 0.5, 0.45, regions)
    return Judgement(Outcome.UNDECIDED, Reason(ReasonCode(outcome), "too little of the frame looks like the reference"))


def verdict(result_id: str, view: str, outcome: str, seconds: float, clearance_id: str | None, **changes: Any) -> Verdict:
    number = int(result_id.rpartition("-")[2])
    origin = Origin(
        view, number, number, after(seconds - 0.1), "cam-7", "aspirin", view, 3, "variation-1a2b3c4d5e6f", "ort-1.20"
    )
    given = {"alignment": aligned(outcome in ("PASS", "FAIL")), "stage_ms": {"infer": 31.0}, **changes}
    return Verdict(result_id, judgement(outcome), origin, after(seconds), clearance_id=clearance_id, **given)


def parts(view: str, version: int = 3) -> ViewParts:
    hashes = {name: f"{place}{version}" * 32 for place, name in enumerate(("bundle", "card", "recipe", "reference"), 1)}
    return ViewParts("cam-7", "aspirin", view, version, "variation-1a2b3c4d5e6f", "ort-1.20", hashes)


def challenge(view: str, got: str = "FAIL") -> ChallengeResult:
    good = ChallengeImage("good/empty.png", "a1" * 32, Outcome.PASS, Outcome.PASS, None, 0.2, 0.5)
    bad = ChallengeImage("bad/tablet.png", "b2" * 32, Outcome.FAIL, Outcome(got), None, 0.9, 0.5)
    return ChallengeResult(view, after(-60), "k" * 64, (good, bad))


def view_of(name: str, outcome: str, verdicts: tuple[Verdict, ...], **changes: Any) -> ViewResult:
    found = judgement(outcome)
    return ViewResult(name, found.outcome, found.reason, verdicts, parts(name), challenge(name), **changes)


def clearance(number: int, outcome: str, views: tuple[ViewResult, ...], **changes: Any) -> Clearance:
    given: dict[str, Any] = {
        "result_id": f"clearance-{number}",
        "request_id": f"plc-{number}",
        "sequence": number,
        "outcome": ClearanceOutcome(outcome),
        "batch": BATCH,
        "product": "aspirin",
        "operator": "A. Meier",
        "views": views,
        "requested_at": after(number * 100 - 3),
        "decided_at": after(number * 100),
        "speaker": SPEAKER,
        "stage_ms": {"total": 2950.0},
        **changes,
    }
    return Clearance(**given)


def evidence_of(one: Verdict, batch: str = BATCH, draw: Draw = draw, **changes: Any) -> Evidence:
    found = one.judgement
    given: dict[str, Any] = {"frame": scene(), "overlay": lambda: draw(one), "score": found.score, "threshold": found.threshold}
    return Evidence(
        one.result_id, "verdict", one.outcome.value, one.reason.code.value if one.reason else "", one.decided_at,
        verdict_body(one), view=one.view, batch=batch, product="aspirin", clearance_id=one.clearance_id,
        **{**given, **changes},
    )  # fmt: skip


def record_of(one: Clearance, batch: str | None = None, **document: Any) -> Evidence:
    body = {**clearance_body(one), **document}
    return Evidence(
        one.result_id, "clearance", one.outcome.value, "", one.decided_at, body, batch=one.batch if batch is None else batch,
        product=one.product, clearance_id=one.result_id, request_id=one.request_id,
    )  # fmt: skip


def story() -> tuple[list[Verdict], list[Clearance]]:
    """Two views, two frames each: 1 NOT_CLEAR, 2 a person released it, 3 checked again and CLEAR."""
    first = [
        verdict(f"{view}-{number}", view, "FAIL" if view == "front" else "PASS", 99, "clearance-1")
        for view, number in (("front", 11), ("front", 12), ("back", 13), ("back", 14))
    ]
    last = [
        verdict(f"{view}-{number}", view, "PASS", 299, "clearance-3")
        for view, number in (("front", 31), ("front", 32), ("back", 33), ("back", 34))
    ]
    release = Release("Dr. B. Keller", "reflection of the new lamp", after(190), "snapshot-9")
    failed = view_of("front", "FAIL", (first[0], first[1]))
    passed = view_of("back", "PASS", (first[2], first[3]))
    released = replace(failed, release=release)
    good = (view_of("front", "PASS", (last[0], last[1])), view_of("back", "PASS", (last[2], last[3])))
    clearances = [
        clearance(1, "NOT_CLEAR", (failed, passed)),
        clearance(2, "RELEASED_BY", (released, passed), previous="clearance-1", operator="Dr. B. Keller"),
        clearance(3, "CLEAR", good, previous="clearance-1", note="removed"),
    ]
    return first + last, clearances


@contextmanager
def archive(folder: Path) -> Iterator[Archive]:
    settings = ArchiveSettings.model_validate({"pass_share": 1.0, "min_free_bytes": 0})
    with Archive(folder, settings, lambda: START, None) as opened:
        yield opened


def stored(folder: Path, *given: Evidence) -> ArchiveReader:
    with archive(folder) as opened:
        for one in given:
            opened.submit(one)
    assert opened.health()["archive.missing"] == 0, opened.alarm
    return ArchiveReader(folder)


def batch(folder: Path, draw: Draw = draw) -> ArchiveReader:
    """The story in an archive."""
    verdicts, clearances = story()
    return stored(folder, *(evidence_of(one, draw=draw) for one in verdicts), *map(record_of, clearances))


def with_gaps(folder: Path) -> ArchiveReader:
    """One result that was deleted by age, one that could never be stored, and nothing else."""
    one, two = verdict("front-1", "front", "FAIL", 1, None), verdict("front-2", "front", "PASS", 2, None)
    reader = stored(folder, evidence_of(one))
    store = Store(folder)
    store.recover()
    fields = {"result_id": two.result_id, "kind": "verdict", "view": two.view, "outcome": "PASS", "batch": BATCH}
    lost = {**fields, "clearance_id": None, "decided_us": microseconds(two.decided_at)}
    store.commit([(microseconds(after(8)), "the disk is full", lost)])
    store.purge(store.index.older("fail", microseconds(after(5)), 10), "age", microseconds(after(9)))
    store.close()
    return reader
