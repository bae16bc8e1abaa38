"""Every run tests the same examples, `LINECLEAR_EXPLORE=1 make test` looks for new ones; and in which order."""

import os

import pytest
from hypothesis import settings

settings.register_profile("fixed", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("explore" if os.environ.get("LINECLEAR_EXPLORE") else "fixed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test first: beside it the other processes of xdist do all the rest."""
    items.sort(key=lambda item: item.path.name != "test_soak.py")
