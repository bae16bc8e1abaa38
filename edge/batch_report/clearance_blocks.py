"""One clearance as it is read: the answer, who asked, and every view with its picture."""

from __future__ import annotations

from edge.batch_report.appendix import Appendix
from edge.batch_report.blocks import Answer, Block, Cell, Code, Column, Facts, Group, Heading, Mark, Picture, Table, Words
from edge.batch_report.content import DOCUMENT, BatchContent, Known, chosen_frame, views_of
from edge.batch_report.fields import Document, number, part, parts, text
from edge.batch_report.words import (
    UNKNOWN,
    against,
    counted,
    figure,
    instant,
    instant_text,
    mark,
    name_pairs,
    reason,
    said,
    short,
)
from edge.types import ClearanceOutcome, Outcome

_FRAMES = (
    Column("frame", 0.7, "number"), Column("outcome", 1.6), Column("score", 0.9, "number"),
    Column("threshold", 1.0, "number"), Column("judged, UTC", 1.9), Column("result, evidence", 3.4),
)  # fmt: skip
_REGIONS = (
    Column("region", 0.8, "number"), Column("centre x, y", 1.4, "number"), Column("width x height", 1.4, "number"),
    Column("area", 1.2, "number"), Column("peak", 1.0, "number"),
)  # fmt: skip


def title_of(clearance: Known) -> str:
    """`Clearance 17`."""
    return f"Clearance {sequence_of(clearance)}"


def sequence_of(clearance: Known) -> str:
    """Its number."""
    sequence = number(clearance.document, "sequence")
    return "without a number" if not sequence else f"{sequence:.0f}"


def is_simulated(clearance: Known) -> bool:
    """True if a frame or an engine of it was simulated."""
    return clearance.document.get("isSimulated") is True


def answer_of(clearance: Known) -> Mark:
    """The outcome by word and shape. What is simulated or not proven looks undecided, whatever its word is."""
    outcome = clearance.entry.outcome
    names = sorted({text(part(view, "release"), "who") for view in views_of(clearance)} - {""})
    answer = mark(outcome, ", ".join(names) if outcome == ClearanceOutcome.RELEASED_BY.value else "")
    if text(clearance.document, "outcome") != outcome:
        return Mark("", f"{answer.says}, NOT PROVEN")
    return Mark("", f"{answer.says}, SIMULATED") if is_simulated(clearance) else answer


def clearance_blocks(clearance: Known, content: BatchContent, appendix: Appendix) -> list[Block]:
    """All of one clearance."""
    document = clearance.document
    told = (_sentence(clearance), *(said(each) for each in parts(document, "reasons")))
    blocks: list[Block] = [Heading(title_of(clearance)), Answer(answer_of(clearance), tuple(filter(None, told)))]
    if not document:
        blocks.append(Words("Its own document cannot be read; what stands here is from the index.", "warning"))
    if is_simulated(clearance):
        blocks.append(Words("SIMULATED: a frame or an engine of this clearance was simulated. It releases nothing.", "warning"))
    blocks.append(Facts(tuple(_facts(clearance, content, appendix))))
    for view in views_of(clearance):
        blocks.append(Group(tuple(_view(view, title_of(clearance), content, appendix))))
    return blocks


def _sentence(clearance: Known) -> str:
    views = views_of(clearance)
    outcome = clearance.entry.outcome
    names = {kind: [short(text(view, "view"), 60) for view in views if text(view, "outcome") == kind.value] for kind in Outcome}
    if outcome == ClearanceOutcome.CLEAR.value:
        return f"The station was fit, and {counted(len(views), 'view')} passed on fresh frames."
    told = [f"failed: {', '.join(names[Outcome.FAIL])}"] if names[Outcome.FAIL] else []
    told += [f"undecided: {', '.join(names[Outcome.UNDECIDED])}"] if names[Outcome.UNDECIDED] else []
    told += [f"passed: {', '.join(names[Outcome.PASS])}"] if names[Outcome.PASS] else []
    text_of = "; ".join(told)
    if outcome == ClearanceOutcome.RELEASED_BY.value:
        return f"A person answered for what did not pass. Views as the station saw them: {text_of or UNKNOWN}."
    return f"By view, {text_of}." if told else ""


def _facts(clearance: Known, content: BatchContent, appendix: Appendix) -> list[tuple[str, Cell]]:
    document, entry = clearance.document, clearance.entry
    spent = number(part(document, "stageMs"), "total")
    previous = text(document, "previousResultId")
    pairs: list[tuple[str, Cell]] = [
        ("asked", instant_text(text(document, "requestTime"))),
        ("decided", instant(entry.decided_at) + (f", after {spent / 1000:.1f} s" if spent is not None else "")),
        *name_pairs("operator", text(document, "operator")),
        *name_pairs("product", text(document, "product") or entry.product),
    ]
    if text(document, "batch") and text(document, "batch") != content.batch:
        pairs += name_pairs("batch", text(document, "batch"))
    if text(document, "note"):
        pairs += name_pairs("note", text(document, "note"))
    pairs += [("request id", Code(text(document, "requestId") or entry.request_id or UNKNOWN))]
    pairs += [("result id", Code(entry.result_id))]
    if previous:
        known = next((title_of(each).lower() for each in content.clearances if each.entry.result_id == previous), "")
        pairs.append(("answers", f"{known or 'a clearance that is not in this archive'}, result id {short(previous, 80)}"))
    return [*pairs, ("software, config", appendix.station_of(document))]


