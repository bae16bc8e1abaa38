"""The whole report, in the order in which it is read: answer, what is missing, clearances, signatures, appendix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Final

from edge.archive import Entry
from edge.batch_report.appendix import Appendix
from edge.batch_report.blocks import Answer, Block, Cell, Code, Column, Facts, Heading, Mark, Report, Signatures, Table, Words
from edge.batch_report.clearance_blocks import answer_of, clearance_blocks, is_simulated, sequence_of, title_of
from edge.batch_report.content import BatchContent, Gone, views_of
from edge.batch_report.fields import parts, text
from edge.batch_report.words import UNKNOWN, clock, counted, instant, listed, name_pairs, short
from edge.types import ClearanceOutcome

ROLES: Final = ("Made by", "Checked by", "Approved by (quality)")
_MOST: Final = 200
_NEVER: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_OVERVIEW: Final = (
    Column("number", 0.8, "number"), Column("answer", 2.0), Column("decided, UTC", 1.9), Column("product", 1.4),
    Column("operator", 1.4), Column("request id", 1.8),
)  # fmt: skip
_GONE: Final = (Column("decided, UTC", 1.7), Column("what", 1.3), Column("result id", 2.2), Column("why", 2.6))


def report_of(content: BatchContent, *, anchor: str = "", made_at: datetime | None = None) -> Report:
    """anchor: head of the audit log when this was made. made_at: when, with a zone; without it the same batch gives the same
    report.
    """
    appendix = Appendix()
    told: list[Block] = []
    for clearance in content.clearances:
        told += clearance_blocks(clearance, content, appendix)
    batch = short(content.batch, 60) or "(empty)"
    blocks = [
        Heading(f"Line clearance, batch {batch}", 1),
        *_head(content),
        Facts(tuple(_facts(content, anchor, made_at))),
        *_overview(content),
        *_gaps(content),
        *told,
        *_signatures(),
        *appendix.blocks(content),
    ]
    newest = max((entry.decided_at for entry in _entries(content)), default=_NEVER)
    return Report(f"Line clearance, batch {batch}", tuple(blocks), newest)


def _head(content: BatchContent) -> list[Block]:
    if not content.clearances:
        none = Mark("UNDECIDED", "NO CLEARANCE")
        return [Answer(none, ("No clearance of this batch is in the archive.",))]
    last = content.clearances[-1]
    place = f"Number {sequence_of(last)}, {instant(last.entry.decided_at)}."
    lines = [f"The last answer for this batch. {place}"]
    if answer_of(last).outcome != ClearanceOutcome.CLEAR.value:
        lines.append("Do not take it for CLEAR.")
    blocks: list[Block] = [Answer(answer_of(last), tuple(lines))]
    simulated = [title_of(each).lower() for each in content.clearances if is_simulated(each)]
    if simulated:
        blocks.append(Words(f"SIMULATED: {_some(simulated)}. Simulated frames or engines release nothing.", "warning"))
    if _count_gaps(content):
        blocks.append(Words("Evidence of this batch is missing or not as it was written: see below.", "warning"))
    return blocks


def _facts(content: BatchContent, anchor: str, made_at: datetime | None) -> list[tuple[str, Cell]]:
    documents = [each.document for each in content.clearances]
    entries = _entries(content)
    times = sorted(entry.decided_at for entry in entries)
    outcomes = Counter(each.entry.outcome for each in content.clearances)
    stations = {text(document, "station") for document in documents} - {""}
    pairs: list[tuple[str, Cell]] = [*name_pairs("batch", content.batch)]
    pairs += [("product", _some(sorted({entry.product for entry in entries} - {""})))]
    pairs += [("station", _some(sorted(stations)))]
    pairs += [("operators", _some(sorted({text(document, "operator") for document in documents} - {""})))]
    pairs += [("clearances", f"{len(documents)}: {listed(dict(sorted(outcomes.items())))}" if documents else "none")]
    pairs += [("evidence", f"{counted(content.results, 'result')} in {counted(len(content.files), 'file')}")]
    pairs += [("from, to", f"{instant(times[0])}, {instant(times[-1])}" if times else UNKNOWN)]
    pairs += [("audit log's anchor", Code(anchor) if anchor else "not given")]
    return [*pairs, ("report made", instant(made_at))] if made_at is not None else pairs


def _entries(content: BatchContent) -> list[Entry]:
    return [each.entry for each in (*content.clearances, *content.verdicts.values())]


def _overview(content: BatchContent) -> list[Block]:
    if not content.clearances:
        return []
    rows = tuple(
        (
            sequence_of(each),
            answer_of(each),
            clock(each.entry.decided_at),
            short(each.entry.product, 60),
            short(text(each.document, "operator"), 60) or "-",
            short(text(each.document, "requestId") or each.entry.request_id, 80) or "-",
        )
        for each in content.clearances
    )
    return [Heading("Clearances in their order"), Table(_OVERVIEW, rows)]


def _gaps(content: BatchContent) -> list[Block]:
    """Everything that a reader could think is there and is not."""
    blocks: list[Block] = [Heading("Missing evidence")]
    unseen = _unseen(content)
    if not _count_gaps(content):
        every = "every verdict that a clearance names is in the archive, and every file is as it was written."
        return [*blocks, Words(f"Nothing is missing: {every}")]
    if content.damage:
        blocks += [Words(f"{counted(len(content.damage), 'file')} not as written, or gone:", "warning")]
        blocks += [Words(line) for line in content.damage[:_MOST]] + _more(content.damage)
    if unseen:
        blocks += [Words(f"{counted(len(unseen), 'verdict')} that a clearance names, of which nothing is here:", "warning")]
        blocks += [Words(line) for line in unseen[:_MOST]] + _more(unseen)
    for rows, words in ((content.missing, "could never be stored"), (content.purged, "deleted from the archive")):
        if rows:
            blocks += [Words(f"{counted(len(rows), 'result')} {words}:", "warning")]
            blocks += [Table(_GONE, tuple(_gone(row) for row in rows[:_MOST])), *_more(rows)]
    return blocks


def _count_gaps(content: BatchContent) -> int:
    return len(content.damage) + len(_unseen(content)) + len(content.missing) + len(content.purged)


def _unseen(content: BatchContent) -> list[str]:
    """Once each, where it is named first: a release names the frames of the clearance that it answers."""
    found: dict[str, str] = {}
    for clearance in content.clearances:
        for view in views_of(clearance):
            for result_id in (text(frame, "resultId") for frame in parts(view, "results")):
                if result_id not in content.verdicts:
                    place = f"{title_of(clearance)}, view {short(text(view, 'view'), 60)}"
                    found.setdefault(result_id, f"{place}: {short(result_id, 80)}")
    return list(found.values())


def _gone(row: Gone) -> tuple[Cell, ...]:
    why = f"{short(row.why, 300)} ({instant(row.at)})"
    return clock(row.decided_at), short(row.what, 100), Code(short(row.result_id, 80)), why


def _more(rows: Sequence[object]) -> list[Block]:
    return [Words(f"{len(rows) - _MOST} more are in manifest.json.")] if len(rows) > _MOST else []


def _signatures() -> list[Block]:
    words = (
        "A signature covers this report with its appendix, and every file that manifest.json of the same export names. "
        "On the first line goes the SHA-256 of manifest.json, as `lineclear archive export` printed it: it binds this paper "
        "to the files."
    )
    return [Heading("Signatures"), Signatures(words, "SHA-256 of manifest.json", ROLES)]


def _some(names: list[str]) -> str:
    shown = ", ".join(short(name, 120) for name in names[:10])
    return (f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown) or UNKNOWN
