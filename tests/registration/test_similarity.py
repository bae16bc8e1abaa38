from __future__ import annotations

import numpy as np
import pytest

from edge.registration.similarity import Likeness, flatten
from tests.registration.scenes import textured

GREY = textured(1)[..., 0]
ALL = np.ones(GREY.shape, bool)
LIKENESS = Likeness(flatten(GREY), ALL)


def test_light_does_not_matter_but_place_does():
    ramp = np.linspace(0.5, 1.0, GREY.shape[1])
    assert LIKENESS.of(flatten(GREY), ALL) == pytest.approx(1, abs=1e-3)
    assert LIKENESS.of(flatten((GREY * ramp + 20).astype(np.uint8)), ALL) > 0.95
    assert LIKENESS.of(flatten(np.roll(GREY, (20, 20), (0, 1))), ALL) < 0.3
    assert LIKENESS.of(flatten(np.zeros_like(GREY)), ALL) == 0


def test_a_changed_third_does_not_matter():
    changed = GREY.copy()
    changed[:, :210] = textured(2)[:, :210, 0]
    assert LIKENESS.of(flatten(changed), ALL) > 0.95


def test_only_what_is_judged_and_visible_counts():
    changed = GREY.copy()
    changed[:, 100:] = textured(2)[:, 100:, 0]
    left = np.zeros(GREY.shape, bool)
    left[:, :90] = True
    assert LIKENESS.of(flatten(changed), ALL) < 0.3
    assert LIKENESS.of(flatten(changed), left) > 0.95
    assert Likeness(flatten(GREY), left).of(flatten(changed), ALL) > 0.95
    assert LIKENESS.of(flatten(changed), ~ALL) == 0
