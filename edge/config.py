"""configs/*.yaml -> one closed, frozen StationConfig. Paths in a config are relative to the file that names them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator
from typing_extensions import Self

from edge.errors import ConfigError
from edge.schema import Closed, read_yaml, validate
from edge.settings.archive import ArchiveSettings
from edge.settings.audit import AuditSettings
from edge.settings.cameras import (
    Adjustable,
    CameraSettings,
    ProcessSettings,
    adjustable_problems,
    is_live,
    source_key,
    trigger_mode,
)
from edge.settings.clearance import ClearanceConfig
from edge.settings.commands import CommandSettings
from edge.settings.engines import EngineSettings, OnnxRuntimeSettings
from edge.settings.io import OutputsConfig, Trigger, trigger_problems
from edge.settings.mqtt import PublisherSettings, StationAddress, TopicLevel
from edge.settings.opcua import OpcUaConfig
from edge.settings.supervision import SupervisionSettings
from edge.settings.triggers import TriggerSettings
from edge.settings.trust import TrustSettings


class ViewConfig(Closed):
    """One fixed camera pose. recipe may hold `{product}`: the product of the station, or of the check, is put there.

    adjustable: what of the camera the command `camera` may set, and from where to where.
    """

    camera: CameraSettings
    recipe: str = Field(min_length=1)
    trigger: TriggerSettings = TriggerSettings()
    process: ProcessSettings = ProcessSettings()
    adjustable: Adjustable = Field({})

    @model_validator(mode="after")
    def _limits_fit(self) -> Self:
        problems = adjustable_problems(self.camera, self.adjustable)
        if problems:
            raise ValueError("; ".join(f"adjustable: {problem}" for problem in problems))
        return self

    @model_validator(mode="after")
    def _every_frame_is_a_trigger(self) -> Self:
        if self.trigger.kind == "hardware" and self.camera.policy != "every":
            raise ValueError("trigger kind hardware judges every frame, but policy newest skips some: write policy: every")
        if self.trigger.kind != "hardware" and self.camera.policy == "every" and is_live(self.camera) and not self._is_asked():
            raise ValueError("policy every lets old frames wait and answer a new question: write policy: newest")
        return self

    def _is_asked(self) -> bool:
        return trigger_mode(self.camera) == "software"


class PicturesConfig(Closed):
    """Overlays over MQTT: of which verdicts, in which format, how wide at most."""

    publish: Literal["all", "not_pass", "none"] = "not_pass"
    format: Literal["jpeg", "png"] = "jpeg"
    max_width: int = Field(1024, ge=64, le=8192)


class HealthConfig(Closed):
    """How often health is published, and on which port of this machine Prometheus finds it (none: not at all)."""

    interval_s: float = Field(10.0, ge=1, le=3600)
    prometheus_port: int | None = Field(None, ge=1, le=65535)


class ChangeoverConfig(Closed):
    """warm_engines_mb: memory for the engines of products that are not in force, so that they come back at once."""

    warm_engines_mb: float = Field(1024.0, ge=0, le=1_000_000)


class StationConfig(Closed):
    """One box and its cameras."""

    station: StationAddress
    state_dir: str = Field(min_length=1)
    product: TopicLevel | None = None
    engine: EngineSettings = OnnxRuntimeSettings()
    publisher: PublisherSettings
    views: dict[TopicLevel, ViewConfig] = Field(min_length=1, max_length=64)
    clearance: ClearanceConfig = ClearanceConfig()
    changeover: ChangeoverConfig = ChangeoverConfig()
    archive: ArchiveSettings = ArchiveSettings()
    audit: AuditSettings = AuditSettings()
    trust: TrustSettings | None = None
    commands: CommandSettings = CommandSettings()
    triggers: dict[TopicLevel, Trigger] = Field({}, max_length=64)
    outputs: OutputsConfig | None = None
    opcua: OpcUaConfig | None = None
    pictures: PicturesConfig = PicturesConfig()
    health: HealthConfig = HealthConfig()
    supervision: SupervisionSettings = SupervisionSettings()

    @model_validator(mode="after")
    def _one_camera_one_view(self) -> Self:
        clashes = shared_cameras(self.views)
        if clashes:
            raise ValueError("; ".join(clashes))
        return self

    @model_validator(mode="after")
    def _triggers_lead_somewhere(self) -> Self:
        problems = trigger_problems(self.triggers, self.views)
        if problems:
            raise ValueError("; ".join(f"triggers: {problem}" for problem in problems))
        return self

    @model_validator(mode="after")
    def _product_known(self) -> Self:
        needing = [name for name, view in self.views.items() if "{product}" in view.recipe]
        if needing and self.product is None:
            raise ValueError(f"product is missing, and the recipe of {', '.join(needing)} needs it: add `product: NAME`")
        return self


def load_config(path: Path) -> StationConfig:
    """Read one station's config; ConfigError lists every problem. Relative paths in it become absolute."""
    data = read_document(path)
    try:
        return validate(StationConfig, data, str(path))
    except ConfigError as error:
        # What pydantic checks of the whole it checks only once every part is sound; a person wants to hear it all now.
        clashes = [f"{path}: views: {clash}" for clash in shared_cameras(sound_views(data))]
        known = "\n".join(error.problems)
        more = tuple(clash for clash in clashes if clash.split(": ", 2)[2] not in known)
        raise ConfigError(error.message, where=str(path), problems=error.problems + more) from None


