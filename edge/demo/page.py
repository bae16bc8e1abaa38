"""The demo's `index.html`: each clearance with its answer, and every view with its heat map. One file beside its images."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from edge.types import Clearance, ClearanceOutcome, Verdict, ViewResult

MARK = {"CLEAR": "✓", "PASS": "✓", "NOT_CLEAR": "✕", "FAIL": "✕", "UNDECIDED": "?"}

STYLE = """
:root { color-scheme: light dark; --pass: #1a5fb4; --fail: #b5400a; --open: #6b6b6b; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; } figure { margin: 0; } figcaption { font-size: .9rem; overflow-wrap: anywhere; }
.banner { display: inline-block; color: #fff; border-radius: .4rem; padding: .2rem .9rem; font-weight: 600; font-size: 1.3rem; }
.CLEAR, .PASS { background: var(--pass); } .NOT_CLEAR, .FAIL { background: var(--fail); }
.UNDECIDED { background: var(--open); }
.views { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.2rem; margin-top: 1rem; }
.small { font-size: .95rem; padding: 0 .6rem; }
img { width: 100%; height: auto; border-radius: .4rem; outline: 1px solid #8886; }
"""


def write_page(out: Path, clearances: Sequence[tuple[str, ClearanceOutcome, Clearance]], images: dict[str, Path]) -> Path:
    """Write OUT/index.html. clearances: title, expected answer, what came; images: result_id -> picture below OUT."""
    parts = [_clearance(out, title, expected, clearance, images) for title, expected, clearance in clearances]
    page = out / "index.html"
    page.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>lineclear demo</title><style>{STYLE}</style><h1>lineclear demo</h1>"
        "<p>Heat maps as they came over MQTT: the colour scale ends at twice the threshold, whatever the image. "
        "Feeder and nest are rendered; outfeed comes through Harvesters from the GenTL producer viky.cti, a bouncing speck.</p>"
        + "".join(parts)
        + "</html>\n",
        encoding="utf-8",
    )
    return page


def _clearance(out: Path, title: str, expected: ClearanceOutcome, clearance: Clearance, images: dict[str, Path]) -> str:
    outcome = clearance.outcome.value
    odd = "" if clearance.outcome is expected else f" <strong>(expected {expected.value})</strong>"
    views = "".join(_view(out, view, images) for view in clearance.views)
    return (
        f"<section><h2>{escape(title)}</h2><p><span class='banner {outcome}'>{MARK[outcome]} {outcome.replace('_', ' ')}</span>"
        f"{odd} batch {escape(clearance.batch)}, number {clearance.sequence}</p><div class='views'>{views}</div></section>"
    )


def _view(out: Path, view: ViewResult, images: dict[str, Path]) -> str:
    outcome = view.outcome.value
    reason = f" {escape(view.reason.code.value)}: {escape(view.reason.detail)}" if view.reason else ""
    shown = next((v for v in view.verdicts if v.outcome is view.outcome and v.result_id in images), None)
    picture = ""
    if shown is not None:
        source = images[shown.result_id].relative_to(out).as_posix()
        picture = f"<img src='{escape(source)}' alt='{escape(view.view)}: {outcome}'>"
    score = _score(shown) if shown is not None else ""
    caption = f"<span class='banner small {outcome}'>{MARK[outcome]} {outcome}</span> <b>{escape(view.view)}</b>{score}{reason}"
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def _score(verdict: Verdict) -> str:
    judgement = verdict.judgement
    if judgement.score is None or judgement.threshold is None:
        return ""
    found = {0: "", 1: ", 1 region"}.get(len(judgement.regions), f", {len(judgement.regions)} regions")
    return f" score {judgement.score:.2f}, threshold {judgement.threshold:.2f}{found}"
