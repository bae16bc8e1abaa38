"""The checks of `lineclear doctor` that look at what a config names: recipes, cameras, broker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.cli.checks import Check, Status, version_of
from edge.config import StationConfig
from edge.errors import LineclearError
from edge.publishers.probe import probe
from edge.recipe import load_recipe, stale
from edge.settings.genicam import GenicamSettings
from edge.settings.mqtt import MqttSettings

CAMERA_PATIENCE_S = 30


def recipes(config: StationConfig) -> Iterator[Check]:
    """Recipes without thresholds, or with thresholds that no longer hold: sound files, but every verdict is UNDECIDED.

    What is wrong with the files themselves is the config's check.
    """
    remedy = "take thresholds: lineclear-calibrate thresholds"
    for name, view in config.views.items():
        try:
            recipe = load_recipe(Path(view.recipe.replace("{product}", config.product or "")), view=name)
        except LineclearError:
            continue
        changed = stale(recipe.card, recipe) if recipe.card else ("it has no threshold card",)
        what = f"version {recipe.version} of {recipe.path}"
        if changed:
            yield Check(f"recipe {name}", Status.FAIL, f"{what}: {'; '.join(changed)}", remedy)
        else:
            yield Check(f"recipe {name}", Status.OK, what)


def cameras(config: StationConfig | None) -> Iterator[Check]:
    """The cameras that the producers see, and whether each one that the config names is among them."""
    views = config.views.items() if config else ()
    wanted = {name: view.camera for name, view in views if isinstance(view.camera, GenicamSettings)}
    if config is not None and not wanted:
        return
    seen, result = _look(tuple(dict.fromkeys(path for camera in wanted.values() for path in camera.producers)), bool(wanted))
    yield result
    for name, camera in wanted.items():
        if seen is None:
            yield Check(f"camera {name}", Status.FAIL, f"serial {camera.serial} could not be looked for", "see above")
        elif camera.serial in seen:
            yield Check(f"camera {name}", Status.OK, f"serial {camera.serial}: {seen[camera.serial]}")
        else:
            remedy = "check power, cable and network; the serial is on the camera's label"
            yield Check(f"camera {name}", Status.FAIL, f"serial {camera.serial} is not among the cameras seen", remedy)


def _look(producers: tuple[str, ...], needed: bool) -> tuple[dict[str, str] | None, Check]:
    """Serial -> description of every camera that the producers see, None where they could not be asked.

    In a process of its own, with a time limit: a broken producer may crash or hang whoever loads it.
    """
    bad = Status.FAIL if needed else Status.WARN
    if version_of("harvesters") is None:
        return None, Check("cameras", bad, "not looked for: no GenICam support", "pip install harvesters genicam")
    script = "import sys; from edge.cameras.producers import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, *producers]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=CAMERA_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        remedy = "check the producer (.cti) with its vendor's viewer"
        return None, Check("cameras", bad, f"the GenTL producer did not answer in {CAMERA_PATIENCE_S} s", remedy)
    if done.returncode == 1 and done.stderr.strip():
        return None, Check("cameras", bad, done.stderr.strip().splitlines()[-1])  # names its own remedy
    try:
        found = json.loads(done.stdout)
    except ValueError:
        remedy = "check the producer (.cti) with its vendor's viewer"
        return None, Check("cameras", bad, f"the GenTL producer crashed (status {done.returncode})", remedy)
    if not found:
        return {}, Check("cameras", Status.WARN, "none seen", "check power, cable and network")
    seen = {entry["serial"]: f"{entry['vendor']} {entry['model']}, {entry['access']}" for entry in found}
    return seen, Check("cameras", Status.OK, ", ".join(f"{serial} ({what})" for serial, what in seen.items()))


def broker(settings: MqttSettings, client_id: str) -> Check:
    """A real MQTT connection with the station's own settings, under another client id."""
    where = f"{settings.host}:{settings.effective_port}"
    try:
        probe(settings, client_id)
    except LineclearError as error:
        detail = ": ".join(part for part in (error.where or where, error.message) if part)
        return Check("broker", Status.FAIL, detail, error.remedy)
    except OSError as error:
        return Check("broker", Status.FAIL, f"{where}: {error.strerror or error}", "check host, port and network")
    return Check("broker", Status.OK, f"{where}, MQTT {settings.protocol}" + (", TLS" if settings.tls else ", no TLS"))
