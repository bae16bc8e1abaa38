"""What a bundle says of itself: the manifest, the graph contract, the content hash that names it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AwareDatetime, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from typing_extensions import Self

from edge.bundle.programs import DenoisingLoop, Program
from edge.bundle.tiling import Tiling
from edge.errors import BundleError, ConfigError
from edge.schema import Closed, validate
from edge.settings.judging import ScoreRule, Unit
from edge.settings.registration import ResampleMode, ResizeKernel

INPUT_NAMES = ("image", "reference", "keep")
OUTPUT_NAMES = ("anomaly_map", "image_score")
NAME_DIGITS = 12
# An image that takes more is one that no station ever answers for.
MAX_CALLS = 20_000

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Side = Annotated[int, Field(ge=1, le=16384)]
Scalar = str | int | float | bool | None
Text = Annotated[str, Field(max_length=2000)]


class TensorSpec(Closed):
    """One input or output of the graph; uint8 and float32 are all that the contract knows."""

    name: Literal["image", "reference", "keep", "anomaly_map", "image_score"]
    dtype: Literal["uint8", "float32"]
    shape: tuple[Side, ...] = Field(min_length=1, max_length=4)

    @property
    def nbytes(self) -> int:
        """Bytes of one such array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {list(self.shape)}"


def contract(size_wh: tuple[int, int], names: Iterable[str]) -> tuple[TensorSpec, ...]:
    """The graph contract's tensors of these names at a model size: `contract((256, 192), ["image", "keep"])`."""
    width, height = size_wh
    specs = {
        "image": TensorSpec(name="image", dtype="uint8", shape=(1, height, width, 3)),
        "reference": TensorSpec(name="reference", dtype="uint8", shape=(1, height, width, 3)),
        "keep": TensorSpec(name="keep", dtype="uint8", shape=(1, height, width)),
        "anomaly_map": TensorSpec(name="anomaly_map", dtype="float32", shape=(1, height, width)),
        "image_score": TensorSpec(name="image_score", dtype="float32", shape=(1,)),
    }
    return tuple(specs[name] for name in names)


class Crop(Closed):
    """The part of the reference that the model sees, in 0..1 of its width and height."""

    left: Unit
    top: Unit
    right: Unit
    bottom: Unit

    @model_validator(mode="after")
    def _has_area(self) -> Self:
        if self.right <= self.left or self.bottom <= self.top:
            raise ValueError("right must exceed left and bottom must exceed top")
        return self


class ResizeRule(Closed):
    """The resampling of the training.

    exact: warp at full size, then resize with the kernel. fused: one antialiased step, where its measured effect on the
    scores is within the limits.
    """

    kernel: ResizeKernel
    mode: ResampleMode = "exact"


class Masking(Closed):
    """How what is not to be judged is kept out of the score.

    pre: the graph takes `keep` and masks before the map. post: the map may be masked after it. fill: what the graph is
    shown there, the reference's pixels or the frame's own ("none"). A score that no map is behind is kept clear of masks
    by `pre` or `fill` alone: without either, a recipe with masks is refused.
    """

    pre: bool = False
    post: bool = True
    fill: Literal["none", "reference"] = "none"

    @model_serializer(mode="wrap")
    def _without_later_default(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Bundles that do not fill keep the hash, and so the name, that they had before there was a choice.
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if (name, value) != ("fill", "none")}


class Tolerance(Closed):
    """A value passes if |value - golden| <= atol + rtol * |golden|; atol in the map's own units."""

    rtol: float = Field(ge=0, le=1, allow_inf_nan=False)
    atol: float = Field(ge=0, allow_inf_nan=False)


class Limits(Closed):
    """How far an engine may be from the golden outputs, for the float32 and for the float16 graph."""

    float32: Tolerance = Tolerance(rtol=1e-4, atol=1e-4)
    float16: Tolerance = Tolerance(rtol=2e-2, atol=2e-2)


class Training(Closed):
    """The images that built the model, by the SHA-256 of their file bytes, so that no threshold is taken from them.

    images: how many, None where upstream does not say. sha256: empty where the files are not known.
    """

    images: int | None = Field(None, ge=0)
    sha256: tuple[Sha256, ...] = Field((), max_length=100_000)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.sha256 and len(self.sha256) != self.images:
            raise ValueError(f"sha256 names {len(self.sha256)} images, images says {self.images}")
        return self


