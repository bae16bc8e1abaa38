"""Steps 2 and 3: which bundle judges, and whether the masks are as they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from calibration.web.pages.calibrate_doors import Acts, Refused, Sees
from calibration.web.pages.calibrate_turn import Progress, Turn, show, turn_of
from calibration.web.wizard.bundles import known_bundles
from calibration.web.wizard.drafting import draft_with, drop_draft
from edge import masks as rasters

router = APIRouter()


@router.get("/calibrate/{view}/model")
def model(visit: Sees, view: str, job: str = "") -> HTMLResponse:
    """The bundle in force, and others that are on this station."""
    turn = turn_of(visit, view)
    recipe = turn.bench.in_force()
    return show(turn, "model", job, recipe=recipe, choices=known_bundles(visit.site, recipe))


@router.post("/calibrate/{view}/model")
def choose_model(visit: Acts, view: str, bundle: Annotated[str, Form(max_length=64)]) -> RedirectResponse:
    """By content hash; "current" is the one in force."""
    turn = turn_of(visit, view)
    turn.bench.check(turn.state)
    recipe = turn.bench.in_force()
    if bundle in ("current", recipe.bundle.content_hash):
        drop_draft(turn.bench)
        return turn.changed(bundle=None, method=None, image_threshold=None, preview=None, challenge=None).to("masks")
    found = next((each for each in known_bundles(visit.site, recipe) if each.content_hash == bundle), None)
    if found is None:
        raise Refused("calibrate.no_such_bundle", 404)
    if found.problem:
        raise Refused("calibrate.bundle_refused", 409, why=found.problem)
    return turn.start("model", lambda progress: _draft(turn, found.path, progress))


@router.get("/calibrate/{view}/masks")
def masks(visit: Sees, view: str, job: str = "") -> HTMLResponse:
    """The reference with what is not judged hatched, and how much of it that is."""
    turn = turn_of(visit, view)
    recipe = turn.bench.in_force()
    height, width = recipe.reference.shape[:2]
    share = float(np.mean(rasters.rasterise(recipe.masks, (width, height))))
    return show(
        turn, "masks", job, recipe=recipe, share=100 * share, size=(width, height), editor=f"/masks/{quote(view, safe='')}"
    )


@router.post("/calibrate/{view}/masks")
def masks_seen(visit: Acts, view: str) -> RedirectResponse:
    """A person says that they are right."""
    turn = turn_of(visit, view)
    turn.bench.check(turn.state)
    return turn.changed(masks_seen=True).to("thresholds")


def _draft(turn: Turn, path: Path, progress: Progress) -> str:
    progress(0, 1, path.name)
    content_hash = draft_with(turn.bench, turn.state, path)
    turn.changed(bundle=content_hash, method=None, image_threshold=None, preview=None, challenge=None)
    return content_hash
