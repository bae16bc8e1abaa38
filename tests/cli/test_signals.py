"""A station that is asked to stop does, whichever of its threads the kernel hands the signal to."""

import signal
import subprocess
import sys

import pytest

CODE = """
import signal, sys, threading
from edge.cli.run import _signals

stop, number = threading.Event(), signal.Signals(int(sys.argv[1]))
before = signal.getsignal(number)
with _signals(stop):
    assert signal.getsignal(number) is not before
    threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), number)).start()
    print(stop.wait(30))
print(signal.getsignal(number) is before, signal.set_wakeup_fd(-1), threading.active_count())
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_another_thread_gets_is_heard_while_the_main_thread_waits(number: signal.Signals) -> None:
    command = [sys.executable, "-c", CODE, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["True", "True", "-1", "1"]


def test_other_signals_stop_nothing() -> None:
    code = """
import signal, threading
from edge.cli.run import _signals

stop = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: None)
with _signals(stop):
    signal.raise_signal(signal.SIGUSR1)
    print(stop.wait(0.3))
    signal.raise_signal(signal.SIGTERM)
    print(stop.wait(30))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["False", "True"], done.stderr
