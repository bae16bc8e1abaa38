"""The figures of docs/collect.md: on real views good frames pass and spoilt ones are refused for the right reason."""

import numpy as np
import pytest

from calibration.collect import CollectSettings, Shot
from calibration.collect.inspecting import Inspector
from edge.settings.registration import RegistrationSettings
from tests.calibration.collect.spoiling import (
    DATA,
    defocused,
    lit,
    moved,
    read_image,
    saved_again,
    shifted,
    view_frames,
)

VIEWS = ("277500_315", "305000_090", "395000_270", "430000_180", "462500_045", "477500_315", "585000_090", "635000_270")
SPOILT = {
    "defocus 1 px": (lambda image: defocused(image, 1.0), {"sharpness"}),
    "defocus 3 px": (lambda image: defocused(image, 3.0), {"sharpness", "registration"}),
    "motion 5 px along": (lambda image: moved(image, 5, 0), {"steadiness"}),
    "motion 9 px across": (lambda image: moved(image, 9, 90), {"steadiness"}),
    "motion 9 px aslant": (lambda image: moved(image, 9, 45), {"steadiness", "sharpness"}),
    "half the light": (lambda image: lit(image, 0.5), {"brightness"}),
    "twice the light": (lambda image: lit(image, 2.0), {"brightness", "saturated"}),
    "four times the light": (lambda image: lit(image, 4.0), {"saturated", "registration"}),
    "almost no light": (lambda image: lit(image, 0.03), {"black", "registration"}),
    "saved as JPEG 90": (lambda image: saved_again(image, 90), {"distance", "distance_usual"}),
    "saved as JPEG 60": (lambda image: saved_again(image, 60), {"distance", "distance_usual"}),
    "moved by 1, 2 px": (lambda image: shifted(image, 1, 2), {"distance", "distance_usual"}),
    "moved by 0.4, 0.3 px": (lambda image: shifted(image, 0.4, 0.3), {"distance", "distance_usual"}),
    "5 % brighter": (lambda image: lit(image, 1.05), {"distance", "distance_usual"}),
}


def inspector_of(frames):
    """As collect would have it after these frames: the first is the reference."""
    images = [read_image(path) for path in frames]
    inspector = Inspector(images[0], RegistrationSettings(), CollectSettings())
    refused: list[str] = []
    values: dict[str, list[float]] = {}
    for path, image in zip(frames, images, strict=True):
        found = inspector.inspect(Shot(path.name, image))
        refused += [str(refusal) for refusal in found.broken]
        for check in found.checks:
            values.setdefault(check.name, []).append(check.value)
        distance = next((check.value for check in found.checks if check.name == "distance"), None)
        inspector.remember(inspector.known(path.name, image, found.alignment.frame_to_reference), distance)
    return inspector, images, refused, values


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_good_frames_of_ten_days_pass(view):
    frames = view_frames(view)[::5]
    _, _, refused, values = inspector_of(frames)
    assert refused == []
    assert len(frames) >= 8
    assert min(values["sharpness"]) > 0.9
    assert min(values["steadiness"]) > 0.7
    assert min(values["brightness"]) > 0.8
    assert max(values["brightness"]) < 1.1
    assert min(values["distance"]) > 5


@pytest.mark.parametrize("name", SPOILT)
def test_spoilt_frames_are_refused_for_what_was_done_to_them(name, real):
    inspector, images = real
    spoil, expected = SPOILT[name]
    for image in images[1:4]:
        broken = inspector.inspect(Shot("spoilt", np.ascontiguousarray(spoil(image)))).broken
        found = {refusal.check for refusal in broken}
        assert found & expected, f"{name}: {[str(refusal) for refusal in broken]}"
        if not name.startswith(("saved", "moved", "5 %")):
            assert broken[0].check in expected
        assert all(refusal.remedy for refusal in broken)


@pytest.fixture(scope="module")
def real():
    inspector, images, _, _ = inspector_of(view_frames("585000_090")[::6])
    return inspector, images


def test_blur_is_told_apart_from_movement(real):
    inspector, images = real
    soft = {refusal.check for refusal in inspector.inspect(Shot("soft", defocused(images[2], 1.2))).broken}
    dragged = {refusal.check for refusal in inspector.inspect(Shot("dragged", moved(images[2], 7, 0))).broken}
    assert "sharpness" in soft
    assert "steadiness" not in soft
    assert "steadiness" in dragged


def test_parts_that_lie_differently_are_no_fixed_view():
    """hazelnut_toy has no fixed pose: nothing registers, and collect says so instead of storing it."""
    folder = DATA / "hazelnut_toy" / "train" / "good"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the real images are not part of the repository")
    paths = sorted(folder.iterdir())[:6]
    inspector = Inspector(read_image(paths[0]), RegistrationSettings(), CollectSettings())
    found = [inspector.inspect(Shot(path.name, read_image(path))).broken for path in paths[1:]]
    assert all(broken and broken[0].check in ("registration", "size") for broken in found)


def test_good_parts_of_one_kind_pass_without_registration():
    folder = DATA / "hazelnut_toy" / "train" / "good"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the real images are not part of the repository")
    paths = sorted(folder.iterdir())[:12]
    first = read_image(paths[0])
    inspector = Inspector(first, RegistrationSettings(mode="none"), CollectSettings())
    seen = [inspector.inspect(Shot(path.name, image)) for path in paths[1:] if (image := read_image(path)).shape == first.shape]
    registered = [found for found in seen if found.alignment.trusted]
    blurred = [refusal for found in registered for refusal in found.broken if refusal.check == "sharpness"]
    assert blurred == []
