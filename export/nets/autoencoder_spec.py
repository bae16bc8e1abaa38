"""The declaration of an auto-encoder: its layers and how its map is made. No checkpoint says these, so a file must.

`layers` make modules under the numbers that `nn.Sequential` gives them, so that the keys of a state dict tell whether the
declaration is right. docs/models.md has the file explained. No torch here.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.settings.registration import ResizeKernel

Count = Annotated[int, Field(ge=1, le=65536)]
Span = Annotated[int, Field(ge=1, le=256)]
Pad = Annotated[int, Field(ge=0, le=256)]
Side = Annotated[int, Field(ge=8, le=2048)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
PATCHES_MAX = 100


class Convolution(Closed):
    """A convolution to `to` channels. padding `same` keeps the size (stride 1, odd kernel)."""

    kind: Literal["conv"]
    to: Count
    kernel: Span
    stride: Span = 1
    padding: Pad | Literal["same"] = 0
    dilation: Span = 1
    groups: Count = 1
    bias: bool = True
    border: Literal["zeros", "reflect", "replicate"] = "zeros"

    @model_validator(mode="after")
    def _keeps_size(self) -> Self:
        if self.padding == "same" and (self.stride > 1 or self.kernel % 2 == 0):
            raise ValueError("padding same needs stride 1 and an odd kernel: write the padding in pixels")
        return self


class Transposed(Closed):
    """A transposed convolution to `to` channels."""

    kind: Literal["conv_transpose"]
    to: Count
    kernel: Span
    stride: Span = 1
    padding: Pad = 0
    output_padding: Pad = 0
    dilation: Span = 1
    bias: bool = True


class Linear(Closed):
    """A dense layer to `to` values."""

    kind: Literal["linear"]
    to: Count
    bias: bool = True


class Pool(Closed):
    """The largest or the mean of each kernel x kernel square; stride None: as the kernel."""

    kind: Literal["max_pool", "avg_pool"]
    kernel: Span
    stride: Span | None = None
    padding: Pad = 0


class GlobalPool(Closed):
    """The mean of each of side x side parts of the picture, whatever its size."""

    kind: Literal["adaptive_avg_pool"]
    side: Span


class Upsample(Closed):
    """Enlarged by a whole factor, or to the size of the network's own picture (`factor: input`)."""

    kind: Literal["upsample"]
    factor: Span | Literal["input"]
    mode: Literal["nearest", "bilinear"] = "nearest"
    align_corners: bool = False


class LeakyRelu(Closed):
    """Below zero, `slope` of the value."""

    kind: Literal["leaky_relu"]
    slope: Share = 0.01


class Plain(Closed):
    """A layer that needs no numbers; `dropout` only keeps its place in the count."""

    kind: Literal["relu", "sigmoid", "tanh", "elu", "gelu", "silu", "batch_norm", "flatten", "dropout"]


class Unflatten(Closed):
    """From a row of values back to channels, height, width."""

    kind: Literal["unflatten"]
    shape: tuple[Count, Count, Count]


class Parallel(Closed):
    """Branches that all see the same input, joined along the channels or added: a pyramid, a shortcut (an empty branch).

    Keys: the layer's own number, the branch's, then as within a Sequential: `encoder.3.0.0.weight`.
    """

    kind: Literal["parallel"]
    branches: tuple[tuple[Layer, ...], ...] = Field(min_length=1, max_length=16)
    join: Literal["concat", "sum"] = "concat"


Layer = Annotated[
    Convolution | Transposed | Linear | Pool | GlobalPool | Upsample | LeakyRelu | Plain | Unflatten | Parallel,
    Field(discriminator="kind"),
]


class Difference(Closed):
    """l1: the absolute difference. l2: the squared one. Means over the channels."""

    kind: Literal["l1", "l2"]


