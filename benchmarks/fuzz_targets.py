"""What is fuzzed: each reader of something that comes from outside, the inputs it starts from, and what it may raise.

A target takes bytes and returns; `Expected` is what a reader may raise: an error of lineclear's own, worded for a person.
Everything else is a finding.
"""

# ruff: noqa: ARG001, ARG005 - every target and every seed is made in the same way
from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import fuzz_seeds
from edge.errors import LineclearError

Run = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """seeds: sound inputs, made in the scratch folder. make: the target itself. expected: what it may raise beside
    LineclearError, by its contract.
    """

    seeds: Callable[[Path], Sequence[bytes]]
    make: Callable[[Path], Run]
    expected: tuple[type[Exception], ...] = ()


def _bundle(folder: Path) -> Run:
    from edge.bundle import open_bundle

    def run(data: bytes) -> None:
        path = folder / "given.zip"
        path.write_bytes(data)
        made = open_bundle(path)
        made.golden()
        made.reference()

    return run


def _manifest(folder: Path) -> Run:
    from edge.bundle.manifest import parse_manifest

    def run(data: bytes) -> None:
        parse_manifest(data, str(folder))

    return run


def _golden(folder: Path) -> Run:
    from edge.bundle.golden import unpack_golden
    from tests.bundle.samples import declared

    declaration = declared()
    return lambda data: unpack_golden(declaration, data, str(folder)) and None


def _recipe(folder: Path) -> Run:
    """The first byte says which file of the version is replaced by the rest."""
    from edge.recipe import load_recipe, reading

    parts = fuzz_seeds.recipe_parts(folder)
    path = fuzz_seeds.recipe_folder(folder)
    version = reading.version_folder(path, reading.current_version(path))
    names = sorted(parts)

    def run(data: bytes) -> None:
        name = names[data[0] % len(names)] if data else names[0]
        (version / name).write_bytes(data[1:])
        try:
            load_recipe(path)
        finally:
            (version / name).write_bytes(parts[name])

    return run


def _transfer(folder: Path) -> Run:
    from edge.recipe import import_recipe

    def run(data: bytes) -> None:
        path = folder / "given.recipe.zip"
        path.write_bytes(data)
        out = folder / "imported"
        try:
            import_recipe(path, out, who="fuzz", why="fuzz")
        finally:
            shutil.rmtree(out, ignore_errors=True)

    return run


def _file_target(name: str, read: Callable[[Path], object]) -> Callable[[Path], Run]:
    def make(folder: Path) -> Run:
        path = folder / name

        def run(data: bytes) -> None:
            path.write_bytes(data)
            read(path)

        return run

    return make


def _config(path: Path) -> None:
    from edge.config import load_config

    load_config(path)


def _last_good(path: Path) -> None:
    from edge.safe_mode.last_good import LastGood

    LastGood(path, path).load()


def _command(folder: Path) -> Run:
    """A NUL separates the command's name from the payload."""
    from edge.commands.canonical import canonical
    from edge.commands.envelope import command_of, read
    from edge.commands.gate import fingerprint_of
    from edge.commands.refusals import Refused
    from edge.commands.signing import is_signed_by

    def run(data: bytes) -> None:
        name, _, payload = data.partition(b"\0")
        letter = read(name.decode("utf-8", "replace"), payload)
        if letter.problem is not None:
            return
        try:
            command = command_of(letter)
        except Refused:
            return
        is_signed_by(letter.data, "a/b/cmd", b"k" * 32)
        fingerprint_of(letter.name, letter.data)
        canonical(command.model_dump(mode="json"))

    return run


def _labels(path: Path) -> None:
    from calibration.labels import read_labels

    read_labels(path)


def _pixels(folder: Path) -> Run:
    """Ten bytes choose format, size, padding and offset; the rest is the buffer."""
    from edge.cameras.pixel_formats import FORMATS, ImageLayout, decode

    formats = list(FORMATS.values())

    def run(data: bytes) -> None:
        head = data[:6].ljust(6, b"\0")
        layout = ImageLayout(formats[head[0] % len(formats)], head[1], head[2], head[3] % 17, head[4])
        image = decode(np.frombuffer(data[6:], np.uint8), layout)
        if image.shape != layout.shape or image.dtype != np.uint8:
            raise AssertionError(f"{image.shape} {image.dtype} for {layout}")

    return run


class _Node:
    """A camera's feature whose every answer comes from the fuzzer."""

    def __init__(self, numbers: Callable[[], float]) -> None:
        self._numbers = numbers
        self.node = self

    name = "Gain"

    @property
    def value(self) -> float:
        number = self._numbers()
        # GenApi's integers are 64-bit integers, whatever the camera sends.
        return int(np.clip(np.nan_to_num(number), -1e18, 1e18)) if type(self).__name__ == "IInteger" else number

    @value.setter
    def value(self, value: object) -> None:
        del value

    min = max = inc = value

    def get_access_mode(self) -> int:
        number = self._numbers()
        return int(abs(number)) % 5 if np.isfinite(number) else 4

    def has_inc(self) -> bool:
        return True

    def execute(self) -> None:
        return None

    @property
    def entries(self) -> list[Any]:
        return [self]

    @property
    def symbolic(self) -> str:
        return str(self._numbers())


_KINDS = tuple(type(name, (_Node,), {}) for name in ("IInteger", "IFloat", "IBoolean", "IEnumeration", "ICommand", "IOdd"))


