"""A small bundle to test with, and the means to damage it."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle, Declaration, ResizeRule, contract, write_bundle
from edge.bundle.manifest import content_hash, name_of

SIZE_WH = (32, 24)
Arrays = dict[str, NDArray[Any]]


def declared(**changes: Any) -> Declaration:
    size_wh = changes.get("size_wh", SIZE_WH)
    fields: dict[str, Any] = {
        "family": "variation",
        "size_wh": size_wh,
        "inputs": contract(size_wh, ["image"]),
        "outputs": contract(size_wh, ["anomaly_map"]),
        "resize": ResizeRule(kernel="cv2_area"),
        "parameters": {"frames": 15, "floor": 4.0, "note": "µ", "local": True, "seed": None},
        "created_at": datetime(2026, 11, 22, 4, 5, 6, tzinfo=timezone.utc),
        "created_by": "tests",
    }
    return Declaration(**{**fields, **changes})


def mapless(**changes: Any) -> Declaration:
    """A family that gives an image score and cannot say where."""
    fields: dict[str, Any] = {"outputs": contract(changes.get("size_wh", SIZE_WH), ["image_score"])}
    return declared(**{**fields, "score": {"kind": "graph"}, "masking": {"post": False}, **changes})


def random_inputs(declaration: Declaration, seed: int = 0) -> Arrays:
    random = np.random.default_rng(seed)
    limits = {"image": 256, "reference": 256, "keep": 2}
    return {spec.name: random.integers(0, limits[spec.name], spec.shape, np.uint8) for spec in declaration.inputs}


def flat_outputs(declaration: Declaration, value: float = 1.5) -> Arrays:
    return {spec.name: np.full(spec.shape, value, np.float32) for spec in declaration.outputs}


def write(out: Path, declaration: Declaration | None = None, **changes: Any) -> Bundle:
    declaration = declaration or declared()
    fields: dict[str, Any] = {
        "model": b"not looked into by the bundle",
        "golden_inputs": [random_inputs(declaration, seed) for seed in (0, 1)],
        "golden_outputs": [flat_outputs(declaration), flat_outputs(declaration, -2.25)],
        "licence": "Apache-2.0",
    }
    return write_bundle(out, declaration, **{**fields, **changes})


def rename_manifest(folder: Path, **changes: Any) -> None:
    """Change keys of a written manifest and give it the name that its new content has, as a forger would."""
    path = folder / "manifest.json"
    data = {**json.loads(path.read_text()), **changes}
    data["name"] = name_of(str(data.get("family")), content_hash(data))
    path.write_text(json.dumps(data))


def zipped(folder: Path, out: Path, prefix: str = "", extra: dict[str, bytes] | None = None) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, prefix + path.name)
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return out


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its content: to see that nothing else appeared or changed."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
