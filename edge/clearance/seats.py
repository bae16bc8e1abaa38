"""A view as a clearance sees it: its camera, its recipe in force, and whether anything of it can be judged now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edge.cameras.supervision import CameraState
from edge.clearance.base import Seat
from edge.recipe import Recipe, hash_of
from edge.types import Reason, ReasonCode, ViewParts


class LiveProducts(Mapping[str, str]):
    """View -> product of the recipe in force at this moment, "" where it is for any."""

    def __init__(self, seats: Mapping[str, Seat]) -> None:
        self._seats = seats

    def __getitem__(self, view: str) -> str:
        """The product; KeyError for an unknown view."""
        return self._seats[view].product

    def __iter__(self) -> Iterator[str]:
        """The views, in the order of the config."""
        return iter(self._seats)

    def __len__(self) -> int:
        """How many views there are."""
        return len(self._seats)


def parts_of(seat: Seat) -> ViewParts:
    """What the view is judged with now, with the hash of every part."""
    origin, pipeline = seat.origin, seat.pipeline
    while seat.origin != origin:  # a changeover came in between: names and hashes must be of one recipe
        origin, pipeline = seat.origin, seat.pipeline
    hashes = hashes_of(pipeline.recipe) if pipeline is not None else {}
    names = (origin.camera, origin.product, origin.recipe, origin.recipe_version, origin.bundle, origin.engine)
    return ViewParts(*names, hashes)


def hashes_of(recipe: Recipe) -> dict[str, str]:
    """SHA-256 of everything that a recipe's version consists of."""
    hashes = {name: str(value) for name, value in recipe.hashes.model_dump(exclude_none=True).items()}
    hashes["recipe"] = hash_of(recipe.document.model_dump(mode="json", by_alias=True))
    for name, kept in (("card", recipe.card), ("parity", recipe.parity)):
        if kept is not None:
            hashes[name] = kept.sha256
    return hashes


def troubles_of(seat: Seat) -> tuple[Reason, ...]:
    """Everything that speaks against this view, all at once; empty if it is fit.

    A camera that is only just being opened is no trouble: its first frame is waited for like any other.
    """
    found: list[Reason] = []
    pipeline = seat.pipeline
    blocked = seat.blocked or (pipeline.blocked if pipeline is not None else None)
    if blocked is not None:
        found.append(blocked.reason or Reason(ReasonCode.NOT_FIT, "cannot judge"))
    elif pipeline is None:
        found.append(Reason(ReasonCode.NOT_FIT, "its engine is not open yet: ask again in a moment"))
    state = getattr(seat.camera, "state", None)
    if isinstance(state, CameraState) and state.status in ("lost", "refused"):
        found.append(Reason(ReasonCode.CAMERA_LOST, state.why or f"the camera is {state.status}"))
    return tuple(found)


def merged(reasons: tuple[Reason, ...]) -> Reason:
    """Several reasons of one view as one: the first code, every detail."""
    first, *others = reasons
    detail = "; ".join([first.detail, *(f"{reason.code.value}: {reason.detail}" for reason in others)])
    return Reason(first.code, detail)
