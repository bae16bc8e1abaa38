"""Engines that are built on this machine: told, cancelled, kept warm, and given up when their GPU is lost."""

from __future__ import annotations

from typing import Any

import pytest
from typing_extensions import Self

from edge.engines.base import EngineIdentity
from edge.engines.preparing import BuildProgress
from edge.errors import Cancelled, EngineFault
from edge.loop.calling import FAULTS_IN_A_ROW, CallLimits
from edge.loop.engines import EngineOffer, EngineRoom
from edge.supervision import BUILDING, OPENING, Pulses


class Built:
    """As an engine of a GPU, as far as a room sees it; `fault`: what it answers with."""

    def __init__(self, pulses: Pulses | None = None) -> None:
        self._pulses = pulses
        self.fault: Exception | None = None
        self.seen: list[str] = []

    @property
    def identity(self) -> EngineIdentity:
        return EngineIdentity("tensorrt", "10.3", "Orin", "float16")

    def __enter__(self) -> Self:
        self.seen.append("opened" if self._pulses is None or self._pulses.at(OPENING) else "opened unannounced")
        return self

    def __exit__(self, *_: object) -> None:
        self.seen.append("closed")

    def prepared(self) -> bool:
        return False

    def prepare(self, progress: BuildProgress) -> None:
        self.seen.append("built" if self._pulses is None or self._pulses.at(BUILDING) else "built unannounced")
        progress("layers", 3, 12)

    def keep_warm(self) -> bool:
        self.seen.append("warm")
        if self.fault is not None:
            raise self.fault
        return True

    def infer(self, inputs: Any) -> Any:
        if self.fault is not None:
            raise self.fault
        return inputs


def test_it_is_built_before_it_is_opened_and_says_how_far() -> None:
    pulses, told = Pulses(), []
    engine = Built(pulses)
    room = EngineRoom(0, CallLimits(progress=lambda *what: told.append(what)), pulses.pulse("judge"))
    opened = room.open("key", EngineOffer(engine))
    assert engine.seen == ["built", "opened"]
    assert told == [("layers", 3, 12)]
    assert opened.identity is not None
    room.keep_warm({"key", "another"})
    room.close()
    assert engine.seen == ["built", "opened", "warm", "closed"]


def test_a_build_that_is_cancelled_opens_nothing() -> None:
    def stop(*_: object) -> None:
        raise Cancelled("the station was asked to stop")

    engine = Built()
    room = EngineRoom(0, CallLimits(progress=stop))
    with pytest.raises(Cancelled):
        room.open("key", EngineOffer(engine))
    assert engine.seen == ["built"]
    assert room.keys == ()


def test_a_gpu_that_is_lost_while_idle_is_known_and_asked_no_more() -> None:
    engine, room = Built(), EngineRoom(0)
    room.open("key", EngineOffer(engine))
    assert room.lost_s == 0
    engine.fault = EngineFault("the GPU is lost")
    for _ in range(3):
        room.keep_warm({"key"})
    assert room.lost_s > 0
    assert engine.seen.count("warm") == 1


def test_a_gpu_that_fails_again_and_again_is_lost_and_one_good_answer_forgives() -> None:
    engine, room = Built(), EngineRoom(0)
    opened = room.open("key", EngineOffer(engine))
    engine.fault = EngineFault("failed")
    for _ in range(FAULTS_IN_A_ROW):
        with pytest.raises(EngineFault):
            opened.infer({})
    assert room.lost_s == 0
    engine.fault = None
    opened.infer({})
    engine.fault = EngineFault("failed")
    for _ in range(FAULTS_IN_A_ROW):
        with pytest.raises(EngineFault):
            opened.infer({})
    assert room.lost_s == 0
    with pytest.raises(EngineFault):
        opened.infer({})
    assert room.lost_s > 0
