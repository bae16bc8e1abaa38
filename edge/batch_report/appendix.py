"""What many clearances share is said once and named: what they were judged with, and the challenges that they rest on."""

from __future__ import annotations

import json
from typing import Final

from edge.archive import Entry
from edge.batch_report.blocks import Block, Cell, Code, Column, Facts, Heading, Picture, Table, Words
from edge.batch_report.content import BatchContent
from edge.batch_report.fields import Document, number, part, parts, text, texts
from edge.batch_report.words import UNKNOWN, clock, counted, figure, instant, instant_text, mark, said, short, size

_KNOWN_FRAMES: Final = (
    Column("known frame", 1.7), Column("must give", 1.3), Column("gave", 1.6), Column("score", 0.8, "number"),
    Column("threshold", 0.9, "number"), Column("SHA-256", 2.6),
)  # fmt: skip
_LOOSE: Final = (
    Column("decided, UTC", 1.8), Column("view", 1.2), Column("outcome", 1.4), Column("score", 0.8, "number"),
    Column("threshold", 0.9, "number"), Column("result", 2.6),
)  # fmt: skip
_FILES: Final = (Column("file", 3.5), Column("size", 0.7, "number"), Column("SHA-256", 2.6))


class Appendix:
    """Collects while the clearances are written, then gives its own blocks."""

    def __init__(self) -> None:
        self._stations: dict[str, Document] = {}
        self._parts: dict[str, tuple[str, Document]] = {}
        self._challenges: dict[str, tuple[str, Document]] = {}
        self._shown: dict[str, str] = {}

    def shown_before(self, result_id: str, where: str) -> str:
        """Where a picture was shown before, "" the first time."""
        before = self._shown.setdefault(result_id, where)
        return "" if before == where else before

    def station_of(self, clearance: Document) -> str:
        """The name of its software and config."""
        found = {"versions": dict(part(clearance, "versions")), "config": text(clearance, "configHash")}
        if not any(found.values()):
            return UNKNOWN
        key = json.dumps(found, sort_keys=True, default=str)
        self._stations.setdefault(key, found)
        version = text(part(clearance, "versions"), "lineclear")
        return f"station set {list(self._stations).index(key) + 1}" + (f": lineclear {short(version, 40)}" if version else "")

    def parts_of(self, view: str, found: Document) -> str:
        """The name of what a view was judged with, and the parts that a reader knows by name."""
        if not found:
            return UNKNOWN
        key = json.dumps([view, found], sort_keys=True, default=str)
        self._parts.setdefault(key, (view, found))
        told = f"recipe {short(text(found, 'recipe'), 60) or UNKNOWN} version {text(found, 'recipeVersion') or UNKNOWN}"
        bundle = short(text(found, "bundle"), 60) or UNKNOWN
        return f"view set {list(self._parts).index(key) + 1}: {told}, bundle {bundle}"

    def challenge_of(self, view: str, found: Document) -> str:
        """The name of a challenge and whether it was passed."""
        if not found:
            return "none was asked for"
        key = json.dumps([view, found], sort_keys=True, default=str)
        self._challenges.setdefault(key, (view, found))
        word = "passed" if found.get("passed") is True else "NOT passed"
        frames = counted(len(parts(found, "images")), "known frame")
        place = list(self._challenges).index(key) + 1
        return f"challenge {place}: {word}, {frames}, {instant_text(text(found, 'time'))}"

    def blocks(self, content: BatchContent) -> list[Block]:
        """Challenges, parts, results outside clearances, files."""
        blocks: list[Block] = []
        if self._challenges:
            blocks += [Heading("Appendix: challenges"), Words(_CHALLENGES, "soft")]
            for place, (view, found) in enumerate(self._challenges.values(), 1):
                blocks += _challenge(place, view, found)
        if self._parts or self._stations:
            blocks += [Heading("Appendix: what it was judged with"), Words(_PARTS, "soft")]
            for place, found in enumerate(self._stations.values(), 1):
                blocks += [Heading(f"Station set {place}", 3), Facts(tuple(_station(found)))]
            for place, (view, found) in enumerate(self._parts.values(), 1):
                blocks += [Heading(f"View set {place}: {short(view, 80)}", 3), Facts(tuple(_view(found)))]
        return blocks + _loose(content) + _files(content)


