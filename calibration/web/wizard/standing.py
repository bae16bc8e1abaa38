"""How far a calibration is: what is done, what is void because something before it changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from calibration.methods import MIN_FRAMES
from calibration.web.wizard.bench import Bench
from calibration.web.wizard.choosing import choice_hash
from calibration.web.wizard.collecting import tally
from calibration.web.wizard.fingerprint import fingerprint
from calibration.web.wizard.kept import KeptMeasurement
from calibration.web.wizard.measuring import measurement
from calibration.web.wizard.state import Step, WizardState
from edge.errors import LineclearError


@dataclass(frozen=True)
class Standing:
    """done: the steps that hold as everything is now. key: of the choice that would be accepted. frames: good ones.

    trouble: what was measured cannot be read, "" if it can.
    """

    done: frozenset[Step]
    key: str
    frames: int
    measured: KeptMeasurement | None = None
    trouble: str = ""
    needed: int = field(default=MIN_FRAMES)


def standing_of(bench: Bench, state: WizardState) -> Standing:
    """Reads files, but no picture and no bundle."""
    done: set[Step] = {"model"}
    measured: KeptMeasurement | None = None
    trouble = ""
    frames = 0
    of = ""
    try:
        frames = len(tally(bench.desk.good).frames)
        of = fingerprint(bench, state)
        measured = measurement(bench, state)
    except LineclearError as error:
        trouble = str(error)
    key = choice_hash(state, of)
    if frames >= MIN_FRAMES:
        done.add("frames")
    if state.masks_seen:
        done.add("masks")
    if measured is not None and state.method is not None:
        done.add("thresholds")
        if state.preview is not None and state.preview.choice == key:
            done.add("preview")
        if state.challenge is not None and state.challenge.choice == key and not state.challenge.missed:
            done.add("challenge")
    return Standing(frozenset(done), key, frames, measured, trouble)
