"""The pickle inside a checkpoint, read without running anything that it names.

A pickle is a program; torch's checkpoints need a dozen harmless words of it. Here those words are functions of ours that
only describe: a tensor becomes a `StoredTensor` that says where its numbers are, and every other global is refused by
name before the first opcode runs. That is what `torch.load(weights_only=True)` promises too, but it believes the sizes
that a file states (a forged one reads outside of its memory), and it needs torch.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge.errors import BundleError

MAX_PICKLE_BYTES = 16 << 20
MAX_DIMENSIONS = 8
# What hostile or damaged opcodes raise in the interpreter below; nothing else is caught.
PICKLE_ERRORS = (
    pickle.UnpicklingError, ValueError, TypeError, LookupError, AttributeError, EOFError, OverflowError, MemoryError,
    ArithmeticError, AssertionError, NotImplementedError, RecursionError, ImportError, struct.error,
)  # fmt: skip

ELEMENT_BYTES: Mapping[str, int] = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "bool": 1,
}  # fmt: skip
_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool",
}  # fmt: skip


@dataclass(frozen=True)
class Storage:
    """A block of numbers of the file: its key there, the element type, how many elements."""

    key: str
    dtype: str
    elements: int


@dataclass(frozen=True)
class StoredTensor:
    """A view into a storage, proven to lie within it; lengths in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class _Plain(dict[Any, Any]):
    """An OrderedDict's stand-in: what a pickle sets on it (`_metadata`) is dropped."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        del state


def unpickle(stream: io.BytesIO, allowed: Mapping[str, object], where: str) -> tuple[Any, Mapping[str, Storage]]:
    """(object, the storages that it names by key) of the pickle at which the stream stands; the stream is left behind it.

    allowed: more globals by "module.name", as they are called. BundleError: it names a global that is not allowed (nothing
    has run then), is damaged, or is larger than any index.
    """
    start = stream.tell()
    try:
        refused = sorted({name for name in _globals(stream) if name not in _WORDS and name not in allowed})
        if refused:
            raise _needs(refused, where)
        stream.seek(start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = _Reader(stream, allowed)
            return reader.load(), reader.storages
    except PICKLE_ERRORS as error:
        raise BundleError(
            f"is damaged: its index cannot be read ({_shown(error)})", where=where, remedy="copy the checkpoint again"
        ) from None


def _globals(stream: io.BytesIO) -> Iterator[str]:
    """Every global that the pickle names; ValueError for one that is damaged or too large."""
    start = stream.tell()
    for opcode, argument, position in pickletools.genops(stream):
        if position is not None and position - start > MAX_PICKLE_BYTES:
            raise ValueError(f"more than {MAX_PICKLE_BYTES} bytes")
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument).replace(" ", ".")
        elif opcode.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER"):
            raise ValueError(f"opcode {opcode.name}, which no checkpoint needs")


# The interpreter in Python, not the one in C: that one allocates what a forged memo index asks for.
class _Reader(pickle._Unpickler):
    def __init__(self, stream: io.BytesIO, allowed: Mapping[str, object]) -> None:
        super().__init__(stream, encoding="latin1")
        self._allowed = allowed
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> object:
        """Only what `_globals` has let pass."""
        full = f"{module}.{name}"
        return _WORDS[full] if full in _WORDS else self._allowed[full]

    def persistent_load(self, pid: object) -> Storage:
        """A storage: ("storage", type, key, device, elements), and in old files a view into another, which is refused."""
        if (
            not isinstance(pid, tuple)
            or len(pid) not in (5, 6)
            or pid[0] != "storage"
            or (len(pid) == 6 and pid[5] is not None)
        ):
            raise ValueError("a storage of an unknown kind")
        dtype, key, elements = pid[1], pid[2], pid[4]
        if not isinstance(dtype, str) or dtype not in ELEMENT_BYTES or not isinstance(key, str):
            raise ValueError("a storage of an unknown type")
        if not _counts((elements,)):
            raise ValueError("a storage of an impossible size")
        return self.storages.setdefault(key, Storage(key, dtype, elements))


def _tensor(storage: object, offset: object, shape: object, stride: object, *_: object) -> StoredTensor:
    if not isinstance(storage, Storage) or not isinstance(offset, int):
        raise ValueError("a tensor without a storage")
    if (
        not isinstance(shape, tuple)
        or not isinstance(stride, tuple)
        or len(shape) != len(stride)
        or len(shape) > MAX_DIMENSIONS
    ):
        raise ValueError("a tensor with an impossible shape")
    if not (_counts(shape) and _counts(stride) and _counts((offset,))):
        raise ValueError("a tensor with an impossible shape")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    count = math.prod(shape)
    if count and (last >= storage.elements or count > storage.elements):
        raise ValueError("a tensor that is larger than its storage")
    return StoredTensor(storage, offset, shape, stride)


def _counts(numbers: tuple[object, ...]) -> bool:
    return all(isinstance(number, int) and 0 <= number < 1 << 40 for number in numbers)


def _parameter(tensor: object, *_: object) -> StoredTensor:
    if not isinstance(tensor, StoredTensor):
        raise ValueError("a parameter without a tensor")
    return tensor


def _ordered(*items: object) -> _Plain:
    return _Plain(*items)


def _text(*parts: object) -> str:
    return " ".join(str(part) for part in parts if isinstance(part, (str, int)))


_WORDS: Mapping[str, str | Callable[..., object]] = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch.device": _text,
    "torch.Size": tuple,
    **{f"torch.{storage}": dtype for storage, dtype in _STORAGES.items()},
    **{f"torch.cuda.{storage}": dtype for storage, dtype in _STORAGES.items()},
    **{f"torch.{dtype}": dtype for dtype in ELEMENT_BYTES},
}


def _needs(names: list[str], where: str) -> BundleError:
    listed = ", ".join(_safe(name) for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    what = f"holds Python objects, not only weights: it asks for {listed}. Reading them would run code of the file"
    remedy = "save model.state_dict() where it was trained, and give that file"
    if any("lightning" in name or name.startswith("anomalib") for name in names):
        remedy = "this is a Lightning checkpoint (anomalib writes such): export it to ONNX there and give the .onnx"
    return BundleError(what, where=where, remedy=remedy)


def _shown(error: BaseException) -> str:
    return _safe(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


def _safe(text: str) -> str:
    """Words of a file that nobody has verified, made fit for a terminal."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:120])
