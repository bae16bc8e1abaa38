"""What a broker's refusals do to what is sent next."""

from collections.abc import Collection

import pytest

from edge.publishers.answers import Answers
from edge.publishers.base import RecordKind
from edge.publishers.broker import Acknowledgement, Message
from edge.publishers.delivery import Delivery
from edge.publishers.parking import Parking
from edge.publishers.present import Present
from edge.publishers.rows import Pending
from edge.settings.mqtt import MqttSettings

IMAGE = Pending(
    1, RecordKind.IMAGE, "v/image/overlay", "r", False, 1, "image/jpeg",
    {"result_id": "r", "view": "v", "kind": "overlay"}, b"abc",
)  # fmt: skip


class Connection:
    """Takes everything, and remembers it."""

    window = 20
    max_packet_bytes = None
    has_unwritten = False
    where = "broker"

    def __init__(self) -> None:
        self.topics: list[str] = []

    def send(self, message: Message) -> int:
        self.topics.append(message.topic)
        return len(self.topics)


class Rows:
    """An outbox of these rows."""

    def __init__(self, *rows: Pending) -> None:
        self.rows = list(rows)

    def pending(self, limit: int, skip: Collection[int] = (), topics: Collection[str] = ()) -> list[Pending]:
        return [row for row in self.rows if row.id not in skip and row.topic not in topics][:limit]

    def delivered(self, ids: Collection[int]) -> None:
        self.rows = [row for row in self.rows if row.id not in ids]

    refused = delivered


@pytest.mark.parametrize(("refused", "left"), [("/meta", 1), ("/overlay", 1), ("nothing", 0)])
def test_an_image_whose_note_is_refused_is_not_sent_again_and_again(refused: str, left: int) -> None:
    connection, rows = Connection(), Rows(IMAGE)
    settings = MqttSettings(kind="mqtt", host="h", protocol="5", image_meta="always")
    delivery = Delivery(connection, rows, Present(), Answers(), Parking(), settings)  # type: ignore[arg-type]
    for _ in range(20):
        sent = len(connection.topics)
        delivery.feed()
        fresh = enumerate(connection.topics[sent:], sent + 1)
        delivery.settle([Acknowledgement(n, "Not authorized" if topic.endswith(refused) else "") for n, topic in fresh])
    assert connection.topics == ["v/image/overlay/meta", "v/image/overlay"]
    assert len(rows.rows) == left
