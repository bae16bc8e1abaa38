"""SIGKILL of the station at random moments of its life: what it said was recorded is on the disk, and its state is sound."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from benchmarks.fault_rig import CONFIGS, RECORDED, Failed, Mes, Rig, Row, lives, write_config
from benchmarks.station import Broker
from edge.cameras.simulated import write_control
from edge.publishers.mqtt import OUTBOX_FILE
from edge.settings.simulated import SceneControl
from tests.supervision.systemd import service

SEED = 6
LONGEST_S, READY_S = 3.0, 60.0
IN_HAND = 4
"""Triggers that have no verdict yet when a station dies: one being grabbed, two waiting, one being judged."""


def killed(folder: Path, times: int, longest_s: float = LONGEST_S) -> Row:
    """So many lives, then one that goes on. Every other is ended after 0 to longest_s seconds, which is mostly while it starts;
    the others as long after their first verdict. Failed: a state that is not sound.
    """
    chance, said, ready = random.Random(SEED), set[str](), 0
    began_s = time.monotonic()
    with Broker(folder, "persistence true", f"persistence_location {folder}/") as broker, Mes(broker.port) as mes:
        config = write_config(folder, broker.port, archive={"min_free_bytes": 0, "pass_share": 1.0})
        write_control(folder / "control.json", SceneControl())
        for life in range(times):
            with service(config, folder) as running:
                if life % 2:
                    running.until(lambda: RECORDED.search(running.logged) is not None)
                end_s = time.monotonic() + chance.uniform(0, longest_s)
                while (left_s := end_s - time.monotonic()) > 0:
                    running._listen(left_s)
                if running.process.poll() is not None:
                    raise Failed(f"it ended by itself with {running.process.returncode}:\n{running.logged[-2000:]}")
                running.process.send_signal(signal.SIGKILL)
                running.process.wait(READY_S)
                ready += running.ready
            said |= set(RECORDED.findall(running.logged))
            running.log.unlink()
            if life % 10 == 9:
                print(f"{life + 1} lives, {ready} ready, {len(said)} verdicts said", file=sys.stderr, flush=True)
            _check_database(folder / "state" / OUTBOX_FILE)
        with service(config, folder) as running:
            rig = Rig(folder, config, running, mes, folder / "state")
            recover_s = rig.until(
                lambda: running.ready and len(rig.seen()) and running.status.startswith("ready"), "READY", READY_S
            )
            rig.until(lambda: rig.waiting() == 0, "an empty outbox")
            running.process.send_signal(signal.SIGTERM)
            running.ended()
        _check_command("archive", "verify", str(config))
        _check_command("audit", "verify", str(config))
        found = rig.seen()
        on_disk = {one.result_id for one in found}
        rig_lost = len(said - on_disk) + len(on_disk - mes.results.keys())
    missing = [max(one.trigger for one in life) - min(one.trigger for one in life) + 1 - len(life) for life in lives(found)]
    gaps = sum(max(0, each - IN_HAND) for each in missing)
    note = f"{ready} lives were ready, {sum(missing)} triggers in hand at the end of one; {time.monotonic() - began_s:.0f} s"
    does = "the outbox, the archive and the audit log are sound after each; the next life goes on"
    fault, triggers = f"SIGKILL of the station at {times} random moments", len(found) + sum(missing)
    return Row(fault, does, None, recover_s, triggers, len(found), 0, rig_lost + gaps, 0, {}, note)


def _check_database(path: Path) -> None:
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as file:
        found = file.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise Failed(f"the outbox is damaged: {found}")
    if list(path.parent.glob(f"{path.name}.damaged-*")):
        raise Failed("the outbox was set aside as damaged")


def _check_command(*arguments: str) -> None:
    command = [sys.executable, "-m", "edge", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CONFIGS.parent)
    if done.returncode:
        raise Failed(f"`lineclear {' '.join(arguments)}` says {done.returncode}: {done.stdout[-800:]}{done.stderr[-800:]}")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        print(killed(Path(scratch), int(sys.argv[1])))
