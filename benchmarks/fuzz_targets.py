"""What is fuzzed: each reader of something that comes from outside, the inputs it starts from, and what it may raise.

A target takes bytes and returns; `Expected` is what a reader may raise: an error of lineclear's own, worded for a person.
Everything else is a finding.
"""

from __future__ import annotations

import functools
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge.errors import LineclearError

Run = Callable[[bytes], None]
SIZE_WH = (24, 16)


@dataclass(frozen=True)
class Target:
    """seeds: sound inputs, made in the scratch folder. make: the target itself. expected: what it may raise beside
    LineclearError, by its contract.
    """

    seeds: Callable[[Path], Sequence[bytes]]
    make: Callable[[Path], Run]
    expected: tuple[type[Exception], ...] = ()


def _bundle_zip(folder: Path) -> bytes:
    from tests.bundle.samples import declared, write, zipped

    made = write(folder / "bundle", declared(), reference=_picture())
    return zipped(made.path, folder / "bundle.zip").read_bytes()


def _picture() -> Any:
    return np.random.default_rng(1).integers(0, 255, (SIZE_WH[1], SIZE_WH[0], 3), np.uint8)


def _encoded(suffix: str) -> bytes:
    return bytes(cv2.imencode(suffix, _picture())[1])


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


def _manifest_seeds(folder: Path) -> Sequence[bytes]:
    with zipfile.ZipFile(io.BytesIO(_bundle_zip(folder))) as archive:
        return [archive.read(name) for name in archive.namelist() if name.endswith("manifest.json")]


def _golden(folder: Path) -> Run:
    from edge.bundle.golden import unpack_golden
    from tests.bundle.samples import declared

    declaration = declared()
    return lambda data: unpack_golden(declaration, data, str(folder)) and None


def _golden_seeds(folder: Path) -> Sequence[bytes]:
    with zipfile.ZipFile(io.BytesIO(_bundle_zip(folder))) as archive:
        return [archive.read(name) for name in archive.namelist() if name.endswith("golden.npz")]


def _recipe_folder(folder: Path) -> Path:
    from tests.recipe.builders import bundle, with_card

    path = folder / "recipe"
    if not path.exists():
        with_card(path, bundle(folder))
    return path


def _recipe_parts(folder: Path) -> Mapping[str, bytes]:
    from edge.recipe import reading

    version = reading.version_folder(_recipe_folder(folder), reading.current_version(_recipe_folder(folder)))
    return {path.name: path.read_bytes() for path in sorted(version.iterdir()) if path.is_file()}


def _recipe(folder: Path) -> Run:
    """The first byte says which file of the version is replaced by the rest."""
    from edge.recipe import load_recipe, reading

    parts = _recipe_parts(folder)
    path = _recipe_folder(folder)
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


def _recipe_seeds(folder: Path) -> Sequence[bytes]:
    return [bytes([index]) + data for index, (_, data) in enumerate(sorted(_recipe_parts(folder).items()))]


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


def _transfer_seeds(folder: Path) -> Sequence[bytes]:
    from edge.recipe import export_recipe

    export_recipe(_recipe_folder(folder), folder / "out.zip")
    return [(folder / "out.zip").read_bytes()]


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


def _config_seeds(folder: Path) -> Sequence[bytes]:
    root = Path(__file__).resolve().parent.parent / "configs"
    return [path.read_bytes() for path in sorted(root.glob("*.yaml"))]


def _last_good(path: Path) -> None:
    from edge.safe_mode.last_good import LastGood

    LastGood(path, path).load()


def _last_good_seeds(folder: Path) -> Sequence[bytes]:
    from datetime import datetime, timezone

    from edge.config import load_config
    from edge.safe_mode.last_good import LastGood

    config = load_config(Path(__file__).resolve().parent.parent / "configs" / "demo.yaml")
    kept = LastGood(folder / "kept", folder / "kept")
    kept.save(config, datetime.now(timezone.utc))
    return [kept.path.read_bytes()]


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


def _command_seeds(folder: Path) -> Sequence[bytes]:
    head = {"client": "hmi", "request_id": "r-1", "sent_at": "2026-11-22T04:05:06Z", "signature": "ab" * 32}
    bodies: dict[str, dict[str, Any]] = {
        "clearance": {"batch": "B1", "product": "aspirin", "operator": "A. Meier"},
        "cancel": {},
        "challenge": {"view": "front"},
        "recipe": {"product": "aspirin", "who": "A", "why": "b"},
        "threshold": {"view": "front", "image": 1.5, "who": "A", "why": "b"},
        "mask": {"view": "front", "who": "A", "why": "b", "masks": [{"name": "hose", "points": [[0.1, 0.1], [0.5, 0.1], [0.5, 0.6]]}]},
        "review": {"result_id": "x", "action": "false_alarm", "who": "A", "why": "b"},
        "reload": {"who": "A", "why": "b"},
        "snapshot": {"view": "front"},
        "state": {},
        "archive": {"batch": "B1"},
    }  # fmt: skip
    return [name.encode() + b"\0" + json.dumps({**head, **body}).encode() for name, body in bodies.items()]