def read_document(path: Path) -> dict[str, Any]:
    """The config's YAML with absolute paths, not validated yet. Raises ConfigError."""
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise ConfigError("is empty or not a mapping", where=str(path), remedy="see configs/ for commented examples")
    base = path.resolve().parent
    return {
        str(key): _absolute(value, base, str(key)) if key != "commands" else _commands(value, base)
        for key, value in data.items()
    }


def sound_views(data: dict[str, Any]) -> dict[str, ViewConfig]:
    """Those views of a document that are well-formed by themselves."""
    views = data.get("views")
    sound: dict[str, ViewConfig] = {}
    for name, view in views.items() if isinstance(views, dict) else ():
        with suppress(ConfigError):
            sound[str(name)] = validate(ViewConfig, view, str(name))
    return sound


def shared_cameras(views: Mapping[str, ViewConfig]) -> list[str]:
    """One phrase for each view whose camera another view has already."""
    owners: dict[str, str] = {}
    clashes = []
    for name, view in views.items():
        source = source_key(view.camera)
        if source is None:
            continue
        if source in owners:
            clashes.append(f"{owners[source]!r} and {name!r} use the same camera ({source}): give each view its own")
        owners.setdefault(source, name)
    return clashes


def _commands(data: Any, base: Path) -> Any:
    """Only its file of keys is a path: clients and people may have any name, also that of a path's key."""
    if not isinstance(data, dict) or "keys_file" not in data:
        return data
    return {**data, "keys_file": _absolute(data["keys_file"], base, "keys_file")}


PATH_KEYS = {
    "recipe", "state_dir", "credentials_file", "ca_file", "cert_file", "key_file", "path", "source", "control", "producers",
    "keys_file", "trusted_clients", "chip", "cache_dir", "trusted_keys", "signing_key",
}  # fmt: skip


def _absolute(data: Any, base: Path, key: str = "") -> Any:
    """The same document with every path made absolute; other values untouched."""
    if isinstance(data, dict):
        # A trigger's `source` is a line of the camera (Line1); only a video's is a file.
        words = {"source"} if data.get("kind") != "video" else set()
        return {name: value if name in words else _absolute(value, base, str(name)) for name, value in data.items()}
    if isinstance(data, list):
        return [_absolute(value, base, key) for value in data]
    if key in PATH_KEYS and isinstance(data, str) and data not in ("", "viky") and "://" not in data:
        return str((base / Path(data).expanduser()).absolute())
    return data