class Similarity(Closed):
    """1 - SSIM, mean over the channels (Wang et al. 2004; as a residual: Bergmann et al., VISAPP 2019).

    window: gaussian of `sigma`, or uniform: the two maps differ. border: zeros as pytorch_ssim, symmetric as scikit-image.
    unbiased: sample variances, scikit-image's default. data_range: None takes the width of `range`.
    """

    kind: Literal["ssim"]
    window: Literal["gaussian", "uniform"] = "gaussian"
    side: Annotated[int, Field(ge=3, le=51)] = 11
    sigma: Annotated[FiniteFloat, Field(gt=0, le=20)] = 1.5
    border: Literal["zeros", "reflect", "symmetric"] = "zeros"
    unbiased: bool = False
    data_range: Annotated[FiniteFloat, Field(gt=0, le=1e6)] | None = None

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.side % 2 == 0:
            raise ValueError(f"side must be odd, got {self.side}")
        return self


class Smoothing(Closed):
    """The map's own smoothing: a mean over a square, or a Gaussian cut at 4 sigma. side: odd, of the mean."""

    kind: Literal["mean", "gaussian"]
    side: Annotated[int, Field(ge=3, le=101)] = 5
    sigma: Annotated[FiniteFloat, Field(gt=0, le=20)] = 4.0


class Patches(Closed):
    """The network sees squares of `side` pixels every `stride`; where they overlap, reconstructions are averaged."""

    side: Side
    stride: Annotated[int, Field(ge=1, le=2048)]

    def places(self, length: int) -> tuple[int, ...]:
        """First pixels of the patches along a side of `length`; the last one ends at its end or the spec is refused."""
        return tuple(range(0, length - self.side + 1, self.stride))


class Edge(Closed):
    """The outermost `width` pixels of the map are multiplied by `factor`: there reconstructions are poor."""

    width: Span
    factor: Share = 0.2


class AutoencoderSpec(Closed):
    """One auto-encoder.

    size: width, height of the picture, pixels. range: what black and white are for the network, before mean and std.
    network: parts in the order they are applied, by the names that begin the checkpoint's keys; None with --factory.
    keys: prefix in the checkpoint -> prefix in the declaration, where they differ. score: max of the map, its mean, or its
    99th percentile.
    """

    schema_version: Literal[1] = Field(alias="schema")
    size: tuple[Side, Side]
    colour: Literal["grey", "rgb", "bgr"] = "rgb"
    range: tuple[FiniteFloat, FiniteFloat] = (0.0, 1.0)
    mean: tuple[FiniteFloat, ...] = Field((0.0,), max_length=3)
    std: tuple[Annotated[FiniteFloat, Field(gt=0)], ...] = Field((1.0,), max_length=3)
    resize: ResizeKernel
    patches: Patches | None = None
    network: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,63}$")], tuple[Layer, ...]] | None = Field(None, max_length=32)
    keys: dict[str, str] = Field({}, max_length=500)
    residual: Annotated[Difference | Similarity, Field(discriminator="kind")]
    smoothing: Smoothing | None = None
    edge: Edge | None = None
    score: Literal["max", "mean", "p99"] = "max"

    @property
    def channels(self) -> int:
        """Of the network's input and output."""
        return 1 if self.colour == "grey" else 3

    @property
    def input_wh(self) -> tuple[int, int]:
        """What the network itself takes: the picture, or a patch of it."""
        return (self.patches.side, self.patches.side) if self.patches else self.size

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.range
        if high <= low:
            raise ValueError("range: write what black is, then what white is, larger")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise ValueError(f"{name}: write 1 or {self.channels} numbers for {self.colour}")
        if self.patches is not None:
            places = [self.patches.places(length) for length in self.size]
            if any(not part or part[-1] + self.patches.side != length for part, length in zip(places, self.size, strict=True)):
                raise ValueError(f"patches: side and stride do not reach the end of {self.size[0]}x{self.size[1]}")
            if len(places[0]) * len(places[1]) > PATCHES_MAX:
                raise ValueError(f"patches: {len(places[0]) * len(places[1])} of them, at most {PATCHES_MAX}: a larger stride")
        return self


Parallel.model_rebuild()
