"""What no working engine gives is no verdict: NaN, an error, one value everywhere, a score of exactly 0."""

from pathlib import Path

import numpy as np
import pytest

from edge import scoring, verdict
from edge.recipe import Recipe
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.settings.judging import Limits, ScoreRule
from edge.types import AnomalyMap, Outcome, ReasonCode
from tests.station_parts import Event, ScriptedCamera, make_recipe, make_station, scene, with_leftover, with_noise
from tests.verdict.builders import alignment

KNOWN = (0.1, 0.2, 0.3)
LIMITS = Limits(image_threshold=1.0, pixel_threshold=0.9, min_area_px=1)
MEAN, GRAPH = ScoreRule(window=3), ScoreRule(kind="graph")
EVERYWHERE = np.ones((8, 8), bool)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return make_recipe(tmp_path_factory.mktemp("recipe"))


def judged(
    scores: np.ndarray | None,
    known: tuple[float, ...] | None = KNOWN,
    rule: ScoreRule = MEAN,
    graph_score: float | None = None,
    where: np.ndarray = EVERYWHERE,
) -> tuple[Outcome, ReasonCode | None]:
    given = None if scores is None else scores.astype(np.float32)
    made = verdict.judge(
        AnomalyMap(given, np.eye(3), "x", graph_score), alignment(), LIMITS, where, rule, frame_size_wh=(8, 8), known=known
    )
    return made.outcome, made.reason.code if made.reason else None


@pytest.mark.parametrize(
    ("kind", "code"),
    [("raise", ReasonCode.ENGINE_FAULT), ("nan", ReasonCode.MAP_INVALID), ("zeros", ReasonCode.ENGINE_FAULT)],
)
def test_a_fault_in_the_middle_of_work_ends_with_it(recipe: Recipe, kind: str, code: ReasonCode) -> None:
    bad = Event(with_leftover(with_noise(scene(), 1)))
    engine = SimulatedEngineSettings(faults=(SimulatedFault(kind=kind, at=(1, 2)),))
    camera = ScriptedCamera("front", [bad] * 4)
    with make_station({"front": recipe}, {"front": camera}, engine=engine) as station:
        made = [station.ask("front", 1, 5, None)[0].result(30) for _ in range(4)]
    assert [one.outcome for one in made] == [Outcome.FAIL, Outcome.UNDECIDED, Outcome.UNDECIDED, Outcome.FAIL]
    assert [one.reason.code for one in made if one.reason] == [code, code]


def test_zeros_say_what_to_do(recipe: Recipe) -> None:
    engine = SimulatedEngineSettings(faults=(SimulatedFault(kind="zeros", every=1),))
    camera = ScriptedCamera("front", [Event(with_noise(scene(), 1))])
    with make_station({"front": recipe}, {"front": camera}, engine=engine) as station:
        made = station.ask("front", 1, 5, None)[0].result(30)
    assert made.reason is not None
    assert "judged pixels the value 0" in made.reason.detail
    assert "lineclear doctor" in made.reason.detail


@pytest.mark.parametrize("value", [0.0, 0.15, 0.5, 1.0])
def test_one_value_everywhere_is_no_map(value: float) -> None:
    assert judged(np.full((8, 8), value)) == (Outcome.UNDECIDED, ReasonCode.ENGINE_FAULT)


def test_not_even_a_fail_is_believed_then() -> None:
    assert judged(np.full((8, 8), 5.0)) == (Outcome.UNDECIDED, ReasonCode.ENGINE_FAULT)


def test_a_map_that_differs_in_one_judged_pixel_is_believed() -> None:
    scores = np.zeros((8, 8))
    scores[3, 3] = 1e-6
    assert judged(scores) == (Outcome.PASS, None)
    where = EVERYWHERE.copy()
    where[3, 3] = False  # what is masked proves nothing
    assert judged(scores, where=where) == (Outcome.UNDECIDED, ReasonCode.ENGINE_FAULT)


def test_a_model_that_cuts_its_scores_off_gave_that_value_to_good_frames_too() -> None:
    assert judged(np.zeros((8, 8)), known=(0.0, 0.2)) == (Outcome.PASS, None)
    assert judged(np.full((8, 8), 0.15), known=(0.0, 0.2)) == (Outcome.UNDECIDED, ReasonCode.ENGINE_FAULT)
    assert judged(np.full((8, 8), 0.2), known=(0.0, 0.2)) == (Outcome.PASS, None)


def test_without_a_card_nobody_can_tell() -> None:
    assert judged(np.zeros((8, 8)), known=None) == (Outcome.PASS, None)


def test_a_score_of_exactly_nothing() -> None:
    dead = (Outcome.UNDECIDED, ReasonCode.ENGINE_FAULT)
    assert judged(None, rule=GRAPH, graph_score=0.0) == dead
    assert judged(None, rule=GRAPH, graph_score=1e-9) == (Outcome.PASS, None)
    assert judged(None, rule=GRAPH, graph_score=0.0, known=(0.0, 0.1)) == (Outcome.PASS, None)
    assert judged(np.zeros((8, 8)), rule=GRAPH, graph_score=0.0) == dead
    assert judged(np.zeros((8, 8)), rule=GRAPH, graph_score=0.05) == (Outcome.PASS, None)
    noise = np.random.default_rng(0).uniform(0, 0.1, (8, 8))
    assert judged(noise, rule=GRAPH, graph_score=0.0) == (Outcome.PASS, None)


def test_a_handful_of_pixels_proves_nothing() -> None:
    few = np.zeros((8, 8), bool)
    few[0, :8] = True
    assert scoring.lifeless(AnomalyMap(np.zeros((8, 8), np.float32), np.eye(3), "x"), few, MEAN, KNOWN) == ""


def test_the_card_s_scores_are_what_the_pipeline_compares_with(recipe: Recipe, tmp_path: Path) -> None:
    assert recipe.card is not None
    assert min(recipe.card.scores) > 0  # else the two tests above would prove nothing
