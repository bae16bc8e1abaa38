"""Any ONNX file with a manifest that a person wrote."""

from __future__ import annotations

from datetime import datetime, timezone

from edge.bundle import Declaration, Masking, ResizeRule, Training, contract
from edge.errors import BundleError, ConfigError
from export.adapters.onnx_any_manifest import InputEntry, OnnxManifest
from export.graph import OPSET
from export.onnx_surgery.ends import Feed, Tap, attach
from export.onnx_surgery.preparing import prepared
from export.onnx_surgery.reading import Foreign

FAMILY = "onnx"
_ORDER = ("image", "reference", "keep")


def adapt(
    foreign: Foreign, manifest: OnnxManifest, training: Training, created_by: str, where: str
) -> tuple[bytes, Declaration]:
    """The bundle's graph and declaration. where: the manifest's file; ConfigError names its key. BundleError: the file."""
    shapes = {}
    for place, entry in enumerate(manifest.inputs):
        key = f"inputs.{place}"
        if entry.name not in foreign.inputs:
            raise ConfigError(
                f"{key}.name: the file has no input {entry.name!r}", where=where, remedy=f"it has {', '.join(foreign.inputs)}"
            )
        shapes[entry.name] = _shape(foreign.inputs[entry.name], entry, manifest.size_wh, key, where)
    left = [name for name in foreign.inputs if name not in shapes]
    if left:
        raise ConfigError(f"inputs: {left[0]!r} of the file is missing", where=where, remedy="say what it takes")
    for place, output in enumerate(manifest.outputs):
        if output.name not in foreign.outputs:
            raise ConfigError(
                f"outputs.{place}.name: the file has no output {output.name!r}",
                where=where,
                remedy=f"it has {', '.join(foreign.outputs)}",
            )
    model = prepared(foreign, shapes)
    feeds = [_feed(entry) for entry in manifest.inputs]
    taps: dict[str, Tap] = {
        each.gives: Tap(each.name, each.layout, each.channel, each.activation, each.higher)
        for each in sorted(manifest.outputs, key=lambda each: each.gives)
    }
    try:
        graph = attach(model, feeds, taps, manifest.size_wh, str(foreign.path))
    except BundleError as error:
        raise ConfigError(f"inputs, outputs: {error.message}", where=where, remedy=error.remedy) from None
    return graph, _declared(foreign, manifest, training, created_by)


def _declared(foreign: Foreign, manifest: OnnxManifest, training: Training, created_by: str) -> Declaration:
    takes, gives = {each.takes for each in manifest.inputs}, {each.gives for each in manifest.outputs}
    image = next(each for each in manifest.inputs if each.takes == "image")
    size_wh = manifest.size_wh
    return Declaration(
        family=FAMILY,
        size_wh=size_wh,
        inputs=contract(size_wh, [name for name in _ORDER if name in takes]),
        outputs=contract(size_wh, [name for name in ("anomaly_map", "image_score") if name in gives]),
        colour_order=image.colour or "rgb",
        value_range=(0.0, 255.0 / (image.scale or 255.0)),
        resize=ResizeRule(kernel=manifest.resize),
        score=manifest.score,
        masking=Masking(
            pre="keep" in takes,
            post="anomaly_map" in gives and manifest.masked == "map",
            fill="reference" if manifest.masked == "reference" else "none",
        ),
        opset=OPSET,
        parameters={
            "opset_of_the_file": foreign.opset,
            **{f"sha256_of_{name}"[:80]: digest for name, digest in foreign.files.items()},
        },
        training=training,
        created_at=datetime.now(timezone.utc),
        created_by=created_by,
    )


def _feed(entry: InputEntry) -> Feed:
    if entry.takes == "keep":
        return Feed(entry.name, takes="keep")
    return Feed(
        entry.name, entry.takes, entry.layout, entry.colour or "rgb", entry.scale or 255.0, entry.mean or (), entry.std or ()
    )


def _shape(found: tuple[int | None, ...], entry: InputEntry, size_wh: tuple[int, int], key: str, where: str) -> tuple[int, ...]:
    """The fixed shape of an input, from what the file leaves open and what the manifest says."""
    width, height = size_wh
    channels = 1 if entry.takes == "keep" or entry.colour == "grey" else 3
    wanted: tuple[int, ...] = (1, height, width, channels) if entry.layout == "nhwc" else (1, channels, height, width)
    if entry.takes == "keep" and len(found) == 3:
        wanted = (1, height, width)
    if len(found) == 5 and entry.layout == "nchw" and found[1] is not None:
        wanted = (1, found[1], *wanted[1:])
    if len(found) != len(wanted) or any(old not in (None, new) for old, new in zip(found, wanted, strict=True)):
        shown = "x".join("?" if side is None else str(side) for side in found)
        raise ConfigError(
            f"{key}: the file's {entry.name!r} is {shown}; size_wh, layout and colour say {'x'.join(map(str, wanted))}",
            where=where,
            remedy="mend size_wh, layout or colour",
        )
    return wanted
