"""Faults of the engine, one station each: the simulated engine fails on schedule, with a card that holds for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.fault_rig import Row, for_simulated_engine, rig, view
from edge.supervision import HUNG
from tests.supervision.systemd import service

FIRST, LAST, CALL_S, LONG_S = 60, 90, 3.0, 240.0
KINDS = {
    "raise": "UNDECIDED(engine_fault); the next frame is tried again",
    "nan": "UNDECIDED(map_invalid)",
    "zeros": "UNDECIDED(engine_fault): one value everywhere, as no good frame of the card",
}


def engines(folder: Path) -> Iterator[Row]:
    """Each kind in a life of its own."""
    for kind, does in KINDS.items():
        yield failing(folder / kind, kind, does)
    yield hanging(folder / "hang")


def _changes(folder: Path, kind: str, calls: list[int]) -> dict[str, Any]:
    folder.mkdir(parents=True)
    recipe = for_simulated_engine(folder)
    return {
        "engine": {"kind": "simulated", "faults": [{"kind": kind, "at": calls}] if calls else []},
        "views": {"feeder": view(folder, recipe)},
        "supervision": {"engine_call_s": CALL_S},
    }


def failing(folder: Path, kind: str, does: str, calls: tuple[int, int] = (FIRST, LAST)) -> Row:
    """So many calls in a row."""
    with rig(folder, **_changes(folder, kind, list(range(*calls)))) as (station, _):
        codes = ("engine_fault", "map_invalid")
        at = station.last()
        station.until(lambda: station.outcome(at, *codes), "a fault of the engine", LONG_S)
        first = next(one for one in station.seen(at) if one.code in codes)
        began = next((one for one in reversed(station.seen(at)) if one.seq < first.seq), first)
        station.until(lambda: sum(one.code in codes for one in station.seen(at)) >= calls[1] - calls[0], "all of them", LONG_S)
        found = [one for one in station.seen(at) if one.code in codes]
        recover_s = station.back()
        note = (
            f"in the very frame: trigger {first.trigger} follows {began.trigger}; {len(found)} of {calls[1] - calls[0]} calls"
        )
        return station.row(f"engine: {kind}", does, 0.0, recover_s, note=note)


def hanging(folder: Path) -> Row:
    """A call that never returns: the station ends itself, and systemd starts another."""
    with rig(folder, **_changes(folder, "hang", [FIRST])) as (station, _):
        at = station.last()
        station.until(lambda: station.outcome(at, "engine_fault"), "that what waits is answered", LONG_S)
        waited = max(one.frame_at for one in station.seen(at) if one.frame_at is not None and one.outcome == "FAIL")
        said = next(one for one in station.seen(at) if one.code == "engine_fault")
        assert said.frame_at is not None
        detect_s = (said.frame_at - waited).total_seconds()
        ended = station.running.ended()
        assert ended == HUNG, ended
        _mend(station.config)
        with service(station.config, folder) as again:
            other = station.restarted(again)
            recover_s = other.until(lambda: again.ready, "READY") + other.back()
            limit = f"{CALL_S:g} s here (engine_call_s)"
            does = f"after {limit} what waits is UNDECIDED(engine_fault), alarm, the station ends with 4 and is started again"
            return other.row("engine: hangs", does, detect_s, recover_s)


def _mend(config: Path) -> None:
    """The next life's engine works."""
    data = yaml.safe_load(config.read_text())
    data["engine"]["faults"] = []
    config.write_text(yaml.safe_dump(data, sort_keys=False))
