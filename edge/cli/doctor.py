"""`lineclear doctor`: one line per check, OK, WARN, FAIL or SKIP, and what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from edge.cli.terminal import complain, one_line, say, say_json
from edge.doctor.check import Case, Check, Status
from edge.doctor.examinations import machine, station
from edge.doctor.libraries import REQUIRED

SCHEMA: Final = "lineclear/doctor/1"


def doctor(config_path: Path | None, as_json: bool) -> int:
    """Print every check; 0 if nothing FAILs, else 1. A config that cannot be read is a FAIL like any other."""
    results: list[Check] = []
    case = Case(config_path=config_path)
    for check in _checks(case):
        results.append(check)
        if not as_json:
            say(one_line(str(check)) + "\n")
    if as_json:
        say_json(_document(case, results))
    failed = [check.name for check in results if check.status is Status.FAIL]
    if failed:
        complain("lineclear", f"{len(failed)} of {len(results)} checks FAIL: {', '.join(dict.fromkeys(failed))}")
    return 1 if failed else 0


def _checks(case: Case) -> Iterator[Check]:
    sound = True
    for check in machine(case):
        sound = sound and not (check.status is Status.FAIL and check.name in REQUIRED)
        yield check
    if sound:
        yield from station(_inspected(case))
    else:
        yield Check("config", Status.WARN, "not looked at, because libraries are missing", "mend those first")


def _inspected(case: Case) -> Case:
    """With the config, as far as it is sound. Imported here: a machine without the libraries gets its report all the same."""
    from edge.cli.inspection import inspect_config
    from edge.errors import ConfigError

    if case.config_path is None:
        return case
    try:
        config, problems = inspect_config(case.config_path)
    except ConfigError as error:
        config, problems = None, error.problems
    return Case(case.machine, config, case.config_path, problems, case.now)


def _document(case: Case, results: list[Check]) -> dict[str, Any]:
    counts = Counter(check.status for check in results)
    return {
        "schema": SCHEMA,
        "at": case.now.isoformat(timespec="seconds"),
        "config": str(case.config_path) if case.config_path is not None else None,
        "counts": {status.value: counts[status] for status in Status},
        "checks": [{key: one_line(value) for key, value in asdict(check).items()} for check in results],
    }
