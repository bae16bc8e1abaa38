"""An archive of the page's own station, made by the station's own parts: real recipes, frames, maps, overlays, documents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from calibration.station import setting
from calibration.web.access import Role, User
from edge.archive import Archive, ArchiveReader
from edge.cameras.images import read_image
from edge.loop.evidence import EvidenceKeeper, Occasion
from edge.pipeline import ViewPipeline
from edge.recipe import load_recipe
from edge.settings.archive import ArchiveSettings
from edge.types import Frame, ImageU8, Origin, ReasonCode, Verdict
from edge.verdict import undecided
from tests.cli.running import IMAGES
from tests.web.parts import PASSWORD, Browser, Rig, running_page, write_station

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
ODD_BATCH = "B/47 <b>ß漢字</b> 'x'"
LIMITED = User("nina", "Nina Berg", Role.TECHNICIAN, views=("nest",))


@dataclass(frozen=True)
class Shot:
    """One result to be. picture: the frame, None for an UNDECIDED without one. minutes: before NOW."""

    picture: ImageU8 | None
    minutes: int
    view: str = "feeder"
    batch: str = "B-17"
    product: str = "aspirin"
    clearance_id: str | None = None


def good(seed: int = 0) -> ImageU8:
    """A frame of the line with its noise."""
    image = read_image(IMAGES[0]).astype(np.int16)
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def bad(seed: int = 100) -> ImageU8:
    """The same with something left on it."""
    image = good(seed)
    height, width = image.shape[:2]
    cv2.circle(image, (width // 2, height // 2), width // 16, (30, 30, 220), cv2.FILLED)
    return image


def shoot(folder: Path, recipes: Path, shots: Sequence[Shot]) -> list[str]:
    """Judge all this with the station's recipes and archive it; the result ids, `r0001` and so on."""
    engine_at = setting(None, 1, "test")
    made = []
    with Archive(folder, ArchiveSettings(pass_share=1.0, min_free_bytes=0)) as archive:
        keeper = EvidenceKeeper(archive, 640)
        for view in dict.fromkeys(shot.view for shot in shots):
            recipe = load_recipe(recipes / view)
            with engine_at.open_engine(recipe.bundle) as engine:
                pipeline = ViewPipeline(recipe, engine)
                made += [(n, _judge(keeper, pipeline, n, shot)) for n, shot in enumerate(shots, 1) if shot.view == view]
    return [result_id for _, result_id in sorted(made)]


def _judge(keeper: EvidenceKeeper, pipeline: ViewPipeline, number: int, shot: Shot) -> str:
    at = NOW - timedelta(minutes=shot.minutes)
    frame = Frame(shot.picture, shot.view, number, number, at, camera="folder") if shot.picture is not None else None
    judged = pipeline.judge(frame.image) if frame is not None else None
    judgement = judged.judgement if judged is not None else undecided(ReasonCode.CAMERA_LOST, "was unplugged")
    origin = pipeline.name_parts(Origin(shot.view, number, number, at, camera="folder", product=shot.product))
    result_id = f"r{number:04d}"
    stages = judged.stage_ms if judged is not None else {}
    verdict = Verdict(result_id, judgement, origin, at, judged.alignment if judged else None, stages, shot.clearance_id)
    occasion = Occasion(shot.batch, shot.product, "")
    keeper._occasions = {f"clearance-{shot.clearance_id}": occasion}
    keeper.verdict(verdict, frame, judged)
    return result_id


SHOTS = (
    Shot(good(1), 60 * 24 * 9, batch="B-15", clearance_id="c1"),
    Shot(good(2), 60 * 30, clearance_id="c2"),
    Shot(bad(3), 60 * 30 - 1, clearance_id="c2"),
    Shot(None, 50, clearance_id="c3"),
    Shot(good(5), 40, view="nest", clearance_id="c3"),
    Shot(bad(6), 30, view="nest", batch=ODD_BATCH, product="ibuprofen", clearance_id="c4"),
    Shot(good(7), 20, clearance_id="c3"),
    Shot(bad(8), 10, clearance_id="c3"),
)


def archive_of(rig: Rig) -> ArchiveReader:
    return rig.site.archive


@contextmanager
def page_with(folder: Path, shots: Sequence[Shot] = SHOTS, **changes: Any) -> Iterator[Rig]:
    """The page of a station with these results, and Nina, who sees the nest alone."""
    config = write_station(folder, **changes)
    if shots:
        shoot(folder / "state" / "archive", folder / "recipes", shots)
    with running_page(config) as rig:
        rig.site.users.add(LIMITED, PASSWORD, who="the test")
        yield rig


def ids(page: str) -> list[str]:
    """The results of a list, in its order."""
    return [part.split('"', 1)[0] for part in page.split('data-result="')[1:]]


def listed(browser: Browser, query: str = "") -> list[str]:
    answer = browser.get(f"/history?{query}")
    assert answer.status_code == 200, answer.text
    return ids(answer.text)
