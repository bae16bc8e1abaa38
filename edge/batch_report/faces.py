r"""The letters of a PDF: DejaVu where the machine has it, else the fourteen fonts that every viewer has.

No font is shipped. What the letters at hand cannot show is spelt out as `\u4e2d`, never left out or shown as a box.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

FOLDERS: Final = (
    Path("/usr/share/fonts/truetype/dejavu"),
    Path("/usr/share/fonts/dejavu"),
    Path("/usr/share/fonts/dejavu-sans-fonts"),
    Path("/usr/share/fonts/TTF"),
    Path("/usr/local/share/fonts"),
)
_FILES: Final = {("sans", ""): "DejaVuSans.ttf", ("sans", "B"): "DejaVuSans-Bold.ttf", ("mono", ""): "DejaVuSansMono.ttf"}
_CORE: Final = {"sans": "Helvetica", "mono": "Courier"}
_LATIN_1: Final = frozenset(chr(code) for code in (*range(0x20, 0x7F), *range(0xA1, 0x100)))
Kind = Literal["sans", "mono"]


@dataclass(frozen=True)
class Faces:
    """families: of the two kinds, as the PDF knows them. letters: what all of them have."""

    families: dict[str, str]
    letters: Container[str]

    def shown(self, text: str) -> str:
        """The text in letters that are there."""
        return "".join(each if each in self.letters else _spelt(each) for each in text)


def load_faces(pdf: Any, folders: Iterable[Path] = FOLDERS) -> Faces:
    """Give the PDF its fonts."""
    folder = next((each for each in folders if all((each / name).is_file() for name in _FILES.values())), None)
    if folder is None:
        return Faces(_CORE, _LATIN_1)
    for (family, style), name in _FILES.items():
        pdf.add_font(family, style, str(folder / name))
    known = [set(pdf.fonts[family + style].cmap) for family, style in _FILES]
    return Faces({"sans": "sans", "mono": "mono"}, frozenset(chr(code) for code in set.intersection(*known)))


def _spelt(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode("ascii")
