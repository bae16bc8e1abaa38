"""A damaged bundle is refused, or it is the bundle: never another exception, never a file elsewhere."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.mutation_bytes import damaged
from edge.bundle import DenoisingLoop, open_bundle
from edge.bundle.golden import unpack_golden
from edge.bundle.image import decode_png, encode_png
from edge.bundle.manifest import content_hash, name_of, parse_manifest
from edge.errors import BundleError
from tests.bundle.samples import declared, mapless, random_inputs, rename_manifest, tree, write, zipped

DICTIONARY = [
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"../",
    b"/",
    b"\0",
    b"\xff" * 4,
    b"\xff" * 8,
    b"\0" * 4,
]


def mutants(data: bytes, count: int, seed: int) -> Iterator[bytes]:
    source = random.Random(seed)
    return (damaged(data, source, DICTIONARY) for _ in range(count))


def readable(error: BundleError) -> int:
    """1, after making sure that the message is one line fit for a terminal."""
    assert str(error).isprintable()
    return 1


def test_mutated_zips(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", reference=np.zeros((4, 4), np.uint8)).path
    bundle = open_bundle(folder)
    whole = zipped(folder, tmp_path / "whole.zip").read_bytes()
    # The headers are a small part of the file, so every other mutant is hit at its end, where the directory is.
    directory = whole.index(b"PK\x01\x02", whole.rindex(b"PK\x03\x04"))
    mutated = [*mutants(whole, 300, 1), *(whole[:directory] + tail for tail in mutants(whole[directory:], 500, 2))]
    before = tree(tmp_path)
    refused = 0
    tracemalloc.start()
    for data in mutated:
        (tmp_path / "b.zip").write_bytes(data)
        try:
            opened = open_bundle(tmp_path / "b.zip", tmp_path / "cache")
        except BundleError as error:
            refused += readable(error)
        else:
            assert opened.content_hash == bundle.content_hash
            assert opened.model_bytes() == bundle.model_bytes()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > len(mutated) / 2
    assert peak < 32 << 20
    (tmp_path / "b.zip").unlink()
    after = {name: data for name, data in tree(tmp_path).items() if not name.startswith(f"cache/{bundle.name}/")}
    assert after == before


def test_mutated_manifest_text(tmp_path: Path) -> None:
    folder = write(tmp_path / "b").path
    text = (folder / "manifest.json").read_bytes()
    manifest, digest = parse_manifest(text, "m")
    refused = 0
    for data in mutants(text, 1500, 3):
        try:
            assert parse_manifest(data, "m") == (manifest, digest)
        except BundleError as error:
            refused += readable(error)
    assert refused > 1300


@pytest.mark.parametrize("seed", [4, 5])
def test_mutated_golden_vectors(tmp_path: Path, seed: int) -> None:
    declaration = declared()
    data = (write(tmp_path / "b").path / "golden.npz").read_bytes()
    truth, _ = unpack_golden(declaration, data, "g")
    tracemalloc.start()
    for mutant in mutants(data, 300, seed):
        try:
            inputs, _ = unpack_golden(declaration, mutant, "g")
        except BundleError:
            continue
        np.testing.assert_array_equal(inputs[0]["image"], truth[0]["image"])
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


def test_mutated_reference(capfd: pytest.CaptureFixture[str]) -> None:
    image = random_inputs(declared())["image"][0]
    data = encode_png(image)
    for mutant in mutants(data, 1000, 6):
        try:
            decoded = decode_png(mutant, "r")
        except BundleError:
            continue
        np.testing.assert_array_equal(decoded, image)
    assert capfd.readouterr() == ("", "")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def paths(data: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document."""
    found = [prefix] if prefix else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += paths(value, (*prefix, key))
    return found


LOOP = DenoisingLoop.seeded((16, 16), timesteps=(20, 10, 0), start=30, weight=1.5)
FORGED = {
    "single": (declared(crop={"left": 0, "top": 0, "right": 1, "bottom": 1}), {}),
    "loop in tiles, no map": (
        mapless(program=LOOP, tiling={"size": 16, "overlap": 4}, masking={"post": False, "fill": "reference"}),
        {"step": b"step"},
    ),
}


@pytest.mark.parametrize("kind", FORGED)
@given(st.data())
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_forged_manifest_with_a_matching_name(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    folder = tmp_path / "b"
    if not folder.exists():
        declaration, models = FORGED[kind]
        write(folder, declaration, **models)
        (tmp_path / "original.json").write_bytes((folder / "manifest.json").read_bytes())
    forged = json.loads((tmp_path / "original.json").read_text())
    path = data.draw(st.sampled_from(paths(forged)))
    holder = forged
    for key in path[:-1]:
        holder = holder[key]
    action = data.draw(st.sampled_from(["delete", "replace", "add"]))
    if action == "delete":
        del holder[path[-1]]
    elif action == "replace" or isinstance(holder, list):
        holder[path[-1]] = data.draw(JSON)
    else:
        holder[data.draw(st.text(max_size=12))] = data.draw(JSON)
    forged["name"] = name_of(str(forged.get("family")), content_hash(forged))
    (folder / "manifest.json").write_text(json.dumps(forged))
    try:
        bundle = open_bundle(folder)
    except BundleError as error:
        readable(error)
    else:
        assert bundle.content_hash == content_hash(forged)
        assert bundle.name == forged["name"]


def test_forged_limits_open_and_keep_their_own_name(tmp_path: Path) -> None:
    old = write(tmp_path / "b")
    rename_manifest(old.path, opset=16)
    assert open_bundle(old.path).name != old.name
