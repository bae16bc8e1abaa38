"""Known frames through the station's own path: what they must give decides whether a view may answer at all."""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle
from edge.changeover import Place, Seats
from edge.clearance import (
    ClearanceBusy,
    ClearanceRequest,
    Clearances,
    ClearanceSettings,
    Connections,
    Handle,
    Sequence,
    challenge,
    describe,
    describe_challenge,
    open_clearances,
    summarise_challenge,
)
from edge.engines.base import Engine
from edge.engines.simulated import SimulatedEngine
from edge.errors import ConfigError
from edge.loop import Station
from edge.publishers.base import RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Content, Recipe, load_recipe, save
from edge.recipe import challenge as kept
from edge.recipe.challenge import KnownFrame, write_challenge
from edge.settings.clearance import ChallengeConfig, ClearanceConfig
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.mqtt import MemorySettings
from edge.types import Clearance, ClearanceOutcome, ReasonCode, Speaker
from tests.schemas import validate_message
from tests.station_parts import Event, ScriptedCamera, make_recipe, make_station, scene, with_leftover, with_noise

GOOD = KnownFrame(with_noise(scene(), 5), "PASS", "empty feeder")
BAD = KnownFrame(with_leftover(with_noise(scene(), 6)), "FAIL", "one blister")
ALWAYS = ClearanceConfig(challenge=ChallengeConfig(required="always"), timeout_s=10)
BY_AGE = ClearanceConfig(challenge=ChallengeConfig(required="max_age", max_age_h=8), timeout_s=10)


def with_challenge(recipe: Recipe, *frames: KnownFrame) -> Recipe:
    """A new version of the recipe with these known frames."""
    with tempfile.TemporaryDirectory() as folder:
        write_challenge(Path(folder), frames, who="A. Technician", why="first")
        content = Content(recipe.document, recipe.bundle, recipe.reference, recipe.masks, recipe.card, Path(folder))
        save(recipe.path, content)
    return load_recipe(recipe.path)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return make_recipe(tmp_path)


class Running:
    """A real station of one view, and its clearances."""

    def __init__(self, station: Station, clearances: Clearances, publisher: MemoryPublisher) -> None:
        self.station, self.clearances, self.publisher = station, clearances, publisher

    def ask(self) -> Clearance:
        return self.clearances.run(ClearanceRequest(str(uuid.uuid4()), "B1", "aspirin"))

    @property
    def last(self) -> dict[str, Any]:
        return [dict(record.body) for record in self.publisher.records if record.kind is RecordKind.CLEARANCE][-1]


@contextmanager
def running(
    recipe: Recipe,
    folder: Path,
    config: ClearanceConfig,
    *,
    engine: SimulatedEngineSettings | None = None,
    ahead: timedelta = timedelta(0),
    speaker: Speaker | None = None,
) -> Iterator[Running]:
    camera = ScriptedCamera("front", [Event(with_noise(scene(), 10 + number)) for number in range(20)])
    publisher = MemoryPublisher(MemorySettings(kind="memory", keep=10_000))

    def now() -> datetime:
        return datetime.now(timezone.utc) + ahead

    folder.mkdir(exist_ok=True)
    with make_station({"front": recipe}, {"front": camera}, publisher=publisher, engine=engine, now=now) as station:
        connections = Connections(speaker=speaker or Speaker("lineclear/test", {"lineclear": "1"}, "c"))
        with open_clearances(station, publisher, folder, config, connections, now) as clearances:
            yield Running(station, clearances, publisher)


def test_a_challenge_that_holds_goes_into_the_record(recipe: Recipe, tmp_path: Path) -> None:
    with running(with_challenge(recipe, GOOD, BAD), tmp_path / "s", ALWAYS) as station:
        clearance = station.ask()
        body = station.last
        again = station.ask()
    assert clearance.outcome is ClearanceOutcome.CLEAR
    validate_message("clearance/result", json.dumps(body).encode())
    challenge = body["views"][0]["challenge"]
    assert challenge["passed"]
    assert [(image["expected"], image["got"]) for image in challenge["images"]] == [("PASS", "PASS"), ("FAIL", "FAIL")]
    assert all(image["score"] is not None for image in challenge["images"])
    assert set(body["stageMs"]) == {"fitness", "challenge", "frames"}
    assert body["station"] == "lineclear/test"
    first, second = clearance.views[0].challenge, again.views[0].challenge
    assert first is not None
    assert second is not None
    assert second.at > first.at  # always means always


