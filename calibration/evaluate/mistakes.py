"""The frames that were judged wrong, with their pictures."""

from __future__ import annotations

from collections.abc import Sequence

from calibration.evaluate.collecting import Collected
from calibration.evaluate.pictures import Scene, panels, width_for
from calibration.evaluate.results import Mistake, Row, Shot, Verdict, verdict_of
from calibration.evaluate.samples import Sample
from edge.cameras.images import read_image
from edge.errors import FrameError
from edge.types import ImageU8

_ORDER: dict[Verdict, int] = {"miss": 0, "false_alarm": 1, "undecided": 2}


def mistakes_of(
    row: Row, shots: Sequence[Shot], samples: Sequence[Sample], collected: Collected, reference: ImageU8, budget_bytes: int
) -> tuple[Mistake, ...]:
    """Every frame that this configuration got wrong at its best method: misses first, each kind by its score.

    reference: uint8, shown beside the frame. budget_bytes: of all pictures; they are made smaller to fit, or left out.
    """
    method = row.method
    if method is None or method.level.image is None:
        return ()
    level = method.level.image
    verdicts = [verdict_of(shot.bad, score, level) for shot, score in zip(shots, row.scores, strict=True)]
    wrong = [index for index, verdict in enumerate(verdicts) if verdict != "right"]
    wrong.sort(key=lambda index: (_ORDER[verdicts[index]], row.scores[index] or 0.0, shots[index].name))
    width = width_for(len(wrong), (reference.shape[1], reference.shape[0]), budget_bytes)
    maps = collected.seen[row.measured_as].maps
    found = []
    for index in wrong:
        shown: tuple[tuple[str, bytes], ...] = ()
        if width and (frame := _frame(samples[index])) is not None:
            number = maps[index]
            scores = None if number is None else collected.store.get(number)
            scene = Scene(frame, reference, scores, collected.truths[index], level, method.level.pixel)
            shown = panels(scene, width)
        found.append(Mistake(shots[index], verdicts[index], row.scores[index], level, row.refusals[index], shown))
    return tuple(found)


def _frame(sample: Sample) -> ImageU8 | None:
    try:
        return read_image(sample.path)
    except FrameError:
        return None
