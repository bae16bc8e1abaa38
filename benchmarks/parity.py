"""Float16 beside float32 on real frames: recipes are made of shared data, and `lineclear-export parity` compares on them.

    python -m benchmarks.parity --data LEFTOVERS [--views 585000_090 ...] [--trained DIR] [--families variation draem ...]

LEFTOVERS: what ../shared/tools/compose_leftovers.py wrote, one folder per view. DIR: the checkpoints of
`benchmarks.upstream.training` (set `leftovers`). Per view and family: the bundle, a recipe, thresholds from good frames by
`quantile`, then both files on all test frames. One row each; the exit status is 1 where one is beyond a limit.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2

from calibration.__main__ import main as lineclear_calibrate
from edge.bundle import open_bundle
from edge.recipe import ParityComparison, load_recipe
from export.__main__ import main as lineclear_export
from export.parity import Subject, compare
from export.parity_sides import Makers, plan_of

BUILD = 10
HEAD = (
    "family",
    "view",
    "frames",
    "to PASS",
    "other",
    "margin",
    "spread",
    "pixels",
    "map mean",
    "map p99.9",
    "map max",
    "half",
    "",
)
MEASURES = (
    "verdicts to PASS", "other verdicts", "score over margin", "score over spread", "pixels", "map mean", "map p99.9",
    "map max", "half layers",
)  # fmt: skip


def linked(folder: Path, paths: Sequence[Path]) -> Path:
    folder.mkdir(parents=True)
    for path in paths:
        (folder / f"{path.parent.name}-{path.name}").symlink_to(path.resolve())
    return folder


def quiet(command: Callable[[Sequence[str]], int], *words: object) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = command([str(word) for word in words])
    if status not in (0, 1):
        sys.exit(f"{' '.join(map(str, words))}: {said.getvalue()}")


def bundle_of(family: str, work: Path, build: Path, trained: Path | None) -> Path:
    out = work / "bundle"
    calls = {
        "variation": ["variation", "--images", build],
        "autoencoder": ["autoencoder", "--checkpoint", f"{trained}/autoencoder-leftovers.pth", "--spec",
                        f"{trained}/autoencoder-leftovers.yaml", "--golden", build],
        "draem": ["draem", "--checkpoint", f"{trained}/DRAEM_leftovers_.pckl", "--size", "256x256", "--golden", build],
        "bit": ["bit", "--checkpoint", f"{trained}/bit-leftovers/best_ckpt.pt", "--size", "256x256", "--golden", build],
        "mahalanobis": ["mahalanobis", "--checkpoint", f"{trained}/model-leftovers.tch", "--images", build, "--level", "patch",
                        "--quiet"],
        "mahalanobis-image": ["mahalanobis", "--checkpoint", f"{trained}/model-leftovers.tch", "--images", build, "--quiet"],
    }  # fmt: skip
    quiet(lineclear_export, *calls[family], "--out", out)
    return out


def compared(family: str, view: Path, trained: Path | None) -> ParityComparison:
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        good = sorted((view / "train" / "good").iterdir())
        build, rest = linked(work / "build", good[:BUILD]), linked(work / "rest", good[BUILD:])
        bundle = bundle_of(family, work, build, trained)
        recipe = work / "recipe"
        quiet(lineclear_calibrate, "recipe", "--view", "v", "--reference", good[0], "--bundle", bundle, "--out", recipe)
        quiet(
            lineclear_calibrate,
            "thresholds",
            "--recipe",
            recipe,
            "--images",
            rest,
            "--method",
            "quantile",
            "--who",
            "b",
            "--why",
            "parity",
        )
        tests = linked(work / "test", sorted(view.glob("test/*/*.png")) + sorted(view.glob("test/*/*.jpg")))
        subject = Subject(open_bundle(bundle), load_recipe(recipe), tests)
        ((base, other),) = plan_of(subject.bundle, "onnxruntime", None, Makers()).others
        return compare(subject, base, other, lambda *_: None)


def row(family: str, view: str, found: ParityComparison) -> str:
    values = {line.measure: line.value for line in found.lines}
    figures = ["-" if values.get(name) is None else f"{values[name]:.3g}" for name in MEASURES]
    verdict = "equal" if found.passed else found.why
    return " | ".join((family, view, f"{found.frames.get('images', 0)} (+{found.refused})", *figures, verdict))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--views", nargs="+")
    parser.add_argument("--trained", type=Path)
    parser.add_argument("--families", nargs="+", default=["variation"])
    args = parser.parse_args()
    cv2.setNumThreads(1)
    views = args.views or sorted(path.name for path in args.data.iterdir() if (path / "train" / "good").is_dir())
    print("| " + " | ".join(HEAD) + " |")
    print("|---" * len(HEAD) + "|")
    beyond = 0
    for family in args.families:
        for view in views:
            found = compared(family, args.data / view, args.trained)
            beyond += not found.passed
            print(f"| {row(family, view, found)} |", flush=True)
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
