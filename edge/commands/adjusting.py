"""The command `camera`: exposure or gain of a view, within the limits of the config, kept over a restart.

The camera's process is started again with the new settings. From before it ends until the recipe is looked at anew its view is
UNDECIDED, and no frame of the process before is judged after it: what was seen with one setting meets no card of another.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, runtime_checkable

from edge.audit import Action
from edge.cameras.adjustments import Adjusted, Adjustments
from edge.cameras.supervision import CameraState
from edge.commands.base import Audit, Done, Handler, Handlers, Order, Outcome
from edge.commands.orders import CameraCommand
from edge.commands.refusals import Refused
from edge.commands.results import CameraSet
from edge.errors import CameraLost, CameraRefused, LineclearError, StationBusy
from edge.loop import Seating
from edge.settings.adjustable import numbers_of, value_problems
from edge.settings.cameras import CameraSettings, hash_of_camera, trigger_mode
from edge.types import ReasonCode

ENDING_S: Final = 15.0
"""For the process before to be over: its view's thread must come by, which waits for the judge at times."""
LOOK_S: Final = 0.02
NEVER: Final = 2**63 - 1


@runtime_checkable
class Renewable(Protocol):
    """`edge.cameras.supervision.SupervisedCamera`."""

    @property
    def state(self) -> CameraState:
        """How it is."""
        ...

    def renew(self, settings: CameraSettings) -> Future[int]:
        """Start it again with these settings; when the process before was over (host monotonic ns)."""
        ...


class View(Protocol):
    """One view of a running station: `edge.loop.ViewSetup`."""

    adjusted: Mapping[str, float]
    frames_from_ns: int

    @property
    def camera(self) -> object:
        """What gives its frames."""
        ...

    @property
    def seating(self) -> Seating:
        """What judges it now."""
        ...


class SetCamera(Protocol):
    """`Changeover.set_camera`."""

    def __call__(self, seat: Callable[[], Seating], camera_hash: str, set_anew: Callable[[], None]) -> None:
        """Let nothing of the view be judged meanwhile, and judge on with a camera of this hash."""
        ...


@dataclass(frozen=True, eq=False)
class Eyes:
    """The cameras of a running station, as far as they can be set. now: wall clock."""

    views: Mapping[str, View]
    kept: Adjustments
    set_camera: SetCamera
    audit: Audit
    now: Callable[[], datetime]


def camera_handlers(eyes: Eyes) -> Handlers:
    """The command that sets a camera."""
    return {"camera": Handler(_Setting(eyes).camera, "long")}