def _features(folder: Path) -> Run:
    from edge.cameras.features import Features

    def run(data: bytes) -> None:
        drawn = iter(np.frombuffer(data[2:], np.float64, count=max(0, len(data) - 2) // 8).tolist())
        kind = _KINDS[data[0] % len(_KINDS)] if data else _KINDS[0]
        node = kind(lambda: next(drawn, 1.0))
        nodes = type(
            "Map", (), {"has_node": lambda self, name: True, "nodes": [node], "__getattr__": lambda self, name: node}
        )()
        features = Features(nodes, "camera", (RuntimeError,))
        given: tuple[bool | int | float | str, ...] = (True, 3, 2.5, "On")
        features.set("Gain", given[data[1] % 4] if len(data) > 1 else 1, keep=True)
        features.read("Gain")
        features.verify()

    return run


def _channel(folder: Path) -> Run:
    from edge.cameras import channel

    return lambda data: channel._decode(data) and None


def _header(folder: Path) -> Run:
    from edge.cameras.image_headers import read_header

    def run(data: bytes) -> None:
        read_header(data)

    return run


def _image(path: Path) -> None:
    from edge.cameras.images import read_image

    read_image(path)


def _png(folder: Path) -> Run:
    from edge.bundle.image import decode_png

    def run(data: bytes) -> None:
        decode_png(data, "x")

    return run


def _audit(folder: Path) -> Run:
    from edge.audit import AuditLog, verify
    from edge.audit.entry import Action
    from edge.settings.audit import AuditSettings

    log = folder / "audit"
    log.mkdir()

    def run(data: bytes) -> None:
        for path in log.iterdir():
            path.unlink()
        (log / "audit-000001.jsonl").write_bytes(data)
        verify(log)
        AuditLog(log, AuditSettings()).append(Action.RECIPE, who="a", subject="b", why="c", before=None, after={"v": 1})
        verify(log)

    return run


def _evidence(folder: Path) -> Run:
    from edge.archive.packing import unpack_document

    return lambda data: unpack_document(data, "x.json", "2026-11-22/04") and None


def _map(folder: Path) -> Run:
    from edge.archive.packing import unpack_map

    def run(data: bytes) -> None:
        unpack_map(data, "x")

    return run


def _export(path: Path) -> None:
    from edge.archive.export import verify_export

    verify_export(path)


def _checkpoint(path: Path) -> None:
    from export.outline import outline

    outline(path)


def _tensors(path: Path) -> None:
    from export.checkpoint import load_checkpoint

    load_checkpoint(path, inner="state_dict")


def _signatures(folder: Path) -> Run:
    """A signature that is not the sound one must never be believed for another content."""
    from edge.bundle.files import SIGNATURES
    from edge.bundle.keys import read_trusted
    from edge.bundle.trust import problem_of

    def run(data: bytes) -> None:
        (folder / "signed" / SIGNATURES).write_bytes(data)
        keys = read_trusted(folder / "trusted-keys")
        problem_of("bundle", "0" * 64, folder / "signed", keys)
        if problem_of("bundle", "1" * 64, folder / "signed", keys) is None:
            raise AssertionError("a signature of another content was believed")

    return run


def _trusted(path: Path) -> None:
    from edge.bundle.keys import read_trusted

    read_trusted(path)


def _errors(kind: str) -> tuple[type[Exception], ...]:
    from edge.cameras.channel import ChannelClosed
    from edge.cameras.image_headers import BadImage

    return {"header": (BadImage,), "channel": (ChannelClosed,), "evidence": (ValueError,)}.get(kind, ())


TARGETS: Mapping[str, Target] = {
    "bundle": Target(lambda folder: [fuzz_seeds.bundle_zip(folder)], _bundle),
    "manifest": Target(fuzz_seeds.manifest_seeds, _manifest),
    "golden": Target(fuzz_seeds.golden_seeds, _golden),
    "recipe": Target(fuzz_seeds.recipe_seeds, _recipe),
    "transfer": Target(fuzz_seeds.transfer_seeds, _transfer),
    "config": Target(fuzz_seeds.config_seeds, _file_target("config.yaml", _config)),
    "last-good": Target(fuzz_seeds.last_good_seeds, _file_target("config.last-good", _last_good)),
    "signatures": Target(fuzz_seeds.signature_seeds, _signatures),
    "trusted-keys": Target(fuzz_seeds.list_seeds, _file_target("trusted", _trusted)),
    "command": Target(fuzz_seeds.command_seeds, _command),
    "labels": Target(fuzz_seeds.label_seeds, _file_target("labels.json", _labels)),
    "via-csv": Target(fuzz_seeds.via_csv_seeds, _file_target("labels.csv", _labels)),
    "pixels": Target(fuzz_seeds.pixel_seeds, _pixels),
    "features": Target(lambda folder: [bytes([kind, 0]) + b"\1" * 64 for kind in range(6)], _features),
    "channel": Target(fuzz_seeds.channel_seeds, _channel),
    "header": Target(fuzz_seeds.image_seeds, _header),
    "image": Target(fuzz_seeds.image_seeds, _file_target("image.png", _image)),
    "png": Target(lambda folder: [fuzz_seeds.encoded(".png")], _png),
    "audit": Target(fuzz_seeds.audit_seeds, _audit),
    "evidence": Target(fuzz_seeds.evidence_seeds, _evidence),
    "map": Target(fuzz_seeds.map_seeds, _map),
    "export": Target(fuzz_seeds.export_seeds, _file_target("batch.zip", _export)),
    "outline": Target(fuzz_seeds.checkpoint_seeds, _file_target("model.pt", _checkpoint)),
    "checkpoint": Target(fuzz_seeds.checkpoint_seeds, _file_target("model.pt", _tensors)),
}


@functools.cache
def expected_of(name: str) -> tuple[type[Exception], ...]:
    """What the target may raise."""
    return (LineclearError, *_errors(name), *TARGETS[name].expected)
