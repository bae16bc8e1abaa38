"""A person answers for what did not pass: with the right, after a look, once, and it is never CLEAR."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.clearance import ClearanceRefused, ClearanceRequest, Handle, PoolEntry, ReviewOrder, Snapshot
from edge.clearance.review import KEPT_SNAPSHOTS, Reviewer, Snapshots
from edge.errors import RecipeError
from edge.types import Clearance, ClearanceOutcome, Outcome
from tests.clearance.parts import Bench
from tests.schemas import validate_message


class Place:
    """A bench whose first clearance has just found something."""

    def __init__(self, folder: Path, *, front: str = "FAIL", back: str = "PASS") -> None:
        self.bench = Bench(folder)
        self.pool: list[PoolEntry] = []
        self.rights: list[tuple[str, str]] = [("Chef", "release")]
        self.bench.parts["reviewer"] = Reviewer(
            snapshots=Snapshots(), may=lambda who, right: (who, right) in self.rights, pool=self.pool.append
        )
        self.bench.start()
        self.bench.station.script = {"front": [front], "back": [back]}
        self.found = self.bench.clearances.run(ClearanceRequest("r1", "B1", "aspirin", "Anna"))

    def look(self, *views: str) -> dict[str, str]:
        shots = {view: f"shot-{view}-{self.bench.clock():%f}" for view in views}
        for view, name in shots.items():
            self.bench.clearances.note_snapshot(Snapshot(name, view, self.bench.clock()))
        return shots

    def order(self, *views: str, **changes: Any) -> ReviewOrder:
        fields: dict[str, Any] = {
            "request_id": "v1",
            "result_id": self.found.result_id,
            "views": views or ("front",),
            "action": "false_alarm",
            "who": "Chef",
            "why": "a reflection of the lamp",
        }
        if "snapshots" not in changes:
            changes["snapshots"] = self.look(*fields["views"])
        return ReviewOrder(**{**fields, **changes})

    def release(self, *views: str, **changes: Any) -> Clearance:
        accepted = self.bench.clearances.review(self.order(*views, **changes))
        assert isinstance(accepted, Handle), accepted
        return accepted.answer.result(10)

    def refused(self, *views: str, **changes: Any) -> str:
        before = len(self.bench.published)
        accepted = self.bench.clearances.review(self.order(*views, **changes))
        assert isinstance(accepted, ClearanceRefused), accepted
        assert len(self.bench.published) == before
        (problem,) = accepted.problems
        return problem


@pytest.fixture
def place(tmp_path: Path):
    made = Place(tmp_path)
    yield made
    made.bench.stop()


def test_a_release_is_a_result_of_its_own_and_never_clear(place: Place) -> None:
    answer = place.release()
    assert answer.outcome is ClearanceOutcome.RELEASED_BY
    assert (answer.previous, answer.sequence, answer.request_id) == (place.found.result_id, 2, "v1")
    front, back = answer.views
    assert (front.outcome, back.outcome) == (Outcome.FAIL, Outcome.PASS)  # what the station saw is not rewritten
    assert front.release is not None
    assert (front.release.who, front.release.why, back.release) == ("Chef", "a reflection of the lamp", None)
    body = place.bench.published[-1]
    validate_message("clearance/result", json.dumps(body).encode())
    assert body["views"][0]["release"]["snapshotId"] == front.release.snapshot
    assert (body["operator"], body["note"]) == ("Chef", "a reflection of the lamp")
    with pytest.raises(AssertionError):
        validate_message("clearance/result", json.dumps({**body, "outcome": "CLEAR"}).encode())


def test_its_frames_go_to_the_pool(place: Place) -> None:
    answer = place.release()
    place.bench.stop()
    (entry,) = place.pool
    assert (entry.view, entry.clearance, entry.who) == ("front", answer.result_id, "Chef")
    assert entry.result_ids == tuple(verdict.result_id for verdict in place.found.views[0].verdicts)
    place.bench.start()


def test_a_pool_that_fails_does_not_undo_the_release(place: Place) -> None:
    def full(entry: PoolEntry) -> None:
        raise RecipeError("the pool is full")

    object.__setattr__(place.bench.clearances._parts.reviewer, "pool", full)
    assert place.release().outcome is ClearanceOutcome.RELEASED_BY


def test_nobody_releases_without_the_right(place: Place) -> None:
    assert "Anna has not the right to release" in place.refused(who="Anna")
    place.rights.append(("Anna", "clearance"))
    assert "has not the right" in place.refused(who="Anna")
    object.__setattr__(place.bench.clearances._parts.reviewer, "may", None)
    assert "has not the right" in place.refused()


def test_nobody_releases_what_they_have_not_looked_at(place: Place) -> None:
    before = place.bench.clock() - timedelta(seconds=1)
    assert "look at the live frame" in place.refused(snapshots={"front": "nothing"})
    place.bench.clearances.note_snapshot(Snapshot("s1", "back", place.bench.clock()))
    assert "s1 shows back" in place.refused(snapshots={"front": "s1"})
    place.bench.clearances.note_snapshot(Snapshot("s2", "front", before))
    assert "before the clearance judged" in place.refused(snapshots={"front": "s2"})
    shots = place.look("front")
    place.bench.clock.moment += timedelta(minutes=6)
    assert "6.0 min old, at most 5: look again" in place.refused(snapshots=shots)
    assert place.release().outcome is ClearanceOutcome.RELEASED_BY


def test_only_the_newest_clearance_once_per_view_and_not_for_long(place: Place) -> None:
    first = place.found
    place.found = place.release()
    assert "was released already" in place.refused(request_id="v2")
    assert "is not the newest clearance" in place.refused(request_id="v3", result_id=first.result_id)
    assert "there is no clearance" in place.refused(request_id="v4", result_id="clearance-x")
    place.found = place.bench.clearances.run(ClearanceRequest("r2", "B1", "aspirin"))
    place.bench.clock.moment += timedelta(minutes=61)
    assert "61 min old, at most 60: check again" in place.refused(request_id="v5")


def test_the_same_review_twice_is_done_once(place: Place) -> None:
    order = place.order()
    answers = [place.bench.clearances.review(order) for _ in range(2)]
    assert isinstance(answers[0], Handle)
    assert isinstance(answers[1], Handle)
    assert answers[0].answer.result(10) == answers[1].answer.result(10)
    assert len(place.bench.published) == 2


@pytest.mark.parametrize(
    ("front", "releasable"),
    [("not_registered", True), ("vote_split", True), ("camera_lost", False), ("engine_fault", False), ("map_invalid", False),
     ("frame_timeout", False), ("overrun", False), ("internal", False)],
)  # fmt: skip
def test_no_look_mends_a_broken_station(tmp_path: Path, front: str, releasable: bool) -> None:
    place = Place(tmp_path, front=front)
    if releasable:
        assert place.release().outcome is ClearanceOutcome.RELEASED_BY
    else:
        assert f"UNDECIDED({front}), which no look at the line mends" in place.refused()
    place.bench.stop()


def test_a_station_that_is_not_fit_releases_nothing(place: Place) -> None:
    place.bench.free_bytes = 1
    assert "the station is not fit: disk_low" in place.refused()
    place.bench.free_bytes = 10**12
    place.bench.seats["back"].camera.status = "lost"
    assert "back is not fit: camera_lost" in place.refused()
    place.bench.seats["back"].camera.status = "live"
    place.bench.seats["front"].version = 2
    assert "its recipe or engine was changed after the clearance" in place.refused()


def test_an_unfit_clearance_cannot_be_released(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.bench.free_bytes = 1
    place.found = place.bench.clearances.run(ClearanceRequest("r2", "B1", "aspirin"))
    place.bench.free_bytes = 10**12
    accepted = place.bench.clearances.review(place.order())
    assert isinstance(accepted, ClearanceRefused)
    assert accepted.problems[0].startswith("disk_low: ")
    place.bench.stop()


def test_views_are_released_one_by_one(tmp_path: Path) -> None:
    place = Place(tmp_path, back="FAIL")
    place.found = place.release("front")
    assert place.found.outcome is ClearanceOutcome.NOT_CLEAR
    place.rights.append(("Boss", "release"))
    last = place.release("back", request_id="v2", who="Boss")
    assert last.outcome is ClearanceOutcome.RELEASED_BY
    assert [view.release.who for view in last.views if view.release is not None] == ["Chef", "Boss"]
    assert [body["outcome"] for body in place.bench.published] == ["NOT_CLEAR", "NOT_CLEAR", "RELEASED_BY"]
    place.bench.stop()


@pytest.mark.parametrize(("view", "said"), [("back", "passed: nothing is to be answered"), ("attic", "has no view 'attic'")])
def test_only_views_that_did_not_pass_are_answered_for(place: Place, view: str, said: str) -> None:
    assert said in place.refused(view)


def test_removed_is_a_clearance_that_names_the_old_one(place: Place) -> None:
    place.bench.station.script = {}
    answer = place.release(action="removed", who="Anna", why="took the blister away")
    assert (answer.outcome, answer.previous) == (ClearanceOutcome.CLEAR, place.found.result_id)
    assert (answer.batch, answer.product, answer.operator, answer.note) == ("B1", "aspirin", "Anna", "took the blister away")
    assert place.bench.station.asked == ["front", "back"] * 2
    assert "is not the newest" in place.refused(action="removed", request_id="v2")


def test_a_disk_that_fails_releases_nothing(place: Place) -> None:
    place.bench.disk.fails = True
    assert place.release().outcome is ClearanceOutcome.UNDECIDED
    assert place.pool == []


def test_a_release_outlives_the_process(place: Place) -> None:
    order = place.order()
    first = place.bench.clearances.review(order)
    assert isinstance(first, Handle)
    answer = first.answer.result(10)
    place.bench.stop()
    place.bench.start()
    place.bench.clearances.note_snapshot(Snapshot("later", "front", place.bench.clock()))
    again = place.bench.clearances.review(order)
    assert isinstance(again, Handle)
    assert again.repeated
    assert again.answer.result(10).result_id == answer.result_id
    assert again.answer.result(10).outcome is ClearanceOutcome.RELEASED_BY


def test_old_snapshots_are_forgotten(place: Place) -> None:
    snapshots = Snapshots()
    for number in range(KEPT_SNAPSHOTS + 1):
        snapshots.note(Snapshot(str(number), "front", place.bench.clock()))
    assert snapshots.find("0") is None
    assert snapshots.find(str(KEPT_SNAPSHOTS)) is not None


def test_a_release_of_one_view_makes_the_others_no_younger(tmp_path: Path) -> None:
    place = Place(tmp_path, back="FAIL")
    place.bench.clock.moment += timedelta(minutes=50)
    first = place.release("front")
    place.bench.clock.moment += timedelta(minutes=50)
    problem = place.refused("back", request_id="v2", result_id=first.result_id)
    place.bench.stop()
    assert "min old, at most 60" in problem


def test_a_view_that_passed_must_still_be_what_it_was(place: Place) -> None:
    """back passed; its recipe is replaced before front is released: nobody knows whether it would pass now."""
    place.bench.seats["back"].version = 2
    assert place.refused("front") == "back: its recipe or engine was changed after the clearance: check again"
