"""A station's publishing half as a process, to be killed: `publishing_child.py PORT PROTOCOL STATE_DIR FIRST`.

Publishes a verdict per view (and now and then an image) for FIRST, FIRST + 1, ... until it is killed, and writes the number
to standard output after publish() returned. FIRST -1: publishes nothing, leaves when the outbox is empty.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from edge.publishers.mqtt import MqttPublisher
from edge.publishers.payloads import EncodedImage, image_records, verdict_record
from tests.publishers.samples import ADDRESS, mqtt_settings, verdict

VIEWS = ("front", "top", "left")
PICTURE = EncodedImage(b"\xff\xd8\xff" + bytes(3000), "image/jpeg")


def main(port: int, protocol: str, state_dir: Path, first: int) -> None:
    settings = mqtt_settings(port, protocol=protocol, drain_s=30.0)
    with MqttPublisher(settings, ADDRESS, state_dir) as publisher:
        number = first
        while first >= 0:
            verdicts = [verdict(number, view) for view in VIEWS]
            images = image_records(verdicts[0], {"overlay": PICTURE}) if number % 3 == 0 else ()
            publisher.publish(*(verdict_record(one) for one in verdicts), *images)
            os.write(1, f"{number}\n".encode())
            number += 1


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
