"""A helper that repeats what it is told; with the argument `station` alone, a station that has one."""

from __future__ import annotations

import select
import sys

from edge.sidecar import Sidecar, SidecarGone, die_with, link_of


def echo(name: str, link_argument: str, life: str) -> None:
    die_with(life)
    link = link_of(link_argument)
    try:
        while True:
            select.select([link.fileno()], [], [])
            message = link.receive()
            if message is not None:
                link.send({"said": message["say"], "name": name})
    except SidecarGone:
        return


def station() -> None:
    sidecar = Sidecar("tests.sidecar_child", "echo")
    sidecar.link.send({"say": "ready"})
    while sidecar.link.receive() is None:
        sidecar.wait(10)
    sys.stdout.write(f"{sidecar.pid}\n")
    sys.stdout.flush()
    sidecar.wait(60)


if __name__ == "__main__":
    if sys.argv[1] == "station":
        station()
    else:
        echo(*sys.argv[1:])
