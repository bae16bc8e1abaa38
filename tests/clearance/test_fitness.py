"""An unfit station takes no frame, and says everything that is wrong with it at once."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.clearance import ClearanceRequest
from edge.errors import OutboxError, RecipeError
from edge.types import Clearance, ClearanceOutcome, Outcome, Reason, ReasonCode
from tests.clearance.parts import START, Bench


def asked(bench: Bench, number: int = 1, product: str = "aspirin") -> Clearance:
    return bench.clearances.run(ClearanceRequest(f"r{number}", "B1", product))


def codes(clearance: Clearance) -> list[ReasonCode]:
    return [reason.code for reason in clearance.reasons]


@pytest.mark.parametrize("status", ["live", "opening", "closed", "lost", "refused"])
def test_a_camera_must_be_there_or_be_starting(tmp_path: Path, status: str) -> None:
    fit = status not in ("lost", "refused")
    with Bench(tmp_path) as bench:
        bench.seats["back"].camera.status = status
        clearance = asked(bench)
    assert (clearance.outcome is ClearanceOutcome.CLEAR) == fit
    if not fit:
        front, back = clearance.views
        assert bench.station.asked == []
        assert back.reason == Reason(ReasonCode.CAMERA_LOST, "unplugged")
        assert front.reason is not None
        assert front.reason.code is ReasonCode.NOT_FIT
        assert "back: camera_lost" in front.reason.detail


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.checks.append(lambda: Reason(ReasonCode.NOT_FIT, "the audit log cannot be written"))
    with bench:
        bench.free_bytes = 999
        bench.seats["front"].trouble = "card_stale"
        bench.seats["front"].camera.status = "lost"
        bench.seats["back"].trouble = "engine_fault"
        clearance = asked(bench)
    assert clearance.outcome is ClearanceOutcome.UNDECIDED
    assert codes(clearance) == [ReasonCode.DISK_LOW, ReasonCode.NOT_FIT]
    front, back = clearance.views
    assert front.reason == Reason(ReasonCode.CARD_STALE, "scripted; camera_lost: unplugged")
    assert back.reason == Reason(ReasonCode.ENGINE_FAULT, "scripted")
    assert bench.station.asked == []
    assert [body["outcome"] for body in bench.published] == ["UNDECIDED"]


@pytest.mark.parametrize(
    ("error", "code"), [(OutboxError("full"), ReasonCode.NOT_RECORDED), (RecipeError("broken"), ReasonCode.NOT_FIT)]
)
def test_a_check_that_fails_is_not_met(tmp_path: Path, error: Exception, code: ReasonCode) -> None:
    def check() -> Reason | None:
        raise error

    bench = Bench(tmp_path)
    bench.checks.append(check)
    with bench:
        assert codes(asked(bench)) == [code]


def test_a_disk_that_cannot_be_asked_is_not_trusted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def free(path: Path) -> int:
        raise OSError(5, "Input/output error")

    with bench:
        bench.clearances._runner._fitness._free_bytes = free  # type: ignore[union-attr]
        assert codes(asked(bench)) == [ReasonCode.DISK_LOW]


def test_a_clock_that_was_never_set(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.clock.moment = datetime(1970, 1, 1, tzinfo=timezone.utc)
        clearance = asked(bench)
        assert codes(clearance) == [ReasonCode.CLOCK]
        bench.clock.moment = START
        assert asked(bench, 2).outcome is ClearanceOutcome.CLEAR


@pytest.mark.parametrize("restarts", [False, True])
def test_a_clock_that_went_back_is_said_once_and_then_believed(tmp_path: Path, restarts: bool) -> None:
    """Nobody can work for a year because the clock once was a year ahead."""
    bench = Bench(tmp_path)
    bench.start()
    assert asked(bench).outcome is ClearanceOutcome.CLEAR
    if restarts:
        bench.stop()
        bench.start()
    bench.clock.moment -= timedelta(seconds=60)
    clearance = asked(bench, 2)
    assert codes(clearance) == [ReasonCode.CLOCK]
    assert "2026-11-22 05:59" in clearance.reasons[0].detail
    assert asked(bench, 3).outcome is ClearanceOutcome.CLEAR
    bench.clock.moment -= timedelta(seconds=1)  # NTP
    assert asked(bench, 4).outcome is ClearanceOutcome.CLEAR
    bench.stop()


def test_a_clock_that_jumps_while_it_runs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    def jump() -> Reason | None:
        bench.clock.moment += timedelta(hours=1)
        return None

    bench.checks.append(jump)
    with bench:
        clearance = asked(bench)
    assert codes(clearance) == [ReasonCode.CLOCK]
    assert "jumped by 36" in clearance.reasons[0].detail
    assert {view.outcome for view in clearance.views} == {Outcome.PASS}
    assert clearance.outcome is ClearanceOutcome.UNDECIDED


def test_recipes_of_another_product_take_no_frame_of_any_view(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.seats["back"].product = "ibuprofen"
    with bench:
        clearance = asked(bench)
    assert bench.station.asked == []
    assert clearance.views[1].reason is not None
    assert clearance.views[1].reason.code is ReasonCode.RECIPE_INVALID
    assert clearance.outcome is ClearanceOutcome.UNDECIDED


def test_a_frame_may_fail_on_a_fit_station_and_that_is_not_clear(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.station.script = {"front": ["camera_lost"], "back": ["FAIL"]}
        assert asked(bench).outcome is ClearanceOutcome.NOT_CLEAR
        bench.station.script = {"front": ["camera_lost"]}
        assert asked(bench, 2).outcome is ClearanceOutcome.UNDECIDED
