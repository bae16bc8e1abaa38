"""What a person, an MES or a PLC may ask, checked before anything happens: one line per problem.

The command line and the MQTT commands share these models, so that both refuse the same things with the same words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from edge.errors import ConfigError
from edge.schema import Closed, validate
from edge.settings.clearance import ClearanceConfig
from edge.settings.mqtt import topic_level

AHEAD_S = 5.0
"""How far the asker's clock may be ahead of the station's; NTP keeps both within a fraction of it."""


def plain(text: str) -> str:
    """`text` if it reads the same for everybody: UTF-8, on one line, nothing invisible. ValueError says what is in it."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8: write plain text") from None
    # Also the line and paragraph separators of Unicode, which some readers take for the end of a line.
    odd = next((character for character in text if not character.isprintable()), None)
    if odd is not None:
        raise ValueError(f"contains {odd!r}, which cannot be seen: write plain text on one line")
    return text


def _named(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty: name what it is")
    if text != text.strip():
        raise ValueError("has blanks around it: write it without them")
    return plain(text)


def _batch(text: str) -> str:
    if "/" in text:
        raise ValueError("contains '/', which no file of its evidence can be named by: write another character")
    return _named(text)


def _product(text: str) -> str:
    if text in (".", ".."):
        raise ValueError(f"{text!r} cannot be a folder's name: name a product")
    return topic_level(_named(text))


Name = Annotated[str, Field(max_length=128), AfterValidator(_named)]
BatchName = Annotated[str, Field(max_length=128), AfterValidator(_batch)]
ProductName = Annotated[str, Field(max_length=80), AfterValidator(_product)]
Note = Annotated[str, Field(max_length=2000), AfterValidator(plain)]
ViewName = Annotated[str, Field(max_length=80), AfterValidator(_named)]


@dataclass(frozen=True)
class ClearanceRequest:
    """Who asks, for what. request_id comes back in the result, so that the asker knows its own answer.

    recheck_of: result_id of the clearance after which something was removed; it must be the newest one.
    """

    request_id: str
    batch: str
    product: str
    operator: str = ""
    note: str = ""
    recheck_of: str | None = None


class ClearanceOrder(Closed):
    """A clearance as it is asked for from outside. requested_at: when, by the asker's clock; absent: not checked."""

    request_id: Name
    batch: BatchName
    product: ProductName
    operator: Annotated[str, Field(max_length=128), AfterValidator(plain)] = ""
    note: Note = ""
    requested_at: AwareDatetime | None = None

    def request(self) -> ClearanceRequest:
        """The order as the station works on it."""
        return ClearanceRequest(self.request_id, self.batch, self.product, self.operator, self.note)


class ReviewOrder(Closed):
    """A person's answer to views that did not pass.

    result_id: the clearance. action: removed (something was taken away: check again) or false_alarm (nothing is there:
    release). snapshots: view -> result_id of the live frame that the person looked at; needed for false_alarm.
    """

    request_id: Name
    result_id: Name
    views: tuple[ViewName, ...] = Field(min_length=1, max_length=64)
    action: Literal["removed", "false_alarm"]
    who: Name
    why: Annotated[str, Field(max_length=2000), AfterValidator(_named)]
    snapshots: dict[ViewName, Name] = Field({}, max_length=64)
    requested_at: AwareDatetime | None = None


def read_order(
    data: Mapping[str, Any],
    where: str,
    config: ClearanceConfig,
    now: datetime,
    products: Collection[str] | None = None,
) -> ClearanceOrder:
    """The order, or ConfigError with a line for every problem. products: those there are recipes for; None: unknown."""
    order = validate(ClearanceOrder, dict(data), where)
    problems = _when(order.requested_at, config, now)
    if config.operator == "required" and not order.operator.strip():
        problems.append("operator: is empty: say who asks")
    if products is not None and order.product not in products:
        known = ", ".join(sorted(products)) or "none"
        problems.append(f"product: there is no recipe for {order.product!r}: there are {known}")
    _refuse(problems, where)
    return order


def read_review(data: Mapping[str, Any], where: str, config: ClearanceConfig, now: datetime) -> ReviewOrder:
    """The review, or ConfigError with a line for every problem."""
    order = validate(ReviewOrder, dict(data), where)
    problems = _when(order.requested_at, config, now)
    repeated = sorted({view for view in order.views if order.views.count(view) > 1})
    if repeated:
        problems.append(f"views: named twice: {', '.join(repeated)}")
    if order.action == "false_alarm":
        unseen = [view for view in order.views if view not in order.snapshots]
        if unseen:
            problems.append(f"snapshots: missing for {', '.join(unseen)}: look at the live frame first (cmd/snapshot)")
    _refuse(problems, where)
    return order


def _when(requested_at: datetime | None, config: ClearanceConfig, now: datetime) -> list[str]:
    if requested_at is None:
        return []
    age = now - requested_at
    if age < -timedelta(seconds=AHEAD_S):
        return [f"requested_at: is {-age.total_seconds():.0f} s in the future: set both clocks (NTP)"]
    if age > timedelta(seconds=config.order_max_age_s):
        limit = f"{config.order_max_age_s:g} s"
        return [f"requested_at: the order is {age.total_seconds():.0f} s old, at most {limit}: ask again, or set both clocks"]
    return []


def _refuse(problems: list[str], where: str) -> None:
    if problems:
        lines = tuple(f"{where}: {problem}" for problem in problems)
        raise ConfigError("; ".join(problems), where=where, problems=lines)
