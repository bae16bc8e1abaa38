"""From a view's settings to its camera, its place and its trigger."""

from __future__ import annotations

from collections.abc import Mapping

from edge.cameras.adjustments import Adjustments, in_force
from edge.cameras.supervision import SupervisedCamera
from edge.changeover import Place
from edge.config import StationConfig, ViewConfig
from edge.loop import Seating, ViewSetup, Witness
from edge.settings.cameras import (
    ProcessSettings,
    camera_name,
    has_noise,
    hash_of_camera,
    is_pulled,
    trigger_mode,
    usual_latency_s,
)

CAMERA_ALARM = "camera_settings"
SPARE_SLOTS = 4
"""Frames in a camera's ring beside those that wait for the judge: judged, being fetched, being written, and one to spare."""


class Sight:
    """The cameras of a config as they are set now. kept: what was adjusted of them. config: the config with it."""

    def __init__(self, config: StationConfig) -> None:
        """config: as it stands in its file."""
        self.kept = Adjustments(config)
        found = self.kept.read()
        self._trouble = "; ".join(found.problems) or None
        self._adjusted = {name: dict(each.values) for name, each in found.views.items()}
        self.config = in_force(config)

    def setups(self, seatings: Mapping[str, Seating]) -> tuple[ViewSetup, ...]:
        """Every view, ready to run."""
        views = self.config.views.items()
        made = tuple(setup(name, view, seatings[name]) for name, view in views)
        for view in made:
            view.adjusted = {**self._adjusted.get(view.name, {})}
        return made

    @property
    def places(self) -> tuple[Place, ...]:
        """Every view as a changeover needs it."""
        return places(self.config)

    @property
    def witness(self) -> Witness:
        """An alarm while something was kept that does not count."""
        return Witness(dict, self._alarms)

    def _alarms(self) -> dict[str, str | None]:
        if self._trouble is not None:
            self._trouble = "; ".join(self.kept.read().problems) or None
        return {CAMERA_ALARM: self._trouble}


def places(config: StationConfig) -> tuple[Place, ...]:
    """Every view as a changeover needs it."""
    return tuple(
        Place(name, view.recipe, camera_name(view.camera), hash_of_camera(view.camera)) for name, view in config.views.items()
    )


def setup(name: str, view: ViewConfig, seating: Seating) -> ViewSetup:
    """One view, ready to run, with its camera in a process of its own."""
    camera = SupervisedCamera(view.camera, name, _process(view))
    usual_s = usual_latency_s(view.camera)
    trigger = view.trigger if view.trigger.latency_s is not None else view.trigger.model_copy(update={"latency_s": usual_s})
    drains = not is_pulled(view.camera) or trigger_mode(view.camera) == "software"
    frozen = has_noise(view.camera) if view.process.frozen == "auto" else view.process.frozen == "on"
    return ViewSetup(name, camera, trigger, seating, drains=drains, checks_frozen=frozen)


def _process(view: ViewConfig) -> ProcessSettings:
    """A ring with too few slots would lose the frames that `queue_frames` promises to keep."""
    slots = max(view.process.slots, view.trigger.queue_frames + SPARE_SLOTS)
    return view.process.model_copy(update={"slots": slots})
