from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.history.parts import page_with
from tests.web.parts import Browser, Rig


@pytest.fixture(scope="package")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A page over an archive of real verdicts; nobody changes anything there but what they take back."""
    with page_with(tmp_path_factory.mktemp("line")) as rig:
        yield rig


@pytest.fixture(scope="package")
def otto(line: Rig) -> Browser:
    return line.signed_in("otto")


@pytest.fixture(scope="package")
def vera(line: Rig) -> Browser:
    return line.signed_in("vera")


@pytest.fixture(scope="package")
def nina(line: Rig) -> Browser:
    """Sees the nest alone."""
    return line.signed_in("nina")