def _labels(path: Path) -> None:
    from calibration.labels import read_labels

    read_labels(path)


_VIA = {
    "_via_img_metadata": {
        "a.png1": {
            "filename": "a.png", "size": 1, "file_attributes": {},
            "regions": [
                {"shape_attributes": {"name": "polygon", "all_points_x": [1, 5, 5], "all_points_y": [1, 1, 6]}, "region_attributes": {}},
                {"shape_attributes": {"name": "ellipse", "cx": 5, "cy": 5, "rx": 2, "ry": 1, "theta": 0.5}, "region_attributes": {}},
            ],
        }
    }
}  # fmt: skip
_COCO = {
    "images": [{"id": 1, "file_name": "a.png", "width": 24, "height": 16}],
    "categories": [{"id": 1, "name": "leftover"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 4, 5], "area": 20, "segmentation": [[1, 1, 5, 1, 5, 6]], "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 1, "bbox": [0, 0, 2, 2], "segmentation": {"size": [16, 24], "counts": [3, 4, 377]}, "iscrowd": 1},
        {"id": 3, "image_id": 1, "category_id": 1, "segmentation": {"size": [16, 24], "counts": "0124"}, "iscrowd": 1},
    ],
}  # fmt: skip
_LABELME = {
    "version": "5.0", "imagePath": "a.png", "imageWidth": 24, "imageHeight": 16, "flags": {},
    "shapes": [{"label": "x", "points": [[1, 1], [5, 1], [5, 6]], "shape_type": "polygon", "flags": {}},
               {"label": "x", "points": [[5, 5], [7, 5]], "shape_type": "circle"}],
}  # fmt: skip


def _label_seeds(folder: Path) -> Sequence[bytes]:
    (folder / "a.png").write_bytes(_encoded(".png"))
    return [json.dumps(document).encode() for document in (_VIA, _COCO, _LABELME)]


def _via_csv_seeds(folder: Path) -> Sequence[bytes]:
    (folder / "a.png").write_bytes(_encoded(".png"))
    head = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    row = 'a.png,1,"{}",1,0,"{""name"":""rect"",""x"":1,""y"":2,""width"":3,""height"":4}","{}"\n'
    return [(head + row).encode()]


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


def _pixel_seeds(folder: Path) -> Sequence[bytes]:
    from edge.cameras.pixel_formats import FORMATS

    return [bytes([index, 8, 4, 0, 0, 0]) + bytes(range(96)) * 2 for index in range(len(FORMATS))]


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
        nodes = type("Map", (), {"has_node": lambda self, name: True, "nodes": [node], "__getattr__": lambda self, name: node})()
        features = Features(nodes, "camera", (RuntimeError,))
        given: tuple[bool | int | float | str, ...] = (True, 3, 2.5, "On")
        features.set("Gain", given[data[1] % 4] if len(data) > 1 else 1, keep=True)
        features.read("Gain")
        features.verify()

    return run


def _channel(folder: Path) -> Run:
    from edge.cameras import channel

    return lambda data: channel._decode(data) and None


def _channel_seeds(folder: Path) -> Sequence[bytes]:
    from edge.cameras import channel
    from edge.errors import CameraLost

    made = (channel.Opened(), channel.RingMade(1, 2, 3), channel.Failed(CameraLost("gone", where="x")), channel.FrameRecord(1, 0, (2, 2)))
    return [channel._encode(message) for message in made]  # fmt: skip


def _header(folder: Path) -> Run:
    from edge.cameras.image_headers import read_header

    return lambda data: read_header(data) and None


def _image(path: Path) -> None:
    from edge.cameras.images import read_image

    read_image(path)


def _image_seeds(folder: Path) -> Sequence[bytes]:
    return [_encoded(suffix) for suffix in (".png", ".jpg", ".bmp", ".tiff")]


def _png(folder: Path) -> Run:
    from edge.bundle.image import decode_png

    return lambda data: None if decode_png(data, "x") is None else None


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


