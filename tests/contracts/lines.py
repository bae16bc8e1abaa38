"""What every kind of output lines and of trigger lines must do; the simulated and the real ones run the same."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from edge.io.base import Edge, EdgeLines, OutputLines


class OutputLinesContract:
    """`lines` has the two wires `relay` and `red`, not entered; `read` gives what a meter shows at them."""

    def test_taking_them_puts_them_all_off(self, lines: OutputLines, read: Callable[[], dict[str, bool]]) -> None:
        assert isinstance(lines, OutputLines)
        with lines:
            assert read() == {"relay": False, "red": False}

    def test_they_do_as_they_are_told(self, lines: OutputLines, read: Callable[[], dict[str, bool]]) -> None:
        with lines:
            lines.set({"relay": True, "red": False})
            assert read() == {"relay": True, "red": False}
            lines.set({"red": True})
            assert read() == {"relay": True, "red": True}
            lines.set({"relay": False, "red": True})
            assert read() == {"relay": False, "red": True}

    def test_leaving_switches_off(self, lines: OutputLines, read: Callable[[], dict[str, bool]]) -> None:
        with lines:
            lines.set({"relay": True, "red": True})
        assert read() == {"relay": False, "red": False}

    def test_a_fault_inside_switches_off_too(self, lines: OutputLines, read: Callable[[], dict[str, bool]]) -> None:
        with pytest.raises(KeyError), lines:
            lines.set({"relay": True, "nowhere": True})
        assert not read()["relay"]

    def test_they_can_be_taken_again(self, lines: OutputLines, read: Callable[[], dict[str, bool]]) -> None:
        for _ in range(2):
            with lines:
                lines.set({"relay": True})
                assert read()["relay"]


class EdgeLinesContract:
    """`line` is not entered; `pull` makes one edge of the kind that it hears."""

    def test_silence_gives_nothing(self, line: EdgeLines) -> None:
        assert isinstance(line, EdgeLines)
        with line:
            assert line.wait(0.01) == ()

    def test_every_edge_comes_once_in_order_with_its_time(self, line: EdgeLines, pull: Callable[[], None]) -> None:
        with line:
            before_ns = time.monotonic_ns()
            edges: list[Edge] = []
            for _ in range(5):
                pull()
                edges += collect(line, 1)
            after_ns = time.monotonic_ns()
            assert line.wait(0.01) == ()
        assert [edge.number for edge in edges] == [1, 2, 3, 4, 5]
        times = [edge.at_ns for edge in edges]
        assert times == sorted(times)
        assert before_ns <= times[0] <= times[-1] <= after_ns

    def test_a_burst_waits_until_it_is_read(self, line: EdgeLines, pull: Callable[[], None]) -> None:
        with line:
            for _ in range(20):
                pull()
            assert [edge.number for edge in collect(line, 20)] == list(range(1, 21))

    def test_what_came_while_it_was_closed_is_gone_and_the_count_starts_again(
        self, line: EdgeLines, pull: Callable[[], None]
    ) -> None:
        for _ in range(2):
            pull()
            with line:
                assert line.wait(0.01) == ()
                pull()
                assert [edge.number for edge in collect(line, 1)] == [1]


def collect(line: EdgeLines, count: int) -> list[Edge]:
    """So many edges; fails if they do not come."""
    edges: list[Edge] = []
    end_s = time.monotonic() + 20
    while len(edges) < count:
        assert time.monotonic() < end_s, f"{len(edges)} of {count} edges came"
        edges += line.wait(0.05)
    return edges
