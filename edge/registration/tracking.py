"""From a start to evidence: where each corner of the reference lies in the frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.registration.motion import Points, distances, transform
from edge.registration.reference import ORB_POINTS, Prepared, Reference, enlarge, features
from edge.types import Homography, ImageU8

WINDOW_WH = (21, 21)
COARSE_LEVELS = 3
PASSES = ((120, 1), (4000, 0))  # (corners, pyramid levels): a few to come close, then all of them
COARSE_BACK_PX, FINE_BACK_PX = 1.0, 0.5  # forward-backward disagreement (Kalal et al. 2010)
COARSE_BAND_PX = 1.5  # RANSAC band
WIDE_BAND = 2.5  # how far, in bands, tilt may take a point from the similarity
MIN_MATCHES = 8
LK_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 10, 0.03)


def track(
    reference: ImageU8, frame: ImageU8, corners: NDArray[np.float32], levels: int, back_px: float
) -> tuple[Points, Points]:
    """Pyramidal Lucas-Kanade (Bouguet 2001) there and back: (kept corners, their places in the frame), float64 Nx2."""
    if not len(corners):
        return np.zeros((0, 2)), np.zeros((0, 2))
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        reference, frame, corners[:, None], None, winSize=WINDOW_WH, maxLevel=levels, criteria=LK_STOP
    )
    back, returned, _ = cv2.calcOpticalFlowPyrLK(
        frame, reference, there, None, winSize=WINDOW_WH, maxLevel=levels, criteria=LK_STOP
    )
    gap = np.linalg.norm(back[:, 0] - corners, axis=1)
    limit = np.array(frame.shape[1::-1]) - 1
    inside = ((there[:, 0] >= 0) & (there[:, 0] <= limit)).all(1)
    keep = found.ravel().astype(bool) & returned.ravel().astype(bool) & (gap < back_px) & inside
    return corners[keep].astype(np.float64), there[keep, 0].astype(np.float64)


def similarity_of(source: Points, target: Points, band_px: float) -> Homography | None:
    """RANSAC similarity (4 parameters), or None where the points do not agree."""
    if len(source) < MIN_MATCHES:
        return None
    matrix, kept = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=band_px, maxIters=2000)
    if matrix is None or int(kept.sum()) < MIN_MATCHES:
        return None
    return np.vstack([matrix, [0.0, 0.0, 1.0]])


@dataclass(frozen=True, eq=False)
class Start:
    """A guess of frame -> reference in work pixels.

    rival: how many points a second motion explains, per point of the first. Near 1 nobody can say which is the camera's.
    """

    name: str
    matrix: Homography
    rival: float


def starts(frame: Prepared, reference: Reference, previous: Homography | None) -> Iterator[Start]:
    """Guesses, cheapest first; a later one is only asked for if the one before did not lead to trust."""
    if previous is not None:
        to_full = enlarge(reference.factors.work) @ enlarge(reference.factors.coarse)
        yield from _tracked("previous", np.linalg.inv(to_full) @ previous @ to_full, frame, reference)
    yield from _tracked("identity", np.eye(3), frame, reference)
    for name, find in (("phase", _phase), ("orb", _orb)):
        yield from _tracked(name, find(frame, reference), frame, reference)


def _tracked(name: str, guess: Homography | None, frame: Prepared, reference: Reference) -> Iterator[Start]:
    """The guess (coarse pixels) improved by tracking at the coarse scale; nothing where that fails."""
    if guess is None:
        return
    image, size_wh = frame.coarse, reference.prepared.coarse.shape[1::-1]
    if image.shape != reference.prepared.coarse.shape or not np.array_equal(guess, np.eye(3)):
        image = cv2.warpPerspective(image, guess, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    corners, places = track(reference.prepared.coarse, image, reference.coarse_corners, COARSE_LEVELS, COARSE_BACK_PX)
    step = similarity_of(places, corners, COARSE_BAND_PX)
    if step is None:
        return
    error = distances(step, places, corners)
    rest = error > 2 * COARSE_BAND_PX
    second = similarity_of(places[rest], corners[rest], COARSE_BAND_PX)
    followers = 0 if second is None else int((distances(second, places[rest], corners[rest]) <= COARSE_BAND_PX).sum())
    rival = followers / max(1, int((error <= COARSE_BAND_PX).sum()))
    coarse = enlarge(reference.factors.coarse)
    yield Start(name, coarse @ step @ guess @ np.linalg.inv(coarse), rival)


def _phase(frame: Prepared, reference: Reference) -> Homography | None:
    """A translation by phase correlation (Kuglin and Hines 1975) of the flattened images, in coarse pixels."""
    mine, theirs = reference.prepared.detail, frame.detail
    if mine.shape != theirs.shape:
        return None
    window = cv2.createHanningWindow(mine.shape[::-1], cv2.CV_32F)
    # Copies: OpenCV multiplies the window into its inputs in place where their size needs no padding.
    (x, y), _ = cv2.phaseCorrelate(theirs.copy(), mine.copy(), window)
    scale = reference.factors.detail / reference.factors.coarse
    return np.array([[1, 0, x * scale], [0, 1, y * scale], [0, 0, 1]])


def _orb(frame: Prepared, reference: Reference) -> Homography | None:
    """A similarity from ORB matches at the coarse scale."""
    keys, words = features(cv2.ORB.create(ORB_POINTS), frame.coarse, None)
    if not len(words) or not len(reference.orb_words):
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words, reference.orb_words)
    source = keys[[match.queryIdx for match in matches]] if matches else np.zeros((0, 2))
    target = reference.orb_keys[[match.trainIdx for match in matches]] if matches else np.zeros((0, 2))
    return similarity_of(source, target, 2 * COARSE_BAND_PX)


def fine_track(frame: Prepared, reference: Reference, start: Homography, points: int, levels: int) -> tuple[Points, Points]:
    """(places in the frame, corners of the reference) in work pixels, tracked in the frame warped by `start`.

    Warping first leaves only small, pure shifts to track, so that a turned or scaled window does not bias them. Only
    the first `points` corners are tracked: they come strongest of each cell first.
    """
    size_wh = reference.prepared.work.shape[1::-1]
    near = cv2.warpPerspective(frame.work, start, size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    corners, moved = track(reference.prepared.work, near, reference.corners[:points], levels, FINE_BACK_PX)
    places = transform(np.asarray(np.linalg.inv(start), np.float64), moved)
    limit = np.array(frame.work.shape[1::-1]) - 1
    inside = ((places >= 0) & (places <= limit)).all(1)
    return places[inside], corners[inside]


def agreeing(source: Points, target: Points, band_px: float) -> NDArray[np.bool_]:
    """The points that one motion explains, bool N.

    First by a similarity with a wide band, then by a homography (USAC with MAGSAC++, Barath et al. 2020) with the given
    one: eight free parameters alone can bend the image so that the scene and a part that moved seem to agree.
    """
    none = np.zeros(len(source), bool)
    rigid = similarity_of(source, target, WIDE_BAND * band_px)
    if rigid is None:
        return none
    near = distances(rigid, source, target) <= WIDE_BAND * band_px
    matrix, _ = cv2.findHomography(source[near], target[near], cv2.USAC_MAGSAC, band_px, maxIters=2000, confidence=0.999)
    if matrix is None or not np.isfinite(matrix).all():
        return none
    return near & (distances(matrix, source, target) <= band_px)
