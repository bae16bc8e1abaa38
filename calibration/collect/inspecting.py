"""Which candidates are good frames: every check with its value, its limit and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from statistics import median

import cv2
import numpy as np

from calibration.collect.aligning import Align
from calibration.collect.condition import Yardstick
from calibration.collect.duplicates import Nearest, Print, fingerprint, nearest
from calibration.collect.moving import moving_share
from calibration.collect.records import CheckValue, Refusal
from calibration.collect.settings import CollectSettings
from calibration.collect.sources import Shot
from edge import registration
from edge.settings.registration import RegistrationSettings
from edge.types import Alignment, Homography, ImageU8, MaskBool

REMEDIES = {
    "registration": "look whether the camera is covered or was moved, or something large is in the way",
    "size": "set the camera as it was when the reference was taken",
    "sharpness": "focus the lens, clean it, or wait until the machine no longer shakes",
    "steadiness": "wait until nothing moves, shorten the exposure, or mount the camera more firmly",
    "brightness": "set light and exposure as they were when the reference was taken",
    "saturated": "shorten the exposure or turn the light down; look for a reflection",
    "black": "lengthen the exposure or turn the light up; look whether something covers the lens",
    "moving": "stop the machine, or mask what moves",
    "shake_px": "mount the camera more firmly, or wait until the machine no longer shakes",
    "distance": "it is stored already: take the next frame later",
    "distance_usual": "it is stored already or was taken at the same moment: take the next frame later",
    "trained": "give frames that did not build the model",
}


@dataclass(frozen=True, eq=False)
class Inspected:
    """A candidate's alignment and checks; `broken` is empty for a good frame. alignment: None for one of another size."""

    alignment: Alignment | None
    checks: tuple[CheckValue, ...]
    broken: tuple[Refusal, ...]


class Inspector:
    """Holds candidates against a reference and against what is stored. One thread uses it.

    reference: uint8 HxWx3 RGB or HxW; judged: bool HxW of it (None: everywhere). trained: SHA-256 of the files that built
    the model. align: of a frame of the reference's size and colour, in place of the plain registration (a recipe's own).
    """

    def __init__(
        self,
        reference: ImageU8,
        registering: RegistrationSettings,
        limits: CollectSettings,
        judged: MaskBool | None = None,
        trained: Collection[str] = (),
        align: Align | None = None,
    ) -> None:
        self._limits = limits
        self._image = reference
        self._judged = np.ones(reference.shape[:2], np.bool_) if judged is None else judged
        if align is None:
            plain = registration.Reference(reference, registering, self._judged)
            self._align: Align = lambda image: registration.align(image, plain)
        else:
            self._align = align
        self._yardstick = Yardstick(reference, self._judged)
        self._trained = frozenset(trained)
        self._prints: list[Print] = []
        self._distances: list[float] = []
        own = self._yardstick.measure(reference, np.eye(3))
        self._saturated, self._black = own.saturated, own.black

    @property
    def tells_sharpness(self) -> bool:
        """False where the reference shows too little for focus and motion blur to be checked."""
        return self._yardstick.tells_sharpness

    def remember(self, stored: Print, distance: float | None = None) -> None:
        """Later candidates must differ from this frame; distance: to the frame that was most like it."""
        self._prints.append(stored)
        if distance is not None:
            self._distances.append(distance)

    def known(self, name: str, image: ImageU8, frame_to_reference: Homography) -> Print:
        """What to remember of a frame."""
        return fingerprint(name, image, frame_to_reference, self._judged)

    def inspect(self, shot: Shot) -> Inspected:
        """All checks of one candidate, in the order in which they can be made: one that does not register has no others."""
        image = shot.image
        if image.shape != self._image.shape:
            wanted, found = ("x".join(map(str, part.shape[1::-1])) for part in (self._image, image))
            colour = ["grey" if part.ndim == 2 else "colour" for part in (self._image, image)]
            return Inspected(None, (), (_refusal(shot, "size", f"is {found} {colour[1]}, not {wanted} {colour[0]}"),))
        alignment = self._align(image)
        if not alignment.trusted:
            broken = "; ".join(map(str, alignment.broken)) or "no finite homography"
            return Inspected(alignment, (), (_refusal(shot, "registration", broken),))
        near = nearest(image, alignment.frame_to_reference, self._prints)
        checks = [
            *self._condition_checks(image, alignment),
            *self._pair_checks(shot, alignment),
            *(self._copy_checks(near) if near is not None else ()),
        ]
        # A strong defocus looks a little like a movement and the other way round: the worst broken one is named first.
        worst_first = sorted((check for check in checks if not check.passed), key=_within)
        refused = [_broken(shot, check, near) for check in worst_first]
        if shot.file_sha256 in self._trained:
            refused.append(_refusal(shot, "trained", "built the model of the recipe"))
        return Inspected(alignment, tuple(checks), tuple(refused))

    def _condition_checks(self, image: ImageU8, alignment: Alignment) -> Iterable[CheckValue]:
        limits, found = self._limits, self._yardstick.measure(image, alignment.frame_to_reference)
        if found.sharpness is not None and found.steadiness is not None:
            yield _check("steadiness", found.steadiness, limits.min_steadiness, "min")
            yield _check("sharpness", found.sharpness, limits.min_sharpness, "min")
        yield _check("saturated", found.saturated, limits.max_saturated + self._saturated, "max")
        yield _check("black", found.black, limits.max_black + self._black, "max")
        limit = limits.min_brightness if found.brightness < 1 else limits.max_brightness
        yield _check("brightness", found.brightness, limit, "min" if found.brightness < 1 else "max")

    def _pair_checks(self, shot: Shot, alignment: Alignment) -> Iterable[CheckValue]:
        if shot.before is None or shot.before.shape != shot.image.shape:
            return
        size_wh = (shot.image.shape[1], shot.image.shape[0])
        back = np.linalg.inv(alignment.frame_to_reference)
        judged = cv2.warpPerspective(self._judged.astype(np.uint8), back, size_wh, flags=cv2.INTER_NEAREST) > 0
        earlier = self._align(shot.before)
        yield _check("moving", moving_share(shot.image, shot.before, judged), self._limits.max_moving, "max")
        if earlier.trusted:
            shake = _corner_shift(back @ earlier.frame_to_reference, size_wh)
            yield _check("shake_px", shake, self._limits.max_shake_px * max(size_wh) / 1000, "max")

    def _copy_checks(self, near: Nearest) -> Iterable[CheckValue]:
        limit = self._limits.min_distance_moved if near.moved else self._limits.min_distance
        yield _check("distance", near.distance, limit, "min")
        if len(self._distances) >= self._limits.usual_from:
            yield _check("distance_usual", near.distance / median(self._distances), self._limits.min_distance_usual, "min")


