"""What a reply can hold: closed models, from which docs/schemas/reply.schema.json follows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from edge.schema import Closed


class Reason(Closed):
    """Why something is not as it should be: a code for machines, a sentence for people."""

    code: str
    detail: str


class Running(Closed):
    """What is at work instead."""

    kind: Literal["running"] = "running"
    request_id: str
    result_id: str
    started: str


class Begun(Closed):
    """The clearance or review is taken; `clearance/state` says how far it is. repeated: it was asked before."""

    kind: Literal["begun"] = "begun"
    result_id: str
    repeated: bool = False


class Answered(Closed):
    """The clearance is decided; all of it stands in `clearance/result` under this result_id."""

    kind: Literal["answered"] = "answered"
    result_id: str
    sequence: int
    outcome: str
    repeated: bool = False


class Cancelled(Closed):
    """cancelled false: it does not run, or is decided already."""

    kind: Literal["cancelled"] = "cancelled"
    cancelled: bool


class ChallengedView(Closed):
    """What the known frames of one view gave."""

    view: str
    passed: bool
    images: int
    reason: Reason | None = None


class Challenged(Closed):
    """The challenge of every view."""

    kind: Literal["challenged"] = "challenged"
    passed: bool
    views: tuple[ChallengedView, ...]


class Selected(Closed):
    """The product in force and each view's recipe with its version. changed: by this command."""

    kind: Literal["selected"] = "selected"
    product: str
    recipes: dict[str, str]
    changed: bool


class Band(Closed):
    """What a threshold may be set to."""

    low: float
    high: float


class ThresholdSet(Closed):
    """The view's thresholds in force, and what they may be set to. pixel_*: null where the view's bundle gives no map."""

    kind: Literal["threshold_set"] = "threshold_set"
    view: str
    recipe_version: int
    image_threshold: float
    pixel_threshold: float | None
    image_band: Band
    pixel_band: Band | None


class MaskSet(Closed):
    """The mask as it is in force. undecided: why the view cannot judge with it, "" if it can."""

    kind: Literal["mask_set"] = "mask_set"
    view: str
    mask: str
    enabled: bool
    recipe_version: int
    undecided: str
    remedy: str


class CameraSet(Closed):
    """The view's camera as it runs now. settings: what may be set, as it is; adjusted: what of it is not as in the config.
    undecided: why the view cannot judge with it, "" if it can.
    """

    kind: Literal["camera_set"] = "camera_set"
    view: str
    settings: dict[str, float]
    adjusted: dict[str, float]
    undecided: str
    remedy: str


class Triggered(Closed):
    """The camera was triggered."""

    kind: Literal["triggered"] = "triggered"
    view: str


class Snapshot(Closed):
    """The frame was judged. images: topics, below the station's root, on which its pictures follow under result_id."""

    kind: Literal["snapshot"] = "snapshot"
    view: str
    result_id: str
    outcome: str
    reason: Reason | None
    images: tuple[str, ...]


class StateView(Closed):
    """One view: what it is made of, and whether it can be judged. camera_adjusted: settings of its camera that are not as in
    the config.
    """

    view: str
    ready: bool
    reason: str
    camera: str
    product: str
    recipe: str
    recipe_version: int | None
    bundle: str
    engine: str
    camera_adjusted: dict[str, float]


class State(Closed):
    """How the station is. clearance: the request_id of the running one, null if there is none."""

    kind: Literal["state"] = "state"
    product: str
    ready: bool
    clearance: str | None
    views: tuple[StateView, ...]


class Entry(Closed):
    """One result in the archive. files: which of document, frame, overlay, map are kept."""

    result_id: str
    kind: str
    view: str
    outcome: str
    reason: str
    batch: str
    product: str
    decided_at: str
    files: tuple[str, ...]


class Found(Closed):
    """What the archive has, the newest first. more: there is more than was asked for."""

    kind: Literal["found"] = "found"
    entries: tuple[Entry, ...]
    more: bool


Result = (
    Begun
    | Answered
    | Cancelled
    | Challenged
    | Selected
    | ThresholdSet
    | MaskSet
    | CameraSet
    | Triggered
    | Snapshot
    | State
    | Found
)
AnyResult = Annotated[Result | Running, Field(discriminator="kind")]
