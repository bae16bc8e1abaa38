"""On the real machine views: low texture, gloss, months between reference and frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.registration import Reference, align
from edge.settings.registration import RegistrationSettings
from tests.registration.scenes import error_px, read, real

VIEWS = ("277500_315", "585000_090")
MARGIN = 0.075


def crop(image, move):
    """What a camera with a margin around it sees: still if move is the identity."""
    height, width = image.shape[:2]
    still = np.array([[1, 0, -MARGIN * width], [0, 1, -MARGIN * height], [0, 0, 1]])
    size_wh = (round(width * (1 - 2 * MARGIN)), round(height * (1 - 2 * MARGIN)))
    return cv2.warpPerspective(image, still @ move, size_wh, flags=cv2.INTER_LANCZOS4), still @ move @ np.linalg.inv(still)


def knock(rng, width, height):
    angle, zoom = np.deg2rad(rng.uniform(-1, 1)), 1 + rng.uniform(-0.01, 0.01)
    middle = np.array([[1, 0, width / 2], [0, 1, height / 2], [0, 0, 1]])
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    dx, dy = rng.uniform(-0.02, 0.02, 2) * width
    return middle @ np.array([[c, -s, dx], [s, c, dy], [*rng.uniform(-8e-6, 8e-6, 2), 1]]) @ np.linalg.inv(middle)


@pytest.mark.parametrize("view", VIEWS)
def test_a_nudged_camera_is_found_as_its_own_still_shot(view):
    folder = real("bsdata", view)
    reference = Reference(crop(read(min((folder / "train/good").iterdir())), np.eye(3))[0], RegistrationSettings())
    errors = []
    for number, path in enumerate(sorted((folder / "test/good").iterdir())[:12]):
        frame = read(path)
        rng = np.random.default_rng(number)
        if number % 2:
            cv2.rectangle(frame, (300 + 30 * number, 120), (400 + 30 * number, 220), (230, 235, 240), cv2.FILLED)
        still, _ = crop(frame, np.eye(3))
        nudged, move = crop(frame, knock(rng, frame.shape[1], frame.shape[0]))
        at_rest, found = align(still, reference), align(nudged, reference)
        assert at_rest.trusted
        assert found.trusted
        errors.append(error_px(found.frame_to_reference @ move, np.linalg.inv(at_rest.frame_to_reference), (960, 391)))
    assert np.median(errors) < 0.5
    assert max(errors) < 3


def test_another_view_is_refused():
    reference = Reference(read(min((real("bsdata", VIEWS[0]) / "train/good").iterdir())), RegistrationSettings())
    others = [
        *sorted((real("dobot_cubes") / "normal").iterdir())[:3],
        *sorted((real("hazelnut_toy") / "test/good").iterdir())[:3],
        *sorted(real("gear", "roboflow_original", "train").glob("*.jpg")),
    ]
    for path in others:
        other = cv2.resize(read(path), reference.size_wh)
        assert not align(other, reference).trusted, path


def test_a_placed_object_does_not_pull():
    folder = real("bsdata", VIEWS[0])
    reference = Reference(read(min((folder / "train/good").iterdir())), RegistrationSettings())
    frame = read(min((folder / "test/good").iterdir()))
    thing = read(min((real("hazelnut_toy") / "train/good").iterdir()))[100:400, 100:400]
    alone = align(frame, reference)
    for x, y in ((100, 80), (420, 60), (700, 140)):
        with_thing = frame.copy()
        with_thing[y : y + 300, x : x + 300] = thing
        found = align(with_thing, reference)
        assert found.trusted
        assert error_px(found.frame_to_reference, np.linalg.inv(alone.frame_to_reference), reference.size_wh) < 1
