"""Settings of the simulated camera: the scene, what happens to it, and the faults it shows on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.settings.judging import Unit

RENDERED_US: Final = 10_000.0
Side = Annotated[int, Field(ge=1, le=16384)]
FaultKind = Literal[
    "drop", "stall", "short", "black", "saturated", "blurred", "torn", "frozen", "lost", "crash", "segfault", "hang",
    "wrong_size", "refused", "not_there", "damaged",
]  # fmt: skip


class Leftover(Closed):
    """A product that was left in the scene. x, y: its centre in 0..1 of the frame; size: its length as a share of the width."""

    kind: Literal["tablet", "capsule", "blister", "leaflet"]
    x: Unit
    y: Unit
    size: float = Field(0.06, gt=0, le=0.5)
    angle_deg: float = Field(0.0, ge=-360, le=360)


class SceneControl(Closed):
    """What may change while the camera runs; also the content of the control file (JSON, replaced atomically).

    light: brightness, 1 is as rendered. shift_px, rotation_deg, scale: a lasting displacement of the camera on top of the
    nudges. fault: shown by every frame for as long as it stands here.
    """

    leftovers: tuple[Leftover, ...] = Field((), max_length=64)
    covered: bool = False
    light: float = Field(1.0, ge=0, le=4)
    shift_px: tuple[float, float] = (0.0, 0.0)
    rotation_deg: float = Field(0.0, ge=-180, le=180)
    scale: float = Field(1.0, gt=0.2, le=5)
    fault: FaultKind | None = None


class NudgeSettings(Closed):
    """How the camera moves: an own random displacement for each frame, and one sudden lasting one at frame `sudden_at`."""

    sigma_px: float = Field(0.0, ge=0, le=1000)
    sigma_deg: float = Field(0.0, ge=0, le=45)
    sigma_scale: float = Field(0.0, ge=0, le=0.2)
    sudden_at: int | None = Field(None, ge=0)
    sudden_px: tuple[float, float] = (0.0, 0.0)
    sudden_deg: float = Field(0.0, ge=-180, le=180)


class MovingPart(Closed):
    """A part that moves inside a rectangle (x, y, width, height in 0..1 of the frame) with a period in frames.

    A mask over the rectangle covers it wholly when the camera is where it should be.
    """

    kind: Literal["rotating", "sliding"] = "rotating"
    rect: tuple[Unit, Unit, Unit, Unit] = (0.78, 0.1, 0.16, 0.3)
    period_frames: float = Field(37.0, gt=0)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        x, y, width, height = self.rect
        if width <= 0 or height <= 0 or x + width > 1 or y + height > 1:
            raise ValueError("rect must have an area and end inside the frame: x + width <= 1, y + height <= 1")
        return self


class Fault(Closed):
    """A fault by frame number, by probability (seeded), or both.

    drop: the frame is lost and counted. short: it arrives damaged and is thrown away. damaged: it arrives and cannot be
    judged (FrameError). stall: no frames, no error. black, saturated, blurred (out of focus), torn (its lower half is
    shifted), frozen, wrong_size: what the picture shows. lost: CameraLost. crash, segfault: the process dies. hang: it
    answers to nothing any more. refused, not_there: opening fails.
    frames: the first frame of each occurrence, which lasts `length` frames. life: only in that life of the camera process
    (0 is the first), so that a respawned camera is sound again; null: in every life.
    """

    kind: FaultKind
    frames: tuple[Annotated[int, Field(ge=0)], ...] = ()
    probability: float = Field(0.0, ge=0, le=1)
    length: int = Field(1, ge=1)
    life: int | None = Field(None, ge=0)


class SimulatedSettings(Closed):
    """A machine that is rendered: plates, bolts, slots, a label. The same seed, settings and frame number: the same frame.

    scene: which machine; seed: which noise, drift and nudges. drift: depth of the slow change of light (0.05 is 5 %) over
    drift_period_frames. noise: standard deviation in grey levels. exposure_us, gain_db: how bright; 10000 and 0 are as
    rendered, and so is what is unsaid. control: a JSON file with a SceneControl, read
    before each frame; an absent file means an untouched scene.
    """

    kind: Literal["simulated"] = "simulated"
    scene: int = Field(0, ge=0, le=2**31)
    seed: int = Field(0, ge=0, le=2**31)
    size_wh: tuple[Side, Side] = (1130, 460)
    colour: bool = True
    rate_hz: float = Field(10.0, gt=0, le=1000)
    trigger: Literal["off", "software"] = "off"
    policy: Literal["newest", "every"] = "newest"
    noise: float = Field(2.0, ge=0, le=50)
    exposure_us: float | None = Field(None, gt=0, le=1_000_000)
    gain_db: float | None = Field(None, ge=-40, le=40)
    drift: float = Field(0.04, ge=0, le=0.9)
    drift_period_frames: float = Field(400.0, gt=0)
    nudge: NudgeSettings = NudgeSettings()
    moving: tuple[MovingPart, ...] = Field((), max_length=8)
    start: SceneControl = SceneControl()
    control: Path | None = None
    faults: tuple[Fault, ...] = Field((), max_length=100)

    @property
    def brightness(self) -> float:
        """By what exposure and gain multiply the light; 1 is as rendered."""
        return (self.exposure_us or RENDERED_US) / RENDERED_US * 10 ** ((self.gain_db or 0.0) / 20)
