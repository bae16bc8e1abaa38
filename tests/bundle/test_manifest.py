from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from edge.bundle import Crop, Manifest, Masking, Tiling, Training, contract
from edge.bundle.manifest import content_hash, name_of, parse_manifest
from edge.errors import BundleError
from edge.settings.judging import ScoreRule
from tests.bundle.samples import SIZE_WH, declared

FILES = {"model.onnx": "a" * 64, "golden.npz": "b" * 64, "LICENSE": "c" * 64}


LONG_LOOP = {
    "kind": "denoising_loop", "start": 999, "timesteps": list(range(999, -1, -1)), "weight": 1.0, "noise": {"sha256": "0" * 64}
}  # fmt: skip


def manifest(**changes: Any) -> Manifest:
    return Manifest.of(declared(**changes), FILES)


def forged(**changes: Any) -> bytes:
    data = {**json.loads(manifest().to_json()), **changes}
    data = {key: value for key, value in data.items() if value is not ...}
    data["name"] = name_of(str(data.get("family")), content_hash(data))
    return json.dumps(data).encode()


def test_written_text_is_read_back_as_the_same_manifest() -> None:
    rich = manifest(
        inputs=contract(SIZE_WH, ["image", "reference", "keep"]),
        outputs=contract(SIZE_WH, ["anomaly_map", "image_score"]),
        masking=Masking(pre=True, post=False),
        score=ScoreRule(kind="graph", window=1),
        crop=Crop(left=0.1, top=0, right=0.9, bottom=1),
        training=Training(images=2, sha256=("1" * 64, "2" * 64)),
    )
    read, digest = parse_manifest(rich.to_json(), "m")
    assert read == rich
    assert read.name == f"variation-{digest[:12]}"


def test_name_follows_content_and_only_content() -> None:
    assert manifest().name == manifest().name
    assert manifest().name != manifest(opset=18).name
    assert manifest().name != Manifest.of(declared(), {**FILES, "LICENSE": "d" * 64}).name
    other_zone = datetime(2026, 11, 22, 6, 5, 6, tzinfo=timezone(timedelta(hours=2)))
    local = manifest(created_at=other_zone)
    assert parse_manifest(local.to_json(), "m")[0].created_at == other_zone


def test_layout_of_the_text_does_not_change_the_content() -> None:
    data = json.loads(manifest().to_json())
    reordered = json.dumps(dict(reversed(data.items())), indent=7).encode()
    assert parse_manifest(reordered, "m")[0] == manifest()


def test_older_manifest_without_a_newer_optional_key_keeps_its_name() -> None:
    read, _ = parse_manifest(forged(tiling=...), "m")
    assert read.tiling is None
    assert read.name != manifest().name


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"resizee": 1}, "resizee: unknown key"),
        ({"score": {"kind": "max", "windoww": 3}}, "did you mean 'window'"),
        ({"resize": ...}, "resize: missing"),
        ({"size_wh": [64, 24]}, "graph contract"),
        ({"size_wh": [0, 24]}, "size_wh"),
        ({"opset": "17"}, "another type"),
        ({"masking": {"pre": "no"}}, "another type"),
        ({"family": "../up"}, "family"),
        ({"family": "a\n"}, "family"),
        ({"program": "denoising_loop"}, "program"),
        ({"schema_version": 2}, "schema_version"),
        ({"created_at": "2026-11-22T04:05:06"}, "created_at"),
        ({"created_at": 0}, "another type"),
        ({"crop": {"left": 0.5, "top": 0, "right": 0.5, "bottom": 1}}, "right must exceed left"),
        ({"masking": {"pre": True, "post": True}}, "keep"),
        ({"score": {"kind": "graph"}}, "image_score"),
        ({"files": {"model.onnx": "short"}}, "files"),
        ({"parameters": {"a": [1]}}, "parameters"),
        ({"parameters": {"a": "x" * 2001}}, "2000"),
        ({"tiling": {"size": 8, "overlap": 8}}, "overlap"),
        ({"training": {"images": 3, "sha256": ["0" * 64]}}, "sha256 names 1"),
        ({"limits": {"float32": {"rtol": -1, "atol": 0}, "float16": {"rtol": 0, "atol": 0}}}, "rtol"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [{"name": "keep", "dtype": "uint8", "shape": [1, 24, 32]}]}, "inputs must be `image`"),
        ({"inputs": [{"name": "image", "dtype": "float32", "shape": [1, 24, 32, 3]}]}, "graph contract"),
        ({"inputs": [{"name": "image", "dtype": "uint8", "shape": [1, 3, 24, 32]}]}, "graph contract"),
        ({"outputs": [{"name": "anomaly_map", "dtype": "float32", "shape": [1, 12, 16]}]}, "graph contract"),
        ({"outputs": [{"name": "image_score", "dtype": "float32", "shape": [1]}]}, "score.kind must be `graph`"),
        (
            {"outputs": [{"name": "image_score", "dtype": "float32", "shape": [1]}], "score": {"kind": "graph"}},
            "masking.post must be false",
        ),
        ({"masking": {"fill": "black"}}, "masking.fill"),
        ({"tiling": {"size": 1, "overlap": 0}, "program": LONG_LOOP}, "768768 graph calls for one image are more than 20000"),
        ({"tiling": {"size": 25, "overlap": 0}}, "does not fit a model image of [32, 24]"),
        ({"program": "double"}, "program"),
        ({"program": {"kind": "denoising_loop"}}, "program"),
    ],
)
def test_wrong_manifest_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(BundleError, match=r"^front/manifest\.json: ") as caught:
        parse_manifest(forged(**changes), "front/manifest.json")
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"", "strict JSON"),
        (b"\xff\xfe", "strict JSON"),
        (b"[]", "no JSON object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "strict JSON"),
        (b'{"family": "\\ud800"}', "family"),
        (b'{"parameters": {"\\ud800": 1}}', "missing"),
    ],
)
def test_text_that_is_no_strict_json_is_refused(text: bytes, named: str) -> None:
    with pytest.raises(BundleError) as caught:
        parse_manifest(text, "m")
    assert named in str(caught.value)


def test_number_that_overflows_is_refused() -> None:
    text = forged(parameters={"a": 1.5}).replace(b"1.5", b"1e999")
    with pytest.raises(BundleError, match="finite"):
        parse_manifest(text, "m")


def test_changed_manifest_under_the_old_name_is_refused() -> None:
    text = manifest().to_json().replace(b'"opset": 17', b'"opset": 16')
    with pytest.raises(BundleError, match="changed after the export"):
        parse_manifest(text, "m")


def test_nan_cannot_be_declared() -> None:
    for changes in ({"parameters": {"a": float("nan")}}, {"value_range": (0.0, float("inf"))}):
        with pytest.raises(ValidationError, match="finite"):
            declared(**changes)


def test_tiling_advances() -> None:
    assert Tiling(size=8, overlap=7).overlap == 7
