"""One line per record, whatever stands in it; every event is in docs/logs.md."""

from __future__ import annotations

import ast
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.logs import FOREIGN, RESERVED, TEMPLATE, Form, LineFormatter, is_journal
from tests.cli.running import simulated, station
from tests.observability.running import ROOT

LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
TOLD_BY_A_VARIABLE = {"edge/commands/lanes.py"}  # Tally.say: what it is given is looked at where it is called
PAGE = (ROOT / "docs" / "logs.md").read_text()
ROWS: dict[str, str] = dict(re.findall(r"^\| `([a-z0-9_]+)` \| ([a-z, ]+) \|", PAGE, re.MULTILINE))


def calls() -> Iterator[tuple[str, ast.Call, ast.expr]]:
    """Every call of a logger under edge/: where, the call, its message."""
    for path in sorted((ROOT / "edge").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner, name = ast.unparse(node.func.value), node.func.attr
            if (owner in ("log", "_LOG", "logger") and name in LEVELS) or (owner.endswith("_tally") and name == "say"):
                where = f"{path.relative_to(ROOT)}"
                yield where, node, node.args[{"log": 1, "say": 2}.get(name, 0)]


@cache
def messages() -> tuple[tuple[str, ast.Call, str], ...]:
    return tuple(_messages())


def _messages() -> Iterator[tuple[str, ast.Call, str]]:
    for where, call, message in calls():
        if where not in TOLD_BY_A_VARIABLE or isinstance(message, ast.Constant):
            assert isinstance(message, ast.Constant), f"{where}:{call.lineno} is put together: {ast.unparse(message)}"
            yield f"{where}:{call.lineno}", call, str(message.value)


def test_every_message_is_an_event_and_its_values() -> None:
    wrong = [f"{where} {text}" for where, _, text in messages() if TEMPLATE.fullmatch(text) is None]
    assert not wrong, "write: event key=%s key=%d, in lower case"


def test_messages_have_a_value_for_each_key_and_no_key_that_json_needs() -> None:
    for where, call, text in messages():
        given_ = call.args[{"log": 2, "say": 3}.get(call.func.attr, 1) :]  # type: ignore[attr-defined]
        if not any(isinstance(argument, ast.Starred) for argument in given_):
            assert len(given_) == text.count("%"), where
        assert not set(re.findall(r"(\w+)=", text)) & set(RESERVED), where


def test_the_page_has_every_event_with_its_level_and_nothing_else() -> None:
    found: dict[str, set[str]] = {}
    for _, call, text in messages():
        name = call.func.attr  # type: ignore[attr-defined]
        said = (
            ast.unparse(call.args[0 if name == "log" else 1]).removeprefix("logging.").lower()
            if name in ("log", "say")
            else name
        )
        found.setdefault(text.split(" ", 1)[0], set()).add("error" if said == "exception" else said)
    assert sorted(found) == sorted(ROWS)
    for event, levels in found.items():
        if "level" not in levels:
            assert levels == set(ROWS[event].split(", ")), event


def record(message: str, *arguments: object, level: int = logging.INFO) -> logging.LogRecord:
    made = logging.LogRecord("edge.loop.judging", level, __file__, 1, message, arguments, None)
    made.created, made.msecs = 1_795_346_461.25, 250.0
    return made


def line(form: Form, message: str, *arguments: object, journal: bool = False, level: int = logging.INFO) -> str:
    return LineFormatter(form, journal=journal).format(record(message, *arguments, level=level))


def test_a_line_has_time_level_module_event_and_values() -> None:
    said = line("text", "verdict view=%s trigger=%d score=%s reason=%s ms=%.1f ok=%s", "front", 17, 12.5, None, 48.234, True)
    assert said == (
        "2026-11-22T11:21:01.250Z INFO edge.loop.judging verdict view=front trigger=17 score=12.5 reason=- ms=48.2 ok=true"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", '""'),
        ("-", '"-"'),
        ("two words", '"two words"'),
        ('say "no"', r'"say \"no\""'),
        ("a=b", '"a=b"'),
        ("back\\slash", r'"back\\slash"'),
        ("a\nverdict view=front outcome=PASS", r'"a\nverdict view=front outcome=PASS"'),
        ("\x1b[2J", r'"\u001b[2J"'),
        ("\u2028\x85\u202e", r'"\u2028\u0085\u202e"'),
        ("half \udcff", r'"half \udcff"'),
        ("Käse", "Käse"),
    ],
)
def test_values_are_quoted_where_they_are_not_plain(value: str, shown: str) -> None:
    assert line("text", "event what=%s", value).endswith(f"event what={shown}")


