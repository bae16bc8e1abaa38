"""Asks one producer in a process of its own: what it is, which cameras it sees, and what those that nobody uses tell."""

from __future__ import annotations

import ipaddress
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge.cameras.features import Features
from edge.cameras.producers import Vendor, devices, find_producers, first_line, is_simulator, load_vendor, open_harvester
from edge.errors import LineclearError

_LINK = ("DeviceLinkSpeed", "GevLinkSpeed", "DeviceLinkConnectionSpeed")
_TOLD = {"celsius": "DeviceTemperature", "packet_size": "GevSCPSPacketSize", "firmware": "DeviceFirmwareVersion"}
_STREAM = {
    "lost_packets resent": ("GevStreamResendPacketCount", "Statistic_Resend_Packet_Count", "StreamResendPacketCount"),
    "lost_packets lost": ("GevStreamLostPacketCount", "Statistic_Failed_Packet_Count", "StreamLostPacketCount"),
    "lost_frames in pieces": ("StreamIncompleteFrameCount", "Statistic_Failed_Buffer_Count", "StreamFailedBufferCount"),
}
"""Counters of the stream have no standard names: what the larger vendors call them."""


def main(arguments: Sequence[str]) -> None:
    """The producer's path, then serials to open; one line of JSON on standard output. Exit 1 with the error in it."""
    path, serials = Path(arguments[0]), set(arguments[1:])
    try:
        told = ask(path, serials)
    except LineclearError as error:
        told = {"error": error.message, "remedy": error.remedy}
    sys.stdout.write(json.dumps(told, default=str) + "\n")
    sys.stdout.flush()
    # A producer may hang or crash while it is unloaded, after all is said.
    os._exit(1 if "error" in told else 0)


def ask(path: Path, serials: set[str]) -> dict[str, Any]:
    """What the producer is and sees. CameraRefused, CameraLost: it cannot be loaded, or raised."""
    vendor = load_vendor()
    harvester = open_harvester(vendor, find_producers((str(path),)))
    found = devices(harvester)
    told: dict[str, Any] = {"is_simulator": is_simulator(path), **_system(found, vendor), "cameras": []}
    for info, device in found:
        camera: dict[str, Any] = {"serial": info.serial, "vendor": info.vendor, "model": info.model, "access": info.access}
        camera["transport"] = str(getattr(device, "tl_type", "") or "")
        if info.serial in serials and info.access in ("free", "unknown"):
            camera |= _opened(harvester, vendor, info.serial)
        told["cameras"].append(camera)
    return told


def _system(found: Sequence[tuple[Any, Any]], vendor: Vendor) -> dict[str, str]:
    """Vendor, model, version, transport of the producer, from the first camera's way up; nothing where there is no camera."""
    if not found:
        return {}
    words = {}
    system = found[0][1].parent.parent.parent
    with suppress(*vendor.errors):
        for key, name in (("vendor", "vendor"), ("model", "model"), ("version", "version"), ("transport", "tl_type")):
            words[key] = str(getattr(system, name, "") or "")
    return words


def _opened(harvester: Any, vendor: Vendor, serial: str) -> dict[str, Any]:
    """Opens the camera, reads, closes it again; changes nothing."""
    try:
        images = harvester.create({"serial_number": serial})
    except vendor.errors as error:
        return {"error": first_line(error)}
    try:
        return {"features": _features(images, vendor)}
    except LineclearError as error:
        return {"error": error.message}
    finally:
        with suppress(*vendor.errors):
            images.destroy()


def _features(images: Any, vendor: Vendor) -> dict[str, Any]:
    camera = Features(images.remote_device.node_map, "camera", vendor.errors)
    told: dict[str, Any] = {}
    for key, name in _TOLD.items():
        told[key] = camera.read(name)
    for name in _LINK:
        if isinstance(speed := camera.read(name), (int, float)):
            # SFNC: bytes per second; older GigE cameras have megabits.
            told["link_bps"] = speed * 1e6 if name == "GevLinkSpeed" else speed * 8
            break
    if isinstance(address := camera.read("GevCurrentIPAddress"), int) and 0 < address < 1 << 32:
        told["address"] = str(ipaddress.IPv4Address(address))
    for stream in images.data_streams:
        maps = Features(stream.node_map, "stream", vendor.errors) if getattr(stream, "node_map", None) is not None else None
        for key, names in _STREAM.items() if maps is not None else ():
            counted = next((value for name in names if isinstance(value := maps.read(name), int)), None)  # type: ignore[union-attr]
            if counted is not None:
                told[key] = counted
    return {key: value for key, value in told.items() if value is not None}
