"""What a person filters the history by, as the page's address has it: every filter can be kept as a bookmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, tzinfo
from typing import Final, Literal, cast
from urllib.parse import urlencode

from edge.archive import Place, Selection

SPANS: Final = ("today", "24h", "7d", "30d")
KINDS: Final = ("verdict", "clearance")
OUTCOMES: Final = ("PASS", "FAIL", "UNDECIDED", "CLEAR", "NOT_CLEAR", "RELEASED_BY")
MAX_TEXT: Final = 4096
_TIMES: Final = ("from", "to")
_IN_ADDRESS: Final = {"from_text": "from", "to_text": "to"}
_DAYS: Final = {"24h": 1, "7d": 7, "30d": 30}


@dataclass(frozen=True)
class Filter:
    """As it was asked; "" asks for nothing. from_text, to_text: local times of the station as a browser sends them.

    wrong: the names of times that cannot be read; they are not used, and the page says so.
    """

    view: str = ""
    batch: str = ""
    product: str = ""
    outcome: str = ""
    reason: str = ""
    kind: str = ""
    span: str = ""
    from_text: str = ""
    to_text: str = ""
    wrong: tuple[str, ...] = ()

    @property
    def given(self) -> tuple[tuple[str, str], ...]:
        """What is asked for: names as in the address, and values."""
        named = ((_IN_ADDRESS.get(field.name, field.name), getattr(self, field.name)) for field in fields(self))
        return tuple((name, value) for name, value in named if value and name != "wrong")

    @property
    def is_any(self) -> bool:
        """True if something is asked for."""
        return bool(self.given)

    def selection(self, now: datetime, views: tuple[str, ...] | None, zone: tzinfo | None = None) -> Selection:
        """The same for the archive. views: what the person may see, None for all of it. zone: the station's, None for the
        machine's own.
        """
        since, until = self._span(now, zone)
        kind = cast(Literal["verdict", "clearance"], self.kind) if self.kind else None
        texts = {name: getattr(self, name) or None for name in ("view", "batch", "product", "outcome", "reason")}
        return Selection(**texts, kind=kind, since=since, until=until, views=views)

    def query(self, **more: str) -> str:
        """The page's address after `?`. more: such as `before`, or another value of a field; "" leaves it out."""
        return urlencode([(name, value) for name, value in {**dict(self.given), **more}.items() if value], errors="replace")

    def within(self, span: str) -> str:
        """The same in another span of time; "" for all of it."""
        return self.query(**{"span": span, "from": "", "to": ""})

    def _span(self, now: datetime, zone: tzinfo | None) -> tuple[datetime | None, datetime | None]:
        if self.span == "today":
            return local_moment(f"{now.astimezone(zone):%Y-%m-%d}", zone), None
        if self.span in _DAYS:
            return now - timedelta(days=_DAYS[self.span]), None
        return local_moment(self.from_text, zone), local_moment(self.to_text, zone, last=True)


def read_filter(asked: Mapping[str, str]) -> Filter:
    """The filter of an address. What is not possible (an outcome that there is none, a text of a megabyte) is left out or
    cut: it can only have been written by hand.
    """
    texts = {name: asked.get(name, "").strip(" ")[:MAX_TEXT] for name in ("view", "batch", "product", "reason")}
    wrong = tuple(name for name in _TIMES if asked.get(name, "").strip() and local_moment(asked[name].strip()) is None)
    times = {name: "" if name in wrong else asked.get(name, "").strip()[:32] for name in _TIMES}
    return Filter(
        **texts,
        outcome=_one_of(asked.get("outcome", ""), OUTCOMES),
        kind=_one_of(asked.get("kind", ""), KINDS),
        span="" if any(times.values()) else _one_of(asked.get("span", ""), SPANS),
        from_text=times["from"],
        to_text=times["to"],
        wrong=wrong,
    )


def read_place(text: str) -> Place | None:
    """Where a page begins; None for what no page of ours wrote."""
    return Place.parse(text)


def local_moment(text: str, zone: tzinfo | None = None, *, last: bool = False) -> datetime | None:
    """`2026-11-22T07:15` or `2026-11-22` in the station's time zone; None if it is no time.

    last: the end of that minute or day, so that a span from 12:30 to 12:30 is the minute that people mean.
    """
    if not 10 <= len(text) <= 19:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return None
        if last:
            moment += timedelta(days=1) if len(text) == 10 else timedelta(minutes=1)
        if not 1971 <= moment.year <= 9000:
            return None
        return moment.replace(tzinfo=zone) if zone is not None else moment.astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _one_of(text: str, known: tuple[str, ...]) -> str:
    return text if text in known else ""
