"""Labels that are folders: MVTec's layout, good and bad folders, and a folder of masks beside one of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calibration.labels.assembling import BAD_WORDS, GOOD, GOOD_WORDS, plain, unlabelled
from calibration.labels.documents import Fault
from calibration.labels.images import frame_size
from calibration.labels.items import Format, Labelled, LabelSet, Problem
from calibration.labels.pictures import read_mask
from calibration.labels.shapes import pack
from calibration.progress import Progress
from edge.cameras.folder import image_files
from edge.errors import ConfigError

TRUTH_WORDS = frozenset({"groundtruth", "groundthruth", "masks", "mask"})
_MASK_ENDINGS = ("_mask", "_gt", "")


@dataclass
class _Masks:
    """The masks of one folder by stem; each may be used once. A folder that is None has none, and that is no problem."""

    folder: Path | None
    threshold: int | None = None
    by_stem: dict[str, list[Path]] = field(default_factory=dict)
    used: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        for path in _files(self.folder) if self.folder else ():
            self.by_stem.setdefault(path.stem.casefold(), []).append(path)

    def of(self, image: Path) -> Path | None:
        """NAME_mask, NAME_gt, NAME, or with `_GT_` for `_D_` (PIPED); Fault if several fit, None if none does."""
        stem = image.stem.casefold()
        stems = {stem + ending for ending in _MASK_ENDINGS} | {stem.replace("_d_", "_gt_")}
        fitting = [path for name in sorted(stems) for path in self.by_stem.get(name, ())]
        if len(fitting) > 1:
            raise Fault(f"has {len(fitting)} masks: {', '.join(path.name for path in fitting)}", "keep one of them")
        self.used.update(fitting)
        return fitting[0] if fitting else None

    def without_image(self) -> list[Problem]:
        paths = [path for same in self.by_stem.values() for path in same if path not in self.used]
        return [Problem(str(path), "", "is a mask without an image", "add the image or delete the mask") for path in paths]


@dataclass
class _Task:
    image: Path
    kind: str
    masks: _Masks


def read_mvtec(source: Path, threshold: int | None, progress: Progress) -> LabelSet:
    """`test/good`, `test/KIND`, `ground_truth/KIND/NAME_mask.png`; training images are not read.

    P. Bergmann et al.: MVTec AD, CVPR 2019. ConfigError if there is no test folder.
    """
    tests = source / "test"
    if not tests.is_dir():
        raise ConfigError("has no folder test", where=str(source), remedy="MVTec's layout has test/good and test/KIND")
    truths = [folder for folder in _folders(source) if plain(folder.name) in TRUTH_WORDS]
    tasks: list[_Task] = []
    problems: list[Problem] = []
    for folder in _folders(tests):
        kind = GOOD if plain(folder.name) in GOOD_WORDS else folder.name
        masks = _Masks(next((truth / folder.name for truth in truths if (truth / folder.name).is_dir()), None), threshold)
        if kind != GOOD and masks.folder is None and truths:
            what = f"there is no {truths[0].name}/{folder.name}: the pixels of its images are not known"
            problems.append(Problem(str(folder), "", what, "add their masks"))
        tasks += (_Task(image, kind, masks) for image in _files(folder))
    tested = {folder.name for folder in _folders(tests)}
    for folder in (inner for truth in truths for inner in _folders(truth)):
        if folder.name not in tested:
            problems.append(Problem(str(folder), "", f"there is no test/{folder.name}", "add the images or delete the masks"))
    problems += _loose(tests)
    return _read(tasks, problems, "mvtec", progress)


def read_good_bad(source: Path, threshold: int | None, progress: Progress) -> LabelSet:
    """Folders whose names say good or bad; masks may lie in GroundTruth or masks, inside the bad folder or beside it.

    Words: GOOD_WORDS and BAD_WORDS of `assembling`. ConfigError if no folder has such a name.
    """
    folders = [folder for folder in _folders(source) if plain(folder.name) in GOOD_WORDS | BAD_WORDS]
    if not folders:
        words = ", ".join(sorted(GOOD_WORDS | BAD_WORDS))
        raise ConfigError("has no folder of good or bad images", where=str(source), remedy=f"known names: {words}")
    tasks: list[_Task] = []
    problems: list[Problem] = _loose(source)
    for folder in folders:
        kind = GOOD if plain(folder.name) in GOOD_WORDS else folder.name.casefold()
        truths = [inner for inner in (*_folders(folder), *_folders(source)) if plain(inner.name) in TRUTH_WORDS]
        masks = _Masks(truths[0] if truths and kind != GOOD else None, threshold)
        tasks += (_Task(image, kind, masks) for image in _files(folder))
        problems += (
            Problem(str(inner), "", "is not read: images lie in the good and bad folders themselves", "move them up")
            for inner in _folders(folder)
            if plain(inner.name) not in TRUTH_WORDS
        )
    return _read(tasks, problems, "good-bad", progress)


def read_masks(source: Path, images: Path, threshold: int | None, progress: Progress) -> LabelSet:
    """A mask for every image, found by name; an image whose mask is empty is good. ConfigError if there are no masks."""
    masks = _Masks(source, threshold)
    if not masks.by_stem:
        raise ConfigError("holds no masks", where=str(source), remedy="name a folder of mask pictures (png, bmp, tif)")
    problems: list[Problem] = []
    tasks: list[_Task] = []
    for image in _files(images):
        try:
            if masks.of(image) is None:
                problems.append(unlabelled(image))
            else:
                tasks.append(_Task(image, "", masks))
        except Fault as fault:
            problems.append(Problem(str(image), "", fault.what, fault.remedy))
    return _read(tasks, problems, "masks", progress)


def _read(tasks: Sequence[_Task], problems: list[Problem], kind: Format, progress: Progress) -> LabelSet:
    items: list[Labelled] = []
    stems = Counter((str(task.image.parent), task.image.stem.casefold()) for task in tasks if task.kind != GOOD)
    for number, task in enumerate(tasks, 1):
        try:
            if task.masks.folder and stems[str(task.image.parent), task.image.stem.casefold()] > 1:
                raise Fault("has the name of another image", "whose mask is it? rename one")
            items.append(_item(task, problems))
        except Fault as fault:
            problems.append(Problem(str(task.image), "", fault.what, fault.remedy))
        progress(number, len(tasks), task.image.name)
    for masks in {id(task.masks): task.masks for task in tasks}.values():
        problems += masks.without_image()
    return LabelSet(tuple(items), tuple(problems), kind)


def _item(task: _Task, problems: list[Problem]) -> Labelled:
    size = frame_size(task.image)
    path = task.masks.of(task.image)
    if path is None:
        if task.kind != GOOD and task.masks.folder:
            _not_known(problems, task.image, "has no mask", "add it")
        return Labelled(task.image, "good" if task.kind == GOOD else "bad", task.kind, (), size, task.kind == GOOD)
    try:
        region = pack(task.kind or "anomaly", read_mask(path, size, task.masks.threshold))
    except Fault as fault:
        if not task.kind or task.kind == GOOD:  # without the mask nothing says that it is good
            raise Fault(f"mask {path.name}: {fault.what}", fault.remedy) from None
        _not_known(problems, path, fault.what, fault.remedy)
        return Labelled(task.image, "bad", task.kind, (), size, pixels_known=False)
    empty = region.size_wh == (0, 0)
    if task.kind == GOOD and not empty:
        raise Fault(f"lies among the good images, but its mask {path.name} marks pixels", "move it or empty the mask")
    if not task.kind or task.kind == GOOD:
        return Labelled(
            task.image, "good" if empty else "bad", GOOD if empty else region.kind, () if empty else (region,), size
        )
    if empty:
        _not_known(problems, path, "marks no pixel of a bad image", "draw it, or call the image good")
        return Labelled(task.image, "bad", task.kind, (), size, pixels_known=False)
    return Labelled(task.image, "bad", task.kind, (region,), size)


def _not_known(problems: list[Problem], path: Path, what: str, remedy: str) -> None:
    problems.append(Problem(str(path), "", f"{what}: used as a bad image whose pixels are not known", remedy))


def _loose(folder: Path) -> list[Problem]:
    return [Problem(str(path), "", "lies outside of the labelled folders", "move it into one") for path in _files(folder)]


def _files(folder: Path) -> tuple[Path, ...]:
    try:
        return image_files(folder)
    except OSError as error:
        raise ConfigError(f"cannot be listed ({error.strerror})", where=str(folder), remedy="check the path") from None


def _folders(folder: Path) -> tuple[Path, ...]:
    try:
        inner: Iterable[Path] = folder.iterdir()
        return tuple(sorted(path for path in inner if path.is_dir() and not path.name.startswith(".")))
    except OSError as error:
        raise ConfigError(f"cannot be listed ({error.strerror})", where=str(folder), remedy="check the path") from None
