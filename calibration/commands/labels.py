"""`lineclear-calibrate labels`: read labels of any tool, say what is wrong with them, write them as masks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.cli.terminal import one_line, say, say_json

if TYPE_CHECKING:
    from calibration.labels import LabelSet

SUMMARY = "labels of any tool -> good and bad images with masks"

DESCRIPTION = """\
Read the labels of a set of images, hold each against its image, and say what cannot be used: by file and row. With --out,
write the masks.

sources:
  via       VGG Image Annotator: CSV or JSON export of versions 1 and 2, project file of version 2
  coco      COCO JSON: polygons, run lengths, boxes
  labelme   a labelme file, or a folder of them
  masks     a folder of mask pictures (png, bmp, tif) beside a folder of images: --images
  mvtec     test/good, test/KIND, ground_truth/KIND/NAME_mask.png
  good-bad  folders named good, normal, ok, nodefects and bad, abnormal, defect, nok; masks in GroundTruth or masks

The format is taken from the keys of the file or the folders of the source; --format names it where they do not say it.
An image that is listed without a region is good. An image that is not listed has no label: it is a problem, and so are
labels without an image, masks of another size (nothing is resized), and every region that cannot be read. Such an image
is not used, or, where it is certainly bad, is used as a bad image whose pixels are not known.

exit status: 0 everything was read; 1 read, and problems are listed; 3 bad use, or a source that cannot be read at all

examples:
  lineclear-calibrate labels via_export.csv --images photos
  lineclear-calibrate labels _annotations.coco.json --out masks
  lineclear-calibrate labels photos/labelme --images photos --json
"""

PROBLEMS = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("source", type=Path, metavar="SOURCE", help="a label file or a folder")
    parser.add_argument("--images", type=Path, metavar="DIR", help="the labelled images (default: beside the label file)")
    formats = ("via", "coco", "labelme", "masks", "mvtec", "good-bad")
    parser.add_argument("--format", choices=formats, help="default: by the keys of the file, the names of the folders")
    parser.add_argument(
        "--mask-threshold", type=int, metavar="N", help="for grey masks with soft edges: values from N on are anomalous"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write masks (PNG, 0 and 255) there, in MVTec's layout")
    parser.add_argument("--with-images", action="store_true", help="with --out: copy the images too, a whole MVTec set")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(args: argparse.Namespace) -> int:
    """Read, write if asked, report."""
    from calibration.labels import read_labels, write_masks
    from edge.cli.progress import Meter
    from edge.errors import ConfigError

    if args.with_images and args.out is None:
        raise ConfigError("needs --out", where="--with-images", remedy="name the folder to write")
    with Meter("reading", quiet=args.json) as meter:
        labels = read_labels(args.source, args.images, args.format, meter, mask_threshold=args.mask_threshold)
    written = None
    if args.out is not None:
        with Meter("writing", quiet=args.json) as meter:
            written = write_masks(args.out, labels, with_images=args.with_images, progress=meter)
    if args.json:
        say_json(_document(labels, args.out, written))
    else:
        say(_report(labels, args.source, args.out, written))
    return PROBLEMS if labels.problems else 0


def _counts(labels: LabelSet) -> dict[str, int]:
    return {
        "good": len(labels.good),
        "bad": len(labels.bad),
        "bad_with_pixels": sum(item.pixels_known for item in labels.bad),
        "regions": sum(len(item.regions) for item in labels.items),
        "problems": len(labels.problems),
    }


def _kinds(labels: LabelSet) -> dict[str, int]:
    kinds: dict[str, int] = {}
    for item in labels.bad:
        kinds[item.kind] = kinds.get(item.kind, 0) + 1
    return dict(sorted(kinds.items()))


def _report(labels: LabelSet, source: Path, out: Path | None, written: int | None) -> str:
    counts = _counts(labels)
    lines = [f"{source} ({labels.format})"]
    lines.append(f"  good images  {counts['good']}")
    lines.append(
        f"  bad images   {counts['bad']}, of {counts['bad_with_pixels']} the pixels are known, {counts['regions']} regions"
    )
    lines += (f"    {one_line(kind)}  {number}" for kind, number in _kinds(labels).items())
    lines.append(f"  problems     {counts['problems']}")
    lines += (f"    {one_line(str(problem))}" for problem in labels.problems)
    if out is not None:
        lines.append(f"{out}: {written} masks written")
    return "\n".join(lines) + "\n"


def _document(labels: LabelSet, out: Path | None, written: int | None) -> dict[str, Any]:
    images = [
        {
            "path": str(item.path),
            "label": item.label,
            "kind": item.kind,
            "regions": len(item.regions),
            "size_wh": list(item.size_wh),
            "pixels_known": item.pixels_known,
        }
        for item in labels.items
    ]
    problems = [
        {"file": problem.file, "row": problem.row, "what": problem.what, "remedy": problem.remedy}
        for problem in labels.problems
    ]
    document = {"format": labels.format, **_counts(labels), "kinds": _kinds(labels), "images": images, "problem_list": problems}
    return document if out is None else {**document, "out": str(out), "masks_written": written}
