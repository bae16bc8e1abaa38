"""Readings from a station's archive, or from results that were written down."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from calibration.drift.lineage import Lineage, is_of_engine
from calibration.drift.looking import size_of, with_condition, yardstick_of
from calibration.drift.readings import Reading, Readings, Span, from_document, in_order
from calibration.progress import Progress, silent
from edge.archive import ArchiveError, ArchiveReader
from edge.errors import ConfigError
from edge.recipe import CardEngine, Recipe

RESULT_SCHEMA = "lineclear/result/1"
MAX_LINE_BYTES = 10_000_000


def from_archive(
    reader: ArchiveReader, recipe: Recipe, span: Span, min_complete: int = 8, progress: Progress = silent
) -> Readings:
    """The verdicts of the recipe's view that were judged as the recipe judges now; frames where they are kept.

    The archive keeps every verdict of a clearance; of the others every FAIL and a sample of the PASS. Where there are
    min_complete of clearances, only these count and nothing is missing; else all count, and the readings are not complete.
    Raises ArchiveError.
    """
    entries = reader.find(view=recipe.view, kind="verdict", since=span.since, newest_first=False)
    of_clearances = [entry for entry in entries if entry.clearance_id is not None and entry.score is not None]
    complete = len(of_clearances) >= min_complete
    left_out: Counter[str] = Counter()
    if complete:
        left_out["not of a clearance"] = sum(entry.clearance_id is None for entry in entries)
        entries = [entry for entry in entries if entry.clearance_id is not None]
    lineage, yardstick, size_wh = Lineage(recipe), yardstick_of(recipe), size_of(recipe)
    engine = recipe.card.engine if recipe.card else None
    items: list[Reading] = []
    for done, entry in enumerate(entries, 1):
        progress(done, len(entries), entry.result_id)
        try:
            document = reader.document(entry)
            reading = _comparable(document, lineage, size_wh, engine)
            if isinstance(reading, str):
                left_out[reading] += 1
                continue
            if "frame" in entry.files and reading.shift_xy is not None:
                matrix = np.array(document["alignment"]["frameToReference"], np.float64)
                reading = with_condition(reading, reader.frame(entry), matrix, yardstick)
            items.append(reading)
        except ArchiveError:
            left_out["evidence cannot be read"] += 1
    return Readings(in_order(items), {key: count for key, count in left_out.items() if count}, complete, span.per_group)


def from_results(path: Path, recipe: Recipe, span: Span) -> Readings:
    """Results as they were published, one JSON document a line (messages.jsonl, or what mosquitto_sub wrote).

    Lines that are no `lineclear/result/1` of the recipe's view are passed over. ConfigError: cannot be read, or none there.
    """
    lineage, size_wh = Lineage(recipe), size_of(recipe)
    engine = recipe.card.engine if recipe.card else None
    items: dict[str, Reading] = {}
    left_out: Counter[str] = Counter()
    for document in _documents(path):
        if document.get("schema") != RESULT_SCHEMA or document.get("view") != recipe.view:
            continue
        reading = _comparable(document, lineage, size_wh, engine)
        if isinstance(reading, str):
            left_out[reading] += 1
        elif span.since is None or reading.at is None or reading.at >= span.since:
            items[reading.name] = reading  # a result that was delivered twice counts once
    if not items and not left_out:
        remedy = f"write down the topic view/{recipe.view}/result, one message a line"
        raise ConfigError(f"holds no result of view {recipe.view!r}", where=str(path), remedy=remedy)
    return Readings(in_order(items.values()), dict(left_out), True, span.per_group)


def _comparable(
    document: dict[str, Any], lineage: Lineage, size_wh: tuple[int, int], engine: CardEngine | None
) -> Reading | str:
    """The reading, or why it cannot be held against this recipe's card."""
    try:
        reading = from_document(document, size_wh)
    except ValueError:
        return "is no result"
    name, version, product = document.get("recipe"), document.get("recipeVersion"), document.get("product")
    if not isinstance(version, int) or isinstance(version, bool):
        version = None
    changed = lineage.changed(str(name or ""), version, product if isinstance(product, str) else "")
    if changed is None:
        return "was judged by another recipe" if document.get("recipe") else "was not judged by a recipe"
    if changed:
        return f"was judged before a change of {', '.join(sorted(changed))}"
    if engine is not None and not is_of_engine(document.get("engine"), engine):
        return "was judged on another engine"
    return reading


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            # Never more than one line in memory: a file without line breaks may be of any size.
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES + 1), b""), 1):
                if len(line) > MAX_LINE_BYTES:
                    raise ConfigError(f"line {number} is too long", where=str(path), remedy="one JSON document a line")
                try:
                    document = json.loads(line) if line.strip() else None
                except (ValueError, RecursionError):
                    raise ConfigError(f"line {number} is no JSON", where=str(path), remedy="one JSON document a line") from None
                if isinstance(document, dict):
                    yield document
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=str(path), remedy="check the path") from None
