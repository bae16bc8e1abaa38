"""How a command meets the person and the script that call it: one line per problem, no traceback, known exit statuses.

The three commands (lineclear, lineclear-export, lineclear-calibrate) share it. Standard library and `edge.errors` only, so
that `--help` and a machine with half of the libraries missing get an answer.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from edge.errors import Cancelled, ConfigError, LineclearError

BAD_USE, INTERRUPTED = 3, 130


class Parser(argparse.ArgumentParser):
    """argparse with the product's exit status for bad use, one line instead of the usage text, and no guessed options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        """One line on standard error; exit 3."""
        complain(self.prog, f"{message} (see {self.prog} --help)")
        raise SystemExit(BAD_USE)


def run_command(prog: str, command: Callable[[], int]) -> int:
    """The exit status of `command`; whatever a person, a file or the machine did wrong becomes one line each and 3."""
    _prepare_streams()
    try:
        with _sigterm_interrupts():
            try:
                status = command()
            finally:
                say("")
            return status
    except Cancelled as error:
        complain(prog, str(error))
        return INTERRUPTED
    except ConfigError as error:
        for problem in error.problems:
            complain(prog, problem)
    except LineclearError as error:
        complain(prog, str(error))
    except ImportError as error:
        complain(prog, f"a library is missing or broken ({error}): install lineclear again, and ask `lineclear doctor`")
    except MemoryError:
        complain(prog, "out of memory: give smaller images or fewer threads, or close other programs")
    except BrokenPipeError:
        _discard_output()  # argparse wrote a help text that nobody reads to its end
        return 0
    except OSError as error:
        what = error.strerror or str(error)
        complain(prog, f"{os.fsdecode(error.filename)}: {what}" if isinstance(error.filename, (str, bytes)) else what)
    except KeyboardInterrupt:
        complain(prog, "interrupted")
        return INTERRUPTED
    return BAD_USE


def say(text: str) -> bool:
    """Write to standard output and flush; False, and silence from then on, once its reader has left (`| head`)."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return False
    except OSError as error:
        _discard_output()
        raise OSError(error.errno, f"cannot be written ({error.strerror})", "standard output") from None
    return True


def say_json(document: Any) -> bool:
    """One JSON document on one line; NaN and infinity are a mistake of ours (ValueError), never output."""
    return say(json.dumps(document, allow_nan=False) + "\n")


def complain(prog: str, problem: str) -> None:
    """One line on standard error."""
    with suppress(OSError, ValueError):  # nobody is there to read it: the exit status still tells
        sys.stderr.write(f"{prog}: {one_line(problem)}\n")
        sys.stderr.flush()


def one_line(text: str) -> str:
    """The same text on one line and printable: line breaks, control characters and bytes that are no UTF-8 are escaped."""
    readable = text.encode("utf-8", "surrogateescape" if _only_escaped_bytes(text) else "backslashreplace")
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in readable.decode("utf-8", "backslashreplace")
    )


def _only_escaped_bytes(text: str) -> bool:
    return not any(0xD800 <= ord(character) < 0xDC80 or 0xDCFF < ord(character) < 0xE000 for character in text)


def _prepare_streams() -> None:
    """A closed stream or a C locale must not turn an answer into an exception."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - lives as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Point standard output at nothing, so that neither we nor the interpreter's last flush trip over it again."""
    with suppress(OSError, ValueError):  # a stream that is no descriptor, in a test
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: everything is closed. `lineclear run` puts its own handler over this."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
