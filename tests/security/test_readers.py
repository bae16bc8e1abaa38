"""Files that want too much: time, memory, another place. Each is refused with words; what fuzzing found is here too."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.labels import read_labels
from edge.archive.evidence import ArchiveError
from edge.archive.export import MANIFEST, SCHEMA, verify_export
from edge.archive.packing import pack_map, unpack_map
from edge.batch_report.pictures import Limits, fit
from edge.bundle import open_bundle
from edge.bundle.image import decode_png
from edge.cameras.features import Features
from edge.cameras.images import read_image
from edge.commands.envelope import read
from edge.config import load_config
from edge.errors import CameraRefused, ConfigError, FrameError, LineclearError, RecipeError
from edge.recipe import import_recipe, load_recipe
from edge.recipe.challenge import ChallengeFrame, read_frame
from edge.schema import MAX_SECRET_BYTES, read_json, read_secret, read_yaml
from export.outline import outline
from tests.recipe.builders import bundle, with_card

MEMORY = 40 << 20


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(4096))) + chunk(b"IEND", b"")


def peak(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(call: Callable[[], object], kind: type[Exception] = LineclearError) -> str:
    """The words; and no memory worth mentioning was taken."""
    words = ""

    def run() -> None:
        nonlocal words
        with pytest.raises(kind) as caught:
            call()
        words = str(caught.value)

    assert peak(run) < MEMORY
    return words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n", "aliases"),
        ("[" * 500, "nested deeper than"),
        ("a: " + "{a: " * 100 + "1" + "}" * 100, "nested deeper than"),
        ("a: 1\na: 2\n", "written twice"),
        ("a: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
        ("a: !!python/name:os.system\n", "could not determine a constructor"),
        ("a: " + "9" * 5000, ""),
        ("a: 0x" + "f" * 5000, ""),
        ("a: 1:" + "59:" * 5000 + "1", ""),
        ("a: " + "x" * 1_000_001, "too large"),
        ("? [a, b]\n: 1\n", ""),
        ("a: 2026-99-99\n", ""),
        ("\0", ""),
    ],
    ids=range(13),
)
def test_yaml_that_wants_too_much(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert words in refused(lambda: load_config(path), ConfigError)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, " " * 1_000_001, '"' + "x" * 1_000_001, "nan" * 3]
)
def test_json_that_wants_too_much(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    refused(lambda: read_json(path), ConfigError)


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * 100_000,
        b'{"a":' * 40_000,
        b"9" * 5000,
        b"x" * 300_000,
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": 1e400}',
        b"\xff",
    ],
    ids=range(8),
)
def test_commands_that_want_too_much(payload: bytes) -> None:
    assert read("state", payload).problem is not None


@pytest.mark.parametrize("size_wh", [(2**31 - 1, 2**31 - 1), (100_000, 100_000), (200_001, 1000), (0, 5), (5, 0)])
def test_no_picture_is_decoded_that_says_it_is_enormous(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    data = png_that_claims(*size_wh)
    path = tmp_path / "bad-1.png"
    path.write_bytes(data)
    refused(lambda: read_image(path), FrameError)
    refused(lambda: decode_png(data, "x"))
    assert fit(data, "image/png", Limits()) is None
    frame = ChallengeFrame(file="bad-1.png", sha256=hashlib.sha256(data).hexdigest(), expected="FAIL")
    refused(lambda: read_frame(tmp_path, frame), RecipeError)


def test_a_mask_that_says_it_is_enormous_is_no_mask(tmp_path: Path) -> None:
    for folder, data in (
        ("good", cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()),
        ("bad", png_that_claims(99_999, 99_999)),
    ):
        (tmp_path / "test" / folder).mkdir(parents=True)
        (tmp_path / "test" / folder / "000.png").write_bytes(data)
        (tmp_path / "ground_truth" / folder).mkdir(parents=True)
        (tmp_path / "ground_truth" / folder / "000_mask.png").write_bytes(data)
    found = []
    assert peak(lambda: found.append(read_labels(tmp_path))) < MEMORY
    assert any("99999x99999" in str(problem) for problem in found[0].problems)


def test_a_reference_that_was_made_enormous_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe"
    with_card(path, bundle(tmp_path))
    with (load_recipe(path).folder / "reference.png").open("r+b") as file:
        file.truncate(1 << 40)  # sparse
    assert "too large" in refused(lambda: load_recipe(path), RecipeError)
    (path / "current").write_text("0001\n" + "x" * 10_000_000)
    refused(lambda: load_recipe(path), RecipeError)


def test_a_pipe_holds_nobody_up(tmp_path: Path) -> None:
    pipe = tmp_path / "a.png"
    os.mkfifo(pipe, 0o600)
    assert "no plain file" in refused(lambda: read_image(pipe), FrameError)
    assert "no plain file" in refused(lambda: read_secret(pipe, "keys_file"), ConfigError)
    refused(lambda: outline(pipe))


@pytest.mark.parametrize(
    "name", ["../../escaped", "/tmp/escaped", "recipe/../../escaped", "C:\\escaped", "recipe\\..\\x", "recipe/\x1b[2J"]
)
@pytest.mark.parametrize(
    "read", [lambda path, out: open_bundle(path, out), lambda path, out: import_recipe(path, out, who="a", why="b")]
)
def test_a_zip_writes_nowhere_else(tmp_path: Path, name: str, read: Callable[[Path, Path], object]) -> None:
    path, out = tmp_path / "zips" / "a.zip", tmp_path / "out" / "deep"
    path.parent.mkdir()
    out.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", "{}")
        archive.writestr("transfer.json", "{}")
        archive.writestr(name, "x")
    words = refused(lambda: read(path, out))
    assert "\x1b" not in words
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


def test_a_zip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("transfer.json", "{}")
        archive.writestr("recipe/recipe.yaml", bytes(200 << 20))
    assert "zip bomb" in refused(lambda: import_recipe(path, tmp_path / "out", who="a", why="b"))


def test_an_export_that_is_damaged_in_any_way_is_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "batch.zip"
    for manifest in (b"[" * 100_000, b'{"schema": 1}', b"[]", json.dumps({"schema": SCHEMA, "files": []}).encode(), b"\xff"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(MANIFEST, manifest)
        refused(lambda: verify_export(path), ArchiveError)


def test_a_map_is_as_large_as_its_bytes_whatever_it_says() -> None:
    """Found by benchmarks.fuzz: zlib, encryption and odd methods came through; and numpy believed the header's shape."""
    sound = pack_map(np.ones((5, 7), np.float32), None, None)
    with zipfile.ZipFile(io.BytesIO(sound)) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    huge = {**parts, "scores.npy": parts["scores.npy"].replace(b"(5, 7), }" + b" " * 12, b"(99999999, 99999999), }"[:21])}
    changed = {**parts, "judged.npy": parts["scores.npy"]}
    for members in (huge, changed, {}, {**parts, "scale.npy": parts["scores.npy"]}):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        data = buffer.getvalue()
        refused(lambda data=data: unpack_map(data, "x"), ArchiveError)
    at = sound.index(b"PK\x01\x02")
    for offset, value in ((8, 1), (8, 0x20), (10, 99), (6, 237)):
        damaged = bytearray(sound)
        struct.pack_into("<H", damaged, at + offset, value)
        struct.pack_into("<H", damaged, {8: 6, 10: 8, 6: 4}[offset], value)
        refused(lambda data=bytes(damaged): unpack_map(data, "x"), ArchiveError)
    for place in range(30, 120, 3):
        refused_or_read(bytes(sound[:place] + bytes([sound[place] ^ 0x55]) + sound[place + 1 :]))


