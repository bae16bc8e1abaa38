"""Recipes put to work on opened engines, at the start and at a changeover: all of them, or none."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import replace

import cv2
import numpy as np

from edge.engines.golden import ParityFailed
from edge.errors import LineclearError
from edge.loop.calling import CallLimits, Pace
from edge.loop.engines import EngineOffer, EngineRoom
from edge.loop.seating import Seating, ViewSetup
from edge.supervision import Pulse
from edge.types import ReasonCode
from edge.verdict import undecided

__all__ = ["CallLimits", "EngineOffer", "Pace", "SwitchRefused", "Switching"]

log = logging.getLogger(__name__)


class SwitchRefused(LineclearError):
    """A changeover that did not happen; `problems` has a line for each view that stands in its way."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{view}: {problem}" for view, problem in problems.items()))
        self.problems = dict(problems)


class Switching:
    """Gives the views their seatings. The judge's thread uses it, and owns every engine; any may ask `lost_s` and `paces`."""

    def __init__(
        self,
        views: MutableMapping[str, ViewSetup],
        engines: Mapping[str, EngineOffer],
        warm_bytes: int,
        limits: CallLimits | None,
    ) -> None:
        """engines: by the key that the views' seatings name. warm_bytes: what engines out of use may hold."""
        self._views = views
        self._engines = engines
        self._room = EngineRoom(warm_bytes, limits)

    def open(self, pulse: Pulse) -> None:
        """Put to work what every view has; a view whose parts cannot be used says why."""
        self._room.pulse = pulse
        for view in self._views.values():
            view.seating = self._seated(view.name, view.seating, self._engines)

    def unseat(self) -> None:
        """The judge failed: what was opened is closed with it, and no view is ready until it is open again."""
        for view in self._views.values():
            view.seating = replace(view.seating, pipeline=None)

    def close(self) -> None:
        """Close every engine."""
        self._room.close()

    def keep_warm(self) -> None:
        """No frame waits."""
        self._room.keep_warm({view.seating.engine_key for view in self._views.values()})

    @property
    def lost_s(self) -> float:
        """For how long an engine has been beyond help; 0 while all is well."""
        return self._room.lost_s

    def paces(self) -> dict[str, Pace]:
        """By view, how fast its engine answers; views without an opened engine are left out."""
        found = {name: self._room.pace(view.seating.engine_key) for name, view in self._views.items()}
        return {name: pace for name, pace in found.items() if pace is not None}

    def switch(
        self, seatings: Mapping[str, Seating], engines: Mapping[str, EngineOffer], may_block: Collection[str] = ()
    ) -> None:
        """See Station.switch. Raises SwitchRefused."""
        ready = {name: self._seated(name, seating, engines) for name, seating in seatings.items()}
        blocked = {name: _why(seating) for name, seating in ready.items() if seating.why_not is not None}
        problems = {name: why for name, why in blocked.items() if name not in may_block}
        if not problems:
            for name, seating in ready.items():
                self._views[name].seating = seating
        in_use = {view.seating.engine_key for view in self._views.values()}
        if not problems:
            # A judge that starts again opens what is in use then; what is not is offered anew when it is selected.
            self._engines = {key: offer for key, offer in {**self._engines, **engines}.items() if key in in_use}
        self._room.trim(in_use)
        if problems:
            raise SwitchRefused(problems)

    def _seated(self, name: str, seating: Seating, engines: Mapping[str, EngineOffer]) -> Seating:
        """The seating with its pipeline on its opened engine, or with the reason why it has none."""
        if seating.blocked is not None or seating.make_pipeline is None:
            return seating
        try:
            engine = self._room.open(seating.engine_key, engines[seating.engine_key])
        except ParityFailed as error:
            log.error("parity_failed view=%s why=%s", name, error)
            return replace(seating, blocked=undecided(ReasonCode.PARITY_FAILED, str(error)))
        except LineclearError as error:
            log.error("engine_failed view=%s why=%s", name, error)
            return replace(seating, blocked=undecided(ReasonCode.ENGINE_FAULT, str(error)))
        try:
            pipeline = seating.make_pipeline(engine)
            named = pipeline.name_parts(seating.origin)
            return replace(seating, pipeline=pipeline, origin=named, engine_fallbacks=engine.fallbacks)
        except (LineclearError, ValueError, ArithmeticError, np.linalg.LinAlgError, cv2.error) as error:
            # One recipe that cannot be put to work must not take the other views with it.
            log.error("recipe_failed view=%s why=%s", name, error)
            return replace(seating, blocked=undecided(ReasonCode.RECIPE_INVALID, str(error)))


def _why(seating: Seating) -> str:
    judgement = seating.why_not
    reason = judgement.reason if judgement is not None else None
    return f"{reason.code.value}: {reason.detail}" if reason is not None else ""
