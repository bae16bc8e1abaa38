"""Registration against known truth: real nudged views, textured photographs, and 500 cases that try to fool it.

    python -m benchmarks.registration [--data DIR] [--leftovers DIR] [--quick] [--only nudged textured random speed]

Needs the real images (shared/data and shared/tools; see docs/registration.md). Exits 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from edge.registration import Reference, align
from edge.registration.motion import distances
from edge.settings.registration import RegistrationSettings
from edge.types import Alignment, Homography, ImageU8

OBJECTS = ("hazelnut_toy", "piped/PA_BRG01_RL", "piped/PA_BDP01_TL")
WRONG_PX = 3.0
TRACK, ORB = RegistrationSettings(), RegistrationSettings(mode="orb")
Random = np.random.Generator


def read(path: Path) -> ImageU8:
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


def error_px(found: Homography, truth: Homography, size_wh: tuple[int, int]) -> float:
    """Mean distance over a 9x7 grid of the frame, in reference pixels."""
    x, y = np.meshgrid(np.linspace(0, size_wh[0] - 1, 9), np.linspace(0, size_wh[1] - 1, 7))
    places = np.column_stack([x.ravel(), y.ravel()])
    there = np.column_stack([places, np.ones(len(places))]) @ truth.T
    return float(distances(found, places, there[:, :2] / there[:, 2:]).mean())


def timed(image: ImageU8, reference: Reference) -> tuple[Alignment, float]:
    """The alignment and its CPU time in ms: one thread, so the wall time on an idle machine, whatever else runs here."""
    started = time.thread_time()
    found = align(image, reference)
    return found, 1e3 * (time.thread_time() - started)


@dataclass
class Tally:
    """Errors, refusals and times of one method on one kind of frame."""

    errors: list[float] = field(default_factory=list)
    refused: list[bool] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def add(self, error: float, refused: bool, ms: float) -> None:
        """One frame more."""
        self.errors.append(error)
        self.refused.append(refused)
        self.ms.append(ms)

    @property
    def wrong(self) -> int:
        """Frames that were accepted with an error beyond WRONG_PX."""
        return sum(error > WRONG_PX and not refused for error, refused in zip(self.errors, self.refused, strict=True))

    def row(self, name: str) -> str:
        """One line of the table under HEADER."""
        p50, p90, top = np.percentile(self.errors, [50, 90, 100], method="nearest")  # inf where nothing would be right
        return (
            f"{name:34s} {len(self.errors):4d} {p50:8.3f} {p90:8.2f} {top:8.2f} {sum(self.refused):8d} {self.wrong:6d}"
            f" {np.median(self.ms):8.1f} {np.percentile(self.ms, 95):8.1f}"
        )


COLUMNS = ((4, "n"), (8, "med px"), (8, "p90 px"), (8, "max px"), (8, "refused"), (6, "wrong"), (8, "ms p50"), (8, "ms p95"))
HEADER = " ".join([" " * 34, *(name.rjust(width) for width, name in COLUMNS)])


# --- nudged frames of real machine views -------------------------------------------------------------------------------


def leftovers(data: Path, out: Path, quick: bool) -> list[Path]:
    """Composed views (see shared/tools/compose_leftovers.py), made where they are not there yet."""
    tool = data.parent / "tools" / "compose_leftovers.py"
    views = sorted(path for path in (data / "bsdata").iterdir() if path.is_dir())[: 2 if quick else None]
    for view in views:
        if not (out / view.name / "nudges.json").exists():
            objects = [str(data / name) for name in OBJECTS]
            command = [sys.executable, str(tool), "--view", str(view), "--objects", *objects, "--out", str(out / view.name)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [out / view.name for view in views]


def nudged(views: list[Path], quick: bool) -> list[str]:
    print(f"\nNudged frames of {len(views)} machine views, against the frame's own still shot chained with the truth\n{HEADER}")
    tallies = {name: Tally() for name in ("track", "orb", "nothing")}
    for view in views:
        picture = read(min((view / "train/good").iterdir()))
        references = {"track": Reference(picture, TRACK), "orb": Reference(picture, ORB)}
        for name, matrix in list(json.loads((view / "nudges.json").read_text()).items())[:: 4 if quick else 1]:
            frame, still = read(view / name), read(view / name.replace("_nudged", ""))
            size_wh = (frame.shape[1], frame.shape[0])
            for method, reference in references.items():
                at_rest = align(still, reference)
                found, ms = timed(frame, reference)
                wanted = at_rest.frame_to_reference @ np.array(matrix)
                refused = not (found.trusted and at_rest.trusted)
                tallies[method].add(error_px(found.frame_to_reference, wanted, size_wh), refused, ms)
            tallies["nothing"].add(error_px(np.eye(3), np.array(matrix), size_wh), False, 0.0)
    for method, tally in tallies.items():
        print(tally.row(method))
    ours = tallies["track"]
    return [
        *missed("nudged: median error", float(np.median(ours.errors)), 0.5, "px"),
        *missed("nudged: accepted beyond 3 px", ours.wrong, 0, "frames"),
    ]


def missed(what: str, value: float, limit: float, unit: str) -> list[str]:
    """A line for the list of missed targets, or none; prints the target either way."""
    met = value <= limit
    print(f"  {'met   ' if met else 'MISSED'} {what}: {value:.3g} {unit} (target <= {limit:g})")
    return [] if met else [what]


# --- textured photographs under known homographies ---------------------------------------------------------------------


def scenes(data: Path, size_wh: tuple[int, int]) -> dict[str, tuple[ImageU8, ImageU8]]:
    """Scenes by name: (scene, other pictures for its changed part), RGB of size_wh."""
    nuts = [
        cv2.resize(read(path), (256, 256), interpolation=cv2.INTER_AREA)
        for path in sorted((data / "hazelnut_toy").rglob("*.jpg"))
    ]
    nuts = [turned for nut in nuts for turned in (nut, nut[::-1], nut[:, ::-1])][:96]
    gears = [read(path) for path in sorted((data / "gear/roboflow_original/train").glob("*.jpg"))]
    mosaic = np.vstack([np.hstack(nuts[12 * row : 12 * row + 12]) for row in range(8)])
    other = np.ascontiguousarray(mosaic[::-1, ::-1])
    pair = np.hstack([gears[0][:, -1536:], gears[1][:, :1536]])
    found = {"hazelnuts": (mosaic, other), "gears": (pair, mosaic)}
    return {name: (cv2.resize(a, size_wh), cv2.resize(b, size_wh)) for name, (a, b) in found.items()}


def camera(
    rng: Random, size_wh: tuple[int, int], shift: float = 0.0066, turn_deg: float = 1.0, zoom: float = 0.005
) -> Homography:
    """Scene -> nudged camera; shift as a share of the longer side, with a little tilt."""
    side = max(size_wh)
    middle = np.array([[1, 0, size_wh[0] / 2], [0, 1, size_wh[1] / 2], [0, 0, 1]], float)
    angle, size = np.deg2rad(rng.uniform(-turn_deg, turn_deg)), 1 + rng.uniform(-zoom, zoom)
    c, s = size * np.cos(angle), size * np.sin(angle)
    (dx, dy), tilt = rng.uniform(-shift, shift, 2) * side, rng.uniform(-0.008, 0.008, 2) / side
    return np.asarray(middle @ np.array([[c, -s, dx], [s, c, dy], [*tilt, 1]]) @ np.linalg.inv(middle))


def changed(scene: ImageU8, other: ImageU8, rng: Random, share: float, moved: bool) -> ImageU8:
    """The scene with a rectangle of that share replaced: by another picture, or by its own content moved by about 20 px."""
    height, width = scene.shape[:2]
    h, w = int(height * share**0.5), int(width * share**0.5)
    y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    source = np.roll(scene, tuple(rng.integers(12, 28, 2)), (0, 1)) if moved else other
    result = scene.copy()
    result[y : y + h, x : x + w] = source[y : y + h, x : x + w]
    return result


def shoot(scene: ImageU8, to_camera: Homography, rng: Random, noise: float = 3.0) -> ImageU8:
    """What the nudged camera sees: other light (gain, ramp) and noise."""
    size_wh = (scene.shape[1], scene.shape[0])
    image = cv2.warpPerspective(scene, to_camera, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    ramp = np.linspace(rng.uniform(0.85, 1.05), rng.uniform(0.85, 1.05), size_wh[0], dtype=np.float32)
    grain = rng.normal(0, noise, image.shape[:2]).astype(np.float32)
    return np.clip(image * ramp[None, :, None] + grain[..., None], 0, 255).astype(np.uint8)


def textured(data: Path, quick: bool) -> list[str]:
    size_wh = (3072, 2048)
    tallies: dict[str, Tally] = defaultdict(Tally)
    for name, (scene, other) in scenes(data, size_wh).items():
        rng = np.random.default_rng([7, *name.encode()])
        references = {"track": Reference(scene, TRACK), "orb": Reference(scene, ORB)}
        for number in range(3 if quick else 12):
            for kind in ("as it was", "quarter replaced", "quarter moved"):
                view = scene if kind == "as it was" else changed(scene, other, rng, 0.25, kind == "quarter moved")
                move = camera(rng, size_wh)
                frame = shoot(view, move, rng)
                for method in ("track", "orb") if number % 2 else ("orb", "track"):
                    found, ms = timed(frame, references[method])
                    error = error_px(found.frame_to_reference, np.linalg.inv(move), size_wh)
                    for key in (f"{method}: {name}, {kind}", f"{method}: {name}", f"{method}: all"):
                        tallies[key].add(error, not found.trusted, ms)
    print(f"\nTextured photographs, {size_wh[0]}x{size_wh[1]}, known homographies\n{HEADER}")
    for key in sorted(tallies, reverse=True):
        print(tallies[key].row(key))
    ratio = min(
        np.median(tallies[f"orb: {name}"].ms) / np.median(tallies[f"track: {name}"].ms) for name in ("hazelnuts", "gears")
    )
    worst = max(float(np.median(t.errors)) for key, t in tallies.items() if key.startswith("track"))
    print(f"  orb takes at least {ratio:.1f} times as long as track")
    return [
        *missed("textured: track's share of orb's time", 1 / ratio, 1 / 8, "x"),
        *missed("textured: worst median error of track", worst, 0.4, "px"),
    ]


# --- 500 random cases, hopeless ones included --------------------------------------------------------------------------

Case = tuple[str, ImageU8, "Homography | None"]  # kind, frame, truth frame -> reference (None: nothing would be right)


def hopeless(scene: ImageU8, others: list[ImageU8], rng: Random, kind: str) -> Case:
    height, width = scene.shape[:2]
    if kind == "another view":
        return kind, cv2.resize(others[int(rng.integers(len(others)))], (width, height)), None
    if kind == "covered lens":
        glow = cv2.resize(rng.integers(0, 60, (4, 6, 3)).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
        return kind, np.clip(glow + rng.normal(0, 3, glow.shape), 0, 255).astype(np.uint8), None
    if kind == "black":
        return kind, np.clip(rng.normal(1, rng.uniform(0, 2), scene.shape), 0, 255).astype(np.uint8), None
    if kind == "upside down":
        turn = np.array([[-1, 0, width - 1], [0, -1, height - 1], [0, 0, 1]], float)
        return kind, shoot(np.ascontiguousarray(scene[::-1, ::-1]), np.eye(3), rng), turn
    if kind == "mirrored":
        flip = np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], float)
        return kind, shoot(np.ascontiguousarray(scene[:, ::-1]), np.eye(3), rng), flip
    move = camera(rng, (width, height), 0.25, 20, 0.3)
    return kind, shoot(scene, move, rng), np.linalg.inv(move)


def possible(scene: ImageU8, others: list[ImageU8], rng: Random, kind: str) -> Case:
    height, width = scene.shape[:2]
    move = camera(rng, (width, height), 0.03, 2.0, 0.02)
    other = cv2.resize(others[int(rng.integers(len(others)))], (width, height))
    if kind == "much changed":
        # What moved must be less than half, else it is the rest that moved: only the majority says which is which.
        moved = bool(rng.integers(2))
        scene = changed(scene, other, rng, float(rng.uniform(0.25, 0.45 if moved else 0.8)), moved)
    image = shoot(scene, move, rng, noise=float(rng.uniform(0, 15 if kind == "noisy" else 4)))
    if kind == "blurred":
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(1, 25)))
    if kind == "dark":
        image = (image * rng.uniform(0.02, 0.4)).astype(np.uint8)
    return kind, np.asarray(image, np.uint8), np.linalg.inv(move)


HOPELESS = ("another view", "covered lens", "black", "upside down", "mirrored", "far away")
POSSIBLE = ("nudged", "much changed", "blurred", "dark", "noisy")


def cases(data: Path, count: int) -> Iterator[tuple[Reference, Case]]:
    """Frames of 8 real scenes at 960 px and less; other scenes serve as the other view."""
    views = sorted(path for path in (data / "bsdata").iterdir() if path.is_dir())
    pictures = {
        "machine": read(min((views[0] / "train/good").iterdir())),
        "arm": read(min((data / "dobot_cubes/normal").iterdir())),
        "board": read(min((data / "deeppcb").rglob("*_temp.jpg"))),
        "board 2": read(max((data / "deeppcb").rglob("*_temp.jpg"))),
        "nut": read(data / "hazelnut_toy/train/good/00.jpg"),
        "gear": cv2.resize(read(min((data / "gear/roboflow_original/train").glob("*.jpg"))), (960, 803)),
        **{name: pair[0] for name, pair in scenes(data, (960, 640)).items()},
    }
    references = {name: Reference(picture, TRACK) for name, picture in pictures.items()}
    rng = np.random.default_rng(500)
    kinds = HOPELESS + POSSIBLE
    for number in range(count):
        name = list(pictures)[number % len(pictures)]
        kind = kinds[int(rng.integers(len(kinds)))]
        if (name, kind) == ("gear", "mirrored"):  # the mirror image of a symmetric part is the same part, rightly aligned
            kind = "upside down"
        others = [picture for other, picture in pictures.items() if other.split()[0] != name.split()[0]]
        make = hopeless if kind in HOPELESS else possible
        yield references[name], make(pictures[name], others, rng, kind)


def fooled(data: Path, quick: bool) -> list[str]:
    count = 100 if quick else 500
    print(f"\n{count} random cases on 8 scenes\n{HEADER}")
    tallies: dict[str, Tally] = defaultdict(Tally)
    for reference, (kind, frame, truth) in cases(data, count):
        found, ms = timed(frame, reference)
        size_wh = (frame.shape[1], frame.shape[0])
        error = float("inf") if truth is None else error_px(found.frame_to_reference, truth, size_wh)
        for key in (kind, "all"):
            tallies[key].add(error, not found.trusted, ms)
    for kind in (*POSSIBLE, *HOPELESS, "all"):
        print(tallies[kind].row(kind))
    return missed("random: wrong warps accepted", tallies["all"].wrong, 0, "cases")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data")
    parser.add_argument("--leftovers", type=Path, help="keep the composed views here (default: a temporary folder)")
    parser.add_argument("--quick", action="store_true", help="a small run of a minute")
    parser.add_argument("--only", nargs="+", choices=("nudged", "textured", "random"), default=("nudged", "textured", "random"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as scratch:
        parts: dict[str, Callable[[], list[str]]] = {
            "nudged": lambda: nudged(leftovers(args.data, args.leftovers or Path(scratch), args.quick), args.quick),
            "textured": lambda: textured(args.data, args.quick),
            "random": lambda: fooled(args.data, args.quick),
        }
        failures = [line for name in args.only for line in parts[name]()]
    verdict = f"missed: {', '.join(failures)}" if failures else "every target met"
    print(f"\n{verdict} (ms: CPU time of 1 thread; OpenCV {cv2.__version__})")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
