"""What an attacker sends: names, images, archives. Nothing of it may do more than be refused."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Final
from urllib.parse import quote

NAMES: Final = (
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "..\\..\\..\\windows\\win.ini",
    "/etc/passwd",
    "....//....//etc/passwd",
    "front\x00.png",
    "front\r\nSet-Cookie: stolen=1",
    "frontё",
    "ＦＲＯＮＴ",
    "front\u202egnp.exe",
    "front/../front",
    "front;rm -rf /",
    "' OR '1'='1",
    "1; DROP TABLE results; --",
    "<script>alert(1)</script>",
    "{{7*7}}${7*7}",
    "%(name)s{0.__class__}",
    "-1",
    "999999999999999999999999",
    "1e999",
    "NaN",
    "CON",
    ".",
    "..",
    " ",
    "\U0001f600" * 20,
    "a" * 3000,
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
)
"""For every part of an address and every field of a form."""


def in_path(name: str) -> str:
    """The name as one part of an address."""
    return quote(name, safe="")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes | None = None) -> bytes:
    """A grey PNG whose header says this size; its pixels are `rows`, else as many as fit it, if those are few."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = rows if rows is not None else (b"\0" + b"\x80" * width) * min(height, 4096)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(pixels, 9)) + _chunk(b"IEND", b"")


def zipped(**files: bytes) -> bytes:
    """A zip of these files; `__` in a name stands for a slash."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return data.getvalue()


def zip_with(name: str, content: bytes = b"x", mode: int = 0o100644) -> bytes:
    """A zip with one member of any name and any file type."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        archive.writestr(member, content)
    return data.getvalue()


def bomb(megabytes: int = 400) -> bytes:
    """A small zip whose one member is large."""
    data = io.BytesIO()
    name = zipfile.ZipInfo("manifest.json")
    name.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(data, "w") as archive, archive.open(name, "w", force_zip64=True) as member:
        for _ in range(megabytes):
            member.write(bytes(1 << 20))
    return data.getvalue()


def images() -> dict[str, bytes]:
    """Files that say they are images."""
    sound = png(64, 48)
    return {
        "empty": b"",
        "text": b"GIF89a is what this is not",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "html": b"<!doctype html><script>alert(1)</script>",
        "cut": sound[: len(sound) // 2],
        "giant header": png(60_000, 60_000, b"\0" * 100),
        "negative header": png(0x7FFFFFFF, 1, b""),
        "bomb": png(20_000, 20_000, bytes(30_000_000)),
        "wrong size": sound,
        "flipped": bytes(b ^ 0x20 if i % 7 == 3 else b for i, b in enumerate(sound)),
        "polyglot": sound + b"<script>alert(1)</script>",
        "jpeg of nothing": b"\xff\xd8\xff\xe0" + b"\0" * 64,
        "tiff with a far offset": b"II*\0" + struct.pack("<I", 0xFFFFFFF0),
    }


def archives() -> dict[str, bytes]:
    """Files that say they are bundles or recipes."""
    return {
        "empty": b"",
        "not a zip": b"PK\x03\x04 but nothing after it",
        "empty zip": zipped(),
        "up": zip_with("../../../outside"),
        "absolute": zip_with("/tmp/outside"),
        "backslash": zip_with("..\\..\\outside"),
        "link": zip_with("manifest.json", b"/etc/passwd", 0o120777),
        "device": zip_with("manifest.json", b"", 0o020666),
        "nul": zip_with("recipe\0.yaml"),
        "long name": zip_with("a" * 4000),
        "many": zipped(**{f"file{number}": b"" for number in range(3000)}),
        "yaml bomb": zipped(**{"recipe.yaml": b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n"}),
        "python yaml": zipped(**{"recipe.yaml": b"!!python/object/apply:os.system ['touch outside']\n"}),
        "recipe of nothing": zipped(**{"current": b"0001\n", "versions__0001__recipe.yaml": b"{}"}),
        "bundle of nothing": zipped(**{"manifest.json": b"{}", "model.onnx": b""}),
        "bomb": bomb(),
    }
