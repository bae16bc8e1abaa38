"""Settings of every camera, chosen by `kind`, and what follows from them for whoever runs the camera."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.schema import Closed
from edge.settings import adjustable
from edge.settings.genicam import GenicamSettings
from edge.settings.simulated import SimulatedSettings

BitDepth = Literal[8, 10, 12, 16]


class FolderSettings(Closed):
    """Replay of the images of a folder (png, jpg, jpeg, bmp, tif, tiff) in natural order: 2.png before 10.png.

    rate_hz: null gives the next image whenever one is asked for. trigger software: one image per trigger(). bit_depth: what
    16-bit files hold in their low bits (10, 12 or 16); 8 refuses them. size_wh: refuse images of any other size.
    """

    kind: Literal["folder"] = "folder"
    path: Path
    loop: bool = True
    rate_hz: float | None = Field(None, gt=0, le=1000)
    trigger: Literal["off", "software"] = "off"
    bit_depth: BitDepth = 8
    size_wh: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    policy: Literal["newest", "every"] = "every"


class VideoSettings(Closed):
    """A video file, a V4L2 device (`/dev/video0`) or a stream (`rtsp://...`), read through OpenCV.

    loop and rate_hz belong to files: rate_hz null plays at the file's own rate, 0 as fast as asked. size_wh and device_hz
    ask a V4L2 device for a mode, and what it then gives must be that. A user and a password of a stream come from
    credentials_file (`user:password`, one line), never from this text.
    """

    kind: Literal["video"] = "video"
    source: str = Field(min_length=1, max_length=2000)
    loop: bool = False
    rate_hz: float | None = Field(None, ge=0, le=1000)
    size_wh: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    device_hz: float | None = Field(None, gt=0, le=1000)
    credentials_file: Path | None = None
    open_timeout_s: float = Field(10.0, gt=0, le=120)
    read_timeout_s: float = Field(5.0, gt=0, le=120)
    policy: Literal["newest", "every"] = "newest"

    @property
    def is_stream(self) -> bool:
        """True for a network stream (rtsp, http, ...)."""
        return "://" in self.source

    @property
    def is_device(self) -> bool:
        """True for a V4L2 device."""
        return self.source.startswith("/dev/")

    @property
    def is_live(self) -> bool:
        """False for a file."""
        return self.is_stream or self.is_device

    @model_validator(mode="after")
    def _fits_source(self) -> Self:
        if self.is_live and (self.loop or self.rate_hz is not None):
            raise ValueError("loop and rate_hz belong to video files; a live source has its own rate")
        if not self.is_device and self.device_hz is not None:
            raise ValueError("device_hz belongs to a V4L2 device (/dev/video0)")
        if self.credentials_file is not None and not self.is_stream:
            raise ValueError("credentials_file belongs to a stream (rtsp://...)")
        if self.is_stream and "@" in self.source.split("://", 1)[1].split("/", 1)[0]:
            raise ValueError("a password does not belong here: write user:password into a file and name it credentials_file")
        return self


Adjustable = adjustable.Adjustable
CameraSettings = Annotated[GenicamSettings | FolderSettings | VideoSettings | SimulatedSettings, Field(discriminator="kind")]


class ProcessSettings(Closed):
    """How a camera's process is run and watched.

    slots: frames that the shared memory holds. open_timeout_s: from spawn to an opened camera. hang_timeout_s: without any
    sign of life from the process it is killed. stall_timeout_s: a camera that should run freely and sends no frame is
    lost. stop_timeout_s: for a clean end, then SIGKILL. retry_first_s doubles up to retry_last_s with each failure;
    healthy_after_s of frames makes it start over. frozen: whether a frame that equals one of the last 16 to the last bit is
    UNDECIDED(frame_frozen); auto: for real sensors, whose noise never repeats (not for files, streams, simulated cameras).
    """

    slots: int = Field(6, ge=2, le=64)
    open_timeout_s: float = Field(20.0, gt=0, le=600)
    hang_timeout_s: float = Field(3.0, ge=0.5, le=600)
    stall_timeout_s: float = Field(5.0, gt=0, le=600)
    stop_timeout_s: float = Field(2.0, gt=0, le=60)
    retry_first_s: float = Field(1.0, gt=0, le=600)
    retry_last_s: float = Field(30.0, gt=0, le=3600)
    healthy_after_s: float = Field(10.0, gt=0, le=3600)
    frozen: Literal["auto", "on", "off"] = "auto"


def trigger_mode(settings: CameraSettings) -> Literal["off", "software", "hardware"]:
    """What makes this camera send a frame: nothing (it runs freely), trigger(), or a line of its own."""
    if isinstance(settings, VideoSettings):
        return "off"
    if isinstance(settings, GenicamSettings):
        return settings.trigger.mode
    return settings.trigger


def is_pulled(settings: CameraSettings) -> bool:
    """True where frames wait in a file until someone wants them: a full ring makes the camera wait, nothing is lost."""
    if isinstance(settings, FolderSettings):
        return settings.rate_hz is None or settings.trigger == "software"
    return isinstance(settings, VideoSettings) and not settings.is_live and settings.rate_hz == 0


def frame_period_s(settings: CameraSettings) -> float | None:
    """The longest time between two frames of a sound camera that runs freely; None where silence is no fault.

    0 where the camera does not say its rate.
    """
    if trigger_mode(settings) != "off" or isinstance(settings, FolderSettings):
        return None
    if isinstance(settings, VideoSettings):
        return settings.read_timeout_s if settings.is_live else None
    rate_hz = settings.rate_hz if isinstance(settings, SimulatedSettings) else settings.frame_rate_hz
    return 1.0 / rate_hz if rate_hz else 0.0


def longest_call_s(settings: CameraSettings) -> float:
    """How long a sound camera may keep its process from giving a sign of life."""
    return settings.read_timeout_s if isinstance(settings, VideoSettings) and settings.is_live else 0.0


def usual_latency_s(settings: CameraSettings) -> float:
    """How long after its exposure a frame may reach the station: what arrives within it may show what was before."""
    if isinstance(settings, VideoSettings):
        return 2.0 if settings.is_stream else 0.3 if settings.is_device else 0.0
    return 0.2 if isinstance(settings, GenicamSettings) and settings.trigger.mode == "off" else 0.0


def is_live(settings: CameraSettings) -> bool:
    """True for a device that goes on exposing whether anyone fetches or not."""
    return isinstance(settings, GenicamSettings) or (isinstance(settings, VideoSettings) and settings.is_live)


def has_noise(settings: CameraSettings) -> bool:
    """True for a sensor whose noise reaches us: no two frames of it are alike. What compresses a stream may repeat a frame."""
    if isinstance(settings, GenicamSettings):
        return "viky" not in settings.producers
    return isinstance(settings, VideoSettings) and settings.is_device


def camera_name(settings: CameraSettings) -> str:
    """What a technician knows this camera by: its serial, its source, its folder, or the number of its scene."""
    if isinstance(settings, GenicamSettings):
        return settings.serial
    if isinstance(settings, VideoSettings):
        return settings.source
    return str(settings.path) if isinstance(settings, FolderSettings) else f"simulated {settings.scene}"


def adjustable_problems(settings: CameraSettings, limits: Adjustable) -> tuple[str, ...]:
    """One phrase for each thing that is wrong with what may be set of this camera."""
    return tuple(adjustable.limit_problems(settings, limits))


def hash_of_camera(settings: CameraSettings) -> str:
    """SHA-256 of everything that is set of the camera: a threshold card holds for these settings and no others."""
    said = settings.model_dump(mode="json")
    if isinstance(settings, SimulatedSettings):
        # Cards are older than these keys: unsaid, they change nothing of the picture, nor of what the cards hold for.
        said = {name: value for name, value in said.items() if value is not None or name not in ("exposure_us", "gain_db")}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def source_key(settings: CameraSettings) -> str | None:
    """What only one view can have open: two views with the same key are two views of one camera. None: can be shared."""
    if isinstance(settings, GenicamSettings):
        return f"genicam {settings.serial}"
    if isinstance(settings, VideoSettings) and settings.is_live:
        return f"video {settings.source}"
    return None
