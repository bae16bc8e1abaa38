"""Images that no camera gave: judged like frames, and nobody hears of them."""

from pathlib import Path

import pytest

from edge.publishers.base import RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.recipe import Recipe
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.mqtt import MemorySettings
from edge.types import Outcome, ReasonCode
from tests.station_parts import ScriptedCamera, make_recipe, make_station, scene, with_leftover, with_noise


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return make_recipe(tmp_path_factory.mktemp("recipe"))


def test_they_are_judged_as_frames_are_and_leave_no_trace(recipe: Recipe) -> None:
    publisher = MemoryPublisher(MemorySettings(kind="memory"))
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [])}, publisher=publisher) as station:
        good = station.examine("front", with_noise(scene(), 1)).result(10)
        bad = station.examine("front", with_leftover(with_noise(scene(), 2))).result(10)
        small = station.examine("front", scene()[:9, :9]).result(10)
        values = station.health.values()
    assert good.judgement.outcome is Outcome.PASS
    assert bad.judgement.outcome is Outcome.FAIL
    assert bad.judged is not None
    assert bad.judged.measurement is not None
    assert small.judgement.reason is not None
    assert small.judgement.reason.code is ReasonCode.FRAME_INVALID
    assert not [record for record in publisher.records if record.kind is RecordKind.VERDICT]
    assert not [name for name in values if "verdicts" in name]


def test_an_engine_that_fails_is_undecided_here_too(recipe: Recipe) -> None:
    engine = SimulatedEngineSettings(faults=(SimulatedFault(kind="raise", every=1),))
    with make_station({"front": recipe}, {"front": ScriptedCamera("front", [])}, engine=engine) as station:
        found = station.examine("front", scene()).result(10)
    assert found.judgement.reason is not None
    assert found.judgement.reason.code is ReasonCode.ENGINE_FAULT


def test_a_stopped_station_answers_and_an_unknown_view_is_an_error(recipe: Recipe) -> None:
    station = make_station({"front": recipe}, {"front": ScriptedCamera("front", [])})
    with station, pytest.raises(KeyError):
        station.examine("back", scene())
    found = station.examine("front", scene()).result(0)
    assert found.judgement.reason is not None
    assert found.judgement.reason.code is ReasonCode.STOPPED


def test_a_view_without_a_card_says_so(tmp_path: Path) -> None:
    from edge.recipe import Content, load_recipe, save
    from tests.recipe.builders import document
    from tests.station_parts import make_bundle

    content = Content(document=document(view="front"), bundle=make_bundle(tmp_path), reference=scene())
    save(tmp_path / "front", content)
    cameras = {"front": ScriptedCamera("front", [])}
    with make_station({"front": load_recipe(tmp_path / "front")}, cameras) as station:
        found = station.examine("front", with_noise(scene(), 1)).result(10)
    assert found.judgement.reason is not None
    assert found.judgement.reason.code is ReasonCode.CARD_MISSING
