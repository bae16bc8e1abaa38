"""What a file is, in words for the person who was given it: a checkpoint, an ONNX file, or a bundle."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import Bundle, open_bundle
from export.container import head_of
from export.outline import Outline, outline
from export.recognising import Recognised, nearest, recognise, recognise_onnx

_MIB = 1 << 20


@dataclass(frozen=True)
class Finding:
    """What a file is. facts: what it says of itself. families: who takes it; advice: what to do where that is not one."""

    path: Path
    kind: str
    facts: Mapping[str, str | int | list[str]]
    families: tuple[Recognised, ...]
    advice: str

    def document(self) -> dict[str, object]:
        """For `--json`."""
        families = [
            {"family": each.family, "facts": list(each.facts), "declare": list(each.declare), "command": self._call(each)}
            for each in self.families
        ]
        facts = dict(self.facts)
        return {"file": str(self.path), "kind": self.kind, **facts, "families": families, "advice": self.advice}

    def text(self) -> str:
        """For a person."""
        lines = [f"{_plain(str(self.path))}: {self.kind}"]
        for key, value in self.facts.items():
            values = value if isinstance(value, list) else [str(value)]
            lines += [f"  {key.replace('_', ' ')}: {_plain(each)}" for each in values]
        for each in self.families:
            lines.append(f"  family: {each.family} ({', '.join(each.facts)})")
            lines += [f"    you must say: {what}" for what in each.declare]
            lines.append(f"    {self._call(each)}")
        return "\n".join([*lines, *([f"  {_plain(self.advice)}"] if self.advice else [])]) + "\n"

    def _call(self, recognised: Recognised) -> str:
        return recognised.command.replace("FILE", str(self.path))


def examine(path: Path) -> Finding:
    """Look at a file or a bundle's folder. BundleError: nothing that can be read, and what it is where that is known."""
    if path.is_dir():
        return _bundle(open_bundle(path), path)
    head = head_of(path)
    if head.startswith(b"PK\x03\x04") and _is_bundle(path):
        return _bundle(open_bundle(path), path)
    from export.onnx_description import looks_like_onnx

    return _onnx(path) if looks_like_onnx(path, head) else _checkpoint(path, outline(path))


def _checkpoint(path: Path, found: Outline) -> Finding:
    families = recognise(found.shapes)
    widths = Counter(found.dtypes[name] for name in found.dtypes)
    facts: dict[str, str | int | list[str]] = {
        "tensors": len(found.shapes),
        "parameters": found.elements,
        "element_types": ", ".join(f"{dtype} ({count})" for dtype, count in widths.most_common()),
        "sha256": found.sha256,
    }
    if found.inner is not None:
        facts["weights_under"] = found.inner
    if found.others:
        facts["also_holds"] = ", ".join(found.others[:5])
    return Finding(path, "a checkpoint of torch", facts, families, _advice(families, found))


def _advice(families: Sequence[Recognised], found: Outline) -> str:
    if len(families) > 1:
        names = ", ".join(each.family for each in families)
        return f"several families have this format ({names}): only where it was trained is it known which one it is"
    if families:
        return ""
    close = nearest(found.shapes)
    first = ", ".join(f"{name} {list(shape)}" for name, shape in list(found.shapes.items())[:3])
    if close is None:
        return (
            f"no family here has such tensors (the first are {first}): export it to ONNX upstream, then lineclear-export onnx"
        )
    if not close.missing:
        variant = f"it has the names of {close.family}, but not its shapes: is it a variant?"
        return f"{variant} lineclear-export {close.family} says what differs"
    return (
        f"no family fits; the nearest is {close.family}, which also has {', '.join(close.missing[:3])}: "
        "is the file one half of the model, or saved from a part of it?"
    )


def _onnx(path: Path) -> Finding:
    from export.onnx_description import describe_onnx

    found = describe_onnx(path)
    families = recognise_onnx(found)
    operators = ", ".join(f"{count} {name}" for name, count in Counter(found.operators).most_common(6))
    facts: dict[str, str | int | list[str]] = {
        "producer": found.producer or "not stated",
        "opset": found.opset,
        "ir_version": found.ir_version,
        "input": [str(port) for port in found.inputs],
        "output": [str(port) for port in found.outputs],
        "parameters": found.elements,
        "nodes": f"{sum(found.operators.values())}: {operators}",
    }
    strange = sorted(
        domain for domain in found.domains if domain and any(name.startswith(f"{domain}.") for name in found.operators)
    )
    if strange:
        facts["operators_of_others"] = ", ".join(strange)
    if found.external:
        facts["weights_in"] = list(found.external[:5])
    if found.metadata:
        facts["notes"] = [f"{key}={value[:80]}" for key, value in list(found.metadata.items())[:8]]
    advice = "" if families else "any ONNX file can be used: lineclear-export onnx writes a manifest to fill in"
    return Finding(path, "an ONNX file", facts, families, advice)


def _bundle(bundle: Bundle, path: Path) -> Finding:
    manifest = bundle.manifest
    width, height = manifest.size_wh
    facts: dict[str, str | int | list[str]] = {
        "name": bundle.name,
        "family": manifest.family,
        "size": f"{width}x{height}",
        "input": [str(spec) for spec in manifest.inputs],
        "output": [str(spec) for spec in manifest.outputs],
        "resize": f"{manifest.resize.kernel}, {manifest.resize.mode}",
        "files": [f"{name} ({math.ceil((bundle.path / name).stat().st_size / _MIB)} MiB)" for name in sorted(manifest.files)],
        "parameter": [f"{key}={value}" for key, value in sorted(manifest.parameters.items())],
        "made": f"{manifest.created_at:%Y-%m-%d} by {manifest.created_by}",
    }
    return Finding(path, "a bundle, verified", facts, (), "")


def _is_bundle(path: Path) -> bool:
    from edge.bundle.archive import looks_like_bundle

    return looks_like_bundle(path)


def _plain(text: str) -> str:
    """Words of a file that nobody has verified, made fit for a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:400])
