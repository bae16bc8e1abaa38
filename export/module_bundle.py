"""From a network to a bundle: both precisions, golden vectors, and the proof that they agree before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from edge.bundle import Bundle, Declaration, Tensors, Tolerance, write_bundle
from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.errors import BundleError
from edge.registration.resampling import resize
from edge.types import ImageU8
from export.graph import Precision, half_share
from export.proof import run_once
from export.typed import typed_onnx

SEED = 5
HALF_SHARE = "half_share"


def write_module_bundle(
    out: Path,
    module: nn.Module,
    declaration: Declaration,
    golden: Sequence[Tensors],
    licence: str,
    *,
    reference: ImageU8 | None = None,
    float16: bool = True,
) -> Bundle:
    """Write the bundle of a network that follows the graph contract, in both precisions (float16 False: in float32 alone).

    golden: the golden inputs (`golden_inputs`); their outputs are the float32 graph's on ONNX Runtime. The network itself
    and the float16 graph must give the same within the declaration's limits. The share of the float16 graph's nodes that
    compute in float16 goes into the manifest's parameters as `half_share`. BundleError: they disagree, or a part cannot be
    exported or written; then nothing is.
    """
    graphs = typed_pair(module, declaration, float16=float16)
    outputs = [run_once(graphs["float32"], given) for given in golden]
    for index, (given, made) in enumerate(zip(golden, outputs, strict=True)):
        agree(made, run_module(module, declaration, given), declaration.limits.float32, f"golden vector {index}, the network")
        if float16:
            halved = run_once(graphs["float16"], given)
            agree(made, halved, declaration.limits.float16, f"golden vector {index}, float16")
    shares = {HALF_SHARE: round(half_share(graphs["float16"]), 3)} if float16 else {}
    return write_bundle(
        out,
        declaration.model_copy(update={"parameters": {**declaration.parameters, **shares}}),
        model=graphs["float32"],
        model_fp16=graphs.get("float16"),
        golden_inputs=golden,
        golden_outputs=outputs,
        licence=licence,
        reference=reference,
    )


def typed_pair(module: nn.Module, declaration: Declaration, *, float16: bool = True) -> Mapping[str, bytes]:
    """The network's ONNX by precision, with the declaration's inputs and outputs."""
    examples = {str(spec.name): torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype)) for spec in declaration.inputs}
    names = [spec.name for spec in declaration.outputs]
    precisions: tuple[Precision, ...] = ("float32", "float16") if float16 else ("float32",)
    return {precision: typed_onnx(module, examples, names, precision) for precision in precisions}


def run_module(module: nn.Module, declaration: Declaration, given: Tensors) -> Tensors:
    """The network's own outputs by name, in torch."""
    with torch.no_grad():
        made = module.eval()(*(torch.from_numpy(np.array(given[spec.name])) for spec in declaration.inputs))
    parts = made if isinstance(made, tuple) else (made,)
    return {spec.name: part.numpy() for spec, part in zip(declaration.outputs, parts, strict=True)}


def agree(expected: Tensors, made: Tensors, tolerance: Tolerance, what: str) -> None:
    """BundleError where a value is further from the expected one than the tolerance, or is no number."""
    for name, golden in expected.items():
        exact = golden.astype(np.float64)
        if made[name].shape != golden.shape or not np.isfinite(exact).all():
            raise BundleError(f"{what}: {name} has no usable values", remedy="is this the checkpoint of a finished training?")
        errors = np.nan_to_num(np.abs(made[name] - exact), nan=np.inf)
        beyond = errors - (tolerance.atol + tolerance.rtol * np.abs(exact))
        if beyond.max() > 0:
            worst = int(np.argmax(beyond))
            raise BundleError(
                f"{what}: {name} is {made[name].flat[worst]:.6g} where {golden.flat[worst]:.6g} is expected; the limits are "
                f"{tolerance.rtol:g} relative and {tolerance.atol:g} absolute",
                remedy="give real images of the line (--golden); if only float16 still fails: --float32-only",
            )


def golden_inputs(declaration: Declaration, images: Path | None, count: int = 3, seed: int = SEED) -> list[Tensors]:
    """Inputs for golden vectors: real images of a folder, resized with the manifest's kernel, else made-up scenes.

    `reference` is the first image (a made-up one: the same scene without what was put on it); `keep` masks a corner of the
    last vector. ConfigError, FrameError: the folder holds no image, or one that cannot be read.
    """
    size_wh = declaration.size_wh
    if images is None:
        plain = _scene(size_wh, seed)
        frames = [_spoilt(plain, seed + place) if place else plain for place in range(count)]
    else:
        paths = good_images(images)
        chosen = [paths[place * len(paths) // count] for place in range(min(count, len(paths)))]
        frames = [_at_size(read_image(path), declaration) for path in dict.fromkeys(chosen)]
    wanted = {str(spec.name) for spec in declaration.inputs}
    vectors: list[Tensors] = []
    for place, frame in enumerate(frames):
        keep = np.ones(size_wh[::-1], np.uint8)
        if place == len(frames) - 1:
            keep[: size_wh[1] // 4, : size_wh[0] // 4] = 0
        tensors = {"image": frame[None], "reference": frames[0][None], "keep": keep[None]}
        vectors.append({name: tensor for name, tensor in tensors.items() if name in wanted})
    return vectors


def _at_size(image: ImageU8, declaration: Declaration) -> ImageU8:
    colour = image if image.ndim == 3 else np.repeat(image[:, :, None], 3, 2)
    if declaration.crop is not None:
        height, width = colour.shape[:2]
        crop = declaration.crop
        rows = slice(round(crop.top * height), max(round(crop.bottom * height), round(crop.top * height) + 1))
        columns = slice(round(crop.left * width), max(round(crop.right * width), round(crop.left * width) + 1))
        colour = colour[rows, columns]
    return resize(np.ascontiguousarray(colour), declaration.size_wh, declaration.resize.kernel)


def _scene(size_wh: tuple[int, int], seed: int) -> ImageU8:
    """A texture with edges, always the same for a seed: flat patches under smoothed noise."""
    width, height = size_wh
    random = np.random.default_rng(seed)
    flat = random.uniform(60, 190, (6, 8, 3)).astype(np.float32)
    image = cv2.resize(flat, size_wh, interpolation=cv2.INTER_NEAREST)
    image += 40 * cv2.GaussianBlur(random.normal(0, 1, (height, width, 3)).astype(np.float32), (0, 0), 1.5)
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _spoilt(plain: ImageU8, seed: int) -> ImageU8:
    """The scene with a few patches on it that do not belong there."""
    random = np.random.default_rng(seed)
    image: ImageU8 = plain.copy()
    height, width = image.shape[:2]
    for _ in range(3):
        x, y = int(random.integers(0, max(1, width * 3 // 4))), int(random.integers(0, max(1, height * 3 // 4)))
        image[y : y + max(1, height // 8), x : x + max(1, width // 8)] = random.integers(0, 256, 3)
    return image