class Declaration(Closed):
    """What an exporter declares of a model; `write_bundle` adds name and hashes and makes it a `Manifest`.

    size_wh: the model's input size in pixels; with tiling that of the whole image, of which the graphs see tiles. inputs,
    outputs: what the bundle takes and gives, always of size_wh (`edge.bundle.graphs` has each graph's own); without
    `anomaly_map` it judges by its image score alone. program: how its graphs make one inference. colour_order and
    value_range: those of the training, for information (the graph takes uint8 RGB and does its own normalisation).
    parameters: how the model was made, free but flat.
    """

    family: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    program: Program = "single"
    size_wh: tuple[Side, Side]
    inputs: tuple[TensorSpec, ...] = Field(min_length=1, max_length=3)
    outputs: tuple[TensorSpec, ...] = Field(min_length=1, max_length=2)
    colour_order: Literal["rgb", "bgr", "grey", "lab"] = "rgb"
    value_range: tuple[float, float] = (0.0, 255.0)
    crop: Crop | None = None
    resize: ResizeRule
    score: ScoreRule = ScoreRule()
    masking: Masking = Masking()
    tiling: Tiling | None = None
    opset: int = Field(17, ge=7, le=99)
    limits: Limits = Limits()
    parameters: dict[Annotated[str, Field(min_length=1, max_length=80)], Scalar] = Field({}, max_length=200)
    training: Training = Training()
    created_at: AwareDatetime
    created_by: str = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _follows_graph_contract(self) -> Self:
        if self.spec("image") is None:
            raise ValueError(f"inputs must be `image`, then of {list(INPUT_NAMES[1:])} what the graph has")
        _check_contract("inputs", self.inputs, INPUT_NAMES, self.size_wh)
        _check_contract("outputs", self.outputs, OUTPUT_NAMES, self.size_wh)
        has_keep = any(spec.name == "keep" for spec in self.inputs)
        if has_keep != self.masking.pre:
            raise ValueError("masking.pre must be true exactly where the graph has the input `keep`")
        if self.score.kind == "graph" and self.spec("image_score") is None:
            raise ValueError("score.kind `graph` needs the output `image_score`")
        if not self.has_map and self.score.kind != "graph":
            raise ValueError("score.kind must be `graph` where there is no output `anomaly_map`")
        if not self.has_map and self.masking.post:
            raise ValueError("masking.post must be false where there is no output `anomaly_map`: no map, nothing to mask")
        return self

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        graph_wh, calls = self.size_wh, 1
        if self.tiling is not None:
            self.tiling.check(self.size_wh)
            graph_wh, calls = (self.tiling.size, self.tiling.size), len(self.tiling.corners(self.size_wh))
        if isinstance(self.program, DenoisingLoop):
            self.program.check(graph_wh)
            calls *= len(self.program.timesteps) + 1
        if calls > MAX_CALLS:
            raise ValueError(f"program and tiling: {calls} graph calls for one image are more than {MAX_CALLS}")
        return self

    @model_validator(mode="after")
    def _numbers_are_finite(self) -> Self:
        loose = [*self.value_range, *(value for value in self.parameters.values() if isinstance(value, float))]
        if not all(math.isfinite(value) for value in loose):
            raise ValueError("value_range and parameters must be finite numbers")
        if any(isinstance(value, str) and len(value) > 2000 for value in self.parameters.values()):
            raise ValueError("a text in parameters is longer than 2000 characters")
        return self

    @property
    def has_map(self) -> bool:
        """False for families that give an image score and cannot say where."""
        return self.spec("anomaly_map") is not None

    def spec(self, name: str) -> TensorSpec | None:
        """The input or output of this name, or None."""
        return next((spec for spec in self.inputs + self.outputs if spec.name == name), None)


class Manifest(Declaration):
    """`manifest.json`. files: SHA-256 of every other file of the bundle."""

    schema_version: Literal[1] = 1
    name: str = Field(max_length=60)
    files: dict[str, Sha256] = Field(min_length=1, max_length=16)

    @classmethod
    def of(cls, declaration: Declaration, files: Mapping[str, str]) -> Manifest:
        """The declaration with its files, under the name that its content gives it."""
        fields = {**declaration.model_dump(mode="json"), "schema_version": 1, "files": dict(files)}
        return cls.model_validate({**fields, "name": name_of(declaration.family, content_hash(fields))})

    def to_json(self) -> bytes:
        """The text of `manifest.json`."""
        return (json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def content_hash(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON (sorted keys, no spaces, ASCII) of everything but `name`."""
    content = {key: value for key, value in manifest.items() if key != "name"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def name_of(family: str, digest: str) -> str:
    """`family-` and the first 12 hex digits of the content hash."""
    return f"{family}-{digest[:NAME_DIGITS]}"


def parse_manifest(text: bytes, where: str) -> tuple[Manifest, str]:
    """The manifest and its content hash. BundleError: not strict JSON, unknown or wrong keys, a name that is not its own."""
    data = _strict_json(text, where)
    if not isinstance(data, dict):
        raise BundleError("is no JSON object", where=where, remedy="export the bundle again")
    try:
        manifest = validate(Manifest, data, where)
    except ConfigError as error:
        raise BundleError(_shown(error.message), where=where, remedy="export the bundle again with this version") from None
    if manifest.model_dump(mode="json", exclude_unset=True) != data:
        raise BundleError(
            "a value is written in another type than the manifest's", where=where, remedy="export the bundle again"
        )
    digest = content_hash(data)
    expected = name_of(manifest.family, digest)
    if manifest.name != expected:
        raise BundleError(
            f"says its name is {manifest.name!r}, but its content is {expected!r}",
            where=where,
            remedy="the manifest was changed after the export: take the original bundle",
        )
    return manifest, digest


def _check_contract(key: str, specs: tuple[TensorSpec, ...], known: tuple[str, ...], size_wh: tuple[int, int]) -> None:
    names = [spec.name for spec in specs]
    ordered = [name for name in known if name in names]
    if names != ordered:
        raise ValueError(f"{key} must be of {list(known)} what the graph has, in this order, got {names}")
    for spec, expected in zip(specs, contract(size_wh, names), strict=True):
        if spec != expected:
            raise ValueError(f"{key}: the graph contract for size_wh {list(size_wh)} is `{expected}`, got `{spec}`")


def _shown(text: str) -> str:
    """Keys and values of a file that nobody has verified, made fit for a terminal: one line, escaped, bounded."""
    safe = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:400])
    return safe + ("..." if len(text) > 400 else "")


def _strict_json(text: bytes, where: str) -> Any:
    """JSON without repeated keys, NaN and Infinity."""

    def refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise ValueError("a key is written twice")
        return result

    def refuse_constant(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON number")

    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=refuse_repeats, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BundleError(f"is not strict JSON ({_shown(problem)})", where=where, remedy="export the bundle again") from None
