"""What every Publisher must do. A subclass says how to make one and how to see what reached the outside."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from edge.errors import OutboxError
from edge.publishers.base import Publisher, RecordKind
from edge.publishers.payloads import image_records, verdict_record
from edge.publishers.station_payloads import StationStatus, alarm_record, health_record, state_record
from tests.publishers.samples import NOW, png, verdict


class PublisherContract(ABC):
    """Subclass as `Test...`; `folder` is the same for a publisher and its successor in one test."""

    @abstractmethod
    def make(self, folder: Path) -> Publisher:
        """A publisher that is not open yet."""

    @abstractmethod
    def arrived(self, publisher: Publisher, kind: RecordKind, count: int) -> list[str]:
        """Result ids (topic for records without) of `kind` in the order of arrival, once there are `count`."""

    def test_is_a_publisher(self, tmp_path: Path) -> None:
        assert isinstance(self.make(tmp_path), Publisher)

    def test_what_is_published_arrives_in_order(self, tmp_path: Path) -> None:
        with self.make(tmp_path) as publisher:
            for number in range(30):
                publisher.publish(verdict_record(verdict(number)))
            expected = [verdict(number).result_id for number in range(30)]
            assert self.arrived(publisher, RecordKind.VERDICT, 30) == expected

    def test_a_verdict_and_its_images_go_together(self, tmp_path: Path) -> None:
        one = verdict(1)
        with self.make(tmp_path) as publisher:
            publisher.publish(verdict_record(one), *image_records(one, {"overlay": png(), "frame": png(seed=1)}))
            assert self.arrived(publisher, RecordKind.VERDICT, 1) == [one.result_id]
            assert self.arrived(publisher, RecordKind.IMAGE, 2) == [one.result_id] * 2

    def test_images_may_follow_their_verdict(self, tmp_path: Path) -> None:
        one = verdict(1)
        with self.make(tmp_path) as publisher:
            publisher.publish(verdict_record(one))
            publisher.publish(*image_records(one, {"overlay": png()}))
            assert self.arrived(publisher, RecordKind.IMAGE, 1) == [one.result_id]

    def test_the_same_result_twice_is_one_result(self, tmp_path: Path) -> None:
        with self.make(tmp_path) as publisher:
            publisher.publish(verdict_record(verdict(1)))
            publisher.publish(verdict_record(verdict(1)))
            publisher.publish(verdict_record(verdict(2)))
            assert self.arrived(publisher, RecordKind.VERDICT, 2) == [verdict(1).result_id, verdict(2).result_id]

    def test_one_result_id_never_names_two_results(self, tmp_path: Path) -> None:
        with self.make(tmp_path) as publisher:
            publisher.publish(verdict_record(verdict(1)))
            forged = verdict_record(verdict(2, result_id=verdict(1).result_id))
            with pytest.raises(OutboxError, match="other contents"):
                publisher.publish(forged)

    def test_all_or_none(self, tmp_path: Path) -> None:
        broken = verdict_record(verdict(2))
        broken = type(broken)(broken.kind, broken.topic, {"score": float("nan")}, result_id=broken.result_id)
        with self.make(tmp_path) as publisher:
            with pytest.raises(OutboxError, match="JSON"):
                publisher.publish(verdict_record(verdict(1)), broken)
            publisher.publish(verdict_record(verdict(3)))
            assert self.arrived(publisher, RecordKind.VERDICT, 1) == [verdict(3).result_id]

    def test_state_health_and_alarms_arrive(self, tmp_path: Path) -> None:
        with self.make(tmp_path) as publisher:
            publisher.publish(state_record(StationStatus.READY, NOW), health_record({"frames": 3}, NOW, 1.5))
            publisher.publish(alarm_record("disk_low", "2 GB left", NOW))
            assert self.arrived(publisher, RecordKind.STATE, 1)[-1].endswith("state")
            assert self.arrived(publisher, RecordKind.HEALTH, 1)[-1].endswith("health")
            assert self.arrived(publisher, RecordKind.ALARM, 1)[-1].endswith("alarm/disk_low")

    def test_many_threads_may_publish(self, tmp_path: Path) -> None:
        views = ("front", "top", "left")
        failures: list[BaseException] = []
        with self.make(tmp_path) as publisher:

            def publish_view(view: str) -> None:
                try:
                    for number in range(20):
                        publisher.publish(verdict_record(verdict(number, view)))
                except BaseException as error:  # noqa: BLE001 - shown below
                    failures.append(error)

            threads = [threading.Thread(target=publish_view, args=(view,)) for view in views]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not failures
            ids = self.arrived(publisher, RecordKind.VERDICT, 60)
        for view in views:
            assert [one for one in ids if one.startswith(view)] == [verdict(number, view).result_id for number in range(20)]

    def test_closed_means_closed(self, tmp_path: Path) -> None:
        publisher = self.make(tmp_path)
        with publisher:
            pass
        with pytest.raises(OutboxError, match="not open"):
            publisher.publish(verdict_record(verdict(1)))

    def test_nothing_is_left_running(self, tmp_path: Path) -> None:
        before = set(threading.enumerate())
        with self.make(tmp_path) as publisher:
            publisher.publish(verdict_record(verdict(1)))
        assert set(threading.enumerate()) <= before