@pytest.mark.parametrize(
    ("frames", "named"),
    [
        ((KnownFrame(GOOD.image, "FAIL", "nothing"), KnownFrame(BAD.image, "PASS", "x")), "must be FAIL, was PASS"),
        ((GOOD, KnownFrame(scene() * 0, "FAIL", "dark")), "must be FAIL, was UNDECIDED (not_registered"),
        ((GOOD, KnownFrame(scene()[:90], "FAIL", "cut")), "must be FAIL, was UNDECIDED (frame_invalid"),
    ],
)  # fmt: skip
def test_a_frame_that_does_not_give_its_verdict_stops_the_clearance(
    recipe: Recipe, tmp_path: Path, frames: tuple[KnownFrame, ...], named: str
) -> None:
    with running(with_challenge(recipe, *frames), tmp_path / "s", ALWAYS) as station:
        clearance = station.ask()
        validate_message("clearance/result", json.dumps(station.last).encode())
    (view,) = clearance.views
    assert clearance.outcome is ClearanceOutcome.UNDECIDED
    assert view.reason is not None
    assert view.reason.code is ReasonCode.CHALLENGE_FAILED
    assert named in view.reason.detail
    assert frames[-1].note in view.reason.detail or frames[0].note in view.reason.detail
    assert view.verdicts == ()
    assert view.challenge is not None
    assert view.challenge.failed
    assert "challenge_failed" in describe(clearance)


@pytest.mark.parametrize("frames", [(), (GOOD,), (BAD,)])
def test_a_view_without_a_good_and_a_bad_frame_is_not_believed(
    recipe: Recipe, tmp_path: Path, frames: tuple[KnownFrame, ...]
) -> None:
    made = with_challenge(recipe, *frames) if frames else recipe
    with running(made, tmp_path / "s", ALWAYS) as station:
        (view,) = station.ask().views
    assert view.reason is not None
    assert view.reason.code is ReasonCode.CHALLENGE_MISSING


def test_without_the_demand_nothing_is_challenged(recipe: Recipe, tmp_path: Path) -> None:
    with running(recipe, tmp_path / "s", ClearanceConfig(timeout_s=10)) as station:
        clearance = station.ask()
    assert clearance.outcome is ClearanceOutcome.CLEAR
    assert clearance.views[0].challenge is None


