"""The shortest answer there is, for what is refused before anybody looks at it."""

from __future__ import annotations

from starlette.responses import PlainTextResponse


def plain_answer(status: int, text: str, *, retry_s: int | None = None, close: bool = False) -> PlainTextResponse:
    """One line. retry_s: when to come back. close: nothing more is read from this connection."""
    headers = {**({"Retry-After": str(retry_s)} if retry_s is not None else {}), **({"Connection": "close"} if close else {})}
    return PlainTextResponse(f"{text}\n", status_code=status, headers=headers)
