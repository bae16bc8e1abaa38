"""A bundle whose engine does not compute what was exported is not used, and the station says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.bundle import Limits
from edge.changeover import Place, Seats
from edge.clearance.seats import hashes_of
from edge.engines.golden import ParityFailed
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.loop import Station, SwitchRefused
from edge.pipeline import ViewPipeline
from edge.publishers.base import Record, RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.recipe import CardEngine, Content, ParityComparison, ParityLine, ParityReport, Recipe, load_recipe, save
from edge.settings.engines import (
    AutoSettings,
    OnnxRuntimeSettings,
    SimulatedEngineSettings,
    TensorRtRtxSettings,
    TensorRtSettings,
    needs_parity,
)
from edge.settings.mqtt import MemorySettings
from edge.types import Outcome, ReasonCode
from tests.export.parity_recipes import BAD, GOOD, bright_recipe
from tests.recipe.builders import WHEN
from tests.schemas import validator
from tests.station_parts import Event, ScriptedCamera, make_station

EQUAL = (ParityLine(measure="golden", value=0.1, limit=1.0), ParityLine(measure="verdicts to PASS", value=0, limit=0))
TURNED = (ParityLine(measure="verdicts to PASS", value=2, limit=0, detail="bad-1.png FAIL -> PASS"),)


def half_engine(recipe: Recipe) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(recipe.bundle, OnnxRuntimeSettings(threads=1, precision="float16"))


def station(recipe: Recipe, *frames: Event) -> tuple[Station, MemoryPublisher]:
    publisher = MemoryPublisher(MemorySettings(kind="memory", keep=1000))
    camera = ScriptedCamera("front", frames)
    return make_station({"front": recipe}, {"front": camera}, publisher=publisher, opened=half_engine(recipe)), publisher


def with_report(recipe: Recipe, lines: tuple[ParityLine, ...]) -> Recipe:
    """The recipe with what somebody kept of its float16 engine."""
    assert recipe.card is not None
    identity = half_engine(recipe).identity
    engine = CardEngine(backend=identity.backend, version=identity.version, device="cpu", precision="float16")
    found = ParityComparison(
        baseline=engine.model_copy(update={"precision": "float32"}),
        candidate=engine,
        bundle_hash=recipe.bundle.content_hash,
        card=recipe.card.sha256,
        lines=lines,
        at=WHEN,
    )
    report = ParityReport.sealed(
        schema=1, bundle=recipe.bundle.name, bundle_hash=recipe.bundle.content_hash, comparisons=(found,), limits="l",
        who="w", when=WHEN, why="y",
    )  # fmt: skip
    content = Content(recipe.document, recipe.bundle, recipe.reference, recipe.masks, recipe.card, None, report)
    save(recipe.path, content)
    return load_recipe(recipe.path)


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        threading.Event().wait(0.005)


def test_golden_vectors_that_are_missed_are_parity_failed_and_no_engine_fault(tmp_path: Path) -> None:
    recipe = bright_recipe(tmp_path, 1.1, precision="float16", limits=Limits())
    with pytest.raises(ParityFailed, match="off by") as caught, half_engine(recipe):
        pytest.fail("it must not open")
    assert caught.value.report is not None
    assert caught.value.report.ratio > 1
    running, publisher = station(recipe, Event(GOOD))
    with running:
        (future,) = running.ask("front", 1, 10.0, None)
        reason = future.result(30).reason
        assert reason is not None
        assert reason.code is ReasonCode.PARITY_FAILED
        assert "do not judge with it" in reason.detail
        wait_until(lambda: any(record.kind is RecordKind.STATE for record in publisher.records))
    (verdict,) = [record for record in publisher.records if record.kind is RecordKind.VERDICT]
    validator("result").validate(verdict.body)
    assert verdict.body["outcome"] == "UNDECIDED"
    assert verdict.body["reason"]["code"] == "parity_failed"


def test_the_same_lie_within_wide_limits_needs_the_report(tmp_path: Path) -> None:
    """What the golden vectors do not see turns a FAIL into a PASS, until a kept report forbids the engine."""
    recipe = bright_recipe(tmp_path, 0.6, precision="float16")
    for kept, outcome, reason in (
        (recipe, Outcome.PASS, None),
        (with_report(recipe, TURNED), Outcome.UNDECIDED, "parity_failed"),
    ):
        running, _ = station(kept, Event(BAD))
        with running:
            (future,) = running.ask("front", 1, 10.0, None)
            verdict = future.result(30)
        assert verdict.outcome is outcome
        assert (verdict.reason.code.value if verdict.reason else None) == reason


def test_an_engine_that_nobody_compared_is_an_alarm(tmp_path: Path) -> None:
    recipe = bright_recipe(tmp_path, precision="float16")
    for kept, alarmed in ((recipe, True), (with_report(recipe, EQUAL), False)):
        running, publisher = station(kept, Event(GOOD))
        with running:
            (future,) = running.ask("front", 1, 10.0, None)
            assert future.result(30).outcome is Outcome.PASS
            wait_until(lambda: bool(alarms(publisher)))  # noqa: B023 - called before the next round
        said = [record.body.get("text", "") for record in alarms(publisher)]
        assert ["nobody compared onnxruntime" in text for text in said] == [alarmed]


def alarms(publisher: MemoryPublisher) -> list[Record]:
    return [record for record in publisher.records if record.topic == "alarm/parity"]


def test_a_changeover_to_an_engine_that_failed_is_refused(tmp_path: Path) -> None:
    good = bright_recipe(tmp_path / "good", precision="float16")
    bad = with_report(bright_recipe(tmp_path / "bad", precision="float16"), TURNED)
    running, _ = station(good)
    with running:
        seats = Seats((Place("front", str(bad.path), "c", ""),), half_engine_of)
        with pytest.raises(SwitchRefused, match="parity_failed"):
            running.switch(*seats.all("")).result(30)


def half_engine_of(bundle: object) -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(threads=1, precision="float16"))  # type: ignore[arg-type]


@pytest.mark.parametrize("required", [False, True])
def test_required_judges_nothing_without_a_report(tmp_path: Path, required: bool) -> None:
    recipe = bright_recipe(tmp_path, precision="float16")
    seats = Seats((Place("front", str(recipe.path), "c", ""),), half_engine_of, needs_parity=required)
    seatings, engines = seats.all("")
    make = seatings["front"].make_pipeline
    assert make is not None
    ((_, offer),) = engines.items()
    with offer.engine as engine:
        seating = replace(seatings["front"], pipeline=make(engine))
        why = seating.why_not.reason if seating.why_not is not None else None
        assert (why.code if why else None) is (ReasonCode.PARITY_FAILED if required else None)
        assert bool(seating.parity_warning) is not required
        proven = ViewPipeline(with_report(recipe, EQUAL), engine, needs_parity=required)
        assert (proven.blocked, proven.parity.warns) == (None, "")


def test_its_hash_is_among_those_of_every_result(tmp_path: Path) -> None:
    recipe = bright_recipe(tmp_path)
    assert "parity" not in hashes_of(recipe)
    kept = with_report(recipe, EQUAL)
    assert kept.parity is not None
    assert hashes_of(kept)["parity"] == kept.parity.sha256


def test_what_the_config_asks_for() -> None:
    asks, does_not = TensorRtSettings(parity="required"), TensorRtRtxSettings()
    assert needs_parity(asks)
    assert not needs_parity(does_not)
    assert not needs_parity(OnnxRuntimeSettings())
    assert not needs_parity(SimulatedEngineSettings())
    assert needs_parity(AutoSettings(tensorrt=asks))
    assert not needs_parity(AutoSettings(order=("tensorrt_rtx", "onnxruntime"), tensorrt=asks))
