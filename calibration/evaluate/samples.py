"""The labelled frames and the good frames of a trial, kept apart: what set a threshold or built the model proves nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.labels import Format, Labelled, read_labels
from calibration.progress import Progress, silent
from edge.cameras.folder import good_images
from edge.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Sample:
    """One file. name: unique in its set, for people. sha256: of its bytes. item: its label, None for a frame of `--good`."""

    name: str
    path: Path
    sha256: str
    item: Labelled | None = None

    @property
    def bad(self) -> bool:
        """True if a person called it bad."""
        return self.item is not None and self.item.label == "bad"


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """Labelled frames. problems: what of the labels could not be used, one line each."""

    source: str
    samples: tuple[Sample, ...]
    problems: tuple[str, ...] = ()


def read_labelled(
    source: Path,
    images: Path | None = None,
    format: Format | None = None,
    progress: Progress = silent,
    *,
    mask_threshold: int | None = None,
) -> LabelledFrames:
    """The labelled frames of a folder or a label file (docs/labels.md).

    ConfigError: none that is usable, or one file that is called good and bad.
    """
    labels = read_labels(source, images, format, progress=progress, mask_threshold=mask_threshold)
    return labelled_frames(labels.items, str(source), tuple(map(str, labels.problems)))


def labelled_frames(items: Sequence[Labelled], source: str, problems: tuple[str, ...] = ()) -> LabelledFrames:
    """The same from labels in memory."""
    if not items:
        first = f"; first problem: {problems[0]}" if problems else ""
        raise ConfigError(
            f"holds no image with a usable label{first}", where=source, remedy="see docs/labels.md for what can be read"
        )
    names = _names([item.path for item in items])
    samples = tuple(Sample(name, item.path, _sha256(item.path), item) for name, item in zip(names, items, strict=True))
    seen: dict[str, Sample] = {}
    for sample in samples:
        twin = seen.setdefault(sample.sha256, sample)
        if twin.bad != sample.bad:
            message = f"{twin.name} and {sample.name} are one file, once called good and once bad"
            raise ConfigError(message, where=source, remedy="keep the label that is right")
    return LabelledFrames(source, samples, problems)


def good_samples(folder: Path) -> tuple[Sample, ...]:
    """The good frames that thresholds are taken from. ConfigError: no folder, or no image in it."""
    paths = good_images(folder)
    return tuple(Sample(path.name, path, _sha256(path)) for path in paths)


def refuse_known(tests: LabelledFrames, known: Iterable[tuple[str, str]], what: str, remedy: str) -> None:
    """ConfigError if a labelled frame is among `known` (sha256, name), saying what those are and what to do."""
    names = dict(known)
    found = [
        f"{each.name} = {names[each.sha256]}" if names[each.sha256] else each.name
        for each in tests.samples
        if each.sha256 in names
    ]
    if found:
        listed = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        raise ConfigError(f"{len(found)} labelled images {what} ({listed})", where=tests.source, remedy=remedy)


def _names(paths: Sequence[Path]) -> list[str]:
    whole = [path.parent.resolve() / path.name for path in paths]
    common = os.path.commonpath([str(path.parent) for path in whole])
    return [str(path.relative_to(common)) for path in whole]


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"cannot be read ({error.strerror})", where=str(path), remedy="check the file and its rights"
        ) from None
