"""GenTL producers, the cameras behind them, and the links to those."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from edge.doctor.check import Case, Check, fail, ok, skip, warn
from edge.doctor.libraries import version_of
from edge.doctor.limits import GIGE_SPEED, JUMBO, USB_SPEED
from edge.doctor.network import NET, interface_to
from edge.errors import LineclearError
from edge.settings.genicam import GenicamSettings

PATIENCE_S: Final = 20.0
_INSTALL: Final = "pip install harvesters genicam"
_VIEWER: Final = "try it with its vendor's viewer, or install the vendor's package again"
_OWNED: Final = {"mvgentlproducer": ("balluff", "matrix vision")}
"""Producers that are known to serve their own vendor's cameras only (others: a mark on each picture after some seconds)."""
_SCRIPT: Final = "import sys; from edge.doctor.camera_child import main; main(sys.argv[1:])"
Told = Mapping[str, Any]


def wanted(case: Case) -> dict[str, GenicamSettings]:
    """The GenICam cameras of the config, by view."""
    views = case.config.views.items() if case.config is not None else ()
    return {name: view.camera for name, view in views if isinstance(view.camera, GenicamSettings)}


def cameras(case: Case) -> Iterator[Check]:
    """Every producer that is named or found, every camera that they see, and each camera that the config names."""
    needed = wanted(case)
    if case.config is not None and not needed:
        yield skip("producers", "no camera of this config is a GenICam camera")
        return
    bad = fail if needed else warn
    if version_of("harvesters") is None:
        yield bad("producers", "not looked for: no GenICam support", _INSTALL)
        return
    from edge.cameras.producers import find_producers

    named = tuple(dict.fromkeys(path for camera in needed.values() for path in camera.producers))
    searches = not named or any(not camera.producers for camera in needed.values())
    paths: dict[Path, None] = {}
    for names in [(name,) for name in named] + ([()] if searches else []):
        try:
            paths |= dict.fromkeys(find_producers(names))
        except LineclearError as error:
            detail = ": ".join(part for part in (error.where, error.message) if part)
            yield bad("producers", detail, error.remedy or _VIEWER)
    answers = _ask(tuple(paths), {camera.serial for camera in needed.values()})
    seen: dict[str, Told] = {}
    for path, answer in answers.items():
        yield _producer(path, answer, bool(needed))
        seen |= {entry["serial"]: {**entry, "producer": str(path)} for entry in answer.get("cameras", ())}
    if not needed:
        yield ok("cameras", _listed(seen)) if seen else warn("cameras", "none seen", "check power, cable and network")
    for name, camera in needed.items():
        yield from _camera(case, name, camera.serial, seen)


def _ask(paths: Sequence[Path], serials: set[str]) -> dict[Path, Told]:
    """What each producer says, in a process for each: it may crash or hang whoever loads it."""
    children = {
        path: subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, str(path), *sorted(serials)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for path in paths
    }  # fmt: skip
    deadline_s = time.monotonic() + PATIENCE_S
    found: dict[Path, Told] = {}
    try:
        for path, child in children.items():
            try:
                out, err = child.communicate(timeout=max(0.1, deadline_s - time.monotonic()))
                found[path] = answer_of(child.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"))
            except subprocess.TimeoutExpired:
                found[path] = {"error": f"did not answer in {PATIENCE_S:g} s", "remedy": _VIEWER}
    finally:
        for child in children.values():
            if child.poll() is None:
                child.kill()
                child.communicate()
    return found


def answer_of(status: int, out: str, err: str) -> Told:
    """What the child wrote; `error` where it wrote nothing that can be used."""
    try:
        said = json.loads(out.splitlines()[-1]) if out.strip() else None
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict) and isinstance(said.get("cameras", []), list):
        return said
    last = (err.strip().splitlines() or [""])[-1][:300]
    how = f"crashed (signal {-status})" if status < 0 else f"ended with {status}"
    return {"error": f"{how}{': ' + last if last else ''}", "remedy": _VIEWER}


