"""Small images and label files, as the tools write them."""

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE = (40, 30)
COLUMNS = ["filename", "file_size", "file_attributes", "region_count", "region_id"]
COLUMNS += ["region_shape_attributes", "region_attributes"]

RECT = {"name": "rect", "x": 5, "y": 6, "width": 10, "height": 4}
CIRCLE = {"name": "circle", "cx": 20, "cy": 15, "r": 5}
ELLIPSE = {"name": "ellipse", "cx": 20, "cy": 15, "rx": 9, "ry": 4, "theta": 0.5}
POLYGON = {"name": "polygon", "all_points_x": [5, 20, 10, 5], "all_points_y": [5, 8, 20, 5]}
POLYLINE = {"name": "polyline", "all_points_x": [2, 12, 12], "all_points_y": [3, 3, 9]}
POINT = {"name": "point", "cx": 7, "cy": 9}
SHAPES = (RECT, CIRCLE, ELLIPSE, POLYGON, POLYLINE, POINT)


def image(path: Path, size_wh: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((size_wh[1], size_wh[0], 3), 90, np.uint8))
    return path


def images(folder: Path, *names: str, size_wh: tuple[int, int] = SIZE) -> Path:
    for name in names:
        image(folder / name, size_wh)
    return folder


def mask(path: Path, box: tuple[int, int, int, int] = (4, 5, 12, 11), value: int = 255, size_wh=SIZE) -> Path:
    """Left, top, right, bottom are marked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((size_wh[1], size_wh[0]), np.uint8)
    pixels[box[1] : box[3], box[0] : box[2]] = value
    assert cv2.imwrite(str(path), pixels)
    return path


def box_truth(left: int, top: int, right: int, bottom: int, size_wh=SIZE) -> np.ndarray:
    truth = np.zeros((size_wh[1], size_wh[0]), np.bool_)
    truth[top:bottom, left:right] = True
    return truth


def via_csv(path: Path, *rows: tuple[Any, ...], header: str = "#filename") -> Path:
    """Each row: name, file_attributes, region_count, region_id, shape, attributes; dicts are written as JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([header, *COLUMNS[1:]])
    for name, says, count, number, shape, attributes in rows:
        cells = [cell if isinstance(cell, str) else json.dumps(cell) for cell in (says, shape, attributes)]
        writer.writerow([name, -1, cells[0], count, number, cells[1], cells[2]])
    path.write_text(text.getvalue())
    return path


def via_document(name: str = "a.png", shapes=SHAPES) -> dict[str, Any]:
    regions = [{"shape_attributes": dict(shape), "region_attributes": {"Label": "chip"}} for shape in shapes]
    entry = {"filename": name, "size": 123, "regions": regions, "file_attributes": {}}
    return {f"{name}123": entry, "b.png9": {"filename": "b.png", "size": 9, "regions": [], "file_attributes": {}}}


def coco_document() -> dict[str, Any]:
    runs = [30 * 4 + 5, 6, 30 - 6, 6, 30 * 40 - (30 * 4 + 5 + 6 + 24 + 6)]
    annotations = [
        {"segmentation": [[5, 5, 20, 8, 10, 20]], "bbox": [5, 5, 15, 15], "iscrowd": 0},
        {"segmentation": {"size": [30, 40], "counts": runs}, "bbox": [4, 5, 2, 6], "iscrowd": 1},
        {"segmentation": {"size": [30, 40], "counts": "m36h00go0"}, "bbox": [4, 5, 2, 6], "iscrowd": 0},
        {"bbox": [30, 20, 5, 4]},
    ]
    common = {"image_id": 1, "category_id": 3}
    return {
        "images": [
            {"id": 1, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 2, "file_name": "b.png", "width": 40, "height": 30},
        ],
        "annotations": [{"id": at, **common, **item} for at, item in enumerate(annotations)],
        "categories": [{"id": 3, "name": "chip"}],
    }


def labelme_document(name: str = "a.png") -> dict[str, Any]:
    small = cv2.imencode(".png", np.array([[0, 255, 255], [255, 255, 0]], np.uint8))[1].tobytes()
    shapes = [
        ("polygon", [[5, 5], [20, 8], [10, 20]]),
        ("rectangle", [[30, 3], [34, 9]]),
        ("circle", [[20, 15], [20, 19]]),
        ("line", [[2, 3], [12, 3]]),
        ("linestrip", [[2, 3], [12, 3], [12, 9]]),
        ("point", [[7, 9]]),
        ("mask", [[10, 24], [12, 25]]),
    ]
    listed = [{"label": "chip", "points": points, "shape_type": kind, "flags": {}} for kind, points in shapes]
    listed[-1]["mask"] = base64.b64encode(small).decode()
    return {
        "version": "5.4.1",
        "flags": {},
        "shapes": listed,
        "imagePath": name,
        "imageData": "ignored",
        "imageHeight": 30,
        "imageWidth": 40,
    }


def write_json(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path
