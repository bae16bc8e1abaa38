"""Outputs in one process: what they say of themselves, and the same on the kernel's own simulated chip."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from edge.io.outputs import Outputs
from edge.io.simulated import look
from tests.io.building import GREEN, RELAY, clearance, config, until
from tests.io.gpio_sim import WHY_NOT, is_there, sim_chip


def test_state_alarms_and_health(tmp_path: Path) -> None:
    with Outputs(config(tmp_path / "lines")) as outputs:
        assert outputs.alarms() == {"outputs": None}, "a start is no fault"
        until(lambda: not outputs.state.guard.why)
        assert outputs.alarms() == {"outputs": None}
        assert outputs.health() == {
            "outputs.released": False,
            "outputs.guard_restarts": 0,
            "outputs.why_closed": "no clearance yet",
        }
        outputs.clearance_started("r1")
        outputs.clearance_done(clearance(1, simulated=True))
        assert outputs.state.permitted
        until(lambda: outputs.health()["outputs.released"])
        assert look(tmp_path / "lines")[RELAY].energised
    assert not any(seen.energised for seen in look(tmp_path / "lines"))
    assert outputs.state.why_closed == "the station stops"


def test_the_release_ends_when_its_time_is_over(tmp_path: Path) -> None:
    with Outputs(config(tmp_path / "lines", hold_s=0.3)) as outputs:
        until(lambda: not outputs.state.guard.why)
        outputs.clearance_started("r1")
        outputs.clearance_done(clearance(1))
        until(lambda: look(tmp_path / "lines")[RELAY].energised_count == 1)
        until(lambda: not look(tmp_path / "lines")[RELAY].energised)
        assert outputs.state.why_closed == "0.3 s are over"


def test_lines_that_cannot_be_had_are_an_alarm_and_a_clear_releases_nothing(tmp_path: Path) -> None:
    chip = {"kind": "gpio", "path": str(tmp_path / "gpiochip0")}
    with Outputs(config(chip=chip)) as outputs:
        until(lambda: "no such chip" in str(outputs.alarms()["outputs"]))
        outputs.clearance_started("r1")
        outputs.clearance_done(clearance(1))
        until(lambda: not outputs.state.permitted)
        assert outputs.state.why_closed == "no guard holds the lines"
        assert not outputs.health()["outputs.released"]


def test_it_can_be_left_and_entered_again(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    outputs = Outputs(config(tmp_path / "lines"))
    for sequence in (1, 2):
        with outputs:
            until(lambda: not outputs.state.guard.why)
            outputs.clearance_started(f"r{sequence}")
            outputs.clearance_done(clearance(sequence))
            until(lambda: look(tmp_path / "lines")[RELAY].energised)
        assert not look(tmp_path / "lines")[RELAY].energised
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.skipif(not is_there(), reason=WHY_NOT)
def test_on_the_kernels_chip_a_release_drops_with_the_guard_and_with_the_chip() -> None:
    with sim_chip() as chip, Outputs(config(chip={"kind": "gpio", "path": chip.path})) as outputs:
        until(lambda: not outputs.state.guard.why)
        outputs.clearance_started("r1")
        outputs.clearance_done(clearance(1, simulated=True))
        assert not outputs.state.permitted, "a simulated clearance moves no real line"
        for sequence in (2, 3):
            outputs.clearance_started(f"r{sequence}")
            until(lambda: not chip.level(GREEN))
            outputs.clearance_done(clearance(sequence))
            until(lambda: chip.level(RELAY) and chip.level(GREEN))
            guard = outputs.state.guard.pid
            assert guard is not None
            os.kill(guard, signal.SIGKILL)
            until(lambda guard=guard: outputs.state.guard.pid not in (guard, None) and not outputs.state.guard.why)
            assert not chip.level(RELAY)
        outputs.clearance_started("r4")
        outputs.clearance_done(clearance(4))
        until(lambda: chip.level(RELAY))
        chip.unplug()
        until(lambda: outputs.alarms()["outputs"])
        until(lambda: not outputs.state.permitted)
        assert not chip_is_there(chip.path)


def chip_is_there(path: str) -> bool:
    return Path(path).exists()
