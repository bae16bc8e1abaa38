"""The wizard's sentences that are put together from figures."""

from __future__ import annotations

from typing import Any, Protocol

from calibration.collect import Refusal
from calibration.web.wizard.holding import Holding
from calibration.web.wizard.odds import Odds
from calibration.web.wizard.shortage import Shortage

KNOWN_CHECKS = (
    "registration", "size", "sharpness", "steadiness", "brightness", "saturated", "black", "moving", "shake_px", "distance",
    "distance_usual", "trained", "readable", "copy",
)  # fmt: skip


class Say(Protocol):
    """`Visit.t`."""

    def __call__(self, key: str, /, **values: Any) -> str:
        """A text in the reader's language."""
        ...


def refusal_line(t: Say, refusal: Refusal) -> str:
    """Why one picture was not taken, with its numbers."""
    if refusal.check not in KNOWN_CHECKS:
        return refusal.detail
    text = t(f"calibrate.refusal.{refusal.check}")
    if refusal.value is None or refusal.limit is None:
        return text
    return t("calibrate.refusal_numbers", text=text, value=f"{refusal.value:.3g}", limit=f"{refusal.limit:.3g}")


def shortage_line(t: Say, lack: Shortage) -> str:
    """Why a method cannot work with these frames."""
    return t(f"calibrate.lacks.{lack.kind}", needed=lack.needed, have=lack.have, rate=percent(lack.rate))


def stale_lines(t: Say, found: Holding) -> tuple[str, ...]:
    """What thresholds no longer match; empty where they hold."""
    return tuple(t(f"calibrate.stale.{key}", why=found.trouble) for key in found.what)


def promise(t: Say, odds: Odds) -> list[str]:
    """What the card promises, a sentence each, for somebody who knows no statistics."""
    sure = f"{100 * odds.confidence:g}"
    lines = [
        t("calibrate.odds_bound", frames=odds.frames, one_in=odds.most_one_in, sure=sure),
        t(
            "calibrate.odds_expect_model" if odds.modelled else "calibrate.odds_expect",
            one_in=odds.expect_one_in, low=percent(odds.low), high=percent(odds.high), sure=sure,
        ),
    ]  # fmt: skip
    if odds.above:
        lines.append(t("calibrate.odds_above", above=odds.above, frames=odds.frames))
    if odds.bad and odds.missed:
        lines.append(t("calibrate.odds_missed", missed=odds.missed, bad=odds.bad, high=percent(odds.missed_high)))
    elif odds.bad:
        lines.append(t("calibrate.odds_found", bad=odds.bad, high=percent(odds.missed_high)))
    return lines


def percent(share: float) -> str:
    """0.0733 -> 7.3; small ones keep two digits."""
    value = 100 * share
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
