"""The blocks that page and PDF are made of: what a quality person reads, in which order."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from edge.archive.index_file import INDEX
from edge.batch_report import BatchContent, Limits, gather
from edge.batch_report.blocks import Answer, Block, Cell, Code, Facts, Group, Heading, Mark, Picture, Signatures, Table, Words
from edge.batch_report.document import report_of
from edge.types import ChallengeResult, Reason, ReasonCode
from tests.batch_report.samples import (
    BATCH,
    after,
    batch,
    challenge,
    clearance,
    evidence_of,
    record_of,
    stored,
    story,
    verdict,
    view_of,
    with_gaps,
)  # fmt: skip


def flat(blocks: tuple[Block, ...]) -> list[Block]:
    found: list[Block] = []
    for block in blocks:
        found += flat(block.blocks) if isinstance(block, Group) else [block]
    return found


def cell(value: Cell) -> str:
    return value.says if isinstance(value, Mark) else value.text if isinstance(value, Code) else value


def said(block: Block) -> str:
    """One block as text."""
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.mark.says + ' ' if block.mark else ''}{block.text}"
    if isinstance(block, Words):
        return ("! " if block.look == "warning" else "") + block.text
    if isinstance(block, Answer):
        return " | ".join((f"[{block.mark.says}]", *block.lines))
    if isinstance(block, Facts):
        return "\n".join(f"{name}: {cell(value)}" for name, value in block.pairs)
    if isinstance(block, Table):
        lines = [" | ".join(column.name for column in block.columns)]
        return "\n".join(lines + [" | ".join(map(cell, row)) for row in block.rows])
    if isinstance(block, Picture):
        return f"({block.caption})"
    assert isinstance(block, Signatures)
    return "\n".join(("sign:", block.hash_of, *block.roles))


def text_of(content: BatchContent, **given: str) -> str:
    return "\n".join(said(block) for block in flat(report_of(content, **given).blocks))  # type: ignore[arg-type]


def headings(content: BatchContent) -> list[str]:
    return [said(block) for block in flat(report_of(content).blocks) if isinstance(block, Heading)]


def test_the_order_in_which_it_is_read(content: BatchContent) -> None:
    assert headings(content) == [
        "# Line clearance, batch B4711",
        "## Clearances in their order",
        "## Missing evidence",
        "## Clearance 1",
        "### FAIL front",
        "### PASS back",
        "## Clearance 2",
        "### FAIL front",
        "### PASS back",
        "## Clearance 3",
        "### PASS front",
        "### PASS back",
        "## Signatures",
        "## Appendix: challenges",
        "### Challenge 1: front",
        "### Challenge 2: back",
        "## Appendix: what it was judged with",
        "### Station set 1",
        "### View set 1: front",
        "### View set 2: back",
        "## Appendix: files",
    ]


def test_the_head_says_what_was_answered_last(content: BatchContent) -> None:
    blocks = flat(report_of(content, anchor="17:" + "ab" * 32, made_at=after(999)).blocks)
    answer, facts = blocks[1], blocks[2]
    assert said(answer) == "[CLEAR] | The last answer for this batch. Number 3, 2026-11-22 07:20:03 UTC."
    assert said(facts).splitlines() == [
        "batch: B4711",
        "product: aspirin",
        "station: lineclear/acme/pack/line3/feeder",
        "operators: A. Meier, Dr. B. Keller",
        "clearances: 3: 1 CLEAR, 1 NOT CLEAR, 1 RELEASED BY",
        "evidence: 11 results in 27 files",
        "from, to: 2026-11-22 07:16:42 UTC, 2026-11-22 07:20:03 UTC",
        "audit log's anchor: 17:" + "ab" * 32,
        "report made: 2026-11-22 07:31:42 UTC",
    ]


def test_the_overview_names_each_clearance(content: BatchContent) -> None:
    assert (
        "number | answer | decided, UTC | product | operator | request id\n"
        "1 | NOT CLEAR | 2026-11-22 07:16:43 | aspirin | A. Meier | plc-1\n"
        "2 | RELEASED BY Dr. B. Keller | 2026-11-22 07:18:23 | aspirin | Dr. B. Keller | plc-2\n"
        "3 | CLEAR | 2026-11-22 07:20:03 | aspirin | A. Meier | plc-3\n"
    ) in text_of(content)


def test_a_clearance_says_who_asked_what_was_found_and_what_it_was_judged_with(content: BatchContent) -> None:
    text = text_of(content)
    start = text.index("## Clearance 1")
    assert text[start : text.index("### PASS back")].splitlines() == [
        "## Clearance 1",
        "[NOT CLEAR] | By view, failed: front; passed: back.",
        "asked: 2026-11-22 07:16:40 UTC",
        "decided: 2026-11-22 07:16:43 UTC, after 3.0 s",
        "operator: A. Meier",
        "product: aspirin",
        "request id: plc-1",
        "result id: clearance-1",
        "software, config: station set 1: lineclear 0.1.0",
        "### FAIL front",
        "(front, the frame that failed highest: overlay of front-11)",
        "score: 0.83 against threshold 0.5 (166% of it), 2 regions",
        "alignment: trusted (homography): 212 of 230 points, residual 0.31 px, shift 4.2 px, similarity 0.97",
        "challenge: challenge 1: passed, 2 known frames, 2026-11-22 07:14:03 UTC",
        "judged with: view set 1: recipe front version 3, bundle variation-1a2b3c4d5e6f",
        "region | centre x, y | width x height | area | peak",
        "1 | 49, 36 | 18 x 12 | 171 px | 0.83",
        "2 | 99, 36 | 18 x 12 | 171 px | 0.61",
        "frame | outcome | score | threshold | judged, UTC | result, evidence",
        "11 | FAIL | 0.83 | 0.5 | 2026-11-22 07:16:42 | front-11: frame, overlay, verdict",
        "12 | FAIL | 0.83 | 0.5 | 2026-11-22 07:16:42 | front-12: frame, overlay, verdict",
    ]


def test_a_release_says_who_why_and_after_which_look(content: BatchContent) -> None:
    text = text_of(content)
    part = text[text.index("## Clearance 2") : text.index("## Clearance 3")]
    assert "[RELEASED BY Dr. B. Keller] | A person answered for what did not pass." in part
    assert "answers: clearance 1, result id clearance-1" in part
    assert "! Released by Dr. B. Keller at 2026-11-22 07:18:13 UTC: reflection of the new lamp." in part
    assert "They looked at the live frame snapshot-9, which is not in this export." in part
    assert "Picture: see clearance 1." in part


def test_hashes_of_recipe_bundle_engine_and_software_are_in_the_appendix(content: BatchContent) -> None:
    text = text_of(content)
    part = text[text.index("### Station set 1") : text.index("### View set 2")]
    assert part.splitlines() == [
        "### Station set 1",
        "lineclear: 0.1.0",
        "numpy: 2.1.0",
        f"config hash: {'c0ffee' * 10}abcd",
        "### View set 1: front",
        "camera: cam-7",
        "product: aspirin",
        "recipe: front",
        "recipe version: 3",
        "bundle: variation-1a2b3c4d5e6f",
        "engine: ort-1.20",
        f"bundle hash: {'13' * 32}",
        f"card hash: {'23' * 32}",
        f"recipe hash: {'33' * 32}",
        f"reference hash: {'43' * 32}",
    ]


def test_every_file_stands_with_its_hash(content: BatchContent) -> None:
    text = text_of(content)
    assert all(f"{file.name} | " in text and file.sha256 in text for file in content.files)


def test_nothing_missing_is_said_too(content: BatchContent) -> None:
    assert "Nothing is missing: every verdict that a clearance names is in the archive" in text_of(content)
    assert "Evidence of this batch is missing" not in text_of(content)


def test_what_is_gone_is_said_at_the_head_and_line_by_line(tmp_path: Path) -> None:
    text = text_of(gather(with_gaps(tmp_path), BATCH))
    assert "[NO CLEARANCE] | No clearance of this batch is in the archive." in text
    assert "! 1 result could never be stored:\n" in text
    assert "front PASS | front-2 | the disk is full (2026-11-22 07:15:11 UTC)" in text
    assert "! 1 result deleted from the archive:\n" in text
    assert "front FAIL | front-1 | age (2026-11-22 07:15:12 UTC)" in text


def test_verdicts_of_which_nothing_was_kept_are_named_once(tmp_path: Path) -> None:
    verdicts, clearances = story()
    kept = [evidence_of(one) for one in verdicts if one.result_id not in ("back-13", "back-14")]
    text = text_of(gather(stored(tmp_path, *kept, *map(record_of, clearances)), BATCH))
    assert "! Evidence of this batch is missing or not as it was written: see below." in text
    assert "! 2 verdicts that a clearance names, of which nothing is here:\nClearance 1, view back: back-13\n" in text
    assert text.count("view back: back-13") == 1
    assert "13 | PASS | 0.21 | 0.5 | 2026-11-22 07:16:42 | back-13: NO EVIDENCE in the archive" in text
    assert "! No frame of this view is in the archive." in text


def test_a_simulated_clear_does_not_look_clear(tmp_path: Path) -> None:
    verdicts, clearances = story()
    given = [*map(evidence_of, verdicts), *(record_of(one, isSimulated=True) for one in clearances)]
    content = gather(stored(tmp_path, *given), BATCH)
    blocks = flat(report_of(content).blocks)
    answers = [block for block in blocks if isinstance(block, Answer)]
    assert [answer.mark.outcome for answer in answers] == [""] * 4
    assert answers[0].mark.says == "CLEAR, SIMULATED"
    assert "! SIMULATED: clearance 1, clearance 2, clearance 3." in text_of(content)
    assert "Do not take it for CLEAR." in answers[0].lines


@pytest.mark.parametrize("harm", ["document changed", "index changed"])
def test_a_clear_that_its_document_does_not_prove_does_not_look_clear(harm: str, tmp_path: Path) -> None:
    reader = batch(tmp_path)
    (last,) = reader.find(outcome="CLEAR")
    if harm == "document changed":
        (last.folder / last.files["document"]).write_bytes(b"{}")
    else:
        with sqlite3.connect(tmp_path / INDEX) as index:
            index.execute("UPDATE entries SET outcome = 'CLEAR' WHERE result_id = 'clearance-1'")
        index.close()
    content = gather(reader, BATCH)
    outcomes = {said(block): block for block in flat(report_of(content).blocks) if isinstance(block, Answer)}
    (unproven,) = {line for line in outcomes if line.startswith("[CLEAR, NOT PROVEN]") and "last answer" not in line}
    assert outcomes[unproven].mark.outcome == ""
    assert "! 1 file not as written, or gone:" in text_of(content) or "the index says CLEAR" in text_of(content)


def test_why_a_station_could_not_answer_is_said(tmp_path: Path) -> None:
    reasons = (Reason(ReasonCode.NOT_FIT, "camera front is not live"), Reason(ReasonCode.DISK_LOW, "1 GB free"))
    one = clearance(1, "UNDECIDED", (), reasons=reasons, operator="", note="first")
    text = text_of(gather(stored(tmp_path, record_of(one)), BATCH))
    assert "[UNDECIDED] | not_fit: camera front is not live | disk_low: 1 GB free" in text
    assert "operator: (empty)" in text
    assert "note: first" in text


def test_an_undecided_view_says_why_and_which_gate_the_alignment_did_not_pass(tmp_path: Path) -> None:
    lost = verdict("front-1", "front", "not_registered", 99, "clearance-1")
    one = clearance(1, "UNDECIDED", (view_of("front", "not_registered", (lost,)),))
    text = text_of(gather(stored(tmp_path, evidence_of(lost), record_of(one)), BATCH))
    assert "### UNDECIDED front\nnot_registered: too little of the frame looks like the reference\n" in text
    assert "alignment: NOT trusted (homography): " in text
    assert "not passed: residual 7.5, limit 2" in text


def test_a_challenge_that_failed_stands_out(tmp_path: Path) -> None:
    tried: ChallengeResult = challenge("front", got="PASS")
    view = replace(view_of("front", "challenge_failed", ()), challenge=tried)
    text = text_of(gather(stored(tmp_path, record_of(clearance(1, "UNDECIDED", (view,)))), BATCH))
    assert "challenge: challenge 1: NOT passed, 2 known frames" in text
    assert f"bad/tablet.png | FAIL | PASS (WRONG) | 0.9 | 0.5 | {'b2' * 32}" in text


def test_a_changed_recipe_is_another_set(tmp_path: Path) -> None:
    verdicts, clearances = story()
    last = clearances[-1]
    parts = replace(last.views[0].parts, recipe_version=4)  # type: ignore[type-var]
    changed = replace(last, views=(replace(last.views[0], parts=parts), last.views[1]))
    given = [*map(evidence_of, verdicts), *map(record_of, [*clearances[:-1], changed])]
    text = text_of(gather(stored(tmp_path, *given), BATCH))
    assert "view set 3: recipe front version 4" in text
    assert "### View set 3: front" in text


def test_results_outside_clearances_are_listed_fails_first_if_they_are_too_many(tmp_path: Path) -> None:
    given = [evidence_of(verdict(f"front-{n}", "front", "FAIL" if n == 5 else "PASS", n, None)) for n in range(6)]
    reader = stored(tmp_path, *given)
    text = text_of(gather(reader, BATCH, limits=Limits(results=2, files=3)))
    assert "front-5" in text
    assert "4 more, PASS last, are in manifest.json." in text
    assert "15 more are in manifest.json." in text
    assert "(front, 2026-11-22 07:15:08 UTC: overlay of front-5)" in text


def test_the_same_batch_gives_the_same_blocks(content: BatchContent) -> None:
    assert report_of(content) == report_of(content)
    assert report_of(content).as_of == after(300)
