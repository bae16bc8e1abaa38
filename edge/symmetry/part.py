"""A symmetric part of a recipe: finds it on every frame, says how sure that is, and makes the frame's own reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.errors import RecipeError
from edge.settings.symmetry import SymmetrySettings
from edge.symmetry.centre import blob, find_centre
from edge.symmetry.median import disc, rotational_median, turn
from edge.symmetry.ring import Ring, angle_between, spectrum, symmetry
from edge.types import Gate, Homography, ImageU8, MaskBool

REMEDY = "make the reference again: lineclear-calibrate reference --method rotational"
NEAR = 0.02  # of the radius: how far the stored ideal's own axis may be from where the recipe says it is

REACH = 1.1  # radii: what is searched for a blob beyond `search`
LEAST_BLOB = 0.1  # of the disc's area


@dataclass(frozen=True, eq=False)
class Pose:
    """Where the part lies on a frame: frame -> reference, with the gates that it must pass to be believed."""

    frame_to_reference: Homography
    gates: tuple[Gate, ...]

    @property
    def trusted(self) -> bool:
        """True if every gate passed."""
        return all(gate.passed for gate in self.gates)


class SymmetricPart:
    """The part as the stored ideal shows it. RecipeError where the ideal does not show it as the settings say."""

    def __init__(self, ideal: ImageU8, settings: SymmetrySettings, where: str = "") -> None:
        """ideal: the recipe's reference, uint8 HxWx3 RGB or HxW. where: names the recipe in messages."""
        size_wh = (ideal.shape[1], ideal.shape[0])
        side_px = max(size_wh)
        self.settings = settings
        declared = (settings.centre[0] * size_wh[0] - 0.5, settings.centre[1] * size_wh[1] - 0.5)
        ring = Ring(declared, settings.radius * side_px, settings.inner_radius * side_px)
        if not ring.fits(size_wh):
            raise RecipeError("the symmetric part is not whole on the reference", where=where, remedy=REMEDY)
        # A rotational ideal has its axis exactly where it says; one that was pointed at by hand is found more exactly.
        axis = find_centre(ideal, ring, settings.fold).centre
        rings = [ring, Ring(axis, ring.outer_px, ring.inner_px)]
        spectra = [spectrum(ideal, each) for each in rings]
        found = [symmetry(each, settings.fold) for each in spectra]
        best = int(np.argmax(found))
        off_px = float(np.hypot(rings[best].centre[0] - declared[0], rings[best].centre[1] - declared[1]))
        if not (found[best] >= settings.min_symmetry and off_px <= NEAR * ring.outer_px):
            message = (
                f"the reference shows no {settings.fold}-fold part where the recipe has it "
                f"(symmetry {found[best]:.2f}, limit {settings.min_symmetry:g}; axis {off_px:.1f} px away)"
            )
            raise RecipeError(message, where=where, remedy=REMEDY)
        self.ring, self._ideal = rings[best], spectra[best]
        self._search_px = settings.search * side_px

    def pose(self, image: ImageU8) -> Pose:
        """Where the part lies on a frame of the reference's size, at any angle; the turn is known up to 1/fold."""
        at = self._start(image)
        centre = None if at is None else find_centre(image, self._around(at), self.settings.fold).centre
        # An axis outside the picture is none: a flat picture leads anywhere.
        if centre is None or not all(0 <= place < side for place, side in zip(centre, image.shape[1::-1], strict=True)):
            return Pose(np.eye(3), (Gate("part_found", 0.0, 1.0, "min"),))
        ring = self._around(centre)
        away = np.subtract(ring.centre, self.ring.centre)
        gates = [Gate("part_found", 1.0, 1.0, "min")]
        # At least a pixel: an axis is not found better than that in a soft picture.
        gates.append(Gate("centre_px", float(np.hypot(*away)), max(1.0, self._search_px), "max"))
        shown = spectrum(image, ring)
        angle, alike = angle_between(shown, self._ideal, self.settings.fold)
        gates.append(Gate("symmetry", symmetry(shown, self.settings.fold), self.settings.min_symmetry, "min"))
        gates.append(Gate("likeness", alike, self.settings.min_likeness, "min"))
        back = turn(ring.centre, -angle)
        move = np.array([[1, 0, -away[0]], [0, 1, -away[1]], [0, 0, 1]])
        return Pose(np.asarray(move @ back, np.float64), tuple(gates))

    def proof(self, posed: ImageU8) -> tuple[Gate, ...]:
        """The gates of a frame that lies as the reference does: uint8 of the reference's size."""
        shown = spectrum(posed, self.ring)
        alike = angle_between(shown, self._ideal, self.settings.fold)[1]
        return (
            Gate("symmetry", symmetry(shown, self.settings.fold), self.settings.min_symmetry, "min"),
            Gate("likeness", alike, self.settings.min_likeness, "min"),
        )

    def median_of(self, posed: ImageU8, ideal: ImageU8, reference_to_image: Homography) -> ImageU8:
        """The frame's own reference: its rotational median on the part, the ideal everywhere else.

        posed, ideal: uint8 of one shape, on the grid that reference_to_image leads to.
        """
        return rotational_median(posed, self.ring.centre, self.ring.outer_px, self.settings.fold, ideal, reference_to_image)

    def disc(self, size_wh: tuple[int, int], to_reference: Homography | None = None) -> MaskBool:
        """Bool HxW of a grid: True on the part. to_reference: homography from the grid's pixels, identity by default."""
        back = np.eye(3) if to_reference is None else to_reference
        return disc(self.ring.centre, self.ring.outer_px, back, size_wh)

    def _start(self, image: ImageU8) -> tuple[float, float] | None:
        if self.settings.locate == "place":
            return self.ring.centre
        search = Ring(self.ring.centre, self._search_px + REACH * self.ring.outer_px)
        found = blob(image, self.settings.locate, search, LEAST_BLOB * np.pi * self.ring.outer_px**2)
        return None if found is None else found.centre

    def _around(self, centre: tuple[float, float]) -> Ring:
        return Ring(centre, self.ring.outer_px, self.ring.inner_px)
