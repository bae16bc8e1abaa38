"""The words of a pickle that hold one numpy number, heard and not obeyed: no numpy is constructed from them, no torch here.

Trainings put a best accuracy beside their weights, and where that is numpy's float64, torch's own safe reader refuses the
file (BIT_CD's checkpoints, all of them). Under numpy 1 and 2, and in pickles of protocol 2.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final


class _Dtype:
    """Stands in for numpy.dtype: keeps its name, takes no state."""

    def __init__(self, name: object = "", *_: object) -> None:
        self.name = name

    def __setstate__(self, state: object) -> None:
        del state


def _scalar(dtype: object, data: object = b"") -> float | int | None:
    """A float64, float32 or int64 as a plain number; None for any other."""
    layout = {"f8": "<d", "f4": "<f", "i8": "<q"}.get(str(getattr(dtype, "name", "")))
    if layout is None or not isinstance(data, bytes) or len(data) != struct.calcsize(layout):
        return None
    number: float | int = struct.unpack(layout, data)[0]
    return number


def _encoded(text: object, encoding: object = "") -> bytes:
    """How pickles of protocol 2 write bytes. ValueError for another encoding."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ValueError("a text in an unknown encoding")
    return text.encode("latin1")


# For `export.checkpoint.load_checkpoint(allow=...)`.
NUMPY_NUMBER: Final[Sequence[tuple[object, str]]] = (
    (_scalar, "numpy.core.multiarray.scalar"),
    (_scalar, "numpy._core.multiarray.scalar"),
    (_Dtype, "numpy.dtype"),
    (_encoded, "_codecs.encode"),
)
