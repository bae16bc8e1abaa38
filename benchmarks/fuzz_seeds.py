"""The sound inputs from which fuzzing starts."""

# ruff: noqa: ARG001 - every target and every seed is made in the same way
from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZE_WH = (24, 16)


def bundle_zip(folder: Path) -> bytes:
    """Sound inputs, made in the scratch folder."""
    from tests.bundle.samples import declared, write, zipped

    made = write(folder / "bundle", declared(), reference=picture())
    return zipped(made.path, folder / "bundle.zip").read_bytes()


def picture() -> Any:
    """uint8 RGB."""
    return np.random.default_rng(1).integers(0, 255, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)


def encoded(suffix: str) -> bytes:
    """A picture as a file of this kind."""
    return bytes(cv2.imencode(suffix, picture())[1])


def manifest_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    with zipfile.ZipFile(io.BytesIO(bundle_zip(folder))) as archive:
        return [archive.read(name) for name in archive.namelist() if name.endswith("manifest.json")]


def golden_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    with zipfile.ZipFile(io.BytesIO(bundle_zip(folder))) as archive:
        return [archive.read(name) for name in archive.namelist() if name.endswith("golden.npz")]


def recipe_folder(folder: Path) -> Path:
    """Sound inputs, made in the scratch folder."""
    from tests.recipe.builders import bundle, with_card

    path = folder / "recipe"
    if not path.exists():
        with_card(path, bundle(folder))
    return path


def recipe_parts(folder: Path) -> Mapping[str, bytes]:
    """Sound inputs, made in the scratch folder."""
    from edge.recipe import reading

    version = reading.version_folder(recipe_folder(folder), reading.current_version(recipe_folder(folder)))
    return {path.name: path.read_bytes() for path in sorted(version.iterdir()) if path.is_file()}


def recipe_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    return [bytes([index]) + data for index, (_, data) in enumerate(sorted(recipe_parts(folder).items()))]


def transfer_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    from edge.recipe import export_recipe

    export_recipe(recipe_folder(folder), folder / "out.zip")
    return [(folder / "out.zip").read_bytes()]


def config_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    root = Path(__file__).resolve().parent.parent / "configs"
    return [path.read_bytes() for path in sorted(root.glob("*.yaml"))]


def last_good_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    from datetime import datetime, timezone

    from edge.config import load_config
    from edge.safe_mode.last_good import LastGood

    config = load_config(Path(__file__).resolve().parent.parent / "configs" / "demo.yaml")
    kept = LastGood(folder / "kept", folder / "kept")
    kept.save(config, datetime.now(timezone.utc))
    return [kept.path.read_bytes()]


def command_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    head = {"client": "hmi", "request_id": "r-1", "sent_at": "2026-11-22T04:05:06Z", "signature": "ab" * 32}
    bodies: dict[str, dict[str, Any]] = {
        "clearance": {"batch": "B1", "product": "aspirin", "operator": "A. Meier"},
        "cancel": {},
        "challenge": {"view": "front"},
        "recipe": {"product": "aspirin", "who": "A", "why": "b"},
        "threshold": {"view": "front", "image": 1.5, "who": "A", "why": "b"},
        "mask": {
            "view": "front",
            "who": "A",
            "why": "b",
            "masks": [{"name": "hose", "points": [[0.1, 0.1], [0.5, 0.1], [0.5, 0.6]]}],
        },
        "review": {"result_id": "x", "action": "false_alarm", "who": "A", "why": "b"},
        "reload": {"who": "A", "why": "b"},
        "snapshot": {"view": "front"},
        "state": {},
        "archive": {"batch": "B1"},
    }
    return [name.encode() + b"\0" + json.dumps({**head, **body}).encode() for name, body in bodies.items()]


_VIA = {
    "_via_img_metadata": {
        "a.png1": {
            "filename": "a.png",
            "size": 1,
            "file_attributes": {},
            "regions": [
                {
                    "shape_attributes": {"name": "polygon", "all_points_x": [1, 5, 5], "all_points_y": [1, 1, 6]},
                    "region_attributes": {},
                },
                {
                    "shape_attributes": {"name": "ellipse", "cx": 5, "cy": 5, "rx": 2, "ry": 1, "theta": 0.5},
                    "region_attributes": {},
                },
            ],
        }
    }
}


_COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 24, "height": 16}],
    "categories": [{"id": 1, "name": "leftover"}],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 1,
            "bbox": [1, 1, 4, 5],
            "area": 20,
            "segmentation": [[1, 1, 5, 1, 5, 6]],
            "iscrowd": 0,
        },
        {
            "id": 2,
            "image_id": 1,
            "category_id": 1,
            "bbox": [0, 0, 2, 2],
            "segmentation": {"size": [16, 24], "counts": [3, 4, 377]},
            "iscrowd": 1,
        },
        {"id": 3, "image_id": 1, "category_id": 1, "segmentation": {"size": [16, 24], "counts": "0124"}, "iscrowd": 1},
    ],
}


_LABELME = {
    "version": "5.0",
    "imagePath": "a.png",
    "imageWidth": 24,
    "imageHeight": 16,
    "flags": {},
    "shapes": [
        {"label": "x", "points": [[1, 1], [5, 1], [5, 6]], "shape_type": "polygon", "flags": {}},
        {"label": "x", "points": [[5, 5], [7, 5]], "shape_type": "circle"},
    ],
}


def label_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    (folder / "a.png").write_bytes(encoded(".png"))
    return [json.dumps(document).encode() for document in (_VIA, _COCO, _LABELME)]


def via_csv_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    (folder / "a.png").write_bytes(encoded(".png"))
    head = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    row = 'a.png,1,"{}",1,0,"{""name"":""rect"",""x"":1,""y"":2,""width"":3,""height"":4}","{}"\n'
    return [(head + row).encode()]


def pixel_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    from edge.cameras.pixel_formats import FORMATS

    return [bytes([index, 8, 4, 0, 0, 0]) + bytes(range(96)) * 2 for index in range(len(FORMATS))]


def channel_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    from edge.cameras import channel
    from edge.errors import CameraLost

    made = (
        channel.Opened(),
        channel.RingMade(1, 2, 3),
        channel.Failed(CameraLost("gone", where="x")),
        channel.FrameRecord(1, 0, (2, 2)),
    )
    return [channel._encode(message) for message in made]


def image_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    return [encoded(suffix) for suffix in (".png", ".jpg", ".bmp", ".tiff")]


def audit_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    from edge.audit import AuditLog
    from edge.audit.entry import Action
    from edge.settings.audit import AuditSettings

    log = folder / "seed-audit"
    log.mkdir()
    made = AuditLog(log, AuditSettings())
    for number in range(3):
        made.append(Action.RECIPE, who="a", subject="b", why="c", before=None, after={"v": number})
    return [(log / "audit-000001.jsonl").read_bytes()]


def evidence_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    from edge.archive.packing import FIELDS, SCHEMA

    files = {"frame": {"name": "a.png", "sha256": "0" * 64, "size_bytes": 3}}
    body = {"schema": SCHEMA, **dict.fromkeys(FIELDS, "x"), "decided_us": 5, "files": files, "document": {"a": 1}}
    return [json.dumps(body).encode()]


def map_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    from edge.archive.packing import pack_map

    return [pack_map(np.ones((5, 7), np.float32), None, None)]


def export_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    from edge.archive.export import MANIFEST, SCHEMA

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evidence/a.json", b"{}")
        archive.writestr(
            MANIFEST, json.dumps({"schema": SCHEMA, "files": {"evidence/a.json": {"sha256": "0" * 64, "size_bytes": 2}}})
        )
    return [buffer.getvalue()]


def checkpoint_seeds(folder: Path) -> Sequence[bytes]:
    """Sound inputs, made in the scratch folder."""
    import torch

    state = {"conv.weight": torch.arange(24.0).reshape(2, 3, 4), "conv.bias": torch.zeros(2), "n": torch.tensor(3)}
    made = []
    for name, old in (("new.pt", False), ("old.pt", True)):
        torch.save({"state_dict": state, "epoch": 3}, folder / name, _use_new_zipfile_serialization=not old)
        made.append((folder / name).read_bytes())
    return made


def signature_seeds(folder: Path) -> Sequence[bytes]:
    """A signature file of a key that is believed."""
    from edge.bundle.files import SIGNATURES
    from edge.bundle.keys import SigningKey, make_key
    from edge.bundle.trust import sign

    made = make_key(folder / "key", "fuzz", frozenset(("bundle",)))
    (folder / "trusted-keys").write_text(made.line() + "\n")
    (folder / "signed").mkdir()
    sign("bundle", "0" * 64, folder / "signed", SigningKey(folder / "key"), "A. Meier")
    return [(folder / "signed" / SIGNATURES).read_bytes()]


def list_seeds(folder: Path) -> Sequence[bytes]:
    """A list of trusted keys."""
    signature_seeds(folder)
    return [(folder / "trusted-keys").read_bytes()]
