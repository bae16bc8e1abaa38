"""`lineclear-calibrate serve`, burning every core from SIGUSR1 on: `python -m benchmarks.page_hungry CONFIG PAGE`."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading

from calibration.__main__ import main

HUNGRY = threading.Event()


def burn() -> None:
    """Hash for ever, with the interpreter's lock released; once it is asked for."""
    HUNGRY.wait()
    while True:
        hashlib.pbkdf2_hmac("sha256", b"never", b"ends", 200_000)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda *_: HUNGRY.set())
    for _ in range(os.cpu_count() or 1):
        threading.Thread(target=burn, daemon=True).start()
    sys.exit(main(["serve", "--config", sys.argv[1], "--page", sys.argv[2]]))
