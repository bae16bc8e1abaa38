import pytest

from tests.cli.running import Command


@pytest.fixture
def lineclear(capsys) -> Command:
    return Command(capsys)
