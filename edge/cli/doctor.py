"""`lineclear doctor`: one line per check, OK, WARN or FAIL, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from edge.cli import checks
from edge.cli.checks import Check, Status
from edge.cli.terminal import complain, one_line, say, say_json


def doctor(config_path: Path | None, as_json: bool) -> int:
    """Print every check; 0 if nothing FAILs, else 1. A config that cannot be read is a FAIL like any other."""
    results: list[Check] = []
    for check in _checks(config_path):
        results.append(check)
        if not as_json:
            say(one_line(str(check)) + "\n")
    if as_json:
        say_json([{key: one_line(value) for key, value in asdict(check).items()} for check in results])
    failed = [check.name for check in results if check.status is Status.FAIL]
    if failed:
        complain("lineclear", f"{len(failed)} of {len(results)} checks FAIL: {', '.join(dict.fromkeys(failed))}")
    return 1 if failed else 0


def _checks(config_path: Path | None) -> Iterator[Check]:
    yield checks.python()
    needed = list(checks.libraries())
    yield from needed
    yield checks.clock()
    if any(check.status is Status.FAIL and check.name in checks.REQUIRED for check in needed):
        yield Check("station", Status.WARN, "not looked at, because libraries are missing", "mend those first")
    else:
        yield from _station(config_path)
    yield from checks.gpu()


def _station(config_path: Path | None) -> Iterator[Check]:
    """What needs the libraries: imported here, so that a machine without them gets its report all the same."""
    from edge.cli import station_checks
    from edge.cli.inspection import inspect_config
    from edge.errors import ConfigError
    from edge.settings.mqtt import MqttSettings

    config = None
    if config_path is not None:
        try:
            config, problems = inspect_config(config_path)
        except ConfigError as error:
            problems = error.problems
        yield from (Check("config", Status.FAIL, problem) for problem in problems)
        if config is not None and not problems:
            yield Check("config", Status.OK, f"{config_path}: {len(config.views)} view(s)")
    yield checks.disk(Path(config.state_dir) if config else Path.cwd())
    if config is not None:
        yield from station_checks.recipes(config)
    if config is not None or config_path is None:
        yield from station_checks.cameras(config)
    if config is not None and isinstance(config.publisher, MqttSettings):
        yield station_checks.broker(config.publisher, config.station.client_id + "-doctor")
