"""From the page's site to the bench of one view."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from calibration.station import Setting
from calibration.web.site import Site
from calibration.web.wizard.bench import Bench
from calibration.web.wizard.desk import Desk
from edge.cameras.adjustments import in_force
from edge.errors import DeviceError
from edge.recipe import Trust


def bench_of(site: Site, view: str) -> Bench:
    """The view must be one of the config's. NotFound otherwise."""
    return Bench(
        view=view,
        desk=Desk(site.folder, view),
        recipe_path=site.recipe(view),
        # With the camera as a person set it since: a card of the config's own settings would be stale at once.
        setting=Setting(site.config.engine, in_force(site.config), site.config_path),
        archive=site.archive,
        state_dir=Path(site.config.state_dir),
        labels=site.folder / "labels" / view,
        ask=site.link.ask if site.link is not None else nobody,
        trust=Trust.of(site.config.trust),
    )


def nobody(
    command: str,
    body: Mapping[str, Any],
    *,
    timeout_s: float = 10,
    progress: Callable[[Mapping[str, Any]], None] | None = None,
) -> Mapping[str, Any]:
    """A page without a line to its station. DeviceError."""
    del body, timeout_s, progress
    raise DeviceError("this page has no line to its station", where=command, remedy="give the station a broker: publisher")
