"""One picture, read: as numbers for the template and for the focus helper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from calibration.web.access.guard import Visit
from calibration.web.http.rendering import in_zone
from calibration.web.reference.aligning import Check, check, judged_area
from calibration.web.reference.measures import Reading, Rect, condition_of, read
from calibration.web.reference.pictures import arrow_factor
from calibration.web.reference.shots import Shot
from edge.recipe import Recipe

WHOLE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Looked:
    """A picture beside the reference. factor: by which its arrows are drawn longer."""

    check: Check
    reading: Reading
    factor: int
    rect: Rect


def reading_of(shot: Shot, recipe: Recipe, rect: tuple[float, float, float, float] = WHOLE) -> Looked:
    """The rectangle is the reference's; where the picture registers it is carried to the picture. ValueError: it is none."""
    part, image, reference = Rect(*rect), shot.frame, recipe.reference
    found = check(image, recipe)
    condition, there = None, None
    if found.alignment.trusted:
        matrix = found.alignment.frame_to_reference
        condition = condition_of(image, matrix, reference, judged_area(recipe))
        there = part.on_frame(matrix, found.size_wh, (image.shape[1], image.shape[0]))
    reading = read(image, reference, part, condition, there)
    return Looked(found, reading, arrow_factor(found.arrows, found.size_wh[0]), part)


def told(visit: Visit, view: str, shot: Shot, looked: Looked) -> dict[str, Any]:
    """For the script: numbers, and the words that go with them."""
    reading = looked.reading
    return {
        "result_id": shot.result_id,
        "at": in_zone(visit.site, shot.decided_at).strftime("%H:%M:%S"),
        "sharpness": round(100 * reading.sharpness, 1),
        "texture": None if reading.texture is None else round(100 * reading.texture, 1),
        "laplacian": round(reading.focus.laplacian, 2),
        "gradient": round(reading.focus.gradient, 2),
        "registered": looked.check.alignment.trusted,
        "histogram": list(reading.light.histogram),
        "saturated": round(100 * reading.light.saturated, 2),
        "black": round(100 * reading.light.black, 2),
        "median": round(reading.light.median),
        "advice": reading.advice,
        "advice_text": visit.t(f"camera.advice_{reading.advice}"),
        "picture": f"/reference/{view}/frame/{shot.result_id}/picture.jpg",
    }