def distance_of(checks: Iterable[CheckValue]) -> float | None:
    """A stored frame's distance to the frame most like it; None for the first."""
    return next((check.value for check in checks if check.name == "distance"), None)


def refusal(name: str, check: str, detail: str, remedy: str) -> Refusal:
    """A refusal that measures nothing."""
    return Refusal(name=name, check=check, detail=detail, remedy=remedy, at=datetime.now(timezone.utc))


def _check(name: str, value: float, limit: float, kind: str) -> CheckValue:
    finite = value if np.isfinite(value) else (-1.0 if kind == "min" else 1e9)
    return CheckValue.model_validate({"name": name, "value": float(finite), "limit": float(limit), "kind": kind})


def _within(check: CheckValue) -> float:
    """How much of its limit a broken check keeps, 0..1; a copy is named last, whatever else is wrong with it comes first."""
    if check.name.startswith("distance"):
        return 1.0
    low, high = (check.value, check.limit) if check.kind == "min" else (check.limit, check.value)
    return max(low, 0.0) / high if high > 0 else 0.0


def _broken(shot: Shot, check: CheckValue, near: Nearest | None) -> Refusal:
    copy = near is not None and check.name.startswith("distance")
    detail = f"is the same picture as {near.name}, or nearly ({check})" if copy and near else str(check)
    plain = refusal(shot.name, check.name, detail, REMEDIES[check.name])
    return plain.model_copy(update={"value": check.value, "limit": check.limit})


def _refusal(shot: Shot, check: str, detail: str) -> Refusal:
    return refusal(shot.name, check, detail, REMEDIES[check])


def _corner_shift(matrix: Homography, size_wh: tuple[int, int]) -> float:
    width, height = size_wh[0] - 1.0, size_wh[1] - 1.0
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]]).T
    moved = matrix @ corners
    return float(np.linalg.norm(moved[:2] / moved[2] - corners[:2], axis=0).max())
