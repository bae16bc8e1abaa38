"""What the guard makes of beats, on a clock that the test turns."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.io.base import Wire
from edge.io.guard import Beat, Guard, Order

MS = 10**6
SILENCE, HOLD = 500 * MS, 10_000 * MS
ORDERS = (
    Order(Wire("relay", 1), frozenset({"released"}), "level"),
    Order(Wire("watched", 2), frozenset({"released"}), "heartbeat", 200 * MS),
    Order(Wire("red", 3), frozenset({"not_clear", "fault"}), "level"),
    Order(Wire("amber", 4), frozenset({"busy"}), "blink", 1000 * MS),
    Order(Wire("buzzer", 5), frozenset({"not_clear"}), "pulse", 0, 300 * MS),
)


def guard() -> Guard:
    return Guard(ORDERS, SILENCE, HOLD)


def beat(at: int, permit: tuple[int, int] | None = None, *show: str) -> Beat:
    return Beat(1, at, permit, frozenset(show))


def on(lines: Guard, at: int) -> set[str]:
    return {name for name, level in lines.levels(at).items() if level}


def test_before_the_first_beat_only_the_fault_shows() -> None:
    assert on(guard(), 0) == {"red"}


def test_a_permit_holds_as_long_as_beats_come_and_no_longer_than_it_says() -> None:
    lines = guard()
    lines.hear(beat(0, (1, 700 * MS)), 0)
    assert on(lines, 0) == {"relay", "watched"}
    lines.hear(beat(400 * MS, (1, 700 * MS)), 400 * MS)
    assert "relay" in on(lines, 699 * MS)
    assert on(lines, 700 * MS) == set()
    lines.hear(beat(710 * MS, (1, 9000 * MS)), 710 * MS)
    assert on(lines, 710 * MS) == set(), "what ran out comes back only with a higher sequence"
    lines.hear(beat(720 * MS, (2, 9000 * MS)), 720 * MS)
    assert "relay" in on(lines, 720 * MS)


def test_a_permit_cannot_be_stretched() -> None:
    lines = guard()
    lines.hear(beat(0, (1, 300 * MS)), 0)
    lines.hear(beat(100 * MS, (1, 9000 * MS)), 100 * MS)
    assert "relay" not in on(lines, 300 * MS)


def test_no_permit_outlasts_the_longest_hold_time() -> None:
    lines = guard()
    lines.hear(beat(0, (1, 10**18)), 0)
    for at in range(0, HOLD, 400 * MS):
        lines.hear(beat(at, (1, 10**18)), at)
        assert "relay" in on(lines, at)
    lines.hear(beat(HOLD, (1, 10**18)), HOLD)
    assert "relay" not in on(lines, HOLD)


def test_silence_drops_it_for_good_and_shows_the_fault_alone() -> None:
    lines = guard()
    lines.hear(beat(0, (1, HOLD), "busy"), 0)
    assert on(lines, SILENCE - 1) >= {"relay"}
    assert on(lines, SILENCE) == {"red"}
    lines.hear(beat(SILENCE + 1, (1, HOLD)), SILENCE + 1)
    assert on(lines, SILENCE + 1) == set()


def test_beats_that_lay_in_the_socket_while_the_guard_stood_still_count_for_nothing() -> None:
    lines = guard()
    lines.hear(beat(0, (1, HOLD)), SILENCE)
    assert on(lines, SILENCE) == {"red"}
    lines.hear(beat(5 * SILENCE, (2, HOLD)), 4 * SILENCE)
    assert on(lines, 4 * SILENCE) == {"red"}, "nor do beats from the future"


def test_a_beat_without_a_permit_drops_it_at_once() -> None:
    lines = guard()
    lines.hear(beat(0, (3, HOLD)), 0)
    lines.hear(beat(1, None, "not_clear"), 1)
    assert on(lines, 1) == {"red", "buzzer"}
    for sequence in (1, 2, 3):
        lines.hear(beat(2, (sequence, HOLD)), 2)
        assert "relay" not in on(lines, 2)


def test_the_heartbeat_toggles_only_while_it_is_released() -> None:
    lines = guard()
    lines.hear(beat(0, (1, HOLD)), 0)
    levels = []
    for at in range(0, 800 * MS, 100 * MS):
        lines.hear(beat(at, (1, HOLD)), at)
        levels.append("watched" in on(lines, at))
    assert levels == [True, False] * 4
    lines.hear(beat(800 * MS, None), 800 * MS)
    assert "watched" not in on(lines, 800 * MS) | on(lines, 900 * MS) | on(lines, 1000 * MS)


def test_a_pulse_comes_once_and_a_light_blinks() -> None:
    lines = guard()
    lines.hear(beat(0, None, "not_clear", "busy"), 0)
    assert {"buzzer", "amber"} <= on(lines, 0)
    lines.hear(beat(300 * MS, None, "not_clear", "busy"), 300 * MS)
    assert on(lines, 300 * MS) == {"red", "amber"}
    lines.hear(beat(500 * MS, None, "not_clear", "busy"), 500 * MS)
    assert on(lines, 500 * MS) == {"red"}
    lines.hear(beat(600 * MS, None), 600 * MS)
    assert on(lines, 600 * MS) == set()
    lines.hear(beat(700 * MS, None, "not_clear"), 700 * MS)
    assert "buzzer" in on(lines, 700 * MS), "a second one is a second pulse"


def test_a_station_cannot_show_a_release_that_it_does_not_have() -> None:
    green = replace(ORDERS[2], on=frozenset({"released"}))
    lines = Guard((green,), SILENCE, HOLD)
    lines.hear(beat(0, None, "released"), 0)
    assert on(lines, 0) == set()


@given(
    st.lists(
        st.tuples(
            st.integers(0, 700),
            st.one_of(st.none(), st.tuples(st.integers(-1, 6), st.integers(-300, 2000))),
            st.integers(0, 700),
        ),
        max_size=60,
    )
)
@settings(max_examples=300, deadline=None)
def test_the_release_holds_only_between_a_new_permit_and_whatever_ends_it(
    steps: list[tuple[int, tuple[int, int] | None, int]],
) -> None:
    """Against a model that is told in terms of what a person would allow."""
    lines, now = guard(), 10**12
    seen: set[int] = {0}
    allowed_until, current, heard = 0, None, -(10**18)
    for pause, permit, age in steps:
        now += pause * MS
        held = None if permit is None else (permit[0], now + permit[1] * MS)
        alive = now - heard < SILENCE and now < allowed_until
        if age * MS < SILENCE:
            if not alive:
                current = None
            heard = now - age * MS
            if held is None:
                current = None
            elif held[0] != current:
                current = held[0] if held[0] > max(seen) else None
                allowed_until = min(held[1], now + HOLD)
            else:
                allowed_until = min(allowed_until, held[1])
            if held is not None:
                seen.add(held[0])
        lines.hear(beat(now - age * MS, held), now)
        expected = current is not None and now < allowed_until and now - heard < SILENCE
        assert lines.is_released(now) is expected
        shown, following = on(lines, now), lines.next_ns(now)
        assert following > now
        assert on(lines, following - 1) == shown, "nothing changes before it says so"
