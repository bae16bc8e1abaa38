"""Mutated checkpoints, ONNX files, manifests and bundles on disk, each with the command that must refuse or survive it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
import yaml

from benchmarks.mutation_bytes import damaged, evil_pickles, members, rezipped, zipped
from benchmarks.mutation_onnx import graph_damaged
from edge.bundle import open_bundle
from edge.bundle.manifest import content_hash, name_of
from export.__main__ import main
from export.nets.draem import Discriminative, Reconstructive
from tests.export.onnx_files import anomalib_2, classify, saved, segment

WIDTH = 2


@dataclass(frozen=True)
class Case:
    """argv: for `lineclear-export`; `open BUNDLE` opens a bundle and starts its engine."""

    number: int
    kind: str
    how: str
    folder: str
    argv: tuple[str, ...]

    def line(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))


def make_seeds(folder: Path) -> Path:
    """The sound files from which every mutant is made; those of the old torch format vary with memory addresses."""
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    for name, net in (("DRAEM_x_.pckl", Reconstructive(WIDTH)), ("DRAEM_x__seg.pckl", Discriminative(WIDTH))):
        torch.save(net.state_dict(), folder / name)
        torch.save(net.state_dict(), folder / f"old_{name}", _use_new_zipfile_serialization=False)
    saved(anomalib_2(), folder / "anomalib.onnx")
    saved(anomalib_2(opset=18, size_hw=("h", "w")), folder / "outside" / "model.onnx", data="model.onnx.data")
    saved(segment(), folder / "segment.onnx")
    saved(classify(), folder / "classify.onnx")
    manifest = {
        "schema": 1, "size_wh": [64, 64], "resize": "cv2_area", "score": {"kind": "max", "window": 1}, "licence": "mine",
        "inputs": [
            {"name": "input", "takes": "image", "colour": "rgb", "scale": 255, "mean": [0, 0, 0], "std": [1, 1, 1]}
        ],
        "outputs": [{"name": "anomaly_map", "gives": "anomaly_map", "activation": "none", "higher": "worse"}],
    }  # fmt: skip
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    bundle = folder / "bundle"
    if main(["anomalib", "--checkpoint", str(folder / "anomalib.onnx"), "--out", str(bundle)]) != 0:
        raise SystemExit("the sound file must export")
    # The time of the export would make every run's mutants others.
    _seal(bundle, {**json.loads((bundle / "manifest.json").read_text()), "created_at": "2026-01-01T00:00:00Z"})
    parts = [(path.name, path.read_bytes()) for path in sorted(bundle.iterdir())]
    (folder / "bundle.zip").write_bytes(zipped(parts))
    open_bundle(bundle)
    open_bundle(folder / "bundle.zip")
    return folder


def make_case(number: int, seed: int, seeds: Path, folder: Path, canary: Path) -> Case:
    """Write mutant `number`; the same seed always gives the same one."""
    source = random.Random(seed * 1_000_003 + number)
    here = folder / f"{number:05d}"
    here.mkdir(parents=True)
    kind, make = MAKERS[number % len(MAKERS)]
    how, argv = make(source, seeds, here, canary)
    return Case(number, kind, how, str(here), tuple(argv))


def _checkpoint(source: random.Random, seeds: Path, here: Path, canary: Path) -> tuple[str, list[str]]:
    names = ["DRAEM_x_.pckl", "DRAEM_x__seg.pckl"]
    for name in names:
        shutil.copy(seeds / name, here / name)
    target = here / source.choice(names)
    how = _damage_checkpoint(source, seeds, target, canary)
    if source.random() < 0.2:
        return how, ["inspect", str(target)]
    return how, ["draem", "--checkpoint", str(here / names[0]), "--size", "32", "--out", str(here / "out")]


def _damage_checkpoint(source: random.Random, seeds: Path, target: Path, canary: Path) -> str:
    data, way = target.read_bytes(), source.randrange(5)
    if way == 0:
        old = source.random() < 0.5
        target.write_bytes(damaged((seeds / f"old_{target.name}").read_bytes() if old else data, source))
        return "bytes, old format" if old else "bytes"
    if way == 1:
        how, made = rezipped(data, source)
        target.write_bytes(made)
        return f"zip {how}"
    if way == 2:
        how, evil = source.choice(evil_pickles(str(canary)))
        parts = [(name, evil if name.endswith("data.pkl") else content) for name, content in members(data)]
        target.write_bytes(evil if source.random() < 0.4 else zipped(parts))
        return f"pickle {how}"
    if way == 3:
        parts = [(name, damaged(content, source) if name.endswith("data.pkl") else content) for name, content in members(data)]
        target.write_bytes(zipped(parts))
        return "bytes of the pickle"
    return _wrong_tensors(source, target)


def _wrong_tensors(source: random.Random, target: Path) -> str:
    state: dict[Any, Any] = dict(torch.load(target, weights_only=True))
    key = source.choice([name for name in state if state[name].is_floating_point()])
    one = state[key]
    changes: dict[str, Any] = {
        "nan": torch.full_like(one, float("nan")),
        "infinite": torch.full_like(one, float("inf")),
        "wrong shape": torch.ones(3, 5),
        "no numbers": torch.ones(0),
        "whole numbers": torch.ones_like(one, dtype=torch.int64),
        "sparse": torch.eye(4).to_sparse(),
        "complex": one.to(torch.complex64),
        "half": one.half(),
        "huge values": torch.full_like(one, 3e38),
        "not a tensor": "text",
        "expanded": torch.ones(1).expand(100_000, 100_000),
    }
    how = source.choice([*changes, "missing", "surplus", "renamed", "nested", "empty"])
    if how in changes:
        state[key] = changes[how]
    elif how == "missing":
        del state[key]
    elif how == "surplus":
        state["encoder.other"] = one
    elif how == "renamed":
        state[key + "\x1b[2J\n"] = state.pop(key)
    else:
        state = {"state_dict": state} if how == "nested" else {}
    torch.save(state, target)
    return f"tensors {how}"


def _onnx(source: random.Random, seeds: Path, here: Path, _: Path) -> tuple[str, list[str]]:
    family, name = source.choice((("anomalib", "anomalib"), ("change_onnx", "segment"), ("change_onnx", "classify")))
    target = here / "model.onnx"
    data = (seeds / f"{name}.onnx").read_bytes()
    if source.random() < 0.4:
        target.write_bytes(damaged(data, source))
        how = "bytes"
    else:
        model = onnx.load_from_string(data)
        how = "graph " + ", ".join(graph_damaged(model, source) for _ in range(source.choice((1, 1, 2))))
        target.write_bytes(model.SerializeToString())
        os.symlink("/etc/passwd", here / "link")
    if source.random() < 0.1:
        return how, ["inspect", str(target)]
    return how, [family, "--checkpoint", str(target), "--out", str(here / "out")]


def _outside(source: random.Random, seeds: Path, here: Path, _: Path) -> tuple[str, list[str]]:
    """Weights in another file: damaged, cut, another model's, a link, a device."""
    model, data = here / "model.onnx", here / "model.onnx.data"
    shutil.copy(seeds / "outside" / "model.onnx", model)
    shutil.copy(seeds / "outside" / "model.onnx.data", data)
    how = source.choice(("cut", "link", "shared", "other", "bytes", "missing", "folder", "renamed"))
    if how == "cut":
        data.write_bytes(data.read_bytes()[: source.randrange(data.stat().st_size)])
    elif how == "shared":
        shutil.copy(model, here / "stationB.onnx")
    elif how == "other":
        data.write_bytes(os.urandom(16) * (data.stat().st_size // 16 + 1))
    elif how == "bytes":
        model.write_bytes(damaged(model.read_bytes(), source))
    elif how == "renamed":
        data.rename(here / "other.data")
    else:
        data.unlink()
        if how == "link":
            data.symlink_to(source.choice(("/etc/passwd", "/dev/zero", str(seeds / "outside" / "model.onnx.data"))))
        elif how == "folder":
            data.mkdir()
    return f"outside {how}", ["anomalib", "--checkpoint", str(model), "--out", str(here / "out")]


def _yaml(source: random.Random, seeds: Path, here: Path, canary: Path) -> tuple[str, list[str]]:
    text, target = (seeds / "manifest.yaml").read_text(), here / "manifest.yaml"
    how = source.choice(("bytes", "values", "values", "aliases", "python", "deep", "numbers"))
    if how == "bytes":
        target.write_bytes(damaged(text.encode(), source))
    elif how == "values":
        data = yaml.safe_load(text)
        _replace_one(data, source)
        target.write_text(yaml.safe_dump(data))
    elif how == "aliases":
        target.write_text("a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(20)) + text)
    elif how == "python":
        target.write_text(text + f"extra: !!python/object/apply:os.system ['touch {canary}']\n")
    elif how == "deep":
        target.write_text(text + "extra: " + "[" * 20_000 + "]" * 20_000 + "\n")
    else:
        number = source.choice(("1e999", "0x" + "f" * 4000, ".nan", "-.inf", "1" * 5000, "-0.0"))
        target.write_text(text.replace("255", number))
    argv = ["onnx", "--checkpoint", str(seeds / "anomalib.onnx"), "--manifest", str(target), "--out", str(here / "out")]
    return f"yaml {how}", argv


def _replace_one(data: Any, source: random.Random) -> None:
    wild = (None, "", "x", -1, 0, 2**70, 1e308, [], {}, [[]], True, "\x1b[2J", [1, 2, 3], 0.5, "max", "image", "bgr")
    holder = data
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = source.choice(keys)
        inner = holder[key]
        if not isinstance(inner, (dict, list)) or not inner or source.random() < 0.3:
            if source.random() < 0.2 and isinstance(holder, dict):
                del holder[key]
            else:
                holder[key] = source.choice(wild)
            return
        holder = inner


def _zip(source: random.Random, seeds: Path, here: Path, _: Path) -> tuple[str, list[str]]:
    data, target = (seeds / "bundle.zip").read_bytes(), here / "bundle.zip"
    if source.random() < 0.4:
        # Half of the damage at the end, where the directory is.
        at = 0 if source.random() < 0.5 else data.index(b"PK\x01\x02", data.rindex(b"PK\x03\x04"))
        target.write_bytes(data[:at] + damaged(data[at:], source))
        return "zip bytes", ["open", str(target)]
    how, made = rezipped(data, source)
    target.write_bytes(made)
    return f"zip {how}", ["open", str(target)]


def _forged(source: random.Random, seeds: Path, here: Path, canary: Path) -> tuple[str, list[str]]:
    """A bundle whose files were changed and whose manifest was made to agree, as a forger would."""
    folder = here / "bundle"
    shutil.copytree(seeds / "bundle", folder)
    name = source.choice(("model.onnx", "model.onnx", "model.fp16.onnx", "golden.npz", "LICENSE", "manifest.json", "files"))
    if name == "files":
        how = source.choice(("link", "surplus", "pickle", "missing", "folder", "pipe"))
        _odd_file(folder, how, source, canary)
        return f"forged {how}", ["open", str(folder)]
    target, how = folder / name, "bytes"
    if name.endswith(".onnx") and source.random() < 0.7:
        model = onnx.load(target)
        how = "graph " + graph_damaged(model, source)
        target.write_bytes(model.SerializeToString())
    elif name == "golden.npz" and source.random() < 0.6:
        how, made = rezipped(target.read_bytes(), source)
        if source.random() < 0.3:
            how, made = "pickle", _pickled_array(target.read_bytes(), canary)
        target.write_bytes(made)
    elif name == "manifest.json":
        data, how = json.loads(target.read_text()), "values"
        _replace_one(data, source)
        _seal(folder, data)
        return "forged manifest values", ["open", str(folder)]
    else:
        target.write_bytes(damaged(target.read_bytes(), source))
    data = json.loads((folder / "manifest.json").read_text())
    data["files"][name] = hashlib.sha256(target.read_bytes()).hexdigest()
    _seal(folder, data)
    return f"forged {name} {how}", ["open", str(folder)]


def _pickled_array(data: bytes, canary: Path) -> bytes:
    buffer = io.BytesIO()
    evil = evil_pickles(str(canary))[0][1]
    header = np.lib.format.magic(1, 0)
    text = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    buffer.write(header + len(text).to_bytes(2, "little") + text + evil)
    parts = members(data)
    return zipped([(name, buffer.getvalue() if place == 0 else content) for place, (name, content) in enumerate(parts)])


def _seal(folder: Path, data: Any) -> None:
    # What is no JSON object any more has no name either.
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        data["name"] = name_of(str(data.get("family")), content_hash(data))
    (folder / "manifest.json").write_text(json.dumps(data))


def _odd_file(folder: Path, how: str, source: random.Random, canary: Path) -> None:
    if how == "link":
        (folder / "model.onnx").unlink()
        (folder / "model.onnx").symlink_to("/etc/passwd")
    elif how == "surplus":
        (folder / "conftest.py").write_text(f"open({str(canary)!r}, 'w')")
    elif how == "pickle":
        (folder / "golden.npz").write_bytes(source.choice(evil_pickles(str(canary)))[1])
    elif how == "missing":
        (folder / source.choice(("golden.npz", "LICENSE", "model.onnx", "manifest.json"))).unlink()
    elif how == "folder":
        (folder / "LICENSE").unlink()
        (folder / "LICENSE").mkdir()
    else:
        (folder / "golden.npz").unlink()
        os.mkfifo(folder / "golden.npz")


Maker = Callable[[random.Random, Path, Path, Path], tuple[str, list[str]]]
MAKERS: tuple[tuple[str, Maker], ...] = (
    ("checkpoint", _checkpoint), ("onnx", _onnx), ("bundle", _zip), ("checkpoint", _checkpoint), ("onnx", _onnx),
    ("manifest", _yaml), ("bundle", _forged), ("onnx", _outside), ("onnx", _onnx), ("bundle", _forged),
)  # fmt: skip
