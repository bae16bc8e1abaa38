"""A pause before a start that follows failed ones: older systemd knows no growing pause of its own (RestartSteps: 254)."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

FREE: Final = 2
FIRST_S: Final = 5.0
LAST_S: Final = 60.0


class Restarts:
    """Counts the starts in a row after which the station did not stay ready. path: None: nothing is counted.

    mark: of what the station is started with; another one (a mended config) starts at once.
    """

    def __init__(self, path: Path | None, mark: str = "") -> None:
        self._path = path
        self._mark = mark

    @classmethod
    def of(cls, config: Path, environment: Mapping[str, str]) -> Restarts:
        """In the service's runtime folder, which is gone with a stop; counts nothing where there is none."""
        folder = environment.get("RUNTIME_DIRECTORY", "").split(":")[0]
        try:
            found = config.stat()
            mark = f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"
        except OSError:
            mark = "none"
        return cls(Path(folder) / f"{config.name}.starts" if folder else None, mark)

    def begin(self) -> float:
        """One more start: seconds to wait before it."""
        failed = self._failed()
        self._write(failed + 1)
        return pause_s(failed)

    def succeeded(self) -> None:
        """The station stayed ready, or was asked to stop: the next start begins at once."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _failed(self) -> int:
        if self._path is None:
            return 0
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return int(found["failed"]) if found["mark"] == self._mark else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def _write(self, failed: int) -> None:
        if self._path is None:
            return
        try:
            temporary = self._path.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps({"failed": failed, "mark": self._mark}), "utf-8")
            temporary.replace(self._path)
        except OSError as error:
            log.warning("starts_not_counted file=%s why=%s", self._path, error)


def pause_s(failed: int) -> float:
    """None after the first two failures, then 5 s, doubling to a minute."""
    return 0.0 if failed < FREE else min(FIRST_S * 2.0 ** min(failed - FREE, 10), LAST_S)
