"""How commands meet the terminal: help, pipes, progress, start-up."""

import io
import os
import pty
import subprocess
import sys

import pytest

from edge.cli.main import COMMANDS, build_parser
from edge.cli.progress import Progress
from edge.cli.terminal import one_line, run_command
from edge.errors import ConfigError, RecipeError
from tests.cli.running import IMAGES, RECIPE, ROOT, process


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Ω é", "plain Ω é"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[2J", "\\x1b[2J"),
        ("x\udcff", "x\\xff"),
        ("\ud800", "\\ud800"),
        ("\ud800\udcff", "\\ud800\\udcff"),
        ("a\u2028b", "a\\u2028b"),
    ],
)
def test_one_line_is_one_line(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConfigError("x", problems=("a: b", "c\nd")), ["p: a: b", "p: c\\nd"]),
        (RecipeError("broken", where="r", remedy="mend it"), ["p: r: broken: mend it"]),
        (PermissionError(13, "Permission denied", "/x\ny"), ["p: /x\\ny: Permission denied"]),
        (OSError(28, "No space left on device"), ["p: No space left on device"]),
        (
            ImportError("no cv2"),
            ["p: a library is missing or broken (no cv2): install lineclear again, and ask `lineclear doctor`"],
        ),
        (MemoryError(), ["p: out of memory: give smaller images or fewer threads, or close other programs"]),
    ],
)
def test_what_goes_wrong_is_said_and_is_3(capsys, error: BaseException, said: list[str]) -> None:
    def command() -> int:
        raise error

    assert run_command("p", command) == 3
    captured = capsys.readouterr()
    assert (captured.out, captured.err.splitlines()) == ("", said)


def test_our_own_mistakes_are_not_hidden() -> None:
    def command() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_command("p", command)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_reads_like_a_manual_page(lineclear, command: str) -> None:
    answer = lineclear(command, "--help")
    assert (answer.status, answer.err) == (0, "")
    text = answer.out
    assert text.startswith(f"usage: lineclear {command}")
    assert "exit status:\n  0" in text
    assert max(map(len, text.splitlines())) <= 128
    description = text.split("\n\n")[1]
    assert len(description) > 80
    assert description.endswith(".")


def test_the_main_help_names_every_command_and_every_option_is_explained(lineclear) -> None:
    text = lineclear("--help").out
    for command in COMMANDS:
        assert f"\n    {command} " in text
        assert f"lineclear {command}" in text or command in ("run", "demo")
    parsers = [build_parser(), *next(a for a in build_parser()._actions if a.dest == "command").choices.values()]
    assert not [(p.prog, a.dest) for p in parsers for a in p._actions if not a.help and a.dest != "command"]
    assert lineclear("--version").out.startswith("lineclear 0.")


@pytest.mark.parametrize("package", ["edge", "export", "calibration"])
def test_the_three_commands_are_there(package: str) -> None:
    shown = process("--help", package=package)
    assert shown.status == 0
    assert "exit status:" in shown.out
    bare = process(package=package)
    assert (bare.status, bare.out) == (3, "")
    assert len(bare.problems) == 1
    assert "--help" in bare.err


def test_starting_imports_only_what_a_command_needs() -> None:
    """Help comes without numpy; judging comes without a broker, a camera library or the web."""
    script = "import sys; from edge.cli.main import build_parser; build_parser(); print(sorted(sys.modules))"
    heavy = ("numpy", "cv2", "onnxruntime", "pydantic", "yaml", "paho")
    loaded = _modules(script)
    assert not [name for name in heavy if name in loaded]
    loaded = _modules("import sys; import edge.cli.judge; print(sorted(sys.modules))")
    others = ("paho", "harvesters", "genicam", "prometheus_client", "onnx", "amqtt", "asyncio", "sqlite3")
    assert not [name for name in others if name in loaded]


def _modules(script: str) -> set[str]:
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.strip("[]\n").replace("'", "").split(", ")}


def test_output_that_nobody_can_take(tmp_path) -> None:
    """A reader that leaves is no error; a full disk is; neither is a traceback."""
    judge = f"{sys.executable} -m edge judge --recipe {RECIPE}"
    images = " ".join([str(IMAGES[0])] * 5)
    for script, expected in (
        (f"{judge} {images} | head -1 >/dev/null; exit ${{PIPESTATUS[0]}}", (0, 0)),
        (f"{sys.executable} -m edge --help | true; exit ${{PIPESTATUS[0]}}", (0, 0)),
        (f"{judge} {images} >/dev/full", (3, 1)),
        (f"{judge} {images} >&-", (0, 0)),
        (f"{judge} none.png 2>&-", (3, 0)),
    ):
        done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, len(done.stderr.splitlines())) == expected, (script, done)


def test_a_bar_on_a_terminal() -> None:
    shown = _on_a_terminal(f"judge --recipe {RECIPE} {' '.join(map(str, IMAGES))} --json >/dev/null")
    assert "\r[##########....................] judge 1/3, " in shown
    assert "\r[##############################] judge 3/3, 0 s left" in shown
    assert shown.endswith("\r\n")


def test_rows_on_a_terminal_are_not_torn_apart_by_a_bar() -> None:
    shown = _on_a_terminal(f"judge --recipe {RECIPE} {' '.join(map(str, IMAGES))}")
    assert [line.split()[0] for line in shown.splitlines()] == ["PASS"] * 3


def _on_a_terminal(arguments: str) -> str:
    """What a person sees: standard output and standard error of one terminal."""
    ours, theirs = pty.openpty()
    script = f"{sys.executable} -m edge {arguments}"
    with subprocess.Popen(["bash", "-c", script], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
        assert running.wait(60) == 0
    os.close(ours)
    return shown.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # how Linux says that the other side of a terminal is closed
        return b""


def test_plain_lines_elsewhere(monkeypatch) -> None:
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr("edge.cli.progress.time.monotonic", lambda: float(next(clock)))
    stream = io.StringIO()
    assert list(Progress("register", "abcd", stream=stream)) == list("abcd")
    assert stream.getvalue() == "register 2/4, 6 s left\nregister 4/4, 0 s left\n"


def test_progress_never_stops_the_work() -> None:
    stream = io.StringIO()
    stream.close()
    assert list(Progress("x", "abc", stream=_Terminal())) == list("abc")


class _Terminal(io.StringIO):
    """A terminal that went away."""

    def isatty(self) -> bool:
        return True

    def write(self, _: str) -> int:
        raise BrokenPipeError