def _producer(path: Path, answer: Told, needed: bool) -> Check:
    name = f"producer {path.name}"
    if "error" in answer:
        text, remedy = str(answer["error"]), str(answer.get("remedy") or _VIEWER)
        if "licen" in text.lower():
            remedy = "it has no licence on this machine: put its licence where its vendor's manual says, or ask the vendor"
        return (fail if needed else warn)(name, f"{path}: {text}", remedy)
    words = [str(answer.get(key)) for key in ("vendor", "model", "version", "transport") if answer.get(key)]
    detail = f"{' '.join(words) or path}, {len(answer.get('cameras', ()))} cameras"
    if answer.get("is_simulator"):
        return warn(name, f"{detail}; a simulator: its verdicts say that they are simulated", "name the vendor's producer")
    foreign = _foreign(path, answer)
    if foreign:
        remedy = f"use the producer of {foreign}'s own vendor"
        return warn(name, f"{detail}; it is licensed for its own vendor's cameras and marks every picture of others", remedy)
    texts = licence_files(path)
    return ok(name, f"{detail}; licence: {texts[0]}" if texts else f"{detail}; no licence file beside it, and no complaint")


def _foreign(path: Path, answer: Told) -> str:
    for word, owners in _OWNED.items():
        if word in path.name.lower():
            for camera in answer.get("cameras", ()):
                if not any(owner in str(camera.get("vendor", "")).lower() for owner in owners):
                    return str(camera.get("vendor", "that camera"))
    return ""


def licence_files(path: Path) -> tuple[str, ...]:
    """Files beside a producer, or up to two folders above, whose names say that they hold its licence."""
    words = ("licen", "eula", ".lic")
    for folder in (path.parent, *path.parent.parents[:2]):
        try:
            found = sorted(entry.name for entry in folder.iterdir() if any(word in entry.name.lower() for word in words))
        except OSError:
            continue
        if found:
            return tuple(str(folder / name) for name in found[:5])
    return ()


def _camera(case: Case, view: str, serial: str, seen: Mapping[str, Told]) -> Iterator[Check]:
    name = f"camera {view}"
    found = seen.get(serial)
    if found is None:
        others = f" (seen: {_listed(seen)})" if seen else ""
        remedy = "check power, cable and network; the serial is on the camera's label"
        yield fail(name, f"serial {serial} is not among the cameras seen{others}", remedy)
        return
    detail = f"serial {serial}: {_described(found)}"
    if found.get("access") in ("no access", "read-only") or found.get("error"):
        why = str(found.get("error") or found.get("access"))
        yield warn(
            name,
            f"{detail}; not opened ({why})",
            "another program has it: the running station, or a viewer; if none, its address",
        )
    else:
        yield ok(name, detail)
    yield link(case, view, found)


def link(case: Case, view: str, camera: Told) -> Check:
    """How fast the camera is connected, by what it says itself and by the interface that it is reached through."""
    name = f"link {view}"
    raw = camera.get("features")
    features: Told = raw if isinstance(raw, dict) else {}
    address, packet = features.get("address"), _whole(features.get("packet_size"))
    speed = _whole(features.get("link_bps"))
    words, problem = [], None
    if speed:
        words.append(f"{speed / 1e6:.0f} Mbit/s")
        least = USB_SPEED if camera.get("transport") == "U3V" else GIGE_SPEED
        if speed / 1e6 < least.value * 0.7:  # USB3's 5 Gbit/s are 4 of payload
            problem = "a slow port, cable or switch: see network and usb above"
    if isinstance(address, str) and (interface := interface_to(case.machine, address)):
        mtu = case.machine.number(f"{NET}/{interface}/mtu")
        words.append(f"{address} on {interface}, MTU {mtu}")
        if mtu is not None and packet and packet > mtu:
            problem = f"set GevSCPSPacketSize to {mtu}, or the MTU to {packet + 100}: such packets do not get through"
        elif mtu is not None and mtu < JUMBO.value:
            problem = f"jumbo frames: sudo systemd/install.sh --gige {interface}, and the switch must take them"
    words += [f"packets of {packet} bytes"] if packet else []
    lost = {key: count for key, value in features.items() if key.startswith("lost_") and (count := _whole(value))}
    words += [f"{count} {key.removeprefix('lost_')}" for key, count in lost.items()]
    if problem is None and lost:
        problem = "packets get lost on the way: cable, switch, rmem_max; or set an inter-packet delay"
    if (celsius := features.get("celsius")) is not None:
        words.append(f"{celsius} °C")
    if not words:
        return skip(name, "not opened, or it tells neither speed nor address")
    return ok(name, ", ".join(words)) if problem is None else warn(name, ", ".join(words), problem)


def _listed(seen: Mapping[str, Told]) -> str:
    return ", ".join(f"{serial} ({_described(entry)})" for serial, entry in seen.items())


def _described(entry: Told) -> str:
    return f"{entry.get('vendor')} {entry.get('model')}, {entry.get('access')}"


def _whole(value: object) -> int | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(float(value)) < 1e15
    return int(value) if number and isinstance(value, (int, float)) else None
