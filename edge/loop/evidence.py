"""From a verdict to its evidence: what the archive keeps of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from edge.archive import Archive, Evidence
from edge.heatmap import encode, overlay
from edge.loop.asked import AskedFor
from edge.loop.pictures import kept
from edge.pipeline import Judged, picture_of
from edge.publishers.clearance_payloads import ClearanceProgress
from edge.publishers.payloads import clearance_body, verdict_body
from edge.types import Clearance, Frame, ImageU8, Verdict

log = logging.getLogger(__name__)

REMEMBERED = 8
"""Clearances whose last verdicts may still be on their way."""


@dataclass(frozen=True)
class Occasion:
    """The clearance that a verdict was made for."""

    batch: str = ""
    product: str = ""
    request_id: str = ""


class EvidenceKeeper:
    """Hands verdicts and clearances to the archive; never blocks, never raises."""

    def __init__(self, archive: Archive, max_width: int) -> None:
        """max_width: of the overlays, in pixels."""
        self._archive = archive
        self._max_width = max_width
        self._occasions: dict[str, Occasion] = {}
        self.asked = AskedFor(lambda evidence: archive.submit(evidence, asked=True))

    def occasion(self, progress: ClearanceProgress) -> None:
        """Hears how clearances come along: verdicts that are made for one are kept with its batch."""
        if progress.result_id and progress.result_id not in self._occasions:
            occasion = Occasion(progress.batch, progress.product, progress.request_id)
            latest = list(self._occasions.items())[-REMEMBERED:]
            self._occasions = {**dict(latest), progress.result_id: occasion}

    def verdict(self, verdict: Verdict, frame: Frame | None, judged: Judged | None) -> None:
        """Frame, overlay, raw map and the document as it was published."""
        origin, judgement = verdict.origin, verdict.judgement
        occasion = self._occasions.get(f"clearance-{verdict.clearance_id}", Occasion())
        measurement = judged.measurement if judged is not None else None
        evidence = Evidence(
            result_id=verdict.result_id,
            kind="verdict",
            outcome=verdict.outcome.value,
            reason=verdict.reason.code.value if verdict.reason else "",
            decided_at=verdict.decided_at,
            document=verdict_body(verdict),
            view=verdict.view,
            batch=occasion.batch,
            product=occasion.product or origin.product,
            clearance_id=verdict.clearance_id,
            request_id=occasion.request_id,
            recipe=origin.recipe,
            recipe_version=origin.recipe_version,
            score=judgement.score,
            threshold=judgement.threshold,
        )
        is_sampled = self._archive.wants(evidence)
        if not is_sampled and not self.asked.wants(verdict.result_id, verdict.view):
            return
        try:
            image = kept(frame).image if frame is not None else None
        except MemoryError:
            log.error("evidence_without_frame result_id=%s why=%s", verdict.result_id, "no memory for a copy")
            image = None
        if image is not None:
            evidence = replace(evidence, frame=image, overlay=self._overlay(verdict, image, judged))
        if measurement is not None:
            raw = measurement.anomaly_map
            evidence = replace(
                evidence, anomaly_map=raw.scores, judged=measurement.judged, map_to_reference=raw.map_to_reference
            )
        if is_sampled:
            self._archive.submit(evidence)
        else:
            self.asked.offer(evidence)

    def clearance(self, clearance: Clearance) -> None:
        """The clearance's document as it was published; its verdicts came before."""
        self._archive.submit(
            Evidence(
                result_id=clearance.result_id,
                kind="clearance",
                outcome=clearance.outcome.value,
                reason="",
                decided_at=clearance.decided_at,
                document=clearance_body(clearance),
                batch=clearance.batch,
                product=clearance.product,
                clearance_id=clearance.result_id.removeprefix("clearance-"),
                request_id=clearance.request_id,
            )
        )

    def _overlay(self, verdict: Verdict, image: ImageU8, judged: Judged | None) -> Callable[[], tuple[bytes, str]]:
        def draw() -> tuple[bytes, str]:
            title = f"{verdict.view}  {verdict.decided_at:%Y-%m-%d %H:%M:%S} UTC"
            picture = overlay(picture_of(image, verdict.judgement, judged, title), self._max_width)
            return encode(picture, "jpeg"), "image/jpeg"

        return draw
