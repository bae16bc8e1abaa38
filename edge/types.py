"""The values that flow through a station: frozen, on numpy, without I/O.

Coordinates are pixels, x right and y down, (0, 0) at the centre of the top-left pixel. Homographies are float64 3x3 and
map column vectors (x, y, 1). Images are uint8, RGB where they have colour. Arrays inside these values are read-only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ImageU8 = NDArray[np.uint8]
MapF32 = NDArray[np.float32]
MaskBool = NDArray[np.bool_]
Homography = NDArray[np.float64]


class Outcome(str, Enum):
    """What is known of one frame of one view. UNDECIDED is never PASS."""

    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


class ClearanceOutcome(str, Enum):
    """What is known of the station from all its views. RELEASED_BY: a person answered for what did not pass; never CLEAR."""

    CLEAR = "CLEAR"
    NOT_CLEAR = "NOT_CLEAR"
    UNDECIDED = "UNDECIDED"
    RELEASED_BY = "RELEASED_BY"


class ReasonCode(str, Enum):
    """Why a verdict is UNDECIDED. The values are the interface: PLC programs compare them."""

    CAMERA_LOST = "camera_lost"
    FRAME_LOST = "frame_lost"
    FRAME_TIMEOUT = "frame_timeout"
    FRAME_INVALID = "frame_invalid"
    FRAME_FROZEN = "frame_frozen"
    NOT_REGISTERED = "not_registered"
    CARD_MISSING = "card_missing"
    CARD_STALE = "card_stale"
    RECIPE_INVALID = "recipe_invalid"
    ENGINE_FAULT = "engine_fault"
    PARITY_FAILED = "parity_failed"
    MAP_INVALID = "map_invalid"
    OVERRUN = "overrun"
    CLOCK = "clock"
    NOT_RECORDED = "not_recorded"
    VOTE_SPLIT = "vote_split"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    NOT_FIT = "not_fit"
    DISK_LOW = "disk_low"
    CHALLENGE_MISSING = "challenge_missing"
    CHALLENGE_FAILED = "challenge_failed"
    SAFE_MODE = "safe_mode"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Reason:
    """A code for machines and a sentence for people."""

    code: ReasonCode
    detail: str


@dataclass(frozen=True, eq=False)
class Frame:
    """One grabbed image.

    image: uint8 HxWx3 RGB or HxW, read-only. number: the camera's own frame id, or a count from 0. grabbed_ns: host
    monotonic nanoseconds; grabbed_at: UTC wall clock, timezone-aware; device_ns: the camera's own clock, None where it
    has none (the clocks are never mixed). lost_before: frames that the camera counted and we never saw, just before this
    one. incomplete_before: buffers that arrived damaged and were thrown away, just before this one.
    """

    image: ImageU8
    view: str
    number: int
    grabbed_ns: int
    grabbed_at: datetime
    device_ns: int | None = None
    camera: str = ""
    lost_before: int = 0
    incomplete_before: int = 0
    is_simulated: bool = False

    def __post_init__(self) -> None:
        image = self.image
        if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
            raise ValueError(f"Frame.image must be uint8 HxW or HxWx3 RGB, got {image.dtype} {image.shape}")
        image.flags.writeable = False


@dataclass(frozen=True)
class Gate:
    """One condition that an alignment must meet: `value` against `limit`, which is a floor or a ceiling."""

    name: str
    value: float
    limit: float
    kind: Literal["min", "max"]

    @property
    def passed(self) -> bool:
        """False also for NaN: what cannot be measured is not trusted."""
        return self.value >= self.limit if self.kind == "min" else self.value <= self.limit

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4g} {'<' if self.kind == 'min' else '>'} {self.limit:.4g}"


@dataclass(frozen=True, eq=False)
class Alignment:
    """The homography frame -> reference with the evidence that it can be trusted.

    mode: what was asked for. start: where tracking started (identity, previous, phase, orb, none). motion: the simplest
    model that explains the evidence. residual_px: RMS reprojection error of the inliers in reference pixels.
    corner_shift_px: largest displacement of an image corner. similarity: NCC of the warped frame to the reference inside
    the mask, in -1..1; similarity_before: the same without any warp. visible: share of the judged area that the frame
    covers. coverage: share of the reference's grid cells that hold an inlier.
    """

    frame_to_reference: Homography
    mode: str
    start: str
    motion: str
    points: int
    inliers: int
    residual_px: float
    coverage: float
    corner_shift_px: float
    similarity: float
    similarity_before: float
    visible: float
    gates: tuple[Gate, ...] = ()

    def __post_init__(self) -> None:
        matrix = np.array(self.frame_to_reference, np.float64)
        matrix.flags.writeable = False
        object.__setattr__(self, "frame_to_reference", matrix)

    @property
    def inlier_ratio(self) -> float:
        """Inliers over tracked points; 0 where nothing was tracked."""
        return self.inliers / self.points if self.points else 0.0

    @property
    def broken(self) -> tuple[Gate, ...]:
        """The gates that this alignment does not pass."""
        return tuple(gate for gate in self.gates if not gate.passed)

    @property
    def trusted(self) -> bool:
        """True if every gate passed and the matrix is finite."""
        return not self.broken and bool(np.isfinite(self.frame_to_reference).all())


@dataclass(frozen=True, eq=False)
class AnomalyMap:
    """Raw scores of one bundle on its own grid: float32 HxW, higher is worse, never rescaled per image.

    scores: None of a family that gives no map; then `image_score` is all there is. map_to_reference: homography from map
    pixels to reference pixels (the map keeps the model's resolution: see docs/decisions). image_score: the graph's own
    image score, for families whose score is no reduction of the map.
    """

    scores: MapF32 | None
    map_to_reference: Homography
    bundle: str
    image_score: float | None = None


@dataclass(frozen=True)
class Box:
    """Axis-aligned box in pixels: left, top, width, height."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Region:
    """One connected area above the pixel threshold.

    area_px: reference pixels. peak: highest smoothed score inside. centroids and boxes in reference and in frame pixels.
    """

    box: Box
    frame_box: Box
    centroid: tuple[float, float]
    frame_centroid: tuple[float, float]
    area_px: float
    peak: float


@dataclass(frozen=True)
class Judgement:
    """What verdict.py decided of one frame: nothing but the decision and its numbers (score NaN-free or None)."""

    outcome: Outcome
    reason: Reason | None = None
    score: float | None = None
    threshold: float | None = None
    pixel_threshold: float | None = None
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True)
class Origin:
    """Which trigger, frame and parts a verdict belongs to."""

    view: str
    trigger: int
    frame: int | None
    grabbed_at: datetime | None
    camera: str = ""
    product: str = ""
    recipe: str = ""
    recipe_version: int | None = None
    bundle: str = ""
    engine: str = ""
    is_simulated: bool = False


