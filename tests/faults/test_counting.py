"""What benchmarks/faults.py counts: a test that cannot see a lost verdict or a wrong PASS proves nothing."""

from dataclasses import replace

import pytest

from benchmarks import fault_rig
from benchmarks.fault_rig import Row, Seen
from benchmarks.faults import COLUMNS, GROUPS, group, line


def seen(seq: int, trigger: int, outcome: str = "FAIL") -> Seen:
    return Seen(seq, f"r{seq}", trigger, outcome, "" if outcome != "UNDECIDED" else "overrun", None, 0.0)


def missing(found: list[Seen], everything: list[Seen] | None = None, skipped: set[int] | None = None) -> set[tuple[int, int]]:
    return fault_rig._missing(found, everything or found, skipped or set())


def test_a_number_without_a_verdict_is_a_lost_one() -> None:
    found = [seen(1, 5), seen(2, 6), seen(3, 8)]
    assert missing(found) == {(0, 7)}
    assert missing(found, skipped={7}) == set()
    assert missing(found, [*found, seen(4, 7)]) == set(), "it came a little later"


def test_each_life_counts_for_itself() -> None:
    found = [seen(1, 40), seen(2, 41), seen(3, 1), seen(4, 3)]
    assert [len(life) for life in fault_rig.lives(found)] == [2, 2]
    assert missing(found) == {(1, 2)}


def test_short_lives_are_told_apart_by_a_number_that_comes_again() -> None:
    found = [seen(1, 1), seen(2, 3), seen(3, 2), seen(4, 1), seen(5, 2), seen(6, 1)]
    assert [len(life) for life in fault_rig.lives(found)] == [3, 2, 1]
    assert missing(found) == set()


def test_verdicts_out_of_order_are_no_new_life() -> None:
    found = [seen(1, 10), seen(2, 40), seen(3, 11), *(seen(n, n + 8) for n in range(4, 32))]
    assert len(list(fault_rig.lives(found))) == 1
    assert missing(found) == set()


def test_a_line_of_the_table_has_its_columns() -> None:
    row = Row("x", "y", 0.25, None, 3, 2, 1, 0, 0, {"FAIL": 2})
    assert line(row).count("|") == len(COLUMNS) + 1
    assert "| 0.2 | - | 3 | 2 | 1 | 0 | 0 | 2 FAIL |" in line(row)
    assert "| 1 | 0 |" in line(replace(row, lost=1, wrong=0, not_recorded=0))


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_has_something_to_run(name: str) -> None:
    assert callable(group(name, 1))
