from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.security.house import House, house


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One page for all of these tests: none of them may change anything."""
    with house(tmp_path_factory.mktemp("house") / "station") as running:
        yield running