def _view(view: Document, where: str, content: BatchContent, appendix: Appendix) -> list[Block]:
    name = text(view, "view")
    blocks: list[Block] = [Heading(short(name, 120) or "view without a name", 3, mark(text(view, "outcome")))]
    if reason(view):
        blocks.append(Words(reason(view)))
    blocks += _release(part(view, "release"), content)
    frame = chosen_frame(view, content.verdicts)
    pairs: list[tuple[str, Cell]] = []
    if frame is not None:
        before = appendix.shown_before(frame.entry.result_id, where)
        blocks.append(Words(f"Picture: see {before.lower()}.") if before else _picture(view, frame, content))
        pairs.append(("score", _score(frame)))
        pairs.append(("alignment", _alignment(part(frame.document, "alignment"))))
    else:
        blocks.append(Words("No frame of this view is in the archive.", "warning" if parts(view, "results") else "plain"))
    challenge = part(view, "challenge")
    pairs.append(("challenge", appendix.challenge_of(name, challenge)))
    pairs.append(("judged with", appendix.parts_of(name, part(view, "parts"))))
    blocks.append(Facts(tuple(pairs)))
    if parts(view, "regions"):
        blocks.append(_regions(parts(view, "regions"), frame))
    if parts(view, "results"):
        blocks.append(Table(_FRAMES, tuple(_frame(each, content) for each in parts(view, "results"))))
    return blocks


def _release(release: Document, content: BatchContent) -> list[Block]:
    if not release:
        return []
    snapshot = text(release, "snapshotId")
    kept = "which is in this export" if snapshot in content.verdicts else "which is not in this export"
    who = short(text(release, "who"), 200) or UNKNOWN
    sentence = f"Released by {who} at {instant_text(text(release, 'time'))}: {short(text(release, 'why'), 2000) or UNKNOWN}."
    return [Words(f"{sentence} They looked at the live frame {short(snapshot, 80) or UNKNOWN}, {kept}.", "warning")]


def _picture(view: Document, frame: Known, content: BatchContent) -> Block:
    result_id = frame.entry.result_id
    name = short(text(view, "view"), 60)
    shown = content.pictures.get(result_id)
    if shown is None:
        return Words(f"No picture of {name}: {content.unshown.get(result_id, 'none was kept')}.", "warning")
    size = "" if shown.as_stored else ", reduced for this report"
    which = "the frame that failed highest" if text(view, "worstResultId") == result_id else "one of its frames"
    alt = f"{name}: {frame.entry.outcome}, {against(frame.entry.score, frame.entry.threshold)}"
    caption = f"{name}, {which}: overlay of {short(result_id, 80)}{size}"
    return Picture(shown.data, shown.content_type, shown.size_wh, alt, caption)


def _score(frame: Known) -> str:
    sentence = against(frame.entry.score, frame.entry.threshold)
    regions = number(frame.document, "regionCount")
    return sentence if regions is None else f"{sentence}, {counted(int(regions), 'region')}"


def _alignment(alignment: Document) -> str:
    if not alignment:
        return "none"
    points, inliers = number(alignment, "points"), number(alignment, "inliers")
    broken = [
        f"{short(text(gate, 'name'), 40)} {figure(number(gate, 'value'))}, limit {figure(number(gate, 'limit'))}"
        for gate in parts(alignment, "gates")
        if gate.get("passed") is False
    ]
    numbers = (
        f"{figure(inliers)} of {figure(points)} points",
        f"residual {figure(number(alignment, 'residualPx'))} px",
        f"shift {figure(number(alignment, 'cornerShiftPx'))} px",
        f"similarity {figure(number(alignment, 'similarity'))}",
    )
    word = "trusted" if alignment.get("trusted") is True else "NOT trusted"
    told = f"{word} ({short(text(alignment, 'motion'), 40) or 'unknown motion'}): {', '.join(numbers)}"
    return told + (f"; not passed: {'; '.join(broken)}" if broken else "")


def _regions(regions: list[Document], frame: Known | None) -> Table:
    rows = []
    for place, region in enumerate(regions, 1):
        centre = region.get("centroid")
        is_pair = isinstance(centre, list) and len(centre) == 2
        pair: Document = dict(zip("xy", centre, strict=True)) if isinstance(centre, list) and is_pair else {}
        box = part(region, "box")
        rows.append(
            (
                str(place),
                f"{_whole(pair, 'x')}, {_whole(pair, 'y')}",
                f"{_whole(box, 'width')} x {_whole(box, 'height')}",
                f"{_whole(region, 'areaPx')} px",
                figure(number(region, "peak")),
            )
        )
    counted_all = number(frame.document, "regionCount") if frame is not None else None
    if counted_all is not None and counted_all > len(rows):
        rows.append((f"{counted_all - len(rows):.0f} more", "", "", "", ""))
    return Table(_REGIONS, tuple(rows))


def _whole(document: Document, key: str) -> str:
    value = number(document, key)
    return "-" if value is None else f"{value:.0f}"


def _frame(frame: Document, content: BatchContent) -> tuple[Cell, ...]:
    result_id = text(frame, "resultId")
    known = content.verdicts.get(result_id)
    kept = [role for role in ("frame", "overlay", "map", DOCUMENT) if known is not None and role in known.entry.files]
    evidence = ", ".join(kept).replace(DOCUMENT, "verdict") if kept else "NO EVIDENCE in the archive"
    why = reason(frame)
    return (
        text(frame, "frameNumber") or "-",
        mark(text(frame, "outcome")),
        figure(number(frame, "score")),
        figure(number(frame, "threshold")),
        instant_text(text(frame, "creationTime")).removesuffix(" UTC"),
        f"{short(result_id, 80)}: {evidence}" + (f". {why}" if why else ""),
    )
