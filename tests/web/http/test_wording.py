"""What the code behind the page says in English is worded for the reader: by the kind of the error, and what to do."""

from __future__ import annotations

import ast
import errno
import importlib
import re
import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from fastapi import APIRouter

from calibration.web.http.wording import disk_kind, in_one, kind_of, own_message, own_text, worded
from calibration.web.language import LANGUAGES, load_words
from calibration.web.link import StationBusy, StationRefused, StationSilent
from calibration.web.site import NotFound
from edge import errors
from edge.archive import ArchiveError
from edge.audit import AuditError
from edge.commands.refusals import ErrorCode
from edge.errors import ConfigError, LineclearError, RecipeError
from edge.publishers.broker import BrokerLost
from tests.cli.running import ROOT
from tests.web.parts import Browser, Rig

WORDS = load_words()
CODES = get_args(ErrorCode)
KEYS = {key.partition(".")[2] for key in WORDS.texts["en"] if key.startswith("refusals.")}
IN_ITS_OWN_WAY = {"Refused", "SignInNeeded", "NotFound", "UserRefused"}
"""What is in the reader's words already."""


def caused(cause: BaseException) -> LineclearError:
    try:
        raise LineclearError("cannot be written", where="/var/lib/x") from cause
    except LineclearError as error:
        return error


@cache
def classes(folder: str) -> tuple[type[LineclearError], ...]:
    """Every error of lineclear that a folder's modules define."""
    return tuple(_classes(folder))


def _classes(folder: str) -> Iterator[type[LineclearError]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and any("Error" in ast.unparse(base) for base in node.bases):
                module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
                made = getattr(module, node.name)
                if issubclass(made, LineclearError):
                    yield made


def test_the_documentation_and_the_words_know_every_code_of_a_reply() -> None:
    shown = set(re.findall(r"^\| `([a-z_]+)` \| ", (ROOT / "docs/commands.md").read_text().partition("`error.code`")[2], re.M))
    assert shown >= set(CODES)
    assert {f"station_{code}" for code in CODES} <= KEYS


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_of_a_reply_has_words(code: str, language: str) -> None:
    told = worded(WORDS, language, StationRefused(code, "said by the station", remedy="do that"))
    assert told.headline == WORDS.texts[language][f"refusals.station_{code}"]
    assert told.what_to_do == WORDS.texts[language][f"refusals.station_{code}_do"]
    assert told.own == "station: said by the station: do that"


def test_every_kind_of_error_has_words_of_its_own() -> None:
    without = {
        made.__name__
        for folder in ("edge", "calibration/web")
        for made in classes(folder)
        if made is not LineclearError and made.__name__ not in IN_ITS_OWN_WAY
        if not any(re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower() in KEYS for kind in made.__mro__[:-4])
    }
    assert without <= {"SwitchRefused", "OrderConflict"}, "one is the station's alone, the other is told by its page"


def test_every_text_says_what_to_do_and_belongs_to_something() -> None:
    heads = {key for key in KEYS if not key.endswith("_do")} - {"own"}
    assert {f"{key}_do" for key in heads} == KEYS - heads - {"own"}
    names = {
        re.sub("(?<=[a-z])(?=[A-Z])", "_", made.__name__).lower() for f in ("edge", "calibration/web") for made in classes(f)
    }
    codes = {f"station_{code}" for code in CODES} | {"disk_full", "disk_broken", "lineclear_error"}
    assert heads <= names | codes


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (StationRefused("no_right", "x"), "station_no_right"),
        (StationRefused("of_a_newer_station", "x"), "station_refused"),
        (StationBusy("x"), "station_busy"),
        (errors.StationBusy("x"), "station_busy"),
        (StationSilent("x"), "station_silent"),
        (BrokerLost("x"), "broker_lost"),
        (errors.ResultConflict("x"), "outbox_error"),
        (ArchiveError("x"), "archive_error"),
        (AuditError("x"), "audit_error"),
        (LineclearError("x"), "lineclear_error"),
        (caused(OSError(errno.ENOSPC, "No space left on device")), "disk_full"),
        (caused(OSError(errno.EROFS, "Read-only file system")), "disk_broken"),
        (caused(OSError(errno.ENOENT, "No such file")), "lineclear_error"),
        (caused(sqlite3.OperationalError("database or disk is full")), "disk_full"),
    ],
)
def test_kinds(error: LineclearError, kind: str) -> None:
    assert kind_of(error, WORDS.knows) == kind