def refused_or_read(data: bytes) -> None:
    with contextlib.suppress(ArchiveError):
        unpack_map(data, "x")


def test_a_camera_may_state_a_negative_increment() -> None:
    """Found by benchmarks.fuzz: the comparison of what was set with what came back raised ValueError."""

    class IFloat:
        value, min, max, inc = 2.0, 0.0, 10.0, -0.5

        def get_access_mode(self) -> int:
            return 4

        def has_inc(self) -> bool:
            return True

    class Map:
        Gain = IFloat()
        nodes = ()

        def has_node(self, name: str) -> bool:
            return name == "Gain"

    features = Features(Map(), "camera", (RuntimeError,))
    features.set("Gain", 3.0)
    with pytest.raises(CameraRefused):
        features.set("Gain", 11.0)


@pytest.mark.parametrize(
    ("mode", "content", "words"),
    [(0o640, b"x", "chmod 600"), (0o604, b"x", "chmod 600"), (0o620, b"x", "chmod 600"), (0o600, b"\xff", "not UTF-8"),
     (0o600, b"x" * (MAX_SECRET_BYTES + 1), "too large")],
)  # fmt: skip
def test_a_secret_is_read_from_a_private_file_alone(tmp_path: Path, mode: int, content: bytes, words: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    assert words in refused(lambda: read_secret(path, "keys_file"), ConfigError)
    path.write_bytes(b"marked")
    path.chmod(0o400)
    assert read_secret(path, "keys_file") == "marked"
    assert "not found" in refused(lambda: read_secret(tmp_path / "none", "keys_file"), ConfigError)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_secret_of_another_user_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(0o600)
    os.chown(path, 1234, 1234)
    assert read_secret(path, "keys_file") == "x"  # root may look at everybody's
    os.chown(path, 4321, 4321)
    script = (
        "import os, sys; from pathlib import Path; from edge import schema; from edge.errors import ConfigError\n"
        f"found = os.stat({str(path)!r}); os.setresuid(1234, 1234, 1234)\n"
        f"schema._refuse_shared(found, Path({str(path)!r}), 'keys_file')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "keys_file belongs to another user (uid 4321): chown 1234" in done.stderr


def test_the_strict_yaml_reader_reads_what_people_write(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: [1, 2]\nb: {c: off}\n")
    assert read_yaml(path) == {"a": [1, 2], "b": {"c": "off"}}
