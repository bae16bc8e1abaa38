"""Fuzzed commands against a running station: no crash, nothing done, no verdict late; 100,000: benchmarks/commands.py."""

from __future__ import annotations

import logging
import threading
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as sized
from hypothesis import strategies as st

from edge.commands.envelope import read, reply_topic
from edge.recipe import load_recipe
from edge.types import Outcome
from tests.commands.floods import fuzzed
from tests.commands.parts import CLEAN, ROOT, SCHEMAS, WAIT_S, running, settings, until

COUNT = 5_000


def test_fuzzed_commands_do_nothing_and_hold_up_nobody(recipes: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    config = settings(per_s=100_000, burst=100_000, waiting=10_000, rights={"plc": ("reader", "cancel", "recipe")})
    with running(recipes, tmp_path, config, [CLEAN] * 5000) as rig:
        stop, outcomes = threading.Event(), []

        def judge() -> None:
            while not stop.is_set():
                outcomes.extend(future.result(WAIT_S).outcome for future in rig.station.ask("front", 1, 5, None))

        judging = threading.Thread(target=judge)
        judging.start()
        try:
            for number, incoming in enumerate(fuzzed(1, COUNT), 1):
                rig.publisher.hear(incoming)
                if number % 500 == 0:
                    until(lambda: rig.commands._desk._front._waiting == 0)
            until(lambda: rig.commands._desk._front._waiting == 0)
        finally:
            stop.set()
            judging.join(WAIT_S)
        assert outcomes
        assert set(outcomes) == {Outcome.PASS}
        answers = rig.publisher.answers
        assert all(answer.topic.startswith(f"{ROOT}/reply/") for answer in answers)
        for answer in answers[::10]:
            SCHEMAS["reply"].validate(answer.body)
        assert rig.ask("state")["status"] == "ok"
        assert load_recipe(recipes / "aspirin" / "front").version == 3
        counted = {key: count for key, count in rig.commands.values().items() if key.startswith("commands.")}
        assert sum(int(count or 0) for count in counted.values()) >= COUNT
        assert len(counted) < 13 * 20
        assert not [key for key in counted if key.endswith(".internal")]
    assert "command_failed" not in caplog.text


def test_memory_stays_flat(recipes: Path, tmp_path: Path) -> None:
    config = settings(per_s=100_000, burst=100_000, waiting=10_000, rights={"plc": ("reader",)})
    with running(recipes, tmp_path, config) as rig:

        def flood(seed: int) -> int:
            for incoming in fuzzed(seed, 1000):
                rig.publisher.hear(incoming)
            until(lambda: rig.commands._desk._front._waiting == 0)
            rig.publisher._answers.clear()
            return tracemalloc.get_traced_memory()[0]

        tracemalloc.start()
        try:
            flood(2)
            before = flood(3)
            after = flood(4)
        finally:
            tracemalloc.stop()
        assert after - before < 500_000


@sized(suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(st.binary(max_size=400), st.text(max_size=60))
def test_no_bytes_at_all_make_the_reader_raise_or_the_station_speak_elsewhere(payload: bytes, topic: str) -> None:
    letter = read("state", payload)
    told = reply_topic(ROOT, letter.client, topic)
    assert told == "" or told.startswith(f"{ROOT}/reply/")
