"""How long the parts of a station may go without progress."""

from __future__ import annotations

from pydantic import Field

from edge.schema import Closed


class SupervisionSettings(Closed):
    """What hangs longer ends the station, which is then started again.

    engine_call_s: one call of an engine; none: learnt from its slowest one, at least 10 s. engine_open_s: loading or building
    an engine, from one report of its progress to the next. thread_s: any other step of a thread.
    """

    engine_call_s: float | None = Field(None, ge=0.2, le=3600)
    engine_open_s: float = Field(3600.0, ge=1, le=86400)
    thread_s: float = Field(60.0, ge=2, le=3600)
