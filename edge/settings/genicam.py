"""Settings of a GenICam camera: which one, through which producer, set up how."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from typing_extensions import Self

from edge.schema import Closed


def _quoted(value: Any) -> Any:
    # YAML reads 0040123 as the octal number 16467: a bare serial may already be another serial when it arrives here.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise ValueError('write the serial in quotes, as on the camera\'s label: serial: "40012345"')
    return value


Serial = Annotated[str, Field(min_length=1, max_length=128), BeforeValidator(_quoted)]
NodeName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
FeatureValue = bool | int | float | str


class Feature(Closed):
    """One node of the camera to set, in the order of the list; `value` is ignored for commands.

    required false: a camera without this node, or where it cannot be written, is accepted (and the log says so); a value
    that the node does not allow is refused all the same.
    """

    name: NodeName
    value: FeatureValue = True
    required: bool = True


class TriggerLine(Closed):
    """The SFNC trigger block. off: the camera runs freely; software: one frame per trigger(); hardware: one per pulse.

    source (Line1, ...) and activation (RisingEdge, ...) are the camera's own words; hardware needs a source.
    """

    mode: Literal["off", "software", "hardware"] = "off"
    selector: str = Field("FrameStart", min_length=1, max_length=64)
    source: str | None = Field(None, min_length=1, max_length=64)
    activation: str | None = Field(None, min_length=1, max_length=64)

    @model_validator(mode="after")
    def _hardware_has_a_source(self) -> Self:
        if self.mode == "hardware" and not self.source:
            raise ValueError("a hardware trigger needs its source, such as source: Line1")
        if self.mode != "hardware" and (self.source or self.activation):
            raise ValueError("source and activation belong to mode: hardware")
        return self


class GenicamSettings(Closed):
    """One GenICam camera, named by its serial number.

    producers: paths of .cti files, or the word "viky" for the simulator in the genicam package; empty: every .cti in the
    folders of GENICAM_GENTL64_PATH. size_wh and offset_xy: region of interest in sensor pixels. features: set first and in
    this order; then size, pixel_format, exposure_us, gain_db, frame_rate_hz and trigger, which are required where given.
    policy newest: a late reader gets the freshest frame (what was skipped is counted as lost); every: oldest first, for
    parts of which each counts; unsaid it is every with a hardware trigger, else newest. buffers: how many frames the
    producer may hold.
    """

    kind: Literal["genicam"] = "genicam"
    serial: Serial
    producers: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    size_wh: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    offset_xy: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]] | None = None
    pixel_format: str | None = Field(None, min_length=1, max_length=64)
    exposure_us: float | None = Field(None, gt=0)
    gain_db: float | None = None
    frame_rate_hz: float | None = Field(None, gt=0)
    features: tuple[Feature, ...] = Field((), max_length=200)
    trigger: TriggerLine = TriggerLine()
    buffers: int = Field(8, ge=3, le=64)
    policy: Literal["newest", "every"] = "newest"

    @model_validator(mode="before")
    @classmethod
    def _every_part_counts(cls, data: Any) -> Any:
        trigger = data.get("trigger") if isinstance(data, dict) else None
        mode = trigger.get("mode") if isinstance(trigger, dict) else getattr(trigger, "mode", None)
        return {"policy": "every", **data} if mode == "hardware" else data
