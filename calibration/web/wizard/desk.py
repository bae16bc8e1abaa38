"""The wizards of a station: one per view, on the disk, one person at a time."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from calibration.web.wizard.state import Finished, WizardState, touched
from edge.clearance.pool import folder_name
from edge.durable import replace_file
from edge.errors import ConfigError, LineclearError
from edge.schema import Closed, load_json, read_json, validate

STATE, LAST = "wizard.json", "last.json"
GOOD, BAD, INCOMING, MEASURED, PREVIEW, DRAFT = "good", "bad", "incoming", "measured", "preview", "draft"
MADE: Final = (INCOMING, MEASURED, PREVIEW, DRAFT)
"""What belongs to one calibration; the frames stay for the next one."""


class AtWork(LineclearError):
    """Somebody else calibrates this view."""

    def __init__(self, view: str, person: str, since: datetime) -> None:
        super().__init__(
            f"{person} is calibrating it", where=view, remedy=f"ask {person}, or take the calibration over on its page"
        )
        self.view, self.person, self.since = view, person, since

    def __reduce__(self) -> tuple[object, ...]:
        """By its own fields."""
        return type(self), (self.view, self.person, self.since)


class NotBegun(LineclearError):
    """No calibration of this view is under way."""


class Desk:
    """Where one view's calibration lies: `wizard/VIEW` in the page's folder. Any thread may use it.

    Raises ConfigError for a state that cannot be read or written: nothing is half-written then.
    """

    _lock: Final = threading.Lock()

    def __init__(self, folder: Path, view: str, now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)) -> None:
        """folder: the page's own (`Site.folder`). view: as the config writes it."""
        # Two names may differ only in what no folder can be called.
        digest = hashlib.sha256(view.encode()).hexdigest()[:8]
        self.view = view
        self.folder = folder / "wizard" / f"{folder_name(view)}-{digest}"
        self.now = now

    @property
    def good(self) -> Path:
        """The album of good frames."""
        return self.folder / GOOD

    @property
    def bad(self) -> Path:
        """The frames with something left over."""
        return self.folder / BAD

    def state(self) -> WizardState | None:
        """What is under way; None if nothing is."""
        path = self.folder / STATE
        return validate(WizardState, read_json(path), str(path)) if path.exists() else None

    def last(self) -> Finished | None:
        """What came of the last one that was accepted."""
        path = self.folder / LAST
        return load_json(Finished, path) if path.exists() else None

    def begin(self, user: str, person: str, recipe: str, version: int, *, keep_frames: bool) -> WizardState:
        """Start one. AtWork: somebody else's is under way. keep_frames: those of the calibration before stay."""
        with self._lock:
            found = self.state()
            if found is not None:
                self._refuse_others(found, user)
                return found
            moment = self.now()
            state = validate(
                WizardState,
                {
                    "schema": 1, "view": self.view, "user": user, "person": person, "begun_at": moment,
                    "touched_at": moment, "recipe": recipe, "recipe_version": version,
                },
                "calibration",
            )  # fmt: skip
            self._sweep(MADE if keep_frames else (*MADE, GOOD, BAD))
            self._write(STATE, state)
            return state

    def mine(self, user: str) -> WizardState:
        """The state, for the one who is at it. NotBegun, AtWork."""
        found = self.state()
        if found is None:
            raise NotBegun("no calibration is under way", where=self.view, remedy="begin one: Calibrate")
        self._refuse_others(found, user)
        return found

    def change(self, user: str, **changes: object) -> WizardState:
        """Put a change on the disk. NotBegun, AtWork."""
        with self._lock:
            state = touched(self.mine(user), self.now(), **changes)
            self._write(STATE, state)
            return state

    def take_over(self, user: str, person: str) -> WizardState:
        """It is this person's now, with all that is collected. NotBegun."""
        with self._lock:
            found = self.state()
            if found is None:
                raise NotBegun("no calibration is under way", where=self.view, remedy="begin one: Calibrate")
            state = touched(found, self.now(), user=user, person=person)
            self._write(STATE, state)
            return state

    def discard(self, user: str, *, frames: bool) -> None:
        """End it; nothing of the recipe changed. frames: throw the collected frames away too. AtWork."""
        with self._lock:
            found = self.state()
            if found is not None:
                self._refuse_others(found, user)
            self._end(frames=frames)

    def finish(self, finished: Finished) -> None:
        """It was accepted: remember what came of it, keep the frames for the next time."""
        with self._lock:
            self._write(LAST, finished)
            self._end(frames=False)

    def note(self, finished: Finished) -> None:
        """More is known of what came of the last one."""
        with self._lock:
            self._write(LAST, finished)

    def _end(self, *, frames: bool) -> None:
        (self.folder / STATE).unlink(missing_ok=True)
        self._sweep((*MADE, GOOD, BAD) if frames else MADE)

    def _sweep(self, names: tuple[str, ...]) -> None:
        for name in names:
            with suppress(FileNotFoundError):
                shutil.rmtree(self.folder / name)

    def _write(self, name: str, document: Closed) -> None:
        text = json.dumps(document.model_dump(mode="json", by_alias=True), indent=1, allow_nan=False) + "\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_file(self.folder / name, text.encode(), mode=0o640)
        except OSError as error:
            message = f"cannot be written ({error.strerror or error})"
            raise ConfigError(message, where=str(self.folder), remedy="free the disk; nothing was changed") from None

    @staticmethod
    def _refuse_others(found: WizardState, user: str) -> None:
        if found.user != user:
            raise AtWork(found.view, found.person, found.touched_at)
