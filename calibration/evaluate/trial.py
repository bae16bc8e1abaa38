"""One plan carried out: every frame measured once, then the figures of each configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

import numpy as np

from calibration.evaluate.choosing import best_row
from calibration.evaluate.collecting import Collected, Step, collect
from calibration.evaluate.figures import row_of
from calibration.evaluate.mistakes import mistakes_of
from calibration.evaluate.plan import Plan
from calibration.evaluate.results import Evaluation, Mistake, Row, Shot
from calibration.evaluate.store import MapStore
from edge.engines.base import Engine

ROW_STEPS = 5
"""A configuration's figures take about as long as so many frames."""


def steps_of(plan: Plan) -> int:
    """How many times `step` will be called."""
    return plan.frames + ROW_STEPS * len(plan.configurations)


def carry_out(plan: Plan, engine: Engine, step: Step) -> Evaluation:
    """Judge the plan's frames on an opened engine. Raises ConfigError (see `collect`) and whatever `step` raises."""
    with MapStore() as store:
        collected = collect(plan.recipe, engine, plan.configurations, plan.good, plan.tests.samples, store, step)
        shots = _shots(plan)
        rows = _rows(plan, collected, shots, step)
        best = best_row(rows)
        mistakes: tuple[Mistake, ...] = ()
        if best is not None:
            samples, reference = plan.tests.samples, plan.recipe.reference
            mistakes = mistakes_of(rows[best], shots, samples, collected, reference, plan.picture_bytes)
    return replace(
        _nothing_yet(plan, shots),
        engine=str(engine.identity),
        reduction=collected.reduction,
        rows=rows,
        best=best,
        mistakes=mistakes,
        notes=(*plan.notes, *_more_notes(rows, shots, collected)),
    )


def refused(plan: Plan, why: str) -> Evaluation:
    """What stands in a sweep for a bundle that cannot be judged with at all: no configuration, and the reason first."""
    return replace(_nothing_yet(plan, _shots(plan)), notes=(f"Refused: {why}", *plan.notes))


def _nothing_yet(plan: Plan, shots: tuple[Shot, ...]) -> Evaluation:
    recipe = plan.recipe
    return Evaluation(
        title=plan.title,
        view=recipe.view,
        recipe=str(recipe.path),
        version=recipe.version,
        bundle=recipe.bundle.name,
        family=recipe.bundle.manifest.family,
        engine="",
        source=plan.tests.source,
        good_source=plan.good_source,
        made_at=datetime.now(timezone.utc),
        reduction=1,
        frame_size_wh=(recipe.reference.shape[1], recipe.reference.shape[0]),
        map_size_wh=recipe.bundle.manifest.size_wh,
        shots=shots,
        rows=(),
        best=None,
        mistakes=(),
        notes=plan.notes,
    )


def _shots(plan: Plan) -> tuple[Shot, ...]:
    return tuple(
        Shot(each.name, str(each.path), each.bad, each.item.kind if each.item else "good") for each in plan.tests.samples
    )


def _rows(plan: Plan, collected: Collected, shots: tuple[Shot, ...], step: Step) -> tuple[Row, ...]:
    """A row for each configuration; those that give the same figures are computed once."""
    bad = [shot.bad for shot in shots]
    known = [not each.bad or (each.item is not None and each.item.pixels_known) for each in plan.tests.samples]
    done: dict[str, Row] = {}
    rows = []
    for configuration in plan.configurations:
        source = configuration.measured_as(collected.has_masks)
        if source.code not in done:
            done[source.code] = row_of(configuration, source, collected, bad, known, plan.asked)
        rows.append(replace(done[source.code], configuration=configuration))
        for _ in range(ROW_STEPS):
            step(f"figures {configuration.code}")
    return tuple(rows)


def _more_notes(rows: tuple[Row, ...], shots: tuple[Shot, ...], collected: Collected) -> list[str]:
    notes = []
    if collected.reduction > 1:
        notes.append(f"Figures of pixels take one of {collected.reduction} pixels of the frame along each side.")
    shares = [float(truth.mean()) for truth in collected.truths if truth is not None]
    if shares and float(np.median(shares)) > 0.5:
        notes.append("The masks mark more than half of most bad frames: are they inverted, black where it is bad?")
    if twins := collected.repeated:
        first = f"first {twins[0][0]} = {twins[0][1]}"
        notes.append(f"Labelled frames that are the same picture as another, and so count twice: {len(twins)} ({first}).")
    for row in rows:
        if row.measured_as == row.configuration:
            notes += _refused(row, [shot.name for shot in shots])
    return notes


def _refused(row: Row, names: Sequence[str]) -> list[str]:
    """What became of the frames that this configuration could not judge, with the reason of the first."""
    notes, code = [], row.configuration.code
    if good := row.good_refused:
        total = len(good) + len(row.good_scores)
        notes.append(f"{code}: {len(good)} of {total} good frames could not be used (first {good[0][0]}: {good[0][1]}).")
    undecided = [index for index, score in enumerate(row.scores) if score is None]
    if undecided:
        first = f"first {names[undecided[0]]}: {row.refusals[undecided[0]]}"
        notes.append(f"{code}: {len(undecided)} of {len(names)} labelled frames are undecided ({first}).")
    return notes
