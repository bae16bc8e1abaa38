"""The script's geometry, run in Chromium, against numpy and OpenCV and the station's own raster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibration.web.masking.area import covered, shares_of
from calibration.web.masking.draft import read_draft
from edge import masks as rasters
from edge.schema import load_yaml
from edge.settings.judging import MaskPolygon, MasksFile
from tests.web.browsing import STATIC

SIZE = (240, 180)
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

unit = st.floats(0, 1, allow_nan=False).map(lambda value: round(value, 4))
point = st.tuples(unit, unit)


@st.composite
def simple(draw: st.DrawFn) -> list[tuple[float, float]]:
    """A ring that does not cross itself, seldom convex: corners at rising angles around a centre."""
    count = draw(st.integers(3, 24))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    angles = np.sort(random.uniform(0, 2 * np.pi, count))
    radii = random.uniform(0.08, 0.45, count)
    ring = 0.5 + np.column_stack((radii * np.cos(angles), radii * np.sin(angles)))
    return [(float(x), float(y)) for x, y in ring]


def area(ring: Any) -> float:
    x, y = np.asarray(ring, float).T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


@pytest.fixture(scope="module")
def run(browser: Any) -> Iterator[Any]:
    """Calls a function of the script with these arguments."""
    page = browser.new_page()
    page.add_script_tag(content=(STATIC / "masks-geometry.js").read_text())

    def call(name: str, *arguments: Any) -> Any:
        return page.evaluate("([name, given]) => MaskGeometry[name](...given)", [name, list(arguments)])

    yield call
    page.close()


@QUICK
@given(ring=simple(), a=point, b=point)
def test_a_split_keeps_the_area_and_every_pixel(run: Any, ring: Any, a: Any, b: Any) -> None:
    parts = run("split", ring, a, b)
    assert sum(area(part) for part in parts) == pytest.approx(area(ring), abs=1e-9)
    way = np.subtract(b, a)
    for part in parts if len(parts) > 1 else []:
        beside = way[0] * (np.array(part)[:, 1] - a[1]) - way[1] * (np.array(part)[:, 0] - a[0])
        assert (beside > -1e-9).all() or (beside < 1e-9).all()  # each lies on one side
    whole, cut = np.zeros(SIZE[::-1], bool), np.zeros(SIZE[::-1], int)
    whole |= _raster(ring)
    for part in parts:
        if area(part) > 1e-9:
            cut += _raster(part)
    assert cut.max() <= 1
    assert (whole != (cut > 0)).sum() <= 2  # pixels whose centre lies on the line itself


def _raster(ring: Any) -> Any:
    return rasters.rasterise((MaskPolygon(name="x", points=tuple(np.clip(np.asarray(ring), 0, 1).tolist())),), SIZE)


def test_a_split_of_what_is_deeply_notched(run: Any) -> None:
    comb = [
        (0.1, 0.1),
        (0.9, 0.1),
        (0.9, 0.9),
        (0.7, 0.9),
        (0.7, 0.3),
        (0.6, 0.3),
        (0.6, 0.9),
        (0.3, 0.9),
        (0.3, 0.3),
        (0.1, 0.3),
    ]
    parts = run("split", comb, (0, 0.5), (1, 0.5))
    assert len(parts) == 3
    assert sum(map(area, parts)) == pytest.approx(area(comb))
    through_corners = run("split", [(0, 0), (1, 0), (1, 1), (0, 1)], (0, 0), (1, 1))
    assert sorted(map(area, through_corners)) == pytest.approx([0.5, 0.5])
    assert run("split", comb, (0, 0.95), (1, 0.95)) == [[list(corner) for corner in comb]]
    assert run("split", comb, (0.5, 0.5), (0.5, 0.5)) == [[list(corner) for corner in comb]]


@QUICK
@given(ring=simple(), p=point, reach=st.floats(0, 60))
def test_snapping_twice_is_snapping_once(run: Any, ring: Any, p: Any, reach: float) -> None:
    rings = [[[x * SIZE[0], y * SIZE[1]] for x, y in ring], [[0, 0], [SIZE[0], 0], [SIZE[0], SIZE[1]], [0, SIZE[1]]]]
    p = [p[0] * SIZE[0], p[1] * SIZE[1]]
    once = run("snap", p, rings, reach)
    assert run("snap", once, rings, reach) == pytest.approx(once, abs=1e-9)
    assert np.hypot(*np.subtract(once, p)) <= 2 * reach + 1e-6
    corners = np.array([corner for each in rings for corner in each])
    nearest = np.hypot(*(corners - p).T).min()
    if nearest <= reach:
        assert once in corners.tolist()
    edges = [abs(cv2.pointPolygonTest(np.float32(each).reshape(-1, 1, 2), tuple(p), True)) for each in rings]
    if nearest > reach + 0.01 and min(edges) > reach + 0.01:
        assert once == p


@QUICK
@given(ring=simple(), p=point)
def test_inside_is_what_opencv_calls_inside(run: Any, ring: Any, p: Any) -> None:
    outline = np.float32([[x * 1000, y * 1000] for x, y in ring]).reshape(-1, 1, 2)
    signed = cv2.pointPolygonTest(outline, (p[0] * 1000, p[1] * 1000), True)
    if abs(signed) > 0.01:
        assert run("contains", ring, p) == (signed > 0)
    assert run("area", ring) == pytest.approx(float(cv2.contourArea(outline)) / 1e6, abs=1e-6)


@QUICK
@given(rings=st.lists(simple(), min_size=1, max_size=4), off=st.booleans())
def test_the_quick_share_is_near_the_exact_one(run: Any, rings: Any, off: bool) -> None:
    masks = tuple(MaskPolygon(name=str(n), points=tuple(ring), enabled=not (off and n == 0)) for n, ring in enumerate(rings))
    quick = run("quickShare", [mask.model_dump(mode="json") for mask in masks], SIZE)
    assert quick == pytest.approx(shares_of(masks, SIZE).together, abs=0.02)


@QUICK
@given(ring=st.lists(point, min_size=3, max_size=12), way=st.tuples(st.floats(-2, 2), st.floats(-2, 2)))
def test_moving_keeps_the_shape_and_stays_inside(run: Any, ring: Any, way: Any) -> None:
    moved = np.array(run("moved", ring, way))
    assert ((moved >= 0) & (moved <= 1)).all()
    assert np.ptp(moved, axis=0) == pytest.approx(np.ptp(np.array(ring), axis=0), abs=1e-9)


def test_names_and_crossings(run: Any) -> None:
    masks = [{"name": "hose"}, {"name": "hose 2"}]
    assert run("freeName", "hose", masks) == "hose 3"
    assert len(run("freeName", "x" * 90, masks)) == 80
    assert run("crossesItself", [(0, 0), (1, 1), (1, 0), (0, 1)]) is True
    assert run("crossesItself", [(0, 0), (1, 0), (1, 1), (0, 1)]) is False


@settings(max_examples=40, deadline=None)
@given(
    rings=st.lists(st.lists(point, min_size=3, max_size=30).filter(lambda ring: area(ring) > 1e-6), min_size=1, max_size=4),
    names=st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), min_size=4, max_size=4, unique=True),
)
def test_the_editors_json_gives_the_same_pixels_in_a_masks_yaml(rings: Any, names: list[str], tmp_path_factory: Any) -> None:
    import yaml

    plain = [name for name in names if name.isprintable() and name.strip()] + ["a", "b", "c", "d"]
    sent = [
        {"name": f"{name.strip()} {n}", "points": ring, "enabled": n % 3 != 2}
        for n, (name, ring) in enumerate(zip(plain, rings, strict=False))
    ]
    draft = read_draft(json.dumps({"version": 1, "masks": sent}).encode())
    path = tmp_path_factory.mktemp("yaml") / "masks.yaml"
    document = MasksFile.model_validate({"schema": 1, "masks": draft.polygons})
    path.write_text(yaml.safe_dump(document.model_dump(mode="json", by_alias=True), allow_unicode=True), encoding="utf-8")
    read = load_yaml(MasksFile, path).masks
    assert read == draft.polygons
    station = rasters.rasterise(read, SIZE)
    assert np.array_equal(covered(draft.polygons, SIZE), station)
    assert shares_of(draft.polygons, SIZE).together == station.mean()
