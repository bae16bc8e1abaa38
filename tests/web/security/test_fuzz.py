"""Some requests of schemathesis to every route; `python -m benchmarks.page_fuzz` sends them for half an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is not installed: make test installs it")

from schemathesis import GenerationMode

from tests.web.security.fuzzing import Tally, fuzz, operations, who_may
from tests.web.security.house import house

EVERY = 5
"""Making requests of a description takes longer than sending them: some routes here, all of them in the benchmark."""


def test_no_route_breaks_on_what_its_description_allows_or_forbids(tmp_path: Path) -> None:
    """At a page of its own: what is sent may be done."""
    tally = Tally()
    with house(tmp_path / "station") as built:
        described = operations(built)
        turns = ((GenerationMode.NEGATIVE, described[::EVERY]), (GenerationMode.POSITIVE, described[EVERY // 2 :: EVERY]))
        for mode, chosen in turns:
            for number, operation in enumerate(chosen):
                fuzz(built, operation, tally, examples=4, number=number, mode=mode, who=who_may(operation.path))
    assert not tally.findings, "\n".join(tally.findings[:20])
    assert len(tally.requests) >= len(described) / EVERY
