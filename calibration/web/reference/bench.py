"""The pictures that may become references, kept in memory until they are saved or newer ones come."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from typing import Final

from calibration.web.reference.candidate import Candidate

KEPT: Final = 6


class Candidates:
    """The last few, each for the person who made it. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[str, Candidate]] = OrderedDict()

    def put(self, who: str, candidate: Candidate) -> str:
        """Keep it; the name under which this person finds it."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._known[name] = who, candidate
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return name

    def get(self, who: str, view: str, name: str) -> Candidate | None:
        """The person's candidate of this name for this view; None where there is none (any more)."""
        with self._lock:
            found = self._known.get(name)
        return found[1] if found is not None and found[0] == who and found[1].view == view else None

    def drop(self, name: str) -> None:
        """It is saved, or nobody wants it."""
        with self._lock:
            self._known.pop(name, None)
