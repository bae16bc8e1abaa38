"""Identity of results: unique for ever, sortable by time."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from edge.loop.tickets import Ticket
from edge.types import Frame, Origin


def new_result_id(now: datetime) -> str:
    """`20261122T040501123-9f2c4e1ab07d`: UTC time to the millisecond and 48 random bits."""
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}-{secrets.token_hex(6)}"


def origin_of(parts: Origin, ticket: Ticket, frame: Frame | None) -> Origin:
    """The view's parts with this ticket's trigger and frame."""
    if frame is None:
        return replace(parts, trigger=ticket.number)
    return replace(
        parts,
        trigger=ticket.number,
        frame=frame.number,
        grabbed_at=frame.grabbed_at,
        camera=frame.camera or parts.camera,
        is_simulated=frame.is_simulated or parts.is_simulated,
    )
