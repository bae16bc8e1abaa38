import json
import math
import os
import stat
import threading
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge.checkup import FOLDER, MAX_BYTES, SCHEMA, Checkup, CheckupOutcome, read_checkup, read_checkups, write_checkup
from edge.errors import ConfigError

AT = datetime(2026, 11, 22, 3, tzinfo=timezone.utc)
FIGURES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
CHECKUPS = st.builds(
    Checkup,
    name=st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True),
    at=st.datetimes(
        min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=5, minutes=45))]),
    ),
    outcome=st.sampled_from(CheckupOutcome),
    summary=st.text(st.characters(codec="utf-8"), min_size=1, max_size=100),
    remedy=st.text(st.characters(codec="utf-8"), max_size=100),
    figures=st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=20), FIGURES, max_size=5),
)


def one(**changes):
    fields = {"name": "drift", "at": AT, "outcome": CheckupOutcome.OK, "summary": "nothing to do", **changes}
    return Checkup(**fields)


@given(CHECKUPS)
def test_what_is_kept_comes_back(tmp_path_factory, checkup):
    folder = tmp_path_factory.mktemp("state")
    path = write_checkup(folder, checkup)
    assert read_checkup(folder, checkup.name) == checkup
    assert read_checkups(folder) == (checkup,)
    assert json.loads(path.read_text())["schema"] == SCHEMA
    assert [file.name for file in (folder / FOLDER).iterdir()] == [path.name]


def test_the_newest_stands_alone_and_the_group_may_read_it(tmp_path):
    write_checkup(tmp_path, one(summary="old"))
    path = write_checkup(tmp_path, one(summary="new", at=AT + timedelta(hours=1)))
    found = read_checkup(tmp_path, "drift")
    assert found is not None
    assert found.summary == "new"
    assert found.age_s(AT) == -3600
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_none_where_it_never_ran(tmp_path):
    assert read_checkup(tmp_path, "drift") is None
    assert read_checkups(tmp_path) == ()
    assert read_checkups(tmp_path / "nowhere") == ()


HEAD = b'{"schema": "lineclear/checkup/1", '


@pytest.mark.parametrize(
    "damage",
    [
        *(b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b" " * (MAX_BYTES + 1)),
        b'{"schema": "lineclear/checkup/2"}',
        HEAD + b'"name": "drift"}',
        HEAD + b'"name": "other", "at": "2026-11-22T03:00:00Z", "outcome": "ok", "summary": "x"}',
        HEAD + b'"name": "drift", "at": "2026-11-22T03:00:00", "outcome": "ok", "summary": "x"}',
    ],
)
def test_what_is_damaged_is_said_and_hides_nothing_else(tmp_path, damage):
    write_checkup(tmp_path, one(name="archive-verify"))
    path = write_checkup(tmp_path, one())
    path.write_bytes(damage)
    with pytest.raises(ConfigError, match=r"drift\.json"):
        read_checkup(tmp_path, "drift")
    good, bad = read_checkups(tmp_path)
    assert good == one(name="archive-verify")
    assert (bad.name, bad.outcome) == ("drift", CheckupOutcome.UNKNOWN)
    assert "drift.json" in bad.summary
    write_checkup(tmp_path, one())
    assert read_checkup(tmp_path, "drift") == one()


@given(st.binary(max_size=400))
def test_no_content_is_too_strange_to_read(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("state")
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "drift.json").write_bytes(data)
    (found,) = read_checkups(folder)
    assert found.outcome is CheckupOutcome.UNKNOWN


def test_files_that_are_none_of_ours_are_passed_over(tmp_path):
    write_checkup(tmp_path, one())
    (tmp_path / FOLDER / "Strange name;.json").write_text("{}")
    (tmp_path / FOLDER / ".drift-x.tmp").write_text("half")
    (tmp_path / FOLDER / "folder.json").mkdir()
    assert [checkup.name for checkup in read_checkups(tmp_path)] == ["drift", "folder"]


@pytest.mark.parametrize(
    "changes",
    [
        *({"name": name} for name in ("../x", "", "a\n", "A")),
        *({"summary": summary} for summary in ("", "x" * 501)),
        *({"figures": {"x": figure}} for figure in (math.nan, math.inf)),
        {"at": AT.replace(tzinfo=None)},
        {"figures": {str(n): n for n in range(1001)}},
        {"outcome": "fine"},
    ],
)
def test_what_cannot_be_kept_is_refused_when_it_is_made(changes):
    with pytest.raises(ValidationError):
        one(**changes)


def test_a_disk_that_refuses_is_said_and_the_old_one_stays(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        write_checkup(tmp_path / "nowhere", one())
    write_checkup(tmp_path, one())
    (tmp_path / FOLDER / "other.json").mkdir()
    with pytest.raises(ConfigError, match=r"other\.json"):
        write_checkup(tmp_path, one(name="other"))
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["drift.json", "other.json"]
    with pytest.raises(ConfigError, match="too many"):
        write_checkup(tmp_path, one(figures={str(number): "x" * 300 for number in range(1000)}))
    assert read_checkup(tmp_path, "drift") == one()


def test_two_writers_and_a_reader_see_whole_files_alone(tmp_path):
    stop = threading.Event()
    torn = []

    def read():
        while not stop.is_set():
            try:
                found = read_checkup(tmp_path, "drift")
            except ConfigError as error:
                torn.append(str(error))
                return
            if found is not None and len(set(found.summary)) != 1:
                torn.append(found.summary)

    def write(letter):
        for _ in range(20):
            write_checkup(tmp_path, one(summary=letter * 400))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(letter,)) for letter in "ab"]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert not torn
    assert os.listdir(tmp_path / FOLDER) == ["drift.json"]
