"""Words, shapes and scale bars of a verdict's picture, drawn with what both OpenCV majors have. Pure."""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import ImageU8, Judgement, Outcome

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
_INK: Colour = (24, 24, 27)
_PAPER: Colour = (250, 250, 250)
# After Okabe and Ito's set, told apart by every kind of colour blindness; shape and word say it again.
OUTCOME_RGB: dict[Outcome, Colour] = {
    Outcome.PASS: (0, 114, 178),
    Outcome.FAIL: (213, 94, 0),
    Outcome.UNDECIDED: (94, 94, 94),
}


def header(judgement: Judgement, title: str, width: int) -> ImageU8:
    """Shape, word, and the sentence that explains it."""
    strip = np.full((56, width, 3), OUTCOME_RGB[judgement.outcome], np.uint8)
    _symbol(strip, judgement.outcome)
    word = judgement.outcome.value
    _put(strip, word, (52, 38), 1.0, colour=WHITE, thickness=2)
    left = 52 + cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 2)[0][0] + 18
    lines = [_explanation(judgement), title]
    if not title:
        lines = lines[:1]
    for line, y in zip(lines, (24, 44) if len(lines) == 2 else (34,), strict=True):
        _put(strip, _fitted(line, width - left - 8, 0.48), (left, y), 0.48, colour=WHITE, thickness=1)
    return strip


def _explanation(judgement: Judgement) -> str:
    if judgement.reason is not None:
        return f"{judgement.reason.code.value}: {judgement.reason.detail}"
    count = len(judgement.regions)
    told = f", {count} region{'s' if count != 1 else ''}" if count else ", the model does not say where"
    where = told if judgement.outcome is Outcome.FAIL else ""
    return f"score {_figure(judgement.score)}, threshold {_figure(judgement.threshold)}{where}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _symbol(strip: ImageU8, outcome: Outcome) -> None:
    """Tick in a circle, cross in an octagon, question mark in a diamond."""
    x, y, size = 28, 28, 17
    if outcome is Outcome.PASS:
        cv2.circle(strip, (x, y), size, WHITE, 2, cv2.LINE_AA)
        cv2.polylines(strip, [np.array([(x - 8, y), (x - 2, y + 7), (x + 9, y - 7)])], False, WHITE, 3, cv2.LINE_AA)
        return
    sides = 8 if outcome is Outcome.FAIL else 4
    angles = (np.arange(sides) + (0.5 if sides == 8 else 0.0)) * 2 * np.pi / sides
    corners = np.round(np.column_stack((x + (size + 2) * np.cos(angles), y + (size + 2) * np.sin(angles)))).astype(np.int32)
    cv2.polylines(strip, [corners], True, WHITE, 2, cv2.LINE_AA)
    if outcome is Outcome.FAIL:
        cv2.line(strip, (x - 7, y - 7), (x + 7, y + 7), WHITE, 3, cv2.LINE_AA)
        cv2.line(strip, (x - 7, y + 7), (x + 7, y - 7), WHITE, 3, cv2.LINE_AA)
    else:
        _put(strip, "?", (x - 7, y + 9), 0.8, colour=WHITE, thickness=2)


def footer(judgement: Judgement, scale_low: float, scale_high: float, colours: ImageU8, width: int) -> ImageU8:
    """The colour scale with the threshold's tick in the middle and the score's mark where it stands."""
    strip = np.full((48, width, 3), _PAPER, np.uint8)
    left, right = 16, width - 16
    strip[18:28, left:right] = colours[np.linspace(0, 255, right - left).round().astype(np.uint8)]
    cv2.rectangle(strip, (left, 18), (right, 28), _INK, 1)
    middle = (left + right) // 2
    cv2.line(strip, (middle, 14), (middle, 32), _INK, 2)
    for text, x, anchor in (
        (_figure(scale_low), left, 0.0),
        (f"threshold {_figure(judgement.threshold)}", middle, 0.5),
        (f">= {_figure(scale_high)}", right, 1.0),
    ):
        _put(strip, text, (x - round(anchor * _width(text, 0.42)), 44), 0.42, colour=_INK, thickness=1)
    if judgement.score is not None:
        share = min(1.0, max(0.0, (judgement.score - scale_low) / (scale_high - scale_low)))
        x = left + round(share * (right - left))
        cv2.fillConvexPoly(strip, np.array([(x - 6, 6), (x + 6, 6), (x, 17)]), _INK, cv2.LINE_AA)
        text = f"score {_figure(judgement.score)}"
        to_the_left = x + 10 + _width(text, 0.42) > right
        _put(strip, text, (x - 10 - _width(text, 0.42) if to_the_left else x + 10, 14), 0.42, colour=_INK, thickness=1)
    return strip


def text_on_box(canvas: ImageU8, text: str, at: tuple[int, int], size: float, colour: Colour) -> None:
    """Text on a dark box, readable on every ground; `at` is the left end of its base line."""
    text = _ascii(text)
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    cv2.rectangle(canvas, (at[0] - 3, at[1] - height - 3), (at[0] + width + 3, at[1] + below), _INK, cv2.FILLED)
    _put(canvas, text, at, size, colour=colour, thickness=1)


def _put(canvas: ImageU8, text: str, at: tuple[int, int], size: float, *, colour: Colour, thickness: int) -> None:
    cv2.putText(canvas, _ascii(text), at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)


def _ascii(text: str) -> str:
    """OpenCV's font has no more than ASCII."""
    return " ".join(text.split()).encode("ascii", "replace").decode()


def _width(text: str, size: float) -> int:
    return int(cv2.getTextSize(_ascii(text), cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0])


def _fitted(text: str, width: int, size: float) -> str:
    text = _ascii(text)[:400]
    while text and _width(text, size) > width:
        text = text[:-4] + "..." if len(text) > 4 else ""
    return text
