"""A clearance and a challenge as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edge.clearance.base import Challenged
from edge.types import Clearance, ViewResult

MAX_REGIONS = 5


def describe(clearance: Clearance) -> str:
    """The answer first, then each view with its reason and regions."""
    lines = [f"{clearance.outcome.value}  batch {clearance.batch}  product {clearance.product}  #{clearance.sequence}"]
    lines += [f"  {reason.code.value}: {reason.detail}" for reason in clearance.reasons]
    for view in clearance.views:
        lines += _of_view(view)
    return "\n".join(lines) + "\n"


def describe_challenge(views: Mapping[str, Challenged]) -> str:
    """Each view with what its known frames gave."""
    lines = []
    for name, known in views.items():
        why = f"  {known.reason.code.value}: {known.reason.detail}" if known.reason is not None else ""
        lines.append(f"{name}: {'as expected' if known.reason is None else 'NOT AS EXPECTED'}{why}")
        for image in known.result.images if known.result is not None else ():
            score, threshold = (_number(value) for value in (image.score, image.threshold))
            verdict = f"must be {image.expected.value}, was {image.got.value}"
            lines.append(f"  {image.file}: {verdict}  score {score}  threshold {threshold}")
    return "\n".join(lines) + "\n"


def summarise_challenge(views: Mapping[str, Challenged]) -> dict[str, dict[str, object]]:
    """Each view with whether it held, why not, and the hash of all that its answer depends on: small JSON, for the audit."""
    return {
        name: {
            "passed": known.reason is None,
            "reason": known.reason.code.value if known.reason is not None else None,
            "key": known.result.key if known.result is not None else None,
        }
        for name, known in views.items()
    }


def _of_view(view: ViewResult) -> Iterator[str]:
    reason = f"  {view.reason.code.value}: {view.reason.detail}" if view.reason else ""
    yield f"  {view.view}: {view.outcome.value}{reason}"
    if view.release is not None:
        yield f"    released by {view.release.who}: {view.release.why}"
    for verdict in view.verdicts:
        judgement = verdict.judgement
        score, threshold = _number(judgement.score), _number(judgement.threshold)
        yield f"    frame {verdict.origin.frame}: {verdict.outcome.value}  score {score}  threshold {threshold}"
        for region in judgement.regions[:MAX_REGIONS]:
            box = region.box
            size = f"{box.width:.0f}x{box.height:.0f} px"
            yield f"      at ({box.x:.0f}, {box.y:.0f}) size {size}  peak {region.peak:.3f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
