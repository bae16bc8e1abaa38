"""Ways to damage bytes, zips and pickles, each from a seeded random source."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Sequence
from typing import Any

WORDS = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"../", b"/etc/passwd", b"\0", b"\xff" * 4, b"\xff" * 8, b"\0" * 4)
BOMB_BYTES = 400 << 20


def damaged(data: bytes, source: random.Random, words: Sequence[bytes] = WORDS) -> bytes:
    """Flipped bits, other bytes, cut off, pieces lost, doubled or overwritten by one of `words`: one to eight of these."""
    mutant = bytearray(data)
    for _ in range(source.choice((1, 1, 1, 2, 8))):
        at = source.randrange(len(mutant)) if mutant else 0
        kind = source.randrange(6)
        if kind == 0 and mutant:
            mutant[at] ^= 1 << source.randrange(8)
        elif kind == 1 and mutant:
            mutant[at] = source.randrange(256)
        elif kind == 2:
            del mutant[at:]
        elif kind == 3:
            del mutant[at : at + source.randrange(1, 64)]
        elif kind == 4:
            word = source.choice(words)
            mutant[at : at + len(word)] = word
        else:
            mutant[at:at] = mutant[at : at + source.randrange(1, 256)]
    return bytes(mutant)


def members(data: bytes) -> list[tuple[str, bytes]]:
    """Names and contents of a zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def zipped(parts: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of these members; names are written as they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in parts:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = method
            archive.writestr(entry, content)
    return buffer.getvalue()


def rezipped(data: bytes, source: random.Random) -> tuple[str, bytes]:
    """What was done, and a zip whose members are swapped, lost, doubled, renamed, bombs, or not as long as they say."""
    parts = members(data)
    one, two = source.sample(range(len(parts)), 2) if len(parts) > 1 else (0, 0)
    kind = source.choice(("swap", "lose", "double", "path", "link", "bomb", "size", "encrypted", "method", "entries"))
    method = zipfile.ZIP_STORED
    if kind == "swap":
        parts[one], parts[two] = (parts[one][0], parts[two][1]), (parts[two][0], parts[one][1])
    elif kind == "lose":
        del parts[one]
    elif kind == "double":
        parts.append(parts[one])
    elif kind == "path":
        trick = source.choice(("../../escaped", "/tmp/escaped", "a/../../../escaped", "C:\\escaped", "..\\escaped"))
        parts[one] = (trick, parts[one][1])
    elif kind == "bomb":
        parts[one], method = (parts[one][0], bytes(BOMB_BYTES)), zipfile.ZIP_DEFLATED
    elif kind == "entries":
        parts += [(f"x/{index}", b"") for index in range(70_000)]
    made = bytearray(zipped(parts, method))
    if kind in ("size", "encrypted", "method", "link"):
        _forge(made, kind, source)
    return kind, bytes(made)


def _forge(made: bytearray, kind: str, source: random.Random) -> None:
    """Change one entry of the central directory, and for sizes sometimes its local header."""
    entries = [at for at in range(len(made) - 46) if made[at : at + 4] == b"PK\x01\x02"]
    at = source.choice(entries)
    if kind == "size":
        size = source.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFE, 1 << 20))
        struct.pack_into("<I", made, at + source.choice((20, 24)), size)
    elif kind == "encrypted":
        struct.pack_into("<H", made, at + 8, 1)
    elif kind == "method":
        struct.pack_into("<H", made, at + 10, source.choice((1, 9, 12, 14, 93, 99)))
    else:
        struct.pack_into("<I", made, at + 38, 0o120777 << 16)


class _Runs:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self._reduced = (call, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._reduced


def evil_pickles(canary: str) -> list[tuple[str, bytes]]:
    """Pickles that make a file at `canary` when they are believed, or eat memory."""
    touch = f"touch {canary}"
    made = f"open({canary!r}, 'w').close()"
    laughs = b"\x80\x02]q\x00" + b"(h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00eh\x00" * 40 + b"."
    import runpy
    import subprocess

    return [
        ("os.system", pickle.dumps(_Runs(os.system, touch), 2)),
        ("exec", pickle.dumps(_Runs(exec, made), 2)),
        ("eval", pickle.dumps({"state_dict": _Runs(eval, made)}, 2)),
        ("Popen", pickle.dumps(_Runs(subprocess.Popen, ["touch", canary]), 2)),
        ("run_path", pickle.dumps(_Runs(runpy.run_path, canary), 2)),
        (
            "getattr",
            b"\x80\x02cbuiltins\ngetattr\ncbuiltins\n__import__\nX\x02\x00\x00\x00os\x85RX\x06\x00\x00\x00system\x86RX"
            + _text(touch)
            + b"\x85R.",
        ),
        ("obj", b"(S'" + touch.encode() + b"'\nios\nsystem\n."),
        ("stack_global", b"\x80\x04\x8c\x05posix\x8c\x06system\x93X" + _text(touch) + b"\x85R."),
        (
            "in a tensor",
            b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\ncos\nsystem\nX" + _text(touch) + b"\x85R\x85Rs.",
        ),
        ("laughs", laughs),
        ("deep", b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."),
        ("long", b"\x80\x02\x8b\xff\xff\xff\x7f" + b"\x01" * 64 + b"."),
        ("text", b"\x80\x02X\xff\xff\xff\x7f" + b"a" * 64 + b"."),
        ("memo", b"\x80\x02Nr\xff\xff\xff\x7f."),
        ("frame", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN."),
    ]


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode()