@dataclass(frozen=True, eq=False)
class _Setting:
    eyes: Eyes

    def camera(self, order: Order) -> Outcome:
        command = order.as_(CameraCommand)
        view, camera = self._view(command.view)
        before = dict(view.adjusted)
        after = self._wanted(command, before)
        if after != before or self._is_kept(command.view) != bool(after):
            self._change(command, order, view, camera, after)
        return self._told(command.view)

    def _view(self, name: str) -> tuple[View, Renewable]:
        views = self.eyes.views
        if name not in views:
            raise Refused("refused", f"there is no view {name!r}", remedy=f"there are {', '.join(views)}")
        view = views[name]
        blocked = view.seating.why_not
        if blocked is not None and blocked.reason is not None and blocked.reason.code is ReasonCode.SAFE_MODE:
            raise Refused("refused", "the station runs in safe mode", remedy="mend its config first")
        if not isinstance(view.camera, Renewable):
            raise Refused("refused", f"the camera of {name} cannot be set while the station runs")
        return view, view.camera

    def _wanted(self, command: CameraCommand, before: Mapping[str, float]) -> dict[str, float]:
        """What is to be otherwise than in the config."""
        if command.settings is None:
            return {}
        place = self.eyes.kept.config.views[command.view]
        problems = tuple(value_problems(place.adjustable, command.settings))
        if problems:
            raise Refused("refused", "; ".join(problems), problems=problems)
        own = numbers_of(place.camera, place.adjustable)
        wanted = {**before, **command.settings}
        return {name: float(wanted[name]) for name in place.adjustable if name in wanted and wanted[name] != own[name]}

    def _is_kept(self, name: str) -> bool:
        """Also where what was kept does not count any more: a reset forgets it, and what is of no view that there is."""
        found = self.eyes.kept.read()
        of_others = tuple(f"{other}:" for other in self.eyes.views if other != name)
        return name in found.views or any(not problem.startswith(of_others) for problem in found.problems)

    def _change(self, command: CameraCommand, order: Order, view: View, camera: Renewable, after: dict[str, float]) -> None:
        kept, before = self.eyes.kept, dict(view.adjusted)
        old, new = kept.camera(command.view, before), kept.camera(command.view, after)
        if camera.state.status not in ("live", "silent", "opening"):
            remedy = "mend that first: what is set could not be proved"
            raise Refused("refused", f"the camera of {command.view} is {camera.state.status}", remedy=remedy)
        own = kept.config.views[command.view]
        shown = numbers_of(old, own.adjustable), numbers_of(new, own.adjustable)
        self._audited(command, order, command.why, shown[0], {**shown[1], "in_config": not after})
        adjusted = None
        if after:
            file_hash = hash_of_camera(own.camera)
            adjusted = Adjusted(values=after, camera=file_hash, who=command.who, why=command.why, at=self.eyes.now())

        def set_anew() -> None:
            self._start_again(view, camera, new)
            try:
                self._await_frames(command.view, camera, new)
                kept.keep(command.view, adjusted)
            except LineclearError:
                self._put_back(view, camera, old)
                raise
            view.adjusted = dict(after)

        try:
            self.eyes.set_camera(lambda: view.seating, hash_of_camera(new), set_anew)
        except LineclearError as error:
            self._audited(command, order, "not put in force", shown[1], {**shown[0], "refused": str(error)[:500]})
            if isinstance(error, StationBusy):
                raise
            raise Refused("refused", f"the camera is set as it was: {error}") from None

    def _start_again(self, view: View, camera: Renewable, settings: CameraSettings) -> None:
        """CameraLost: it could not be, and all is as it was."""
        before, view.frames_from_ns = view.frames_from_ns, NEVER
        answer = camera.renew(settings)
        with contextlib.suppress(FutureTimeout, CancelledError):
            answer.result(ENDING_S)
        if answer.cancel() or answer.cancelled():
            view.frames_from_ns = before
            raise CameraLost("its thread does not come by to start it again", remedy="see the view's state, then ask again")
        view.frames_from_ns = answer.result()

    def _put_back(self, view: View, camera: Renewable, old: CameraSettings) -> None:
        """However long it takes: until the process with the refused settings is over nothing of the view is judged."""
        view.frames_from_ns = NEVER
        answer = camera.renew(old)

        def over(done: Future[int]) -> None:
            if not done.cancelled():
                view.frames_from_ns = done.result()

        answer.add_done_callback(over)
        with contextlib.suppress(FutureTimeout, CancelledError):
            answer.result(ENDING_S)

    def _await_frames(self, name: str, camera: Renewable, settings: CameraSettings) -> None:
        """CameraRefused: it does not run with these settings."""
        process, where = self.eyes.kept.config.views[name].process, f"camera of {name}"
        deadline_s = time.monotonic() + process.open_timeout_s + process.stall_timeout_s
        frames, is_free = camera.state.frames, trigger_mode(settings) == "off"
        while (state := camera.state).status == "opening" or (state.status == "live" and is_free and state.frames <= frames):
            if time.monotonic() > deadline_s:
                raise CameraRefused("gave no frame with these settings in time", where=where)
            _PAUSE.wait(LOOK_S)
        if state.status != "live":
            raise CameraRefused(f"does not run with these settings: {state.why or state.status}", where=where)

    def _audited(
        self, command: CameraCommand, order: Order, why: str, before: Mapping[str, object], after: Mapping[str, object]
    ) -> None:
        said = {**after, **order.by}
        self.eyes.audit(Action.CAMERA, who=command.who, subject=command.view, why=why, before=dict(before), after=said)

    def _told(self, name: str) -> Done:
        view, place = self.eyes.views[name], self.eyes.kept.config.views[name]
        judgement = view.seating.why_not
        reason = judgement.reason if judgement is not None else None
        undecided = f"{reason.code.value}: {reason.detail}" if reason is not None else ""
        stale = reason is not None and reason.code is ReasonCode.CARD_STALE
        return Done(
            CameraSet(
                view=name,
                settings={**numbers_of(place.camera, place.adjustable), **view.adjusted},
                adjusted=dict(view.adjusted),
                undecided=undecided,
                remedy="take new thresholds, or set the camera back" if stale else "",
            )
        )


_PAUSE: Final = threading.Event()
