"""Log lines that a person, `grep` and a log shipper can read: one line per record, an event's name, then key=value.

Every message is written as `log.warning("engine_failed view=%s why=%s", view, why)`: the name of the event is stable and
stands in docs/logs.md. Values are quoted where they hold anything but plain text, so that nobody writes a line of their
own into the log through the name of a file, a client or a camera. On the journal a line begins with its priority and has no
time of its own.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from typing import Final, Literal, TextIO

Form = Literal["text", "json"]
FORMS: Final[tuple[Form, ...]] = ("text", "json")
FORM_VARIABLE: Final = "LINECLEAR_LOG_FORMAT"
LEVEL_VARIABLE: Final = "LINECLEAR_LOG_LEVEL"
PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
MAX_VALUE: Final = 4000
MAX_EXCEPTION: Final = 16_000
FOREIGN: Final = "message"
"""The event of a record that a library wrote: its text is the value of `text`."""
RESERVED: Final = ("time", "level", "logger", "event", "exception")
TEMPLATE: Final = re.compile(r"([a-z][a-z0-9_]*)((?: [a-z][a-z0-9_]*=%[-#0 +]*\d*(?:\.\d+)?[sdfgr])*)")
_FIELD: Final = re.compile(r" ([a-z][a-z0-9_]*)=(%[^ ]+)")
_PLAIN: Final = re.compile(r"[^\s\"\\=]+")
Field = str | int | float | bool | None


class LineFormatter(logging.Formatter):
    """One line per record. form: text or JSON. journal: the service's journal reads it. short: of an exception only what it
    says, without where it came from.
    """

    def __init__(self, form: Form = "text", *, journal: bool = False, short: bool = False) -> None:
        super().__init__()
        self._form = form
        self._journal = journal
        self._short = short

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        event, fields = parts_of(record)
        if record.exc_info:
            fields |= self._exception(record)
        prefix = f"<{next(number for level, number in PRIORITIES if record.levelno >= level)}>" if self._journal else ""
        moment = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z"
        if self._form == "json":
            head = {"time": moment, "level": record.levelname.lower(), "logger": record.name, "event": event}
            return prefix + json.dumps({**head, **fields}, default=str)
        start = f"{prefix}{record.name}" if self._journal else f"{moment} {record.levelname} {record.name}"
        return " ".join((start, event, *(f"{key}={quoted(value)}" for key, value in fields.items())))

    def _exception(self, record: logging.LogRecord) -> dict[str, Field]:
        assert record.exc_info  # noqa: S101 - for the type checker
        kind, error, _ = record.exc_info
        if self._short or kind is None:
            return {"exception": f"{kind.__name__ if kind else ''}: {error}"[:MAX_EXCEPTION]}
        return {"exception": self.formatException(record.exc_info)[-MAX_EXCEPTION:]}


def parts_of(record: logging.LogRecord) -> tuple[str, dict[str, Field]]:
    """The event and its fields; FOREIGN with the whole text for a message that is not written in our way."""
    found = TEMPLATE.fullmatch(record.msg) if isinstance(record.msg, str) else None
    if found is None:
        return FOREIGN, {"text": record.getMessage()}
    # logging hands a single mapping over as it is.
    arguments = record.args if isinstance(record.args, tuple) else (record.args,) if record.args is not None else ()
    keys = _FIELD.findall(found[2])
    if len(keys) != len(arguments):
        return FOREIGN, {"text": f"{record.msg} {arguments!r}"}
    return found[1], {key: _field(form, argument) for (key, form), argument in zip(keys, arguments, strict=True)}


def _field(form: str, argument: object) -> Field:
    """A number stays one, rounded as the message says."""
    if argument is None or isinstance(argument, bool):
        return argument
    if isinstance(argument, int | float):
        if form[-1] in "sr":
            return argument
        return int(argument) if form[-1] == "d" else float(form % argument)
    text = str(argument)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 3] + "..."


def quoted(value: Field) -> str:
    """`front`, `"no such file"`, `-` for None: never a line end, a control character or an unbalanced quote."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return f"{value:.10g}" if isinstance(value, float) else str(value)
    if _PLAIN.fullmatch(value) and value.isprintable() and value != "-":
        return value
    inner = "".join(c if c.isprintable() and c not in '"\\' else json.dumps(c)[1:-1] for c in value)
    return f'"{inner}"'


def is_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """True if systemd's journal reads this stream (`$JOURNAL_STREAM` names its device and inode)."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def start_logging(level: int, form: Form | None = None, *, short: bool = False) -> None:
    """Log to standard error from now on, in this process and in those that it starts. form None: as the environment says."""
    if form is None:
        form = "json" if os.environ.get(FORM_VARIABLE) == "json" else "text"
    os.environ[FORM_VARIABLE], os.environ[LEVEL_VARIABLE] = form, str(level)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(form, journal=is_journal(sys.stderr, os.environ), short=short))
    logging.basicConfig(level=level, handlers=[handler])


def join_logging() -> None:
    """In a process that the station started: log as it does."""
    level = os.environ.get(LEVEL_VARIABLE, "")
    start_logging(int(level) if level.isdigit() else logging.WARNING)
