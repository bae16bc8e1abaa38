"""What a report is made of: blocks that a page and a PDF show alike, so that both say the same. Texts are raw, never markup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Mark:
    """An outcome, shown as shape, word and colour. outcome: the word as published; says: what stands beside the shape."""

    outcome: str
    says: str


@dataclass(frozen=True)
class Code:
    """A hash or an identity: set in a fixed width, broken anywhere."""

    text: str


Cell: TypeAlias = "str | Mark | Code"


@dataclass(frozen=True)
class Heading:
    """level 1: the whole report, 2: a section, 3: a part of one. mark: the outcome that it is about."""

    text: str
    level: Literal[1, 2, 3] = 2
    mark: Mark | None = None


@dataclass(frozen=True)
class Words:
    """A paragraph. warning: what nobody may read past."""

    text: str
    look: Literal["plain", "soft", "warning"] = "plain"


@dataclass(frozen=True)
class Answer:
    """What came out, in one box."""

    mark: Mark
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    pairs: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True)
class Column:
    """share: of the width of the paper, relative to the other columns."""

    name: str
    share: float = 1.0
    look: Literal["words", "number"] = "words"


@dataclass(frozen=True)
class Table:
    """As many cells in each row as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Picture:
    """A picture as the bytes of its file. content_type: image/jpeg or image/png. alt: what it shows, for who cannot see it."""

    data: bytes
    content_type: str
    size_wh: tuple[int, int]
    alt: str
    caption: str


@dataclass(frozen=True)
class Group:
    """What belongs together: a view with its picture."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Signatures:
    """What is signed, and a line for each role after one for a hash."""

    text: str
    hash_of: str
    roles: tuple[str, ...]


Block: TypeAlias = "Heading | Words | Answer | Facts | Table | Picture | Group | Signatures"


@dataclass(frozen=True)
class Report:
    """All blocks in order. title: one line that is on every page. as_of: when the newest result in it was decided."""

    title: str
    blocks: tuple[Block, ...]
    as_of: datetime
