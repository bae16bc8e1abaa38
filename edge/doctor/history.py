"""What the station left on its disk: audit log, last good config, last fault, outcomes of the timers, what waits to be sent."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from edge.audit import AuditError, verify
from edge.checkup import Checkup, CheckupOutcome, read_checkups
from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.limits import DRIFT_AGE, VERIFY_AGE, WAITING, Limit
from edge.errors import ConfigError
from edge.safe_mode import LastGood

LAST_FAULT: Final = "last-fault.json"
OUTBOX: Final = "outbox.sqlite3"
TIMERS: Final = {"drift": DRIFT_AGE, "archive-verify": VERIFY_AGE}
_RECENT_DAYS: Final = 7.0


def audit(case: Case) -> Iterator[Check]:
    """The whole chain. A log that is too long for the doctor's patience is not judged here."""
    assert case.config is not None and case.state_dir is not None  # noqa: S101, PT018
    folder = case.config.audit.folder(case.state_dir)
    if not folder.is_dir():
        yield skip("audit", f"no log yet in {folder}")
        return
    try:
        found = verify(folder)
    except AuditError as error:
        yield fail("audit", str(error), "without it no clearance is answered: check the folder's owner and the disk")
        return
    if found.sound:
        yield ok("audit", f"{found.entries} entries in {found.files} file(s), unbroken")
    else:
        more = f" and {len(found.findings) - 1} more" if len(found.findings) > 1 else ""
        remedy = "keep a copy of the folder as it is, and ask who had access: lineclear audit verify CONFIG says all"
        yield fail("audit", f"{found.findings[0]}{more}", remedy)


def last_good(case: Case) -> Iterator[Check]:
    """The config that a broken one would be replaced with."""
    if case.config_path is None or case.state_dir is None:
        yield skip("last good", "no config")
        return
    places = [case.machine.environment, {"STATE_DIRECTORY": str(case.state_dir)}, {}]
    kept = next((found for place in places if (found := LastGood.of(case.config_path, place)).path.exists()), None)
    if kept is None:
        yield skip("last good", "none kept yet: the station keeps its config once it ran well")
        return
    try:
        was = kept.load()
    except ConfigError as error:
        yield warn("last good", str(error), "start the station with a sound config: it keeps it again")
        return
    if was.config == case.config:
        yield ok("last good", f"this config ran well, kept {was.saved_at}")
    else:
        detail = f"this config is another than the one that ran well ({kept.path}, {was.saved_at})"
        yield warn("last good", detail, "it takes effect when the station is restarted: sudo systemctl restart lineclear@NAME")


def last_fault(case: Case) -> Iterator[Check]:
    """Why the station last ended itself."""
    assert case.state_dir is not None  # noqa: S101
    path = case.state_dir / LAST_FAULT
    try:
        with path.open("rb") as file:
            said = json.loads(file.read(65_536))
        why, at = str(said["why"])[:300], str(said["at"])[:40]
        age_days = (case.now.timestamp() - path.stat().st_mtime) / 86_400
    except FileNotFoundError:
        yield ok("last fault", "the station never had to end itself")
        return
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        yield warn("last fault", f"{path} cannot be read", "delete it: it says why the station last ended itself")
        return
    detail = f"{at}: {why}"
    if age_days < _RECENT_DAYS:
        yield warn(
            "last fault", detail, "the station ended itself and was started again: journalctl -u lineclear@NAME says more"
        )
    else:
        yield ok("last fault", f"{detail} ({age_days:.0f} days ago)")


def checkups(case: Case) -> Iterator[Check]:
    """What the timers found: drift, and the archive's verification."""
    assert case.state_dir is not None  # noqa: S101
    found = {checkup.name: checkup for checkup in read_checkups(case.state_dir)}
    for name in TIMERS:
        if name not in found:
            yield skip(f"checkup {name}", f"never run: its timer is lineclear-{name}@NAME.timer")
    for name, checkup in found.items():
        yield _checkup(case, checkup, TIMERS.get(name, VERIFY_AGE))


def _checkup(case: Case, found: Checkup, limit: Limit) -> Check:
    name, age_days = f"checkup {found.name}", found.age_s(case.now) / 86_400
    detail = f"{found.summary} ({found.at:%Y-%m-%d %H:%M})"
    if found.outcome is not CheckupOutcome.OK:
        return warn(name, detail, found.remedy or f"journalctl -u 'lineclear-{found.name}@*' says more")
    if age_days > limit.value:
        remedy = f"look at its timer: systemctl list-timers 'lineclear-{found.name}@*'"
        return warn(name, f"{detail}, {age_days:.0f} days ago, and not since", remedy)
    return ok(name, detail)


def outbox(case: Case) -> Iterator[Check]:
    """What waits for the broker, read without disturbing the station."""
    assert case.state_dir is not None  # noqa: S101
    path = case.state_dir / OUTBOX
    if not path.is_file():
        yield skip("outbox", "no result was published from this state folder yet")
        return
    try:
        rows, oldest_s = _waiting(path)
    except sqlite3.Error as error:
        yield warn("outbox", f"{path} cannot be read ({error})", "run the doctor as the station's user (sudo -u lineside)")
        return
    detail = f"{rows} messages wait" if rows else "nothing waits"
    if oldest_s is not None:
        detail += f", the oldest for {max(0.0, case.now.timestamp() - oldest_s) / 3600:.1f} h"
    if rows > WAITING.value:
        yield warn("outbox", detail, "the broker was away for long or is slow: see the line `broker`")
    else:
        yield ok("outbox", detail)


def _waiting(path: Path) -> tuple[int, float | None]:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=1.0)) as connection:
        rows, oldest = connection.execute("SELECT count(*), min(created_at) FROM outbox").fetchone()
    return int(rows), float(oldest) if oldest is not None else None
