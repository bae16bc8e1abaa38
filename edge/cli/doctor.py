"""`lineclear doctor`: one line per check, OK, WARN or FAIL, and what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from edge.cli import checks
from edge.cli.checks import Check, Status
from edge.cli.validate import inspect_config
from edge.config import StationConfig
from edge.errors import ConfigError
from edge.settings.genicam import GenicamSettings
from edge.settings.mqtt import MqttSettings


def doctor(config_path: Path | None, as_json: bool) -> int:
    """Print every check; 0 if nothing FAILs, else 1. A config that cannot be read is a FAIL like any other."""
    results: list[Check] = []
    for check in _checks(config_path):
        results.append(check)
        if not as_json:
            sys.stdout.write(f"{check}\n")
            sys.stdout.flush()
    if as_json:
        json.dump([asdict(check) for check in results], sys.stdout)
        sys.stdout.write("\n")
    return 1 if any(check.status is Status.FAIL for check in results) else 0


def _checks(config_path: Path | None) -> Iterator[Check]:
    yield checks.python()
    yield from checks.libraries()
    yield checks.clock()
    config: StationConfig | None = None
    if config_path is not None:
        try:
            config, problems = inspect_config(config_path)
        except ConfigError as error:
            problems = error.problems
        yield from (Check("config", Status.FAIL, problem) for problem in problems)
        if config is not None and not problems:
            yield Check("config", Status.OK, f"{config_path}: {len(config.views)} view(s)")
    yield checks.disk(Path(config.state_dir) if config else Path.cwd())
    yield from _cameras(config)
    if config is not None and isinstance(config.publisher, MqttSettings):
        yield checks.broker(config.publisher, config.station.client_id + "-doctor")
    yield from checks.gpu()


def _cameras(config: StationConfig | None) -> Iterator[Check]:
    """The cameras that the producers see, and whether each one that the config names is among them."""
    wanted = {
        name: view.camera for name, view in (config.views.items() if config else ()) if isinstance(view.camera, GenicamSettings)
    }
    if config is not None and not wanted:
        return
    producers = tuple(dict.fromkeys(str(p) for camera in wanted.values() for p in camera.producers))
    seen, result = checks.cameras(producers)
    yield result
    for name, camera in wanted.items():
        if camera.serial in seen:
            yield Check(f"camera {name}", Status.OK, f"serial {camera.serial}: {seen[camera.serial]}")
        else:
            remedy = "check power, cable and network; the serial is on the camera's label"
            yield Check(f"camera {name}", Status.FAIL, f"serial {camera.serial} is not among the cameras seen", remedy)
