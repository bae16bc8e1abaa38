"""The simulated lines and the kernel's, against the same contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.errors import DeviceError
from edge.io.base import EdgeLines, OutputLines, Wire
from edge.io.lines import GpiodEdges, GpiodOutputs
from edge.io.simulated import SimulatedEdges, SimulatedOutputs, look
from edge.io.triggers import open_gpio
from edge.settings.io import GpioTrigger
from tests.contracts.lines import EdgeLinesContract, OutputLinesContract, collect
from tests.io.gpio_sim import WHY_NOT, SimChip, is_there, sim_chip

needs_gpio_sim = pytest.mark.skipif(not is_there(), reason=WHY_NOT)
WIRES = (Wire("relay", 17), Wire("red", 22))


@pytest.fixture
def chip() -> Iterator[SimChip]:
    with sim_chip() as live:
        yield live


class TestSimulatedOutputs(OutputLinesContract):
    @pytest.fixture
    def lines(self, tmp_path: Path) -> OutputLines:
        return SimulatedOutputs(str(tmp_path / "lines"), WIRES)

    @pytest.fixture
    def read(self, tmp_path: Path) -> Callable[[], dict[str, bool]]:
        return lambda: {wire.name: look(tmp_path / "lines")[int(wire.line)].energised for wire in WIRES}


@needs_gpio_sim
class TestGpiodOutputs(OutputLinesContract):
    @pytest.fixture
    def lines(self, chip: SimChip) -> OutputLines:
        return GpiodOutputs(chip.path, WIRES)

    @pytest.fixture
    def read(self, chip: SimChip) -> Callable[[], dict[str, bool]]:
        return lambda: {wire.name: chip.level(int(wire.line)) for wire in WIRES}


class TestSimulatedEdges(EdgeLinesContract):
    @pytest.fixture
    def line(self) -> SimulatedEdges:
        return SimulatedEdges()

    @pytest.fixture
    def pull(self, line: SimulatedEdges) -> Callable[[], None]:
        return line.pull


@needs_gpio_sim
class TestGpiodEdges(EdgeLinesContract):
    @pytest.fixture
    def line(self, chip: SimChip) -> EdgeLines:
        return GpiodEdges(chip.path, 4)

    @pytest.fixture
    def pull(self, chip: SimChip) -> Callable[[], None]:
        return lambda: chip.pulse(4)


def test_a_meter_misses_no_short_pulse(tmp_path: Path) -> None:
    with SimulatedOutputs(str(tmp_path / "lines"), WIRES) as lines:
        for level in (True, False, True, True, False):
            lines.set({"relay": level})
    seen = look(tmp_path / "lines")
    assert (seen[17].energised, seen[17].energised_count, seen[22].energised_count) == (False, 2, 0)


def test_a_process_that_dies_leaves_the_level_as_it_was(tmp_path: Path) -> None:
    """The worst that a driver does: this is what the guard is there for."""
    dead = SimulatedOutputs(str(tmp_path / "lines"), WIRES)
    dead.__enter__()
    dead.set({"relay": True})
    assert look(tmp_path / "lines")[17].energised
    with SimulatedOutputs(str(tmp_path / "lines"), WIRES):
        assert not look(tmp_path / "lines")[17].energised


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DeviceError, match="cannot be made"), SimulatedOutputs(str(tmp_path / "file" / "lines"), WIRES):
        pass


@pytest.mark.parametrize("path", ["/dev/gpiochip250", "/dev/null", "/nowhere"])
def test_a_chip_that_is_not_there_is_named(path: str) -> None:
    for lines in (GpiodOutputs(path, WIRES), GpiodEdges(path, 4)):
        with pytest.raises(DeviceError, match=path) as caught, lines:
            pass
        assert caught.value.remedy


@needs_gpio_sim
def test_inverted_relay_boards_are_energised_by_the_low_level(chip: SimChip) -> None:
    with GpiodOutputs(chip.path, (Wire("relay", 3, active_low=True),)) as lines:
        assert chip.level(3)
        lines.set({"relay": True})
        assert not chip.level(3)
        lines.set({"relay": False})
        assert chip.level(3)


@needs_gpio_sim
def test_a_line_has_one_owner_and_is_known_by_its_name(chip: SimChip) -> None:
    with GpiodOutputs(chip.path, (Wire("gate", "GATE"),)) as lines:
        lines.set({"gate": True})
        assert chip.level(5)
        with pytest.raises(DeviceError, match="cannot be taken"), GpiodOutputs(chip.path, (Wire("x", 5),)):
            pass
    with pytest.raises(DeviceError, match="no line NOWHERE"), GpiodEdges(chip.path, "NOWHERE"):
        pass


@needs_gpio_sim
@pytest.mark.parametrize(("edge", "count"), [("rising", 3), ("falling", 3), ("both", 6)])
def test_each_kind_of_edge(chip: SimChip, edge: str, count: int) -> None:
    with GpiodEdges(chip.path, 4, edge) as line:
        for _ in range(3):
            chip.pulse(4)
        assert len(collect(line, count)) == count
        assert line.wait(0.02) == ()


@needs_gpio_sim
def test_the_kernel_debounces(chip: SimChip) -> None:
    with GpiodEdges(chip.path, 4, debounce_ms=100) as line:
        for _ in range(5):
            chip.pulse(4)
        assert line.wait(0.3) == (), "a line that does not hold still is no edge"
        chip.pull(4, True)
        assert len(collect(line, 1)) == 1


@needs_gpio_sim
def test_edges_that_the_kernel_could_not_keep_show_as_a_gap(chip: SimChip) -> None:
    with GpiodEdges(chip.path, 4, events=16) as line:
        for _ in range(40):
            chip.pulse(4)
        numbers = [edge.number for edge in collect(line, 16)]
        chip.pulse(4)
        numbers += [edge.number for edge in collect(line, 1)]
    assert numbers[-1] == 41
    assert len(numbers) < 41


@needs_gpio_sim
def test_the_settings_reach_the_kernel(chip: SimChip) -> None:
    trigger = GpioTrigger(kind="gpio", views=("front",), chip=chip.path, line="GATE", edge="falling", debounce_ms=0, events=64)
    with open_gpio(trigger) as line:
        chip.pulse(5)
        assert [edge.number for edge in collect(line, 1)] == [1]
