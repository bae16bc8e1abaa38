"""Counting the frames that a camera made and we never saw, from the ids it gives them."""

from __future__ import annotations

_GIGE_LAST = 0xFFFF


class FrameIds:
    """Follows the ids of one acquisition. The only evidence of loss: a producer's own underrun counter stays 0.

    gige: 16 bit ids of GigE Vision 1.x, which go 65535 -> 1 (0 is never used); a greater id proves 64 bit ids. A 16 bit
    id that falls back by more than half the range has wrapped; any other id that falls back is a camera that began to
    count again, and no gap.
    """

    def __init__(self, *, gige: bool) -> None:
        self._gige = gige
        self._last: int | None = None

    def missing_before(self, frame_id: int) -> int:
        """Ids that were skipped between the id before and this one; 0 for the first."""
        last, self._last = self._last, frame_id
        if last is None:
            return 0
        if frame_id > _GIGE_LAST:
            self._gige = False
        if frame_id > last:
            return frame_id - last - 1
        if self._gige and last - frame_id > _GIGE_LAST // 2:
            return max(0, (frame_id - last) % _GIGE_LAST - 1)
        return 0
