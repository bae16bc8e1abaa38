"""Some requests of schemathesis to every route; `python -m benchmarks.page_fuzz` sends them for half an hour."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("schemathesis", reason="schemathesis is not installed: make test installs it")

from schemathesis import GenerationMode

from tests.web.security.fuzzing import Tally, fuzz, operations, who_may
from tests.web.security.house import house


def test_no_route_breaks_on_what_its_description_allows_or_forbids(tmp_path: Path) -> None:
    """At a page of its own: what is sent may be done."""
    tally = Tally()
    with house(tmp_path / "station") as built:
        sent = operations(built)
        for operation in sent:
            for number, mode in enumerate((GenerationMode.POSITIVE, GenerationMode.NEGATIVE)):
                fuzz(built, operation, tally, examples=2, number=number, mode=mode, who=who_may(operation.path))
    assert not tally.findings, "\n".join(tally.findings[:20])
    assert len(tally.requests) >= 0.9 * len(sent)
