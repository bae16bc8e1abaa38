"""The reply to a command: one closed model, from which docs/schemas/reply.schema.json follows. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, model_validator
from typing_extensions import Self

from edge.commands.refusals import ErrorCode, Refused
from edge.commands.results import AnyResult
from edge.publishers.payloads import utc_text
from edge.schema import Closed

REPLY_SCHEMA: Final = "lineclear/reply/1"
Status = Literal["ok", "progress", "busy", "error"]


class ReplyError(Closed):
    """Why it was not done. code: for machines. problems: a line for each thing that is wrong."""

    code: ErrorCode
    message: str
    remedy: str = ""
    problems: tuple[str, ...] = ()


class Reply(Closed):
    """What `reply/{client}` says. client, request_id: those of the command, "" where it named none that can be used.

    progress: it is begun, another reply follows. busy: nothing was done, ask again. error: nothing was done, or what was
    begun failed; the same request_id is answered the same way.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"status": {"enum": ["busy", "error"]}}},
            "then": {"properties": {"error": {"type": "object"}}},
            "else": {"properties": {"error": {"type": "null"}}},
        }
    )

    schema_name: Literal["lineclear/reply/1"] = Field(REPLY_SCHEMA, alias="schema")
    station: str
    command: str
    client: str
    request_id: str
    status: Status
    error: ReplyError | None = None
    result: AnyResult | None = None
    sent_at: str

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.error is not None) != (self.status in ("busy", "error")):
            raise ValueError("a reply has an error if it is busy or error, and then only")
        return self


def error_of(refused: Refused) -> ReplyError:
    """The refusal as it stands in a reply."""
    return ReplyError(code=refused.code, message=refused.message, remedy=refused.remedy, problems=refused.problems)


def reply_body(reply: Reply) -> dict[str, Any]:
    """The reply as JSON-ready data."""
    return reply.model_dump(mode="json", by_alias=True)


def now_text(now: datetime) -> str:
    """The station's time as replies write it."""
    return utc_text(now)