_CHALLENGES: Final = "Known frames, judged on the same path as the camera's: good ones must PASS, bad ones must FAIL."
_PARTS: Final = "Each set is listed once; a clearance names the sets that it was made with. Another set: something was changed."


def _challenge(place: int, view: str, found: Document) -> list[Block]:
    rows = []
    for image in parts(found, "images"):
        got = mark(text(image, "got"))
        why = said(part(image, "reason"))
        rows.append(
            (
                short(text(image, "file"), 120) + (f" ({why})" if why else ""),
                short(text(image, "expected"), 40),
                got if text(image, "got") == text(image, "expected") else mark(text(image, "got"), "(WRONG)"),
                figure(number(image, "score")),
                figure(number(image, "threshold")),
                Code(short(text(image, "sha256"), 64)),
            )
        )
    word = "passed" if found.get("passed") is True else "NOT passed"
    told = f"{word}, {instant_text(text(found, 'time'))}. It holds while nothing of the view changes: key {text(found, 'key')}"
    heading = Heading(f"Challenge {place}: {short(view, 80)}", 3)
    return [heading, Words(short(told, 300)), Table(_KNOWN_FRAMES, tuple(rows))]


def _station(found: Document) -> list[tuple[str, Cell]]:
    versions = texts(part(found, "versions"))
    return [
        *((short(name, 60), short(value)) for name, value in versions.items()),
        ("config hash", Code(text(found, "config") or UNKNOWN)),
    ]


def _view(found: Document) -> list[tuple[str, Cell]]:
    names = {"camera": "camera", "product": "product", "recipe": "recipe", "recipeVersion": "recipe version"}
    pairs: list[tuple[str, Cell]] = [(say, short(text(found, key)) or UNKNOWN) for key, say in names.items()]
    pairs += [(name, short(text(found, name)) or UNKNOWN) for name in ("bundle", "engine")]
    hashes = texts(part(found, "hashes"))
    return pairs + [(f"{short(name, 60)} hash", Code(short(value, 130))) for name, value in hashes.items()]


def _loose(content: BatchContent) -> list[Block]:
    if not content.loose:
        return []
    order = {"FAIL": 0, "UNDECIDED": 1, "PASS": 2}
    chosen = sorted(content.loose, key=lambda entry: order.get(entry.outcome, 0))[: content.limits.results]
    left_out = len(content.loose) - len(chosen)
    rows = tuple(
        (
            clock(entry.decided_at),
            short(entry.view, 60),
            mark(entry.outcome),
            figure(entry.score),
            figure(entry.threshold),
            short(entry.result_id, 80) + (f". {short(entry.reason, 60)}" if entry.reason else ""),
        )
        for entry in sorted(chosen, key=lambda entry: (entry.decided_at, entry.result_id))
    )
    note = f" {left_out} more, PASS last, are in manifest.json." if left_out else ""
    words = f"Verdicts that name this batch, or one of its clearances, and that no clearance above lists.{note}"
    pictures = [
        Picture(shown.data, shown.content_type, shown.size_wh, f"{short(entry.view, 60)}: {entry.outcome}", _caption(entry))
        for entry in chosen
        if (shown := content.pictures.get(entry.result_id)) is not None
    ]
    return [Heading("Appendix: other results"), Words(words, "soft"), Table(_LOOSE, rows), *pictures]


def _caption(entry: Entry) -> str:
    return f"{short(entry.view, 60)}, {instant(entry.decided_at)}: overlay of {short(entry.result_id, 80)}"


def _files(content: BatchContent) -> list[Block]:
    left_out = len(content.files) - content.limits.files
    note = f" {left_out} more are in manifest.json." if left_out > 0 else ""
    words = (
        "Every file of evidence in the export, with the hash it was written with. manifest.json has the same and the hash of "
        f"this report; `sha256sum -c SHA256SUMS` checks all of them.{note}"
    )
    rows = tuple((file.name, size(file.size_bytes), Code(file.sha256)) for file in content.files[: content.limits.files])
    return [Heading("Appendix: files"), Words(words, "soft"), Table(_FILES, rows)]
