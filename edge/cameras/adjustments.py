"""Camera settings that a person changed within the limits of the config: kept on the disk, and what is in force with them.

The file names the hash of the camera's settings in the config at that time. Where the config says something else since, what
was kept counts no longer: nobody has seen these two together.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field, FiniteFloat

from edge.config import StationConfig, ViewConfig
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.schema import Closed, read_json, validate
from edge.settings.adjustable import FeatureName, value_problems
from edge.settings.cameras import CameraSettings, hash_of_camera

log = logging.getLogger(__name__)

FILE: Final = "camera-settings.json"
_REMEDY: Final = "adjust the camera again, or send cmd/camera with settings null"


class Adjusted(Closed):
    """What was set of one view's camera, by whom. camera: hash of its settings in the config at that time."""

    values: Annotated[dict[FeatureName, FiniteFloat], Field(min_length=1)]
    camera: str
    who: str
    why: str
    at: AwareDatetime


class AdjustmentsFile(Closed):
    """The file: view -> what was set."""

    schema_name: Literal["lineclear/camera-settings/1"] = Field("lineclear/camera-settings/1", alias="schema")
    views: dict[str, Adjusted] = Field({})


@dataclass(frozen=True)
class Found:
    """What is in force: by view, where it is not as in the config. problems: what was kept and does not count."""

    views: Mapping[str, Adjusted] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


class Adjustments:
    """The file of one station's state folder, replaced whole."""

    def __init__(self, config: StationConfig) -> None:
        """config: as it stands in its file, without what was adjusted."""
        self.config = config
        self.path = Path(config.state_dir) / FILE

    def read(self) -> Found:
        """What was kept and still counts. Never raises: what cannot be read does not count, and is a problem."""
        try:
            kept = self._kept()
        except ConfigError as error:
            return Found(problems=(f"{error}; the cameras run as in the config: {_REMEDY}",))
        counts: dict[str, Adjusted] = {}
        problems = []
        for name, adjusted in kept.items():
            why_not = self._why_not(name, adjusted)
            if why_not:
                problems.append(f"{name}: camera settings of {adjusted.at:%Y-%m-%d} do not count: {why_not}: {_REMEDY}")
            else:
                counts[name] = adjusted
        return Found(counts, tuple(problems))

    def keep(self, view: str, adjusted: Adjusted | None) -> None:
        """Durable when it returns; None: this view's camera is as in the config again. ConfigError: the disk refuses.

        What is of other views stays, also where it does not count: it stays a problem until a person has looked at it.
        """
        try:
            before = self._kept()
        except ConfigError:
            before = {}
        views = {name: each for name, each in before.items() if name != view and name in self.config.views}
        if adjusted is not None:
            views[view] = adjusted
        text = AdjustmentsFile(schema="lineclear/camera-settings/1", views=views).model_dump_json(by_alias=True, indent=1)
        try:
            replace_file(self.path, f"{text}\n".encode(), mode=0o640)
        except OSError as error:
            remedy = "free the disk or check its permissions"
            raise ConfigError(f"cannot be written ({error.strerror})", where=str(self.path), remedy=remedy) from None

    def camera(self, view: str, values: Mapping[str, float]) -> CameraSettings:
        """The camera's settings in the config with these values in them. ConfigError: the camera's kind refuses one."""
        own = self.config.views[view].camera
        return validate(type(own), {**own.model_dump(), **values}, f"camera of {view}")

    def _kept(self) -> Mapping[str, Adjusted]:
        if not self.path.exists():
            return {}
        return validate(AdjustmentsFile, read_json(self.path), str(self.path)).views

    def _why_not(self, name: str, adjusted: Adjusted) -> str:
        view = self.config.views.get(name)
        if view is None:
            return "there is no such view any more"
        if hash_of_camera(view.camera) != adjusted.camera:
            return "the config says something else of this camera since"
        problems = "; ".join(value_problems(view.adjustable, adjusted.values))
        try:
            self.camera(name, adjusted.values)
        except ConfigError as error:
            return problems or error.message
        return problems


def in_force(config: StationConfig) -> StationConfig:
    """The config with each camera as it is set now: for whoever opens a camera or asks for the hash of its settings."""
    kept = Adjustments(config)
    found = kept.read()
    for problem in found.problems:
        log.warning("camera_settings_do_not_count why=%s", problem)
    if not found.views:
        return config
    views: dict[str, ViewConfig] = {
        name: view.model_copy(update={"camera": kept.camera(name, found.views[name].values)}) if name in found.views else view
        for name, view in config.views.items()
    }
    return config.model_copy(update={"views": views})
