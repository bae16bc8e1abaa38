"""The frames of a view of which a person knows that something is on them: its challenge, and frames that were labelled bad."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final

from calibration.web.history.labels.records import Label, mask_path
from calibration.web.history.labels.store import Labels
from calibration.web.masking.checking import KnownBad
from edge.bundle.image import decode_png
from edge.errors import BundleError, RecipeError
from edge.recipe import Recipe
from edge.recipe.challenge import FOLDER, ChallengeFrame, read_challenge, read_frame
from edge.schema import read_bounded
from edge.types import ImageU8

MAX_LABELLED: Final = 30
MAX_LOOKED_AT: Final = 2000
MAX_BYTES: Final = 200_000_000


def count_of(recipe: Recipe, labels: Labels) -> int:
    """How many known bad frames there are to try masks on. RecipeError, LabelError."""
    return len(_expected_to_fail(recipe)) + len(list(islice(_labelled_bad(recipe, labels), MAX_LABELLED)))


def frames_of(recipe: Recipe, labels: Labels) -> tuple[list[KnownBad], tuple[str, ...]]:
    """The challenge's bad frames and at most MAX_LABELLED of those labelled bad, the newest first; and a line for each that
    cannot be used. RecipeError: the challenge itself cannot be read. LabelError.
    """
    found: list[KnownBad] = []
    unusable: list[str] = []
    folder = recipe.folder / FOLDER
    for frame in _expected_to_fail(recipe):
        try:
            found.append(KnownBad(frame.file, read_frame(folder, frame), frame.note))
        except RecipeError as error:
            unusable.append(f"{frame.file}: {error.message}")
    for label in islice(_labelled_bad(recipe, labels), MAX_LABELLED):
        try:
            found.append(_labelled(labels.folder(recipe.view), label))
        except (BundleError, OSError) as error:
            unusable.append(f"{label.result_id or label.name}: {error}")
    return found, tuple(unusable)


def said_of(view: str, labels: Labels) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of the results that people called good, and of those that they called bad; of the newest MAX_LOOKED_AT labels."""
    good: set[str] = set()
    bad: set[str] = set()
    for label in islice(labels.all(view), MAX_LOOKED_AT):
        (good if label.says == "good" else bad).add(label.result_id)
    return frozenset(good), frozenset(bad)


def _expected_to_fail(recipe: Recipe) -> list[ChallengeFrame]:
    challenge = read_challenge(recipe.folder / FOLDER)
    return [frame for frame in challenge.frames if frame.expected == "FAIL"] if challenge is not None else []


def _labelled_bad(recipe: Recipe, labels: Labels) -> list[Label]:
    """Of this product, or of none that is known."""
    mine = ("", recipe.product) if recipe.product else None
    return [
        label
        for label in islice(labels.all(recipe.view), MAX_LOOKED_AT)
        if label.says == "bad" and (mine is None or str(label.result.get("product") or "") in mine)
    ]


def _labelled(folder: Path, label: Label) -> KnownBad:
    image = _picture(folder / "test" / label.says / f"{label.name}.png")
    drawn = mask_path(folder, label.name)
    marked = _picture(drawn) > 0 if label.marked_px is not None and drawn.is_file() else None
    if marked is not None and marked.shape != image.shape[:2]:
        marked = None  # the frame fails or not all the same
    return KnownBad(label.result_id or label.name, image, label.note, marked, is_challenge=False)


def _picture(path: Path) -> ImageU8:
    with path.open("rb") as file:
        data = read_bounded(file, MAX_BYTES)
    if data is None:
        raise BundleError("is too large", where=path.name)
    return decode_png(data, path.name)