@given(st.text(), st.sampled_from(["%s", "%r"]))
def test_no_value_writes_a_line_of_its_own_and_json_gives_it_back(value: str, form: str) -> None:
    for message, arguments in ((f"event what={form} next=%d", (value, 1)), (value.replace("%", ""), ())):
        text = line("text", message, *arguments)
        assert len(text.splitlines()) == 1
        assert text.isprintable()
        assert len(line("json", message, *arguments).splitlines()) == 1
    body = json.loads(line("json", f"event what={form} next=%d", value, 1))
    assert (body["event"], body["what"], body["next"]) == ("event", value, 1)


def test_json_has_numbers_and_the_same_names() -> None:
    body = json.loads(line("json", "verdict view=%s score=%s ms=%.1f", "front", 12.5, 48.234))
    assert body == {
        "time": "2026-11-22T11:21:01.250Z",
        "level": "info",
        "logger": "edge.loop.judging",
        "event": "verdict",
        "view": "front",
        "score": 12.5,
        "ms": 48.2,
    }


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7), (5, 7)],
)
def test_the_journal_gets_the_priority_and_no_time(level: int, priority: int) -> None:
    assert (
        line("text", "ready status=%s", "ready", journal=True, level=level)
        == f"<{priority}>edge.loop.judging ready status=ready"
    )
    assert line("json", "ready status=%s", "ready", journal=True, level=level).startswith(f'<{priority}>{{"time":')


def test_what_a_library_says_stays_one_line() -> None:
    assert json.loads(line("json", "Socket %s\nis gone", 4)) | {"time": ""} == {
        "time": "",
        "level": "info",
        "logger": "edge.loop.judging",
        "event": FOREIGN,
        "text": "Socket 4\nis gone",
    }
    assert line("text", "event what=%s", {"a": 1}).endswith("event what=\"{'a': 1}\"")
    assert "text=" in line("text", "event what=%s more=%s", "one")


def test_an_exception_is_one_more_value() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        made = record("thread_failed name=%s", "judge")
        made.exc_info = sys.exc_info()
    whole, short = LineFormatter().format(made), LineFormatter(short=True).format(made)
    assert len(whole.splitlines()) == 1
    assert r"exception=\"" not in whole
    assert "test_logs.py" in whole
    assert short.endswith(r'exception="ValueError: first\nsecond"')


def test_long_values_are_cut() -> None:
    assert len(line("text", "event what=%s", "x" * 1_000_000)) < 5000


def test_the_journal_is_known_by_its_stream(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        status = os.fstat(stream.fileno())
        assert is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        for other in ({}, {"JOURNAL_STREAM": "1:2"}, {"JOURNAL_STREAM": "x"}):
            assert not is_journal(stream, other)


def test_a_station_writes_its_log_so(tmp_path: Path) -> None:
    """On a stream that it takes for the journal's: every line has its priority, whatever the name of a file."""
    name = "eve\nverdict outcome=PASS"
    views = {
        "feeder": {
            "recipe": str(tmp_path / name),
            "camera": simulated(trigger="software"),
            "trigger": {"kind": "continuous", "interval_s": 0.1},
        }
    }
    path = station(tmp_path, views=views)
    log = tmp_path / "log"
    with log.open("w") as stream:
        status = os.fstat(stream.fileno())
        told = {**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        command = [sys.executable, "-m", "edge", "--log-format", "json", "run", str(path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=stream, env=told) as process:
            try:
                while '"event": "verdict"' not in log.read_text():
                    assert process.poll() is None, log.read_text()
                    threading.Event().wait(0.05)
            finally:
                process.terminate()
    lines = log.read_text().splitlines()
    assert all(re.match(r"<[2-7]>", text) for text in lines), lines
    refused = [text for text in lines if "recipe_refused" in text]
    assert refused
    bodies = [json.loads(text[3:]) for text in lines]
    (verdict, *_) = [body for body in bodies if body["event"] == "verdict"]
    assert (verdict["view"], verdict["outcome"], verdict["reason"]) == ("feeder", "UNDECIDED", "recipe_invalid")
    assert verdict["trigger"] == 1
