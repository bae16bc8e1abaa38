"""All views -> one clearance: never CLEAR while anything is unknown; the sequence only grows."""

import json
import os
from concurrent.futures import Future
from pathlib import Path

import pytest

from edge.clearance import ClearanceRequest, Clearances, ClearanceSettings, Sequence, describe
from edge.errors import OutboxError
from edge.publishers.base import RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Recipe
from edge.settings.judging import VoteRule
from edge.settings.mqtt import MemorySettings
from edge.types import ClearanceOutcome, Outcome, ReasonCode, Verdict
from tests.station_parts import LOST, Event, ScriptedCamera, make_recipe, make_station, scene, with_leftover, with_noise

CLEAN = Event(with_noise(scene(), 1))
LEFTOVER = Event(with_leftover(with_noise(scene(), 2)))
REQUEST = ClearanceRequest("r1", batch="B1204", product="aspirin", operator="Anna")
VIEWS = ("front", "back")


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recipe]:
    return {view: make_recipe(tmp_path_factory.mktemp(view), view) for view in VIEWS}


def memory(**changes: float) -> MemoryPublisher:
    return MemoryPublisher(MemorySettings(kind="memory", keep=10_000, **changes))


def clear_with(
    recipes: dict[str, Recipe],
    folder: Path,
    events: dict[str, list[Event]],
    publisher: MemoryPublisher,
    rule: VoteRule | None = None,
):
    cameras = {view: ScriptedCamera(view, events[view]) for view in VIEWS}
    settings = ClearanceSettings(rule or VoteRule(), timeout_s=5)
    with make_station(recipes, cameras, publisher=publisher) as station:
        clearances = Clearances(
            station.ask, dict.fromkeys(VIEWS, "aspirin"), publisher, Sequence(folder / "sequence.json"), settings
        )
        return clearances.run(REQUEST)


@pytest.mark.parametrize(
    ("back", "outcome"),
    [
        (CLEAN, ClearanceOutcome.CLEAR),
        (LEFTOVER, ClearanceOutcome.NOT_CLEAR),
        (LOST, ClearanceOutcome.UNDECIDED),
        (Event(scene() * 0), ClearanceOutcome.UNDECIDED),
    ],
)
def test_one_view_decides_for_the_station(
    recipes: dict[str, Recipe], tmp_path: Path, back: Event, outcome: ClearanceOutcome
) -> None:
    publisher = memory()
    clearance = clear_with(recipes, tmp_path, {"front": [CLEAN], "back": [back]}, publisher)
    assert clearance.outcome is outcome
    assert clearance.sequence == 1
    assert [view.view for view in clearance.views] == list(VIEWS)
    published = [record for record in publisher.records if record.kind is RecordKind.CLEARANCE]
    assert [record.body["outcome"] for record in published] == [outcome.value]
    assert published[0].body["requestId"] == "r1"
    named = {result["resultId"] for view in published[0].body["views"] for result in view["results"]}
    assert named == {record.result_id for record in publisher.records if record.kind is RecordKind.VERDICT}
    assert outcome.value in describe(clearance)


def test_votes_are_counted_per_view(recipes: dict[str, Recipe], tmp_path: Path) -> None:
    rule = VoteRule(frames=3, pass_votes=2, fail_votes=2)
    events = {"front": [CLEAN, LOST, CLEAN], "back": [LEFTOVER, CLEAN, LEFTOVER]}
    clearance = clear_with(recipes, tmp_path, events, memory(), rule)
    assert [view.outcome for view in clearance.views] == [Outcome.PASS, Outcome.FAIL]
    assert clearance.outcome is ClearanceOutcome.NOT_CLEAR
    split = clear_with(recipes, tmp_path, {"front": [CLEAN, LOST, LOST], "back": [CLEAN] * 3}, memory(), rule)
    assert split.outcome is ClearanceOutcome.UNDECIDED
    assert split.views[0].reason is not None
    assert split.views[0].reason.code is ReasonCode.VOTE_SPLIT


def test_another_product_is_undecided_without_a_frame(recipes: dict[str, Recipe], tmp_path: Path) -> None:
    def ask(*_: object) -> tuple[Future[Verdict], ...]:
        raise AssertionError("no view may be asked")

    publisher = memory()
    clearances = Clearances(ask, {"front": "ibuprofen"}, publisher, Sequence(tmp_path / "s.json"), ClearanceSettings())
    with publisher:
        clearance = clearances.run(REQUEST)
    assert clearance.outcome is ClearanceOutcome.UNDECIDED
    assert clearance.views[0].reason is not None
    assert "ibuprofen" in clearance.views[0].reason.detail


def test_a_view_that_never_answers_is_undecided(tmp_path: Path) -> None:
    publisher = memory()
    settings = ClearanceSettings(timeout_s=0.01)
    clearances = Clearances(lambda *_: (Future(),), {"front": ""}, publisher, Sequence(tmp_path / "s.json"), settings)
    with publisher:
        clearance = clearances.run(REQUEST)
    assert clearance.outcome is ClearanceOutcome.UNDECIDED
    assert clearance.views[0].reason is not None
    assert clearance.views[0].reason.code is ReasonCode.FRAME_TIMEOUT


def test_a_clearance_that_cannot_be_recorded_is_undecided(recipes: dict[str, Recipe], tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "sequence.json").write_text("{broken")
    clearance = clear_with(recipes, folder, {view: [CLEAN] for view in VIEWS}, memory())
    assert clearance.outcome is ClearanceOutcome.UNDECIDED
    assert clearance.reasons[-1].code is ReasonCode.NOT_RECORDED
    assert (
        clear_with(recipes, tmp_path, {v: [CLEAN] for v in VIEWS}, memory(fail_share=1.0)).outcome is ClearanceOutcome.UNDECIDED
    )


def test_the_sequence_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(os.readlink(f"/proc/self/fd/{fd}")), real(fd))[-1])
    Sequence(tmp_path / "sequence.json").next()
    assert synced[-1] == str(tmp_path)
    assert synced[0].startswith(f"{tmp_path}/.new-")


def test_the_sequence_grows_over_restarts_and_refuses_to_start_again(tmp_path: Path) -> None:
    path = tmp_path / "sequence.json"
    assert [Sequence(path).next() for _ in range(3)] == [1, 2, 3]
    path.write_text(json.dumps({"sequence": "x"}))
    with pytest.raises(OutboxError, match="sequence is lost"):
        Sequence(path).next()
    with pytest.raises(OutboxError):
        Sequence(tmp_path / "absent" / "sequence.json").next()
