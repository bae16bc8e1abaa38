"""A check that fails, hangs, or is of a module that cannot be loaded ends as one WARN, and its neighbours go on."""

import sys
import threading
import types

import pytest

from edge.doctor import examining
from edge.doctor.check import Case, Check, Status, ok
from edge.doctor.examining import MISHAPS, Examination, examine
from edge.errors import ConfigError


@pytest.fixture
def looks(monkeypatch):
    module = types.ModuleType("edge.doctor.invented")
    monkeypatch.setitem(sys.modules, "edge.doctor.invented", module)
    return module


def made(name: str, limit_s: float = 5.0) -> list[Check]:
    return list(examine(Examination("invented", name, ("thing",), limit_s=limit_s), Case()))


@pytest.mark.parametrize(
    "error",
    [OSError(5, "Input/output error"), ValueError("x\ny"), KeyError("k"), RecursionError("deep"), MemoryError(),
     ZeroDivisionError("z"), ImportError("no module"),
     ConfigError("bad", where="f"), UnicodeDecodeError("utf8", b"x", 0, 1, "r")],
)  # fmt: skip
def test_a_check_that_fails_keeps_what_it_found(looks, error: Exception) -> None:
    def look(_: Case):
        yield ok("thing", "first")
        raise error

    looks.look = look
    first, second = made("look")
    assert first == ok("thing", "first")
    assert (second.status, second.name) == (Status.WARN, "thing")
    assert second.detail.startswith("could not be made (")
    assert "\n" not in second.detail
    assert second.remedy


def test_a_check_that_hangs_is_left_behind(looks) -> None:
    going_on = threading.Event()

    def look(_: Case):
        yield ok("thing", "first")
        going_on.wait(60)
        yield ok("thing", "too late")

    looks.look = look
    found = made("look", limit_s=0.2)
    assert [check.status for check in found] == [Status.OK, Status.WARN]
    assert found[1].detail == "could not be made (no answer within 0.2 s)"
    going_on.set()


def test_a_module_that_cannot_be_loaded() -> None:
    (found,) = examine(Examination("no_such_module", "look", ("thing",)), Case())
    assert (found.status, "no_such_module" in found.detail) == (Status.WARN, True)


def test_an_interrupt_is_no_mishap() -> None:
    assert not any(issubclass(kind, MISHAPS) for kind in (KeyboardInterrupt, SystemExit, GeneratorExit))
    assert all(issubclass(kind, Exception) for kind in MISHAPS)


def test_a_long_message_is_cut(looks) -> None:
    def look(_: Case):
        raise ValueError("x" * 5000)
        yield

    looks.look = look
    assert len(made("look")[0].detail) < 400


def test_there_is_a_function_behind_every_examination() -> None:
    from edge.doctor.examinations import MACHINE, STATION

    for each in MACHINE + STATION:
        assert callable(each.function()), each
        assert each.limit_s <= 60
    assert examining.MISHAPS
