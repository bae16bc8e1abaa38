"""`challenge/` of a recipe's version: frames with a known verdict, which prove that a view still tells good from bad.

`challenge.yaml` says what each frame must give, its hash, who put it there, when and why. Beside it lie the frames: 8-bit
PNG files, grey or RGB, of the size of the recipe's reference.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import AwareDatetime, Field, model_validator
from typing_extensions import Self

from edge.bundle.image import decode_png, encode_png
from edge.errors import BundleError, ConfigError, RecipeError
from edge.recipe.document import Person, Sentence, Sha256
from edge.schema import Closed, load_yaml, read_bounded, validate
from edge.types import ImageU8

FOLDER: Final = "challenge"
FILE: Final = "challenge.yaml"
MAX_FRAMES: Final = 20
MAX_FRAME_BYTES: Final = 200_000_000
_AGAIN: Final = "put it back, or take the challenge again: lineclear-calibrate challenge"
Expected = Literal["PASS", "FAIL"]


class ChallengeFrame(Closed):
    """One known frame. file: its name in the folder. sha256: of the file. note: what is on it, for people."""

    file: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,60}\.png$")]
    sha256: Sha256
    expected: Expected
    note: Annotated[str, Field(max_length=500)] = ""


class ChallengeFile(Closed):
    """`challenge.yaml`: at most MAX_FRAMES known frames of one view, each once."""

    schema_version: Literal[1] = Field(1, alias="schema")
    frames: tuple[ChallengeFrame, ...] = Field(max_length=MAX_FRAMES)
    who: Person
    when: AwareDatetime
    why: Sentence

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for key in ("file", "sha256"):
            values = [getattr(frame, key) for frame in self.frames]
            repeated = sorted({value for value in values if values.count(value) > 1})
            if repeated:
                raise ValueError(f"{key} must differ from frame to frame, twice there is {', '.join(repeated)}")
        return self

    @property
    def is_complete(self) -> bool:
        """True with at least one frame that must pass and one that must fail."""
        return {frame.expected for frame in self.frames} == {"PASS", "FAIL"}


@dataclass(frozen=True, eq=False)
class KnownFrame:
    """A frame to put into a challenge. image: uint8 HxWx3 RGB or HxW."""

    image: ImageU8
    expected: Expected
    note: str = ""


def read_challenge(folder: Path) -> ChallengeFile | None:
    """The challenge in a `challenge` folder, None if there is none. RecipeError: it cannot be read. Frames: read_frame."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return load_yaml(ChallengeFile, path)
    except ConfigError as error:
        raise RecipeError(error.message, where=error.where, remedy=error.remedy or _AGAIN) from None


def read_frame(folder: Path, frame: ChallengeFrame, decoded: Mapping[str, ImageU8] | None = None) -> ImageU8:
    """One frame, read-only; RecipeError if it is missing, is not the file that was put there, or is no image.

    decoded: images by the SHA-256 of their file, from before; the file is read and proven all the same.
    """
    path = folder / frame.file
    try:
        with path.open("rb") as file:
            data = read_bounded(file, MAX_FRAME_BYTES)
    except OSError as error:
        raise RecipeError(f"cannot be read ({error.strerror})", where=str(path), remedy=_AGAIN) from None
    if data is None:
        raise RecipeError("is too large", where=str(path), remedy=f"at most {MAX_FRAME_BYTES} bytes")
    if hashlib.sha256(data).hexdigest() != frame.sha256:
        raise RecipeError("is not the frame that was put there", where=str(path), remedy=_AGAIN)
    if decoded is not None and frame.sha256 in decoded:
        return decoded[frame.sha256]
    try:
        return decode_png(data, str(path))
    except BundleError as error:
        raise RecipeError(error.message, where=str(path), remedy=_AGAIN) from None


def write_challenge(folder: Path, frames: Sequence[KnownFrame], *, who: str, why: str) -> ChallengeFile:
    """Write the frames and `challenge.yaml` into an empty folder, from where a recipe takes them (`Content.challenge`).

    ConfigError: too many frames, the same picture twice, or a name that cannot be signed with. Raises RecipeError.
    """
    entries, pictures = [], {}
    for frame in frames:
        try:
            data = encode_png(frame.image)
        except BundleError as error:
            raise RecipeError(error.message, where=frame.note, remedy=error.remedy) from None
        digest = hashlib.sha256(data).hexdigest()
        name = f"{'good' if frame.expected == 'PASS' else 'bad'}-{digest[:12]}.png"
        pictures[name] = data
        entries.append({"file": name, "sha256": digest, "expected": frame.expected, "note": _on_one_line(frame.note)})
    fields = {"schema": 1, "frames": entries, "who": who, "when": datetime.now(timezone.utc), "why": why}
    document = validate(ChallengeFile, fields, str(folder / FILE))
    try:
        for name, data in pictures.items():
            (folder / name).write_bytes(data)
        text = yaml.safe_dump(document.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True, width=120)
        (folder / FILE).write_text("# Frames with a known verdict; change them with lineclear-calibrate challenge.\n" + text)
    except OSError as error:
        raise RecipeError(f"cannot be written ({error.strerror})", where=str(folder), remedy="free the disk") from None
    return document


def _on_one_line(text: str) -> str:
    return re.sub(r"[^\w .,()+-]", "_", text)[:500]
