"""How many pools of memory a process with many threads gets."""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, sys, threading
from edge.supervision.arenas import bound_arenas

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
if sys.argv[1] == "bound":
    assert bound_arenas()
every = threading.Barrier(13)

def hold():
    libc.malloc(1000)
    every.wait()  # all live at once: a pool is given on when its thread ends

threads = [threading.Thread(target=hold) for _ in range(12)]
for thread in threads:
    thread.start()
every.wait()
for thread in threads:
    thread.join()
file = libc.fopen(sys.argv[2].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
@pytest.mark.parametrize("how", ["bound", "as glibc does"])
def test_twelve_threads_share_two_pools(tmp_path, how: str) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, how, str(tmp_path / "info.xml")], check=True, timeout=60)
    pools = (tmp_path / "info.xml").read_text().count("<heap nr=")
    assert pools == 2 if how == "bound" else pools > 2, pools
