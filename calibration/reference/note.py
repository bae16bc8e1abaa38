"""A reference on disk: the PNG, and beside it a note of how it was made. Both or neither."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, FiniteFloat

from edge.bundle.image import encode_png
from edge.cli.terminal import one_line
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.recipe.document import Sha256
from edge.schema import Closed
from edge.settings.symmetry import SymmetrySettings
from edge.types import ImageU8

Method = Literal["frame", "median", "rotational"]


class Source(Closed):
    """One image that it was made from."""

    name: str = Field(min_length=1, max_length=255)
    sha256: Sha256

    @classmethod
    def of(cls, path: Path) -> Source:
        """A file as it is now; its name is made printable, since names may be any bytes. OSError if it cannot be read."""
        return cls(name=one_line(path.name)[:255], sha256=hashlib.sha256(path.read_bytes()).hexdigest())


class ReferenceNote(Closed):
    """`NAME.png.json`. figures: what the method measured of it, by name (docs/comparison.md). symmetry: what a recipe needs
    to use a rotational ideal. sha256: of the PNG, so that the two are known to belong together.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    method: Method
    sources: tuple[Source, ...] = Field(min_length=1, max_length=100_000)
    refused: dict[str, str] = Field({}, max_length=100_000)
    why: Annotated[str, Field(max_length=2000)] = ""
    figures: dict[str, FiniteFloat] = Field({}, max_length=50)
    symmetry: SymmetrySettings | None = None
    made_at: AwareDatetime
    sha256: Sha256


def note_path(image: Path) -> Path:
    """Where the note of a reference is."""
    return image.with_name(f"{image.name}.json")


def check_target(out: Path, sources: Iterable[Path]) -> None:
    """ConfigError, before any work, for a place that cannot be meant: no .png, no folder, or one of the sources."""
    if out.suffix.lower() != ".png":
        raise ConfigError("must end in .png: a reference is kept without loss", where=str(out), remedy="write --out NAME.png")
    if not out.parent.is_dir():
        raise ConfigError("its folder is not there", where=str(out), remedy="make the folder, or name another")
    if any(out.resolve() == source.resolve() for source in sources):
        raise ConfigError("is one of the images it would be made from", where=str(out), remedy="name another file")


def write_reference(
    out: Path,
    image: ImageU8,
    *,
    method: Method,
    sources: tuple[Source, ...],
    refused: dict[str, str] | None = None,
    why: str = "",
    figures: dict[str, float] | None = None,
    symmetry: SymmetrySettings | None = None,
) -> ReferenceNote:
    """Write PNG and note, each whole or not at all; the note names the PNG by its hash. ConfigError: not writable."""
    data = encode_png(image)
    note = ReferenceNote(
        schema=1,
        method=method,
        sources=sources,
        refused={one_line(name): one_line(why) for name, why in (refused or {}).items()},
        why=one_line(why),
        figures=figures or {},
        symmetry=symmetry,
        made_at=datetime.now(timezone.utc),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    text = note.model_dump_json(by_alias=True, indent=1) + "\n"
    try:
        replace_file(note_path(out), text.encode())
        replace_file(out, data)
    except OSError as error:
        remedy = "check space and permissions"
        raise ConfigError(f"cannot be written ({error.strerror or error})", where=str(out), remedy=remedy) from None
    return note
