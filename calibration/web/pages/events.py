"""`/events`: what changed at the station, to every open page of whoever may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from calibration.web.access.guard import Visit, sees
from calibration.web.http.streams import Streams
from calibration.web.link.events import stream, summary
from calibration.web.station import digest, show_to

router = APIRouter()


class _Held(StreamingResponse):
    """Gives its place back however it ends, also where it never began."""

    def __init__(self, content: AsyncIterator[bytes], over: Callable[[], None]) -> None:
        super().__init__(content, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._over = over

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over()


def _nothing(view: str) -> bool:
    del view
    return False


@router.get("/events", response_class=StreamingResponse)
async def events(
    request: Request, visit: Annotated[Visit, Depends(sees())], page: Literal["station", ""] = ""
) -> StreamingResponse:
    """Server-sent events until the session ends or the browser leaves. page=station: also when that page has changed."""
    site, name = visit.site, visit.user.name

    def parts() -> dict[str, object]:
        # The user is asked for anew: a stream outlives what an admin changes of its reader.
        user = site.users.get(name)
        may_see = user.may_see if user is not None else _nothing
        more = {"station": digest(show_to(site, may_see))} if page == "station" else {}
        return {"now": summary(site.mirror.now(), may_see), **more}

    streams: Streams = request.app.state.streams
    streams.take(visit.session.id)
    return _Held(stream(site.mirror, parts, visit.is_in), lambda: streams.give_back(visit.session.id))
