"""What the station audits by itself, and what it does when it cannot."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.audit import Action, AuditError, AuditLog, entries, verify
from edge.trail import Trail
from edge.types import Clearance, ClearanceOutcome, ReasonCode

NOW = datetime(2026, 11, 22, 4, 5, 6, tzinfo=timezone.utc)
VERSIONS = {"lineclear": "0.1.0"}


class Clock:
    """A wall clock that somebody may set."""

    def __init__(self) -> None:
        self.set_by_s = 0.0

    def __call__(self) -> datetime:
        return datetime.now(timezone.utc) + timedelta(seconds=self.set_by_s)


def trail(folder: Path, now: Clock | None = None) -> Trail:
    return Trail(AuditLog(folder / "audit"), folder / "in-force.json", now or Clock())


def actions(folder: Path) -> list[tuple[Action, str]]:
    return [(entry.action, entry.subject) for entry in entries(folder / "audit")]


def clearance(**changes: object) -> Clearance:
    fields = {
        "result_id": "clearance-1", "request_id": "r-1", "sequence": 7, "outcome": ClearanceOutcome.UNDECIDED, "batch": "B1",
        "product": "p", "operator": "A. Meier", "views": (), "requested_at": NOW, "decided_at": NOW,
    }  # fmt: skip
    return Clearance(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_start_says_what_is_in_force_and_what_somebody_changed_meanwhile(tmp_path: Path) -> None:
    trail(tmp_path).started("site/one", VERSIONS, "c1", {"front": "front 0001", "back": "back 0003"})
    assert actions(tmp_path) == [(Action.START, "site/one")]
    trail(tmp_path).started("site/one", VERSIONS, "c1", {"front": "front 0001", "back": "back 0003"})
    assert len(actions(tmp_path)) == 2
    trail(tmp_path).started("site/one", VERSIONS, "c2", {"front": "front 0002", "back": "back 0003"})
    assert actions(tmp_path)[2:] == [(Action.START, "site/one"), (Action.CONFIG, "site/one"), (Action.RECIPE, "front")]
    last = list(entries(tmp_path / "audit"))[-1]
    assert (last.before, last.after) == ("front 0001", "front 0002")
    assert verify(tmp_path / "audit").sound


def test_a_changeover_is_not_found_changed_at_the_next_start(tmp_path: Path) -> None:
    one = trail(tmp_path)
    one.started("s", VERSIONS, "c1", {"front": "a 0001"})
    one.change(Action.CHANGEOVER, who="A", subject="p", why="w", before={"front": "a 0001"}, after={"front": "b 0001"})
    one.changed_over({"front": "b 0001"})
    one.changed_over(None)
    one.stopped("s", "")
    trail(tmp_path).started("s", VERSIONS, "c1", {"front": "b 0001"})
    assert [action for action, _ in actions(tmp_path)] == [
        Action.START, Action.CHANGEOVER, Action.CHANGEOVER, Action.STOP, Action.START,
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "[]", "{", '{"recipes": 3}', '{"config": null}'])
def test_a_damaged_memory_of_what_was_in_force_stops_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "in-force.json").write_text(text)
    trail(tmp_path).started("s", VERSIONS, "c1", {"front": "a 0001"})
    assert actions(tmp_path)[0] == (Action.START, "s")


def test_a_clearance_is_pinned_and_a_release_is_an_override(tmp_path: Path) -> None:
    one = trail(tmp_path)
    one.answered(clearance())
    one.answered(clearance(result_id="clearance-2", outcome=ClearanceOutcome.RELEASED_BY, previous="clearance-1", note="hair"))
    one.answered(clearance(operator=""))
    first, second, third = entries(tmp_path / "audit")
    assert (first.action, first.who, first.after["sequence"]) == (Action.CLEARANCE, "A. Meier", 7)
    assert len(first.after["document_sha256"]) == 64
    assert (second.action, second.before, second.why) == (Action.OVERRIDE, "clearance-1", "hair")
    assert second.after["document_sha256"] != first.after["document_sha256"]
    assert third.who == "unnamed"


@pytest.fixture
def blocked(tmp_path: Path) -> Trail:
    (tmp_path / "audit").write_text("a file where the folder should be")
    return trail(tmp_path)


def test_without_a_log_nothing_is_changed_no_clearance_is_signed_and_an_alarm_is_up(blocked: Trail) -> None:
    blocked.started("s", VERSIONS, "c", {})
    with pytest.raises(AuditError):
        blocked.change(Action.CHANGEOVER, who="A", subject="p", why="w", before=None, after=None)
    reason = blocked.fitness()
    assert reason is not None
    assert reason.code is ReasonCode.NOT_FIT
    assert blocked.alarm is not None
    assert "UNDECIDED" in blocked.alarm


def test_a_log_that_can_be_written_again_mends_itself(blocked: Trail, tmp_path: Path) -> None:
    blocked.started("s", VERSIONS, "c", {})
    assert blocked.alarm is not None
    (tmp_path / "audit").unlink()
    blocked.watch_clock()
    assert blocked.fitness() is None
    assert blocked.alarm is None


def test_somebody_who_sets_the_clock_is_noticed_once(tmp_path: Path) -> None:
    clock = Clock()
    one = trail(tmp_path, clock)
    for set_by_s in (0.0, 0.0, 3600.0, 3600.0, 3600.5, 0.0):
        clock.set_by_s = set_by_s
        one.watch_clock()
    seconds = [entry.after["seconds"] for entry in entries(tmp_path / "audit")]
    assert seconds == [pytest.approx(3600, abs=1), pytest.approx(-3600.5, abs=1)]


def test_health_carries_the_head_of_the_chain(tmp_path: Path) -> None:
    one = trail(tmp_path)
    assert one.health() == {"audit.anchor": ""}
    one.started("s", VERSIONS, "c", {})
    number, _, digest = one.health()["audit.anchor"].partition(":")
    assert (number, len(digest)) == ("1", 64)


def test_a_log_that_cannot_be_written_is_found_before_an_answer_is_given(blocked: Trail) -> None:
    """Nothing was written yet, so nothing failed yet: the fitness of a clearance tries the disk."""
    reason = blocked.fitness()
    assert reason is not None
    assert reason.code is ReasonCode.NOT_FIT


@pytest.mark.parametrize("operator", ["", " ", "   "])
def test_nobody_escapes_the_log_by_a_name_of_blanks(tmp_path: Path, operator: str) -> None:
    one = trail(tmp_path)
    one.answered(clearance(operator=operator, outcome=ClearanceOutcome.NOT_CLEAR))
    (entry,) = entries(tmp_path / "audit")
    assert (entry.action, entry.who, entry.after["outcome"]) == (Action.CLEARANCE, "unnamed", "NOT_CLEAR")
    assert one.alarm is None


@pytest.mark.parametrize("bad", [{"who": " "}, {"after": float("nan")}, {"after": "x" * 70_000}])
def test_an_entry_that_is_refused_is_no_trouble_of_the_log(tmp_path: Path, bad: dict[str, object]) -> None:
    one = trail(tmp_path)
    fields = {"who": "A", "subject": "s", "why": "w", "before": None, "after": None, **bad}
    with pytest.raises(AuditError):
        one.change(Action.COMMAND, **fields)  # type: ignore[arg-type]
    assert one.alarm is None
    assert one.fitness() is None


def test_a_challenge_alone_is_in_the_log(tmp_path: Path) -> None:
    trail(tmp_path).challenged(" ", {"front": {"passed": False, "reason": "challenge_failed"}})
    (entry,) = entries(tmp_path / "audit")
    assert (entry.action, entry.who, entry.after["front"]["passed"]) == (Action.CHALLENGE, "unnamed", False)


def test_what_could_not_be_written_is_named_when_the_log_is_mended(blocked: Trail, tmp_path: Path) -> None:
    blocked.started("site/one", VERSIONS, "c1", {"front": "a 0001"})
    blocked.answered(clearance())
    (tmp_path / "audit").unlink()
    blocked.watch_clock()
    (repair,) = entries(tmp_path / "audit")
    assert (repair.action, repair.after) == (
        Action.REPAIR,
        {"not_written": ["start site/one", "clearance clearance-1"], "count": 2},
    )


def test_a_change_that_a_blocked_log_hid_is_found_at_the_next_start(tmp_path: Path) -> None:
    """Who makes the log unwritable, changes a recipe and starts the station has not got away with it."""
    trail(tmp_path).started("s", VERSIONS, "c1", {"front": "a 0001"})
    (tmp_path / "audit").rename(tmp_path / "aside")
    (tmp_path / "audit").write_text("")
    trail(tmp_path).started("s", VERSIONS, "c1", {"front": "a 0002"})
    (tmp_path / "audit").unlink()
    (tmp_path / "aside").rename(tmp_path / "audit")
    trail(tmp_path).started("s", VERSIONS, "c1", {"front": "a 0002"})
    last = list(entries(tmp_path / "audit"))[-1]
    assert (last.action, last.subject, last.before, last.after) == (Action.RECIPE, "front", "a 0001", "a 0002")
