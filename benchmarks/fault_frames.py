"""Frames that are not what they should be: none of them may pass, with a product in the scene or without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.fault_rig import LEAFLET, Rig, Row, rig, view
from edge.settings.simulated import FaultKind

FRAMES, SETTLED = 15, 6
KINDS: dict[FaultKind, str] = {
    "black": "not registered: the frame shows nothing of the reference",
    "saturated": "not registered: the frame shows nothing of the reference",
    "blurred": "not registered: too unlike the reference",
    "torn": "not registered, or FAIL where the tear is",
    "wrong_size": "UNDECIDED(frame_invalid)",
    "damaged": "UNDECIDED(frame_invalid)",
}


def frames(folder: Path) -> Iterator[Row]:
    """On one station, one after the other."""
    with rig(folder / "frames") as (station, _):
        for kind, does in KINDS.items():
            yield bad_frames(station, kind, does)
    with rig(folder / "frozen", views={"feeder": view(folder / "frozen", process={"frozen": "on"})}) as (station, _):
        yield frozen(station)


def bad_frames(station: Rig, kind: FaultKind, does: str, count: int = FRAMES) -> Row:
    """Some with a leaflet in the scene, and as many without: what cannot be seen cannot be clear."""
    station.calm()
    at = station.last()
    station.show(LEAFLET, fault=kind)
    detect_s = station.until(lambda: any(one.code for one in station.seen(at)) or kind == "torn", "that its frames are bad")
    station.until(lambda: len(station.seen(at)) >= count, "verdicts")
    station.show(fault=kind)
    at = station.last()
    station.until(lambda: len(station.seen(at)) >= count, "verdicts")
    station.show(LEAFLET)
    return station.row(f"frames: {kind}", does, detect_s, station.back())


def frozen(station: Rig) -> Row:
    """The camera shows the clean scene for ever, while a leaflet falls into it."""
    station.calm()
    before = station.last()
    station.show()
    station.until(lambda: station.outcome(before, "PASS"), "a PASS of a clean frame")
    at = station.last()
    station.show(LEAFLET, fault="frozen")
    detect_s = station.until(lambda: station.outcome(at, "frame_frozen"), "that its frames are frozen")

    def is_settled() -> bool:
        last = station.seen(at)[-SETTLED:]
        return len(last) == SETTLED and {one.code for one in last} == {"frame_frozen"}

    station.until(is_settled, "that nothing else is in the line")
    station.begin()
    at = station.last()
    station.until(lambda: len(station.seen(at)) >= FRAMES, "verdicts")
    station.show(LEAFLET)
    does = "UNDECIDED(frame_frozen) from the second equal frame on (`process: {frozen: on}`; by itself for GenICam and V4L2)"
    return station.row("frames: frozen", does, detect_s, station.back())
