"""Regions of VIA files as masks."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.labels.shapes import Ellipse, rasterise
from calibration.web.masking.importing import MAX_BYTES, clipped, read_via
from edge import masks as rasters
from edge.errors import ConfigError
from edge.settings.judging import MaskPolygon
from tests.web.masks.parts import VIEW, Studio

SIZE = (240, 180)


def region(shape: dict, **attributes: str) -> dict:
    return {"shape_attributes": shape, "region_attributes": attributes}


def project(*regions: dict, name: str = "a.png") -> dict:
    return {name: {"filename": name, "size": 1, "regions": list(regions), "file_attributes": {}}}


def written(tmp_path: Path, document: object, name: str = "upload.json") -> Path:
    path = tmp_path / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


RECT = {"name": "rect", "x": 24, "y": 18, "width": 48, "height": 36}
TRIANGLE = {"name": "polygon", "all_points_x": [120, 180, 150], "all_points_y": [90, 90, 150]}


def test_csv_and_json_give_the_same_masks(tmp_path: Path) -> None:
    both = [region(RECT, label="hose"), region(TRIANGLE)]
    sheet = io.StringIO()
    rows = csv.writer(sheet)
    rows.writerow(
        [
            "filename",
            "file_size",
            "file_attributes",
            "region_count",
            "region_id",
            "region_shape_attributes",
            "region_attributes",
        ]
    )
    for number, one in enumerate(both):
        rows.writerow(["a.png", 1, "{}", 2, number, json.dumps(one["shape_attributes"]), json.dumps(one["region_attributes"])])
    (tmp_path / "upload.csv").write_text(sheet.getvalue())
    (from_csv,), _ = read_via(tmp_path / "upload.csv", SIZE)
    (from_json,), _ = read_via(written(tmp_path, project(*both)), SIZE)
    assert from_csv.masks == from_json.masks
    assert [mask.name for mask in from_csv.masks] == ["hose", "region 2"]
    assert from_csv.masks[0].points == ((0.1, 0.1), (0.3, 0.1), (0.3, 0.3), (0.1, 0.3))
    wrong_name = (tmp_path / "upload.csv").rename(tmp_path / "x.json")  # what is in it counts, not its name
    assert read_via(wrong_name, SIZE)[0][0].masks == from_csv.masks


def test_an_ellipse_covers_what_via_drew(tmp_path: Path) -> None:
    shape = {"name": "ellipse", "cx": 120, "cy": 90, "rx": 60, "ry": 25, "theta": 0.4}
    ((image,), _) = read_via(written(tmp_path, project(region(shape))), SIZE)
    mine = rasters.rasterise(image.masks, SIZE)
    theirs = rasterise((Ellipse("x", (119.5, 89.5), (60, 25), 0.4),), SIZE)
    assert (mine & theirs).sum() / (mine | theirs).sum() > 0.99


def test_what_cannot_be_a_mask_is_said(tmp_path: Path) -> None:
    outside = {"name": "rect", "x": 900, "y": 900, "width": 50, "height": 50}
    found, _ = read_via(
        written(
            tmp_path,
            project(
                region(RECT, label="a"), region(RECT, label="a"), region({"name": "point", "cx": 1, "cy": 1}), region(outside)
            ),
        ),
        SIZE,
    )
    assert [mask.name for mask in found[0].masks] == ["a", "a 2"]
    assert "no area" in found[0].problems[0]
    assert "another picture" in found[0].problems[1]


def test_names_from_outside_are_made_readable(tmp_path: Path) -> None:
    ((image,), _) = read_via(written(tmp_path, project(region(RECT, label="<script>\u202e\x00 x" * 20), name="..\n/etc")), SIZE)
    assert image.masks[0].name.isprintable()
    assert len(image.masks[0].name) <= 80
    assert image.image.isprintable()


@pytest.mark.parametrize("data", [b"", b"\x00\x01", b"{}", b"[]", b"a,b\n1,2\n", b"{" * 50_000, b'{"a": NaN}'])
def test_files_that_are_none_of_via_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "upload.json"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_via(path, SIZE)
    assert str(tmp_path) not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=3, max_size=12))
def test_clipping_changes_no_pixel_of_the_picture(corners: list[tuple[float, float]]) -> None:
    ring = np.array(corners)
    cut = clipped(ring, SIZE)
    assert ((cut >= -1e-9) & (cut <= np.array(SIZE) + 1e-9)).all()
    whole = rasters._inside(ring - 0.5, *SIZE)
    part = rasters._inside(cut - 0.5, *SIZE) if len(cut) else np.zeros(SIZE[::-1], bool)
    assert (whole != part).sum() <= 3  # centres that lie on an edge


def test_the_upload_is_bounded_and_leaves_nothing(room: Studio, client: TestClient, tmp_path: Path) -> None:
    path = f"/masks/{VIEW}/import"
    told = client.post(path, files={"file": ("../../x.json", json.dumps(project(region(RECT))))}).json()
    (mask,) = told["images"][0]["masks"]
    assert MaskPolygon.model_validate(mask).name == "region 1"
    assert client.post(path, files={"file": ("x.exe", b"MZ")}).status_code == 422
    assert client.post(path, files={"file": ("x.json", b" " * (MAX_BYTES + 1))}).status_code == 413
    assert client.post(path, files={"file": ("x.json", b"{}")}).status_code == 422
    assert client.post(path, data={"file": "no file"}).status_code == 422
    assert list((room.site.folder / "uploads").iterdir()) == []
    assert room.recipe.masks == ()
