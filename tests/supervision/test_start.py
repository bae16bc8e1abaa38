"""A start that hangs is noticed wherever it hangs, and what a fault left behind cannot hold it up."""

import json
import os
import threading
import time
from pathlib import Path

import pytest

from edge import watching
from edge.supervision import Notifier, Pulses, Supervisor
from edge.supervision.bomb import NoBomb
from edge.supervision.pulse import OPENING
from edge.watching import LAST_FAULT, Watching


def supervised(pulses: Pulses) -> Watching:
    return Watching(Supervisor(pulses, Notifier(), NoBomb()))


def test_a_start_that_never_gets_as_far_as_its_parts_is_late_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "START_S", 0.05)
    pulses = Pulses()
    supervised(pulses)
    deadline = time.monotonic() + 20
    while not pulses.late():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)
    (late,) = pulses.late()
    assert (late.name, late.is_fatal) == ("start", True)


def test_an_engine_that_opens_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "START_S", 0.05)
    pulses = Pulses()
    supervised(pulses)
    with pulses.pulse("judge").step("opening", 60, OPENING):
        threading.Event().wait(0.1)
        assert pulses.late() == ()


@pytest.mark.parametrize("text", ["", "[]", "garbage", "\x00", None])
def test_a_fault_that_was_kept_badly_is_none(tmp_path: Path, text: str | None) -> None:
    file, station = tmp_path / LAST_FAULT, supervised(Pulses())
    if text is None:
        os.mkfifo(file)
    else:
        file.write_text(text)
    station.begin(tmp_path)
    assert station.witness.health()["station.last_fault_why"] == ""
    file.unlink()
    file.write_text(json.dumps({"why": "the judge hung", "at": "then"}))
    station.begin(tmp_path)
    assert station.witness.health()["station.last_fault_why"] == "the judge hung"