def test_a_cause_is_found_beneath_others_and_only_there() -> None:
    deep = caused(caused(OSError(errno.EDQUOT, "Disk quota exceeded")))
    assert disk_kind(deep) == "disk_full"
    first, second = LineclearError("a"), LineclearError("b")
    first.__cause__, second.__cause__ = second, first
    assert disk_kind(first) == "", "a ring of causes ends"


def test_the_software_s_own_words_are_whole() -> None:
    several = ConfigError("2 problems", where="a.yaml", remedy="see docs", problems=("a: is no number", "b: is missing"))
    assert own_text(several) == "a: is no number\nb: is missing\nsee docs"
    assert own_message(several) == "a: is no number\nb: is missing"
    assert own_text(ConfigError("is no number", where="a")) == "a: is no number"
    one = RecipeError("is damaged", where="feeder", remedy="import it again")
    assert in_one(WORDS, "en", one) == "is damaged: import it again"
    german = in_one(WORDS, "de", one)
    assert german.startswith(WORDS.texts["de"]["refusals.recipe_error"])
    assert "feeder: is damaged: import it again" in german


def raising(rig: Rig, error: BaseException) -> None:
    """A route that fails so."""
    router = APIRouter()

    @router.get("/fails")
    def fails() -> None:
        raise error

    rig.app.include_router(router)


def test_a_page_says_the_kind_first_and_the_software_beneath(rig: Rig, nobody: Browser) -> None:
    raising(rig, StationRefused("refused", "the card is not for this recipe", remedy="take it again"))
    shown = nobody.get("/fails", headers={"Accept-Language": "de"})
    assert shown.status_code == 409
    assert "Die Station lehnt ab" in shown.text
    assert "Meldung der Software (englisch):" in shown.text
    assert '<p class="preserve" lang="en">station: the card is not for this recipe: take it again</p>' in shown.text
    assert shown.text.index("lehnt ab") < shown.text.index("Was zu tun ist:") < shown.text.index("the card is not")


def test_scripts_get_the_same(rig: Rig, nobody: Browser) -> None:
    raising(rig, RecipeError("is damaged", where="feeder"))
    italian = nobody.fetch("GET", "/fails", headers={"Accept-Language": "it"}).json()
    assert italian["error"] == WORDS.texts["it"]["refusals.recipe_error"]
    assert italian["own"] == "feeder: is damaged"
    english = nobody.fetch("GET", "/fails").json()
    assert english["error"] == "is damaged"
    assert english["where"] == "feeder"
    assert english["what_to_do"] == WORDS.texts["en"]["refusals.recipe_error_do"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), caused(OSError(errno.ENOSPC, "No space left"))])
def test_a_full_disk_is_called_so(rig: Rig, nobody: Browser, error: BaseException) -> None:
    raising(rig, error)
    shown = nobody.get("/fails")
    assert (shown.status_code, "The disk is full." in shown.text) == (507, True)


def test_a_view_that_is_not_there_is_told_in_the_reader_s_language(rig: Rig, nobody: Browser) -> None:
    with pytest.raises(NotFound) as told:
        rig.site.recipe("../etc")
    raising(rig, told.value)
    assert WORDS.texts["de"]["base.no_such_view"] in nobody.get("/fails", headers={"Accept-Language": "de"}).text


def test_no_message_file_lacks_a_language() -> None:
    folder = Path(ROOT / "calibration" / "web" / "messages")
    assert {path.name for path in folder.glob("refusals.*")} == {f"refusals.{language}.yaml" for language in LANGUAGES}