def test_a_young_challenge_holds_over_restarts_until_something_changes(recipe: Recipe, tmp_path: Path) -> None:
    made, state = with_challenge(recipe, GOOD, BAD), tmp_path / "s"

    def challenged_at(recipe: Recipe = made, **changes: Any) -> datetime:
        with running(recipe, state, BY_AGE, **changes) as station:
            clearance = station.ask()
        assert clearance.outcome is ClearanceOutcome.CLEAR
        assert clearance.views[0].challenge is not None
        return clearance.views[0].challenge.at

    first = challenged_at()
    assert challenged_at() == first.replace(microsecond=first.microsecond // 1000 * 1000)  # as it was written
    late = challenged_at(ahead=timedelta(hours=9))
    assert late > first
    other_software = challenged_at(speaker=Speaker("lineclear/test", {"lineclear": "2"}, "c"), ahead=timedelta(hours=9))
    assert other_software > late
    new_version = challenged_at(with_challenge(recipe, GOOD, BAD), ahead=timedelta(hours=9, seconds=5))
    assert new_version > other_software


def test_a_challenge_that_failed_does_not_hold(recipe: Recipe, tmp_path: Path) -> None:
    """The engine fails for one image and is well again: the next clearance challenges once more."""
    made, state = with_challenge(recipe, GOOD, BAD), tmp_path / "s"
    faulty = SimulatedEngineSettings(faults=(SimulatedFault(kind="raise", at=(1,)),))
    with running(made, state, BY_AGE, engine=faulty) as station:
        first, second = station.ask(), station.ask()
    assert (first.outcome, second.outcome) == (ClearanceOutcome.UNDECIDED, ClearanceOutcome.CLEAR)
    assert first.views[0].reason is not None
    assert "engine_fault" in first.views[0].reason.detail


@pytest.mark.parametrize("damage", ["missing", "changed", "no yaml"])
def test_frames_that_were_touched_prove_nothing(recipe: Recipe, tmp_path: Path, damage: str) -> None:
    made = with_challenge(recipe, GOOD, BAD)
    folder = made.folder / "challenge"
    (picture,) = folder.glob("bad-*.png")
    if damage == "missing":
        picture.unlink()
    elif damage == "changed":
        picture.write_bytes(next(folder.glob("good-*.png")).read_bytes())
    else:
        (folder / "challenge.yaml").write_text("frames: [")
    with running(made, tmp_path / "s", ALWAYS) as station:
        (view,) = station.ask().views
    assert view.reason is not None
    assert view.reason.code is ReasonCode.CHALLENGE_FAILED


def test_a_challenge_alone_counts_for_the_clearances_that_follow(recipe: Recipe, tmp_path: Path) -> None:
    with running(with_challenge(recipe, GOOD, BAD), tmp_path / "s", BY_AGE) as station:
        found = station.clearances.challenge("c1", "Anna")
        assert not isinstance(found, ClearanceBusy)
        assert found["front"].reason is None
        assert "front: as expected" in describe_challenge(found)
        clearance = station.ask()
    assert found["front"].result is not None
    assert clearance.views[0].challenge is not None
    assert abs(clearance.views[0].challenge.at - found["front"].result.at) < timedelta(milliseconds=1)
    assert "challenge" in clearance.stage_ms


def test_a_challenge_and_a_clearance_keep_out_of_each_others_way(recipe: Recipe, tmp_path: Path) -> None:
    made = with_challenge(recipe, GOOD, BAD)
    camera = ScriptedCamera("front", [])
    publisher = MemoryPublisher(MemorySettings(kind="memory", keep=10_000))
    with (
        make_station({"front": made}, {"front": camera}, publisher=publisher) as station,
        open_clearances(station, publisher, tmp_path, BY_AGE) as clearances,
    ):
        handle = clearances.request(ClearanceRequest("r1", "B1", "aspirin"))
        assert isinstance(handle, Handle)
        busy = clearances.challenge("c1", "Anna")
        assert isinstance(busy, ClearanceBusy)
        assert busy.request_id == "r1"
        assert clearances.cancel("r1", "Anna")
        assert handle.answer.result(10).outcome is ClearanceOutcome.UNDECIDED
        assert not isinstance(clearances.challenge("c1", "Anna"), ClearanceBusy)


def test_a_recipe_that_was_changed_meanwhile_is_not_proven(recipe: Recipe, tmp_path: Path) -> None:
    """The changeover comes between two frames of the challenge."""
    made = with_challenge(recipe, GOOD, BAD)
    with running(made, tmp_path / "s", ALWAYS) as station:
        setup, real = station.station.views["front"], station.station.examine

        def examine(view: str, image: Any) -> Any:
            answer = real(view, image)
            origin = replace(setup.seating.origin, recipe_version=99)
            setup.seating = replace(setup.seating, origin=origin)
            return answer

        station.clearances._parts.challenger._examine = examine  # type: ignore[union-attr]
        (view,) = station.ask().views
    assert view.reason is not None
    assert "changed while it was challenged" in view.reason.detail


def test_clearances_without_a_station_have_no_challenge(tmp_path: Path) -> None:
    publisher = MemoryPublisher(MemorySettings(kind="memory"))
    clearances = Clearances(lambda *_: (), {"front": ""}, publisher, Sequence(tmp_path / "n"), ClearanceSettings())
    with pytest.raises(ConfigError, match="no challenges"):
        clearances.challenge("c1", "Anna")


def test_frames_are_decoded_once_and_proven_each_time(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, decoded = with_challenge(recipe, GOOD, BAD), []
    real = kept.decode_png
    monkeypatch.setattr(kept, "decode_png", lambda data, where: (decoded.append(where), real(data, where))[1])
    with running(made, tmp_path / "s", ALWAYS) as station:
        assert [station.ask().outcome for _ in range(3)] == [ClearanceOutcome.CLEAR] * 3
        assert len(decoded) == 2
        next((made.folder / "challenge").glob("bad-*.png")).write_bytes(b"something else")
        (view,) = station.ask().views
        assert view.reason is not None
        assert "is not the frame that was put there" in view.reason.detail
        monkeypatch.setattr(challenge, "MAX_DECODED_BYTES", 1)
        station.ask()
    assert len(decoded) == 2


def test_a_challenge_does_not_hold_for_other_frames_or_another_config(recipe: Recipe, tmp_path: Path) -> None:
    """Somebody takes the bad frame out of the folder of the version in force, or gives the engine other options."""
    made, state = with_challenge(recipe, GOOD, BAD), tmp_path / "s"
    with running(made, state, BY_AGE) as station:
        assert station.ask().outcome is ClearanceOutcome.CLEAR
    other = Speaker("lineclear/test", {"lineclear": "1"}, "another config")
    with running(made, state, BY_AGE, speaker=other) as station:
        first = station.ask().views[0].challenge
        second = station.ask().views[0].challenge
        assert first is not None
        assert second is not None
        assert (first.at - second.at).total_seconds() == pytest.approx(0, abs=0.001)
    path = made.folder / kept.FOLDER / kept.FILE
    path.write_text(path.read_text().replace("FAIL", "PASS"))
    with running(made, state, BY_AGE, speaker=other) as station:
        clearance = station.ask()
    assert clearance.outcome is ClearanceOutcome.UNDECIDED
    assert clearance.views[0].reason is not None
    assert clearance.views[0].reason.code is ReasonCode.CHALLENGE_MISSING


@pytest.mark.parametrize(
    ("boot", "passed_h", "holds"), [("b1", 1, True), ("b1", 9, False), ("b1", -1, False), ("b2", 9, True), ("", 9, True)]
)
def test_setting_the_clock_back_makes_no_challenge_young(
    recipe: Recipe, tmp_path: Path, boot: str, passed_h: float, holds: bool
) -> None:
    """The wall clock says that an hour passed; the clock that nobody can set knows better, as long as the machine runs."""
    made, steady = with_challenge(recipe, GOOD, BAD), ["b1", 1000.0]
    camera = ScriptedCamera("front", [])
    moment = [datetime(2026, 11, 22, 6, tzinfo=timezone.utc)]
    with make_station({"front": made}, {"front": camera}) as station, challenge.Book() as book:
        challenger = challenge.Challenger(
            station.views, station.examine, book, BY_AGE.challenge, lambda: moment[0], None, lambda: (steady[0], steady[1])
        )
        assert challenger.run(["front"], time.monotonic() + 30, Future())["front"].reason is None
        moment[0] += timedelta(hours=1)
        steady[:] = [boot, 1000.0 + passed_h * 3600]
        assert (challenger.needed()["front"].result is not None) == holds


def test_who_asks_for_a_challenge_alone_is_heard_with_what_it_gave(recipe: Recipe, tmp_path: Path) -> None:
    made, heard = with_challenge(recipe, GOOD, BAD), []
    camera, publisher = ScriptedCamera("front", []), MemoryPublisher(MemorySettings(kind="memory"))
    with make_station({"front": made}, {"front": camera}, publisher=publisher) as station:
        connections = Connections(on_challenge=lambda who, found: heard.append((who, summarise_challenge(found))))
        with open_clearances(station, publisher, tmp_path, ALWAYS, connections) as clearances:
            clearances.challenge("c1", "A. Meier")
    ((who, views),) = heard
    assert who == "A. Meier"
    assert (views["front"]["passed"], views["front"]["reason"]) == (True, None)
    assert len(str(views["front"]["key"])) == 64


def test_a_product_that_only_its_path_names_is_the_only_one_it_clears(tmp_path: Path) -> None:
    """recipes/{product}/front whose recipe says nothing of a product: found for ibuprofen, it answers for nothing else."""
    made = make_recipe(tmp_path / "recipes" / "ibuprofen", product="")
    camera, publisher = (
        ScriptedCamera("front", [Event(with_noise(scene(), 1))] * 4),
        MemoryPublisher(MemorySettings(kind="memory")),
    )
    with make_station({"front": made}, {"front": camera}, publisher=publisher) as station:
        seats = Seats((Place("front", str(tmp_path / "recipes" / "{product}" / "front"), "scripted", ""),), simulated)
        station.switch(*seats.all("ibuprofen")).result(30)
        with open_clearances(station, publisher, tmp_path, ClearanceConfig(timeout_s=10)) as clearances:
            wrong = clearances.run(ClearanceRequest("r1", "B1", "aspirin"))
            right = clearances.run(ClearanceRequest("r2", "B1", "ibuprofen"))
    assert (wrong.outcome, right.outcome) == (ClearanceOutcome.UNDECIDED, ClearanceOutcome.CLEAR)
    assert wrong.views[0].reason is not None
    assert wrong.views[0].reason.code is ReasonCode.RECIPE_INVALID
    assert "'ibuprofen'" in wrong.views[0].reason.detail


def simulated(bundle: Bundle) -> Engine:
    return SimulatedEngine(bundle.manifest, SimulatedEngineSettings())
