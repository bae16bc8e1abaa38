"""The schedule of a denoising loop, against the sampler as its papers' code writes it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.bundle import Betas, DenoisingLoop, Noise
from tests.bundle.samples import declared

NOISE = Noise(sha256="0" * 64)
DDAD_STEPS = tuple(range(225, -1, -25))


def loop(**changes: Any) -> DenoisingLoop:
    return DenoisingLoop(**{"start": 250, "timesteps": DDAD_STEPS, "weight": 3.0, "noise": NOISE, **changes})


def upstream_alpha(t: int, betas: Betas) -> float:
    """As diffusion code has it: betas with a zero before them, cumulated, at t + 1."""
    spaced = np.linspace(betas.first, betas.last, betas.count, dtype=np.float64)
    return float(np.cumprod(1 - np.concatenate(([0.0], spaced)))[t + 1])


def test_ddads_published_schedule() -> None:
    made = loop()
    assert made.start_scales() == pytest.approx((0.7221, 0.6918), abs=5e-5)
    assert [step.timestep for step in made.steps()] == list(DDAD_STEPS)
    assert made.noise_count == 11
    for step, then in zip(made.steps(), (*DDAD_STEPS[1:], -1), strict=True):
        a, a_next = upstream_alpha(step.timestep, made.betas), upstream_alpha(then, made.betas)
        c1 = math.sqrt((1 - a / a_next) * (1 - a_next) / (1 - a))
        expected = (math.sqrt(a), math.sqrt(1 - a), math.sqrt(a_next), c1, math.sqrt(1 - a_next - c1**2), 3.0)
        assert step.coef == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert made.steps()[-1].coef[2:5] == (1.0, 0.0, 0.0)


def test_without_eta_no_noise_enters_after_the_start() -> None:
    assert {step.coef[3] for step in loop(eta=0.0).steps()} == {0.0}


@settings(deadline=None, max_examples=60)
@given(
    data=st.data(),
    first=st.floats(1e-6, 0.5),
    last=st.floats(1e-6, 0.5),
    count=st.integers(2, 1200),
    eta=st.floats(0, 1),
)
def test_every_schedule_that_is_accepted_is_finite_and_right(
    data: st.DataObject, first: float, last: float, count: int, eta: float
) -> None:
    chosen = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=12))
    start = data.draw(st.integers(0, count - 1))
    fields: dict[str, Any] = {"betas": Betas(first=first, last=last, count=count), "start": start, "eta": eta}
    try:
        made = loop(timesteps=tuple(sorted(chosen, reverse=True)), **fields)
    except ValidationError as error:
        assert "finite steps" in str(error)
        return
    steps = made.steps()
    assert len(steps) == len(chosen)
    assert np.isfinite([made.start_scales(), *((step.coef[0], step.coef[1]) for step in steps)]).all()
    assert np.isfinite([step.coef for step in steps]).all()
    for step in steps:
        of_image, of_noise, _, fresh, held, _ = step.coef
        assert of_image**2 + of_noise**2 == pytest.approx(1)
        assert fresh >= 0
        assert 0 <= held <= 1
    assert steps[-1].coef[2] == 1.0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"timesteps": ()}, "timesteps"),
        ({"timesteps": (10, 10)}, "must fall"),
        ({"timesteps": (0, 10)}, "must fall"),
        ({"timesteps": (1000,)}, "below betas.count"),
        ({"start": 1000}, "below betas.count"),
        ({"eta": 1.5}, "eta"),
        ({"weight": float("nan")}, "weight"),
        ({"image_range": (1.0, 1.0)}, "image_range"),
        ({"betas": {"first": 0.9, "last": 0.999, "count": 1000}}, "finite steps"),
        ({"noise": {"seed": 0, "sha256": "x"}}, "sha256"),
        ({"noise": {"seed": -1, "sha256": "0" * 64}}, "seed"),
        ({"skip": 25}, "skip"),
    ],
)
def test_no_schedule(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        loop(**changes)


def test_noise_that_would_fill_the_memory_is_refused_by_the_manifest() -> None:
    huge = loop(timesteps=tuple(range(999, -1, -1)), start=999)
    with pytest.raises(ValidationError, match="bytes of noise"):
        declared(size_wh=(512, 512), program=huge)
    assert declared(program=huge).program == huge
