"""What a calibration command takes from the station's config: the engine that will judge, and the settings of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge.bundle import Bundle
from edge.cameras.adjustments import in_force
from edge.config import StationConfig, load_config
from edge.engines.base import Engine
from edge.errors import ConfigError
from edge.parts import make_engine
from edge.recipe import load_recipe
from edge.schema import validate
from edge.settings.cameras import hash_of_camera
from edge.settings.engines import EngineSettings, OnnxRuntimeSettings

DEFAULT_THREADS = 2


@dataclass(frozen=True)
class Setting:
    """Where a command works. config: None without one; the engine is then ONNX Runtime on this machine's CPU."""

    engine: EngineSettings
    config: StationConfig | None = None
    config_path: Path | None = None

    def open_engine(self, bundle: Bundle) -> Engine:
        """The engine of a bundle, not entered yet."""
        return make_engine(self.engine, bundle)

    def camera_hash(self, recipe: Path) -> str | None:
        """The hash of the settings of the camera of the recipe's view; None without a config.

        Raises RecipeError, and ConfigError where the config has no such view.
        """
        if self.config is None:
            return None
        view = load_recipe(recipe).view
        if view not in self.config.views:
            message = f"has no view {view!r}, which the recipe is for"
            raise ConfigError(message, where=str(self.config_path), remedy="name the right config")
        return hash_of_camera(self.config.views[view].camera)


def setting(config_path: Path | None, threads: int | None, where: str) -> Setting:
    """The config's engine, else ONNX Runtime; threads: instead of the config's. where: the command, for its errors.

    ConfigError: the config or the number of threads is wrong, or the config names an engine that has no threads.
    """
    config = in_force(load_config(config_path)) if config_path else None
    if threads is None and config is not None:
        return Setting(config.engine, config, config_path)
    ours = validate(OnnxRuntimeSettings, {"threads": DEFAULT_THREADS if threads is None else threads}, where)
    if config is None:
        return Setting(ours)
    if not isinstance(config.engine, OnnxRuntimeSettings):
        remedy = "leave --threads out: the config names another engine"
        raise ConfigError("--threads is of ONNX Runtime", where=where, remedy=remedy)
    return Setting(config.engine.model_copy(update={"threads": ours.threads}), config, config_path)
