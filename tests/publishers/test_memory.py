from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import OutboxError
from edge.publishers.base import Publisher, Record, RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.publishers.payloads import verdict_record
from edge.settings.mqtt import MemorySettings
from tests.contracts.publisher import PublisherContract
from tests.publishers.samples import verdict


class TestMemoryPublisher(PublisherContract):
    def make(self, folder: Path) -> Publisher:
        return MemoryPublisher(MemorySettings(kind="memory"))

    def arrived(self, publisher: Publisher, kind: RecordKind, count: int) -> list[str]:
        assert isinstance(publisher, MemoryPublisher)
        ids = [record.result_id or record.topic for record in publisher.records if record.kind is kind]
        assert len(ids) >= count
        return ids


def test_faults_come_from_the_seed() -> None:
    def failures(seed: int) -> list[int]:
        failed = []
        with MemoryPublisher(MemorySettings(kind="memory", fail_share=0.3, seed=seed)) as publisher:
            for number in range(50):
                try:
                    publisher.publish(verdict_record(verdict(number)))
                except OutboxError:
                    failed.append(number)
            kept = [record.result_id for record in publisher.records]
        assert kept == [verdict(number).result_id for number in range(50) if number not in failed]
        return failed

    assert failures(1) == failures(1)
    assert failures(1) != failures(2)
    assert 5 < len(failures(1)) < 25


def test_keeps_the_newest_and_tells_as_they_come() -> None:
    told: list[Record] = []
    with MemoryPublisher(MemorySettings(kind="memory", keep=3), told.append) as publisher:
        for number in range(5):
            publisher.publish(verdict_record(verdict(number)))
        assert [record.result_id for record in publisher.records] == [verdict(number).result_id for number in (2, 3, 4)]
    assert len(told) == 5


def test_closed_publisher_can_be_read() -> None:
    with MemoryPublisher(MemorySettings(kind="memory")) as publisher:
        publisher.publish(verdict_record(verdict(1)))
    assert len(publisher.records) == 1
    with pytest.raises(OutboxError):
        publisher.publish(verdict_record(verdict(2)))
