"""The page of a small station, with somebody of each role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.parts import Browser, Rig, fill_archive, running_page, write_station


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A station's config with recipes and an archive of four results."""
    path = write_station(tmp_path)
    fill_archive(tmp_path / "state" / "archive")
    return path


@pytest.fixture
def rig(config: Path) -> Iterator[Rig]:
    """Its page: `rig.site`, `rig.app`, `rig.browser()`, `rig.signed_in("tina")`."""
    with running_page(config) as running:
        yield running


@pytest.fixture
def nobody(rig: Rig) -> Browser:
    """A browser on which nobody is signed in."""
    return rig.browser()


@pytest.fixture
def viewer(rig: Rig) -> Browser:
    """Vera's, who may look."""
    return rig.signed_in("vera")


@pytest.fixture
def operator(rig: Rig) -> Browser:
    """Otto's, who clears."""
    return rig.signed_in("otto")


@pytest.fixture
def technician(rig: Rig) -> Browser:
    """Tina's, who calibrates."""
    return rig.signed_in("tina")


@pytest.fixture
def admin(rig: Rig) -> Browser:
    """Anna's, who manages users."""
    return rig.signed_in("anna")
