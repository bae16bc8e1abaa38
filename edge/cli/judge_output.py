"""What `lineclear judge` says of one image: a JSON document, a row, an overlay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge.cli.terminal import one_line, say, say_json
from edge.heatmap import encode, overlay
from edge.pipeline import Judged, picture_of
from edge.publishers.payloads import alignment_body, finite, region_body
from edge.types import ImageU8, Judgement


def emit(path: Path, judgement: Judgement, judged: Judged | None, *, as_json: bool) -> bool:
    """Print one image's line; False once nobody reads any more."""
    return say_json(document(path, judgement, judged)) if as_json else say(row(path, judgement))


def document(path: Path, judgement: Judgement, judged: Judged | None) -> dict[str, Any]:
    """The line of `--json`: every number finite or null, every text printable."""
    return {
        "image": one_line(str(path)),
        "outcome": judgement.outcome.value,
        "reason": judgement.reason.code.value if judgement.reason else None,
        "detail": one_line(judgement.reason.detail) if judgement.reason else None,
        "score": finite(judgement.score),
        "threshold": finite(judgement.threshold),
        "pixel_threshold": finite(judgement.pixel_threshold),
        "regions": [region_body(region) for region in judgement.regions],
        "alignment": alignment_body(judged.alignment) if judged and judged.alignment else None,
        "stage_ms": {name: round(ms, 3) for name, ms in judged.stage_ms.items()} if judged else {},
    }


def row(path: Path, judgement: Judgement) -> str:
    """The line of the table, ended by its line break."""
    score = "-" if judgement.score is None else f"{judgement.score:.4f}"
    threshold = "-" if judgement.threshold is None else f"{judgement.threshold:.4f}"
    reason = f"  {judgement.reason.code.value}: {judgement.reason.detail}" if judgement.reason else ""
    return one_line(f"{judgement.outcome.value:9}  score {score:>9}  threshold {threshold:>9}  {path}{reason}") + "\n"


def overlay_png(path: Path, image: ImageU8, judgement: Judgement, judged: Judged | None) -> bytes:
    """The frame with its heat map, as a PNG file's bytes."""
    return encode(overlay(picture_of(image, judgement, judged, one_line(path.name))), "png")
