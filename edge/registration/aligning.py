"""align: from a frame to a homography with the evidence that it can be trusted."""

from __future__ import annotations

import cv2
import numpy as np

from edge.registration.gates import refused, shape_of
from edge.registration.measuring import BAND_PX, Finding, cells_of, grid_wh, measure
from edge.registration.motion import Motion, Points, choose, transform
from edge.registration.reference import MIN_SIDE, ORB_STUDY_POINTS, Prepared, Reference, enlarge, features, grey
from edge.registration.tracking import MIN_MATCHES, PASSES, Start, agreeing, fine_track, starts
from edge.types import Alignment, Homography, ImageU8

NOT_EVIDENCE_PX = 0.02  # work pixels; below the precision of tracking
STUDY_BAND_PX, STUDY_SHARE = 5.0, 0.9
MAX_SIZE_RATIO = 2.0  # a frame this much larger or smaller than the reference comes from another camera


def align(image: ImageU8, reference: Reference, start: Homography | None = None) -> Alignment:
    """The frame's alignment to the reference, in the reference's mode; pure and deterministic.

    image: uint8 HxWx3 RGB or HxW of any size. start: the last trusted frame_to_reference of this view; a hint for views
    that drift far, never needed. Whatever cannot be aligned (another view, a covered lens, darkness, another size) comes
    back with broken gates, never as an exception, and the matrix is always finite and invertible.
    """
    settings = reference.settings
    if _hopeless(image, reference):
        return refused(settings, reference.side_px)
    frame = Prepared(image, reference.factors)
    if settings.mode == "none":
        nothing = np.zeros((0, 2))
        return measure(Finding("none", "identity", np.eye(3), nothing, nothing), frame, reference)
    if settings.mode == "orb":
        return _study(image, frame, reference)
    best: Alignment | None = None
    for guess in starts(frame, reference, _sane(start)):
        candidate = _follow(guess, frame, reference)
        if candidate.trusted:
            return candidate
        if best is None or _rank(candidate) > _rank(best):
            best = candidate
    return best or refused(settings, reference.side_px)


def _hopeless(image: ImageU8, reference: Reference) -> bool:
    ratios = np.array(image.shape[1::-1]) / reference.size_wh
    return (
        not reference.usable
        or min(image.shape[:2]) < MIN_SIDE * reference.factors.work
        or bool(ratios.max() > MAX_SIZE_RATIO or ratios.min() < 1 / MAX_SIZE_RATIO)
        or (reference.settings.mode == "none" and bool((ratios != 1).any()))
    )


def _rank(alignment: Alignment) -> tuple[int, float]:
    return -len(alignment.broken), alignment.similarity


def _sane(start: Homography | None) -> Homography | None:
    if start is None or start.shape != (3, 3) or not np.isfinite(start).all() or abs(np.linalg.det(start)) < 1e-6:
        return None
    return start


def _follow(guess: Start, frame: Prepared, reference: Reference) -> Alignment:
    """Track from a guess, fit the simplest motion, track again from there, fit and measure."""
    size_wh = (reference.prepared.work.shape[1], reference.prepared.work.shape[0])
    motion: Motion = "similarity"
    matrix, places, corners = guess.matrix, np.zeros((0, 2)), np.zeros((0, 2))
    for points, levels in PASSES:
        if shape_of(matrix, size_wh) is None:
            break
        places, corners = fine_track(frame, reference, matrix, points, levels)
        keep = agreeing(places, corners, BAND_PX)
        if keep.sum() < MIN_MATCHES:
            motion, matrix = "identity", np.eye(3)
            break
        cells = cells_of(corners[keep], reference)
        motion, matrix = choose(places[keep], corners[keep], cells, grid_wh(reference), size_wh, NOT_EVIDENCE_PX)
    return measure(Finding(guess.name, motion, matrix, places, corners, guess.rival), frame, reference)


def _study(image: ImageU8, frame: Prepared, reference: Reference) -> Alignment:
    """Mode orb: the line-clearance study's recipe, measured and gated like any other."""
    keys, words = features(cv2.ORB.create(ORB_STUDY_POINTS), grey(image), None)
    matches: list[cv2.DMatch] = []
    if len(words) and len(reference.study_words):
        found = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words, reference.study_words)
        matches = sorted(found, key=lambda match: float(match.distance))[: int(STUDY_SHARE * len(found))]
    if len(matches) < MIN_MATCHES:
        return refused(reference.settings, reference.side_px)
    places: Points = keys[[match.queryIdx for match in matches]]
    corners: Points = reference.study_keys[[match.trainIdx for match in matches]]
    matrix, _ = cv2.findHomography(places, corners, cv2.RANSAC, STUDY_BAND_PX)
    if matrix is None:
        return refused(reference.settings, reference.side_px)
    full = enlarge(reference.factors.work)
    shrink: Homography = np.asarray(np.linalg.inv(full), np.float64)
    finding = Finding("orb", "homography", shrink @ matrix @ full, transform(shrink, places), transform(shrink, corners))
    return measure(finding, frame, reference)
