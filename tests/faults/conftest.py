"""One station that runs, for the faults that it lives through."""

from collections.abc import Iterator

import pytest

from benchmarks.fault_rig import Rig, rig
from benchmarks.station import Broker
from tests.mosquitto import mosquitto_binary


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, Broker]]:
    mosquitto_binary()
    with rig(tmp_path_factory.mktemp("faults") / "station") as both:
        yield both


@pytest.fixture
def station(running: tuple[Rig, Broker]) -> Rig:
    return running[0]


@pytest.fixture
def broker(running: tuple[Rig, Broker]) -> Broker:
    return running[1]