@dataclass(frozen=True, eq=False)
class Verdict:
    """The one answer to one trigger of one view. result_id is unique for ever and the same on every re-delivery."""

    result_id: str
    judgement: Judgement
    origin: Origin
    decided_at: datetime
    alignment: Alignment | None = None
    stage_ms: dict[str, float] = field(default_factory=dict)
    clearance_id: str | None = None

    @property
    def outcome(self) -> Outcome:
        """PASS, FAIL or UNDECIDED."""
        return self.judgement.outcome

    @property
    def reason(self) -> Reason | None:
        """Why it is UNDECIDED, else None."""
        return self.judgement.reason

    @property
    def view(self) -> str:
        """The view that was judged."""
        return self.origin.view


@dataclass(frozen=True)
class ViewParts:
    """What a view was judged with when a clearance looked. hashes: part (recipe, bundle, reference, card, ...) -> SHA-256."""

    camera: str = ""
    product: str = ""
    recipe: str = ""
    recipe_version: int | None = None
    bundle: str = ""
    engine: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ChallengeImage:
    """One known frame of a view: what it must give, and what it gave. sha256: of its PNG file."""

    file: str
    sha256: str
    expected: Outcome
    got: Outcome
    reason: Reason | None = None
    score: float | None = None
    threshold: float | None = None

    @property
    def as_expected(self) -> bool:
        """True if the station saw in it what a person knows to be there."""
        return self.got is self.expected


@dataclass(frozen=True)
class ChallengeResult:
    """One view's known good and known bad frames, judged as if its camera had given them.

    key: hash of everything that the answer depends on (recipe version, card, bundle, engine, software): with another key
    this result says nothing.
    """

    view: str
    at: datetime
    key: str
    images: tuple[ChallengeImage, ...]

    @property
    def failed(self) -> tuple[ChallengeImage, ...]:
        """The frames that did not give what they must."""
        return tuple(image for image in self.images if not image.as_expected)


@dataclass(frozen=True)
class Release:
    """A named person answers for one view that did not pass. snapshot: result_id of the live frame they looked at."""

    who: str
    why: str
    at: datetime
    snapshot: str


@dataclass(frozen=True)
class ViewResult:
    """What k-of-n voting made of one view's verdicts in a clearance.

    challenge: the evidence that this view could tell good from bad. release: who answered for it, where it did not pass.
    """

    view: str
    outcome: Outcome
    reason: Reason | None
    verdicts: tuple[Verdict, ...]
    parts: ViewParts | None = None
    challenge: ChallengeResult | None = None
    release: Release | None = None


@dataclass(frozen=True)
class Speaker:
    """Which station, software and configuration speak."""

    topic: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    config_hash: str = ""


@dataclass(frozen=True)
class Clearance:
    """One verdict for the station from all its views. sequence only ever grows, so that a PLC never reads an old one.

    reasons: why the station as a whole could not be believed. previous: result_id of the clearance that this one answers
    (a check again, or a release). stage_ms: where the time went, until it was decided.
    """

    result_id: str
    request_id: str
    sequence: int
    outcome: ClearanceOutcome
    batch: str
    product: str
    operator: str
    views: tuple[ViewResult, ...]
    requested_at: datetime
    decided_at: datetime
    note: str = ""
    reasons: tuple[Reason, ...] = ()
    previous: str | None = None
    speaker: Speaker = field(default_factory=Speaker)
    stage_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_simulated(self) -> bool:
        """True if one frame or one engine was simulated: such a clearance releases nothing."""
        return any(verdict.origin.is_simulated for view in self.views for verdict in view.verdicts)
