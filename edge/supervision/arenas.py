"""Memory that many threads give back stays usable for all of them."""

from __future__ import annotations

import ctypes

ARENAS = 2
_M_ARENA_MAX = -8  # malloc.h of glibc


def bound_arenas(most: int = ARENAS) -> bool:
    """Let glibc's malloc keep at most `most` pools of memory; False where it is another malloc, which is left alone.

    Call it before threads start. By default a process has eight pools for each core, a thread clings to its own, and what is
    freed in one is not used in another: under load a station with its 16 threads kept the largest need of every one of them
    (docs/reliability.md, the soak). The lock on a pool costs nothing that could be measured: the interpreter lets one thread
    allocate at a time for the most part.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018
        mallopt = libc.mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_ARENA_MAX, most))
