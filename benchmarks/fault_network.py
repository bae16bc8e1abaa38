"""The network link goes down: the broker lives in a network of its own, and the cable between is pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.fault_rig import LeftOut, Row, rig

DOWN_S = 10.0
HERE, THERE = "10.231.77.1", "10.231.77.2"


def network(folder: Path) -> Iterator[Row]:
    """The link is down for 10 s: no RST, no FIN, nothing arrives any more."""
    with own_network() as (name, link):
        prefix = ("ip", "netns", "exec", name)
        with rig(folder / "network", host=THERE, prefix=prefix) as (station, _):
            station.calm()
            _ip("link", "set", link, "down")
            detect_s = station.until(lambda: station.warned("mqtt"), "that it says its broker is away")
            at, began_s = station.last(), time.monotonic()
            station.until(
                lambda: time.monotonic() - began_s > DOWN_S and station.outcome(at, "FAIL"), "that it judges all the same"
            )
            _ip("link", "set", link, "up")
            recover_s = station.until(lambda: station.waiting() == 0, "an empty outbox", 120)
            does = "judges on; leaves the dead connection (here after 5 s: keepalive_s, ack_timeout_s), results follow"
            yield station.row("network link down for 10 s", does, detect_s, recover_s)


@contextmanager
def own_network() -> Iterator[tuple[str, str]]:
    """(its name, the interface on this side); LeftOut where none can be made."""
    name, link = f"lc{os.getpid()}", f"lc{os.getpid()}a"
    if shutil.which("ip") is None or os.geteuid() != 0:
        raise LeftOut("a network of its own needs root and ip (iproute2)")
    try:
        _ip("netns", "add", name)
        _ip("link", "add", link, "type", "veth", "peer", "name", f"{link}b")
        _ip("link", "set", f"{link}b", "netns", name)
        _ip("addr", "add", f"{HERE}/30", "dev", link)
        _ip("link", "set", link, "up")
        inside = ("netns", "exec", name, "ip")
        _ip(*inside, "addr", "add", f"{THERE}/30", "dev", f"{link}b")
        _ip(*inside, "link", "set", f"{link}b", "up")
        _ip(*inside, "link", "set", "lo", "up")
    except subprocess.CalledProcessError as error:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        raise LeftOut(f"no network of its own can be made here: {error.stderr.decode().strip()}") from None
    try:
        yield name, link
    finally:
        subprocess.run(["ip", "link", "del", link], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