def _audit_seeds(folder: Path) -> Sequence[bytes]:
    from edge.audit import AuditLog
    from edge.audit.entry import Action
    from edge.settings.audit import AuditSettings

    log = folder / "seed-audit"
    log.mkdir()
    made = AuditLog(log, AuditSettings())
    for number in range(3):
        made.append(Action.RECIPE, who="a", subject="b", why="c", before=None, after={"v": number})
    return [(log / "audit-000001.jsonl").read_bytes()]


def _evidence(folder: Path) -> Run:
    from edge.archive.packing import unpack_document

    return lambda data: unpack_document(data, "x.json", "2026-11-22/04") and None


def _evidence_seeds(folder: Path) -> Sequence[bytes]:
    from edge.archive.packing import FIELDS, SCHEMA

    files = {"frame": {"name": "a.png", "sha256": "0" * 64, "size_bytes": 3}}
    body = {"schema": SCHEMA, **dict.fromkeys(FIELDS, "x"), "decided_us": 5, "files": files, "document": {"a": 1}}
    return [json.dumps(body).encode()]


def _map(folder: Path) -> Run:
    from edge.archive.packing import unpack_map

    return lambda data: None if unpack_map(data, "x") is None else None


def _map_seeds(folder: Path) -> Sequence[bytes]:
    from edge.archive.packing import pack_map

    return [pack_map(np.ones((5, 7), np.float32), None, None)]


def _export(path: Path) -> None:
    from edge.archive.export import verify_export

    verify_export(path)


def _export_seeds(folder: Path) -> Sequence[bytes]:
    from edge.archive.export import MANIFEST, SCHEMA

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("evidence/a.json", b"{}")
        archive.writestr(MANIFEST, json.dumps({"schema": SCHEMA, "files": {"evidence/a.json": {"sha256": "0" * 64, "size_bytes": 2}}}))
    return [buffer.getvalue()]  # fmt: skip


def _checkpoint(path: Path) -> None:
    from export.outline import outline

    outline(path)


def _tensors(path: Path) -> None:
    from export.checkpoint import load_checkpoint

    load_checkpoint(path)


def _checkpoint_seeds(folder: Path) -> Sequence[bytes]:
    import torch

    state = {"conv.weight": torch.arange(24.0).reshape(2, 3, 4), "conv.bias": torch.zeros(2), "n": torch.tensor(3)}
    made = []
    for name, old in (("new.pt", False), ("old.pt", True)):
        torch.save({"state_dict": state, "epoch": 3}, folder / name, _use_new_zipfile_serialization=not old)
        made.append((folder / name).read_bytes())
    return made


def _errors(kind: str) -> tuple[type[Exception], ...]:
    from edge.cameras.channel import ChannelClosed
    from edge.cameras.image_headers import BadImage

    return {"header": (BadImage,), "channel": (ChannelClosed,), "evidence": (ValueError,)}.get(kind, ())


TARGETS: Mapping[str, Target] = {
    "bundle": Target(lambda folder: [_bundle_zip(folder)], _bundle),
    "manifest": Target(_manifest_seeds, _manifest),
    "golden": Target(_golden_seeds, _golden),
    "recipe": Target(_recipe_seeds, _recipe),
    "transfer": Target(_transfer_seeds, _transfer),
    "config": Target(_config_seeds, _file_target("config.yaml", _config)),
    "last-good": Target(_last_good_seeds, _file_target("config.last-good", _last_good)),
    "command": Target(_command_seeds, _command),
    "labels": Target(_label_seeds, _file_target("labels.json", _labels)),
    "via-csv": Target(_via_csv_seeds, _file_target("labels.csv", _labels)),
    "pixels": Target(_pixel_seeds, _pixels),
    "features": Target(lambda folder: [bytes([kind, 0]) + b"\1" * 64 for kind in range(6)], _features),
    "channel": Target(_channel_seeds, _channel),
    "header": Target(_image_seeds, _header),
    "image": Target(_image_seeds, _file_target("image.png", _image)),
    "png": Target(lambda folder: [_encoded(".png")], _png),
    "audit": Target(_audit_seeds, _audit),
    "evidence": Target(_evidence_seeds, _evidence),
    "map": Target(_map_seeds, _map),
    "export": Target(_export_seeds, _file_target("batch.zip", _export)),
    "outline": Target(_checkpoint_seeds, _file_target("model.pt", _checkpoint)),
    "checkpoint": Target(_checkpoint_seeds, _file_target("model.pt", _tensors)),
}


@functools.cache
def expected_of(name: str) -> tuple[type[Exception], ...]:
    """What the target may raise."""
    return (LineclearError, *_errors(name), *TARGETS[name].expected)
