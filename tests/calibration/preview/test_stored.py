"""What is published of an alignment is enough to hold a map against it again; and each decision by itself."""

import math
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.preview import Preview, Replayed
from calibration.preview.replaying import Replay, _kept
from calibration.preview.results import RUNGS, counted
from calibration.preview.stored import NotReplayableError, alignment_of
from edge.pipeline import ViewPipeline
from edge.publishers.payloads import alignment_body
from edge.registration import align
from edge.types import Alignment, Gate, Outcome, ReasonCode
from edge.verdict import undecided
from tests.calibration.evidence import card_for, engine_of, recipe_at
from tests.station_parts import scene, with_noise

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def replay(tmp_path_factory):
    recipe = recipe_at(tmp_path_factory.mktemp("replay"))
    candidate = replace(recipe, card=card_for(recipe, 20.0))
    with engine_of(recipe.bundle) as engine:
        yield Replay(None, candidate, ViewPipeline(candidate, engine))


def test_a_real_alignment_survives_its_publication(replay):
    pipeline = replay._pipeline
    for seed in range(3):
        alignment = align(with_noise(scene(), seed), pipeline.reference)
        again = alignment_of({"alignment": alignment_body(alignment)})
        assert np.array_equal(again.frame_to_reference, alignment.frame_to_reference)
        assert again.gates == alignment.gates
        assert again.trusted == alignment.trusted
        assert (again.inliers, again.similarity, again.mode) == (alignment.inliers, alignment.similarity, alignment.mode)


def test_a_gate_that_was_no_number_stays_broken():
    gates = (Gate("similarity", math.nan, 0.5, "min"),)
    alignment = Alignment(np.eye(3), "track", "identity", "identity", 1, 1, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, gates)
    assert not alignment_of({"alignment": alignment_body(alignment)}).trusted


@pytest.mark.parametrize("document", [{}, {"alignment": None}, {"alignment": {}}, {"alignment": {"gates": [{}]}}])
def test_without_an_alignment_nothing_is_replayed(document):
    with pytest.raises(NotReplayableError, match="alignment"):
        alignment_of(document)


@given(score=st.floats(-1e6, 1e6), threshold=st.floats(-1e6, 1e6))
def test_a_score_alone_is_decided_in_double_precision(replay, score, threshold):
    replay._limits = replay._limits.model_copy(update={"image_threshold": threshold, "pixel_threshold": threshold})
    judgement = replay._by_score(score)
    assert judgement.outcome is (Outcome.FAIL if score > threshold else Outcome.PASS)
    assert judgement.score == score
    assert judgement.threshold == threshold
    assert judgement.regions == ()


@pytest.mark.parametrize("score", [None, math.nan, math.inf])
def test_a_score_that_is_no_number_is_no_pass(replay, score):
    assert replay._by_score(score).outcome is Outcome.UNDECIDED


class Kept:
    """As much of an entry as a verdict that stays what it was needs."""

    def __init__(self, reason):
        self.reason, self.score = reason, 1.0


@pytest.mark.parametrize("code", list(ReasonCode))
def test_every_reason_that_there_is_can_be_kept(code):
    judgement = _kept(Kept(code.value))
    assert judgement.outcome is Outcome.UNDECIDED
    assert judgement.reason.code is code
    assert judgement.score == 1.0


def test_a_reason_of_a_later_version_is_not_guessed():
    with pytest.raises(NotReplayableError, match="not known"):
        _kept(Kept("bewitched"))


@pytest.mark.parametrize(
    ("reason", "changed", "about"),
    [
        ("card_stale", frozenset(), True),
        ("card_missing", frozenset({"masks"}), True),
        ("not_registered", frozenset(), False),
        ("not_registered", frozenset({"reference"}), True),
        ("not_registered", None, True),
        ("engine_fault", frozenset({"bundle"}), True),
        ("engine_fault", frozenset(), False),
        ("camera_lost", frozenset({"bundle"}), False),
        ("overrun", None, False),
        ("vote_split", frozenset(), False),
    ],
)
def test_only_what_a_recipe_can_change_is_judged_again(replay, reason, changed, about):
    assert replay._is_about_judging(Kept(reason), changed) is about


def replayed(before="PASS", after=Outcome.UNDECIDED, **changes):
    judgement = replace(undecided(ReasonCode.CARD_STALE, "x"), outcome=after)
    fields = {"rung": "score", **changes}
    return Replayed("r1", NOW, before, "", 1.0, 2.0, judgement, **fields)


def test_a_change_is_a_change_of_outcome():
    assert replayed("PASS").is_changed
    assert replayed("PASS").transition == "PASS -> UNDECIDED"
    assert not replayed("UNDECIDED").is_changed
    assert counted((replayed("PASS"), replayed("FAIL"), replayed("PASS"))) == {
        "FAIL -> UNDECIDED": 1,
        "PASS -> UNDECIDED": 2,
    }


def test_the_document_says_then_and_now():
    document = replayed("PASS", close=True, overlay="x.png").document()
    assert document["before"] == {"outcome": "PASS", "reason": "", "score": 1.0, "threshold": 2.0}
    assert document["after"]["reason"] == "card_stale"
    assert (document["tooCloseToTell"], document["approximate"], document["overlay"]) == (True, False, "x.png")
    assert document["decidedAt"] == "2026-11-22T00:00:00.000Z"


def test_what_is_unchanged_is_the_rest():
    made = Preview("front", "", 10, (replayed(), replayed()), (), {"score": 7}, {"no frame is stored": 3})
    assert made.unchanged == 5
    assert made.document()["unchanged"] == 5
    assert set(RUNGS) == {"score", "map", "frame", "kept"}
