"""What is deleted, when and in which order. Every deletion is told before it is done, and is not done if it cannot be told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from edge.archive.ages import AgeClock
from edge.archive.evidence import KEEPS, Keep
from edge.archive.index import Victim
from edge.archive.packing import microseconds, moment_of
from edge.archive.store import Store
from edge.settings.archive import ArchiveSettings

_CHUNK: Final = 1000
_FEW: Final = 20
_PATIENCE: Final = 20
_MOMENT_S: Final = 0.05
_BLOCK_BYTES: Final = 4096
_INDEX_BYTES: Final = 256 * 1024  # what the index and its log may grow by, for one commit
_LAST_WALL: Final = "last_wall_us"


@dataclass(frozen=True)
class Purge:
    """What is about to be deleted. why: "age" or "space"; results: how many of each kind of retention; oldest, newest: when
    they were decided.
    """

    why: str
    results: Mapping[str, int]
    size_bytes: int
    oldest: datetime
    newest: datetime

    def document(self) -> dict[str, Any]:
        """Small JSON, for an audit entry."""
        times = {"oldest": self.oldest.isoformat(), "newest": self.newest.isoformat()}
        return {"results": dict(self.results), "size_bytes": self.size_bytes, **times}


class Retention:
    """The rules at work on one store."""

    def __init__(
        self, store: Store, settings: ArchiveSettings, now: Callable[[], datetime], tell: Callable[[Purge], None]
    ) -> None:
        self._store = store
        self._settings = settings
        self._now = now
        self._tell = tell
        last_us = store.index.note(_LAST_WALL)
        self.clock = AgeClock(moment_of(last_us) if last_us is not None else None)

    def make_room(self, keep: Keep, sizes_bytes: Sequence[int]) -> bool:
        """True if files of these sizes fit above the floor, maybe after deleting what is worth no more than `keep`, oldest
        first; of clearances never anything.
        """
        need = sum(-(-size // _BLOCK_BYTES) * _BLOCK_BYTES for size in sizes_bytes)
        for victim_keep in KEEPS[: min(KEEPS.index(keep) + 1, len(KEEPS) - 1)]:
            while (short := self._short_bytes(need, len(sizes_bytes))) > 0:
                freed = self._free(victim_keep, short)
                if not freed:
                    break
                if freed >= short:
                    self._settle(need)
        return self._short_bytes(need, len(sizes_bytes)) <= 0

    def give_up(self, keep: Keep, size_bytes: int) -> bool:
        """The disk refused though it seemed to have room (a quota): delete what is worth no more. False: there is nothing."""
        return any(self._free(other, size_bytes) > 0 for other in KEEPS[: min(KEEPS.index(keep) + 1, len(KEEPS) - 1)])

    def hold_floor(self) -> None:
        """Delete what fills the disk above its floor; the floor is for the results, whoever took the space."""
        self.make_room("clearance", [])

    def by_age(self, monotonic_s: float) -> bool:
        """Delete what is past its age; True if there may be more."""
        now = self._now()
        if not self.clock.trusted(now, monotonic_s):
            return False
        self._store.index.write_note(_LAST_WALL, microseconds(now))
        days = self._settings.keep
        ages: dict[Keep, float] = {
            "pass": days.pass_days,
            "undecided": days.undecided_days,
            "fail": days.fail_days,
            "clearance": days.clearance_days,
        }
        more = False
        for keep, age_days in ages.items():
            before_us = _before_us(now, age_days)
            victims = self._store.index.older(keep, before_us, _CHUNK)
            self._purge(victims, "age")
            more = more or len(victims) == _CHUNK
        self._store.index.forget_before(_before_us(now, days.clearance_days))
        return more

    def _short_bytes(self, need_bytes: int, need_files: int) -> int:
        """How many bytes too few there are for this; a disk without names for new files is short by one."""
        settings, store = self._settings, self._store
        short = self._disk_short_bytes(need_bytes)
        if settings.max_bytes is not None:
            short = max(short, store.size_bytes + store.uncommitted_bytes + need_bytes - settings.max_bytes)
        files = store.free_files()
        return max(short, 1) if files is not None and files < need_files + _FEW else short

    def _disk_short_bytes(self, need_bytes: int) -> int:
        return self._settings.min_free_bytes + need_bytes + _INDEX_BYTES - self._store.free_bytes()

    def _settle(self, need_bytes: int) -> None:
        """Some file systems (XFS, btrfs) give space back a moment later; nothing more is deleted for want of that moment."""
        for _ in range(_PATIENCE):
            if self._disk_short_bytes(need_bytes) <= 0:
                return
            time.sleep(_MOMENT_S)

    def _free(self, keep: Keep, short_bytes: int) -> int:
        """Delete the oldest of a kind until there is enough, and a little more so that it is not done for every result.

        Returns the bytes of what was deleted.
        """
        wanted = short_bytes + self._store.size_bytes // 200
        victims: list[Victim] = []
        for victim in self._store.index.oldest(keep, _CHUNK):
            if wanted <= 0 and len(victims) >= _FEW:
                break
            victims.append(victim)
            wanted -= victim.size_bytes
        self._purge(victims, "space")
        return sum(victim.size_bytes for victim in victims)

    def _purge(self, victims: Sequence[Victim], why: str) -> None:
        if not victims:
            return
        times = [victim.decided_us for victim in victims]
        counts = {keep: sum(victim.keep == keep for victim in victims) for keep in KEEPS}
        self._tell(
            Purge(
                why,
                {keep: count for keep, count in counts.items() if count},
                sum(victim.size_bytes for victim in victims),
                moment_of(min(times)),
                moment_of(max(times)),
            )
        )
        self._store.purge(victims, why, microseconds(self._now()))


def _before_us(now: datetime, age_days: float) -> int:
    """What was decided before this is too old; no age reaches beyond the calendar."""
    return microseconds(now - timedelta(days=min(age_days, now.toordinal() - 2)))
