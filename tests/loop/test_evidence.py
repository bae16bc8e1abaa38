"""Evidence of a verdict: one copy of its frame, the clearance that it was made for, and never in the judge's way."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.archive import Archive, ArchiveReader, Evidence
from edge.health import Health
from edge.loop import PictureSettings
from edge.loop.evidence import REMEMBERED, EvidenceKeeper
from edge.loop.pictures import PictureMaker, kept
from edge.publishers.clearance_payloads import ClearancePhase, ClearanceProgress
from edge.publishers.memory import MemoryPublisher
from edge.settings.archive import ArchiveSettings
from edge.settings.mqtt import MemorySettings
from edge.types import Frame, Outcome, Verdict
from tests.archive.samples import START
from tests.publishers.samples import verdict


class Handed(Archive):
    """Remembers what it was given in place of writing it."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(Path("/nowhere"), ArchiveSettings(**settings))
        self.taken: list[Evidence] = []

    def submit(self, evidence: Evidence, *, asked: bool = False) -> None:
        self.taken.append(evidence)


def ring_frame() -> Frame:
    """A frame as a camera hands it over: a view into memory that is not its own and will be written again."""
    ring = np.arange(2 * 12 * 16 * 3, dtype=np.uint8).reshape(2, 12, 16, 3)
    image = ring[1]
    image.flags.writeable = False
    return Frame(image, "front", 7, 1, START)


def said(result_id: str, batch: str) -> ClearanceProgress:
    return ClearanceProgress(ClearancePhase.FITNESS, 1, "r1", result_id, batch, "aspirin")


def test_picture_and_evidence_share_one_copy() -> None:
    frame, archive = ring_frame(), Handed()
    pictures = PictureMaker(PictureSettings(publish="all"), MemoryPublisher(MemorySettings(kind="memory")), Health())
    shared = pictures.submit(verdict(), frame, None)
    EvidenceKeeper(archive, 320).verdict(verdict(), shared, None)
    (evidence,) = archive.taken
    assert shared is not None
    assert evidence.frame is shared.image
    assert not np.shares_memory(evidence.frame, frame.image)
    assert (evidence.frame == frame.image).all()


def test_what_no_picture_is_made_of_is_copied_for_the_evidence_alone() -> None:
    frame, archive = ring_frame(), Handed()
    pictures = PictureMaker(PictureSettings(publish="none"), MemoryPublisher(MemorySettings(kind="memory")), Health())
    assert pictures.submit(verdict(), frame, None) is frame
    EvidenceKeeper(archive, 320).verdict(verdict(), frame, None)
    kept_image = archive.taken[0].frame
    assert kept_image is not None
    assert not np.shares_memory(kept_image, frame.image)


def test_a_frame_on_memory_of_its_own_is_not_copied_again() -> None:
    once = kept(ring_frame())
    assert kept(once) is once
    assert not once.image.flags.writeable


def test_a_verdict_is_kept_with_the_batch_that_it_was_made_for_and_no_other() -> None:
    archive = Handed()
    keeper = EvidenceKeeper(archive, 320)
    keeper.occasion(said("clearance-c1", "B1"))
    keeper.occasion(said("clearance-c2", "B2"))
    keeper.occasion(replace(said("clearance-c1", "B9"), phase=ClearancePhase.FRAMES))  # whatever is said later
    for clearance_id in ("c1", "c2", "c3", None):
        keeper.verdict(replace(verdict(), clearance_id=clearance_id), None, None)
    assert [one.batch for one in archive.taken] == ["B1", "B2", "", ""]


def test_late_verdicts_of_the_last_clearances_still_find_their_batch() -> None:
    archive = Handed()
    keeper = EvidenceKeeper(archive, 320)
    for number in range(20):
        keeper.occasion(said(f"clearance-c{number}", f"B{number}"))
    for number in range(20):
        keeper.verdict(replace(verdict(), clearance_id=f"c{number}"), None, None)
    known = [one.batch for one in archive.taken if one.batch]
    assert known == [f"B{number}" for number in range(20 - REMEMBERED - 1, 20)]


def test_without_memory_for_the_frame_the_rest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(frame: Frame) -> Frame:
        raise MemoryError

    monkeypatch.setattr("edge.loop.evidence.kept", none_left)
    archive = Handed()
    EvidenceKeeper(archive, 320).verdict(verdict(), ring_frame(), None)
    (evidence,) = archive.taken
    assert (evidence.frame, evidence.overlay) == (None, None)
    assert evidence.document["resultId"] == verdict().result_id


def test_a_pass_outside_the_sample_costs_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(frame: Frame) -> Frame:
        raise AssertionError("copied for nothing")

    monkeypatch.setattr("edge.loop.evidence.kept", never)
    archive = Handed(pass_share=0.0)
    passed = verdict(outcome=Outcome.PASS)
    EvidenceKeeper(archive, 320).verdict(passed, ring_frame(), None)
    assert archive.taken == []


def test_the_overlay_is_drawn_from_the_copy_when_it_is_asked_for(tmp_path: Path) -> None:
    with Archive(tmp_path / "archive", ArchiveSettings(min_free_bytes=0)) as archive:
        EvidenceKeeper(archive, 320).verdict(verdict(), ring_frame(), None)
    (entry,) = ArchiveReader(tmp_path / "archive").find()
    assert ArchiveReader(tmp_path / "archive").overlay(entry)[1] == "image/jpeg"
    assert (ArchiveReader(tmp_path / "archive").frame(entry) == ring_frame().image).all()


def passed(result_id: str) -> Verdict:
    found = verdict()
    return replace(found, result_id=result_id, judgement=replace(found.judgement, outcome=Outcome.PASS, regions=()))


@pytest.mark.parametrize("quick", [True, False], ids=["verdict first", "asker first"])
def test_a_verdict_that_was_asked_for_is_kept_though_no_sample_would_be(quick: bool) -> None:
    archive = Handed(pass_share=0.0)
    keeper = EvidenceKeeper(archive, 320)
    mine, other = (passed(name) for name in ("mine", "other"))
    keeper.asked.expect(mine.view)
    keeper.verdict(other, ring_frame(), None)
    if quick:
        keeper.verdict(mine, ring_frame(), None)
    keeper.asked.keep("mine", mine.view)
    if not quick:
        keeper.verdict(mine, ring_frame(), None)
    keeper.verdict(other, ring_frame(), None)
    assert [evidence.result_id for evidence in archive.taken] == ["mine"]
    assert archive.taken[0].frame is not None


def test_many_that_are_expected_and_never_named_hold_no_memory() -> None:
    archive = Handed(pass_share=0.0)
    keeper = EvidenceKeeper(archive, 320)
    keeper.asked.expect("front")
    for number in range(20):
        keeper.verdict(passed(f"r{number}"), ring_frame(), None)
    assert len(keeper.asked._held) <= 4
    keeper.asked.keep("", "front")
    assert not keeper.asked._held
    for number in range(20):
        keeper.asked.keep(f"late{number}", "front")
    assert len(keeper.asked._wanted) <= 8
    assert not archive.taken
