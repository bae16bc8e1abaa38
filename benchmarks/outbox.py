"""What publishing costs the judge, and how fast the outbox empties: `python -m benchmarks.outbox [--folder DIR]`.

Each figure stands beside a peer measured in the same run: a verdict recorded against an append and fsync of the same bytes on
the same disk; the outbox's way to a real Mosquitto against bare paho with the same number in flight and nothing kept.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import paho.mqtt.client as paho

from edge.publishers.base import Record
from edge.publishers.mqtt import MqttPublisher
from edge.publishers.outbox import Outbox
from edge.publishers.payloads import EncodedImage, image_records, verdict_record
from edge.publishers.rows import encode
from edge.settings.mqtt import OutboxSettings
from tests.mosquitto import Mosquitto, mosquitto
from tests.publishers.samples import ADDRESS, ROOT, mqtt_settings, verdict

COUNT = 500
JPEG = b"\xff\xd8\xff"


def records(number: int, image_bytes: int) -> list[Record]:
    one = verdict(number)
    image = EncodedImage(JPEG + os.urandom(image_bytes), "image/jpeg")
    return [verdict_record(one), *(image_records(one, {"overlay": image}) if image_bytes else ())]


def milliseconds(work: Callable[[int], None], count: int = COUNT) -> np.ndarray:
    """p50, p95, p99 of work(0..count-1)."""
    spent = []
    for number in range(count):
        begun = time.perf_counter()
        work(number)
        spent.append((time.perf_counter() - begun) * 1000)
    return np.percentile(spent[count // 10 :], [50, 95, 99])


def record_latency(folder: Path, image_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    prepared = [records(number, image_bytes) for number in range(COUNT)]
    blobs = [b"".join(record.blob or encode(record.body) for record in group) for group in prepared]
    with Outbox(folder / f"outbox-{image_bytes}.sqlite3", OutboxSettings()) as outbox:
        ours = milliseconds(lambda number: outbox.put(prepared[number], ROOT))
    descriptor = os.open(folder / "append", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def append(number: int) -> None:
        os.write(descriptor, blobs[number])
        os.fdatasync(descriptor)

    peer = milliseconds(append)
    os.close(descriptor)
    return ours, peer


def publish_latency(broker: Mosquitto, folder: Path) -> np.ndarray:
    """publish() while the sender works beside it."""
    prepared = [records(number, 0) for number in range(COUNT)]
    with MqttPublisher(mqtt_settings(broker.port), ADDRESS, folder / "beside") as publisher:
        return milliseconds(lambda number: publisher.publish(*prepared[number]))


def drain_rate(broker: Mosquitto, folder: Path) -> tuple[float, float]:
    """Messages per second from a full outbox to the last PUBACK, and of bare paho."""
    with Outbox(folder / "drain" / "outbox.sqlite3", OutboxSettings()) as outbox:
        outbox.put([record for number in range(4 * COUNT) for record in records(number, 0)], ROOT)
    begun = time.perf_counter()
    with MqttPublisher(mqtt_settings(broker.port, drain_s=60), ADDRESS, folder / "drain"):
        pass
    ours = 4 * COUNT / (time.perf_counter() - begun)
    return ours, bare_paho(broker.port, [encode(verdict_record(verdict(number)).body) for number in range(4 * COUNT)])


def bare_paho(port: int, payloads: Sequence[bytes]) -> float:
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    done, left = threading.Event(), [len(payloads)]

    def count(*_: object) -> None:
        left[0] -= 1
        if not left[0]:
            done.set()

    client.on_publish = count
    client.connect("127.0.0.1", port)
    client.loop_start()
    begun = time.perf_counter()
    for payload in payloads:
        client.publish(f"{ROOT}/bare", payload, 1)
    done.wait(60)
    rate = len(payloads) / (time.perf_counter() - begun)
    client.disconnect()
    client.loop_stop()
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", type=Path, help="where to write: a folder on the disk in question (default: a temporary one)"
    )
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as name:
        folder = Path(name)
        print(f"{'recorded, ms':30}{'p50':>8}{'p95':>8}{'p99':>8}   append + fdatasync p50   ratio")
        for image_bytes in (0, 60_000, 250_000):
            ours, peer = record_latency(folder, image_bytes)
            what = f"verdict + {image_bytes // 1000} kB image" if image_bytes else "verdict"
            print(f"{what:30}{ours[0]:8.2f}{ours[1]:8.2f}{ours[2]:8.2f}{peer[0]:20.2f}{ours[0] / peer[0]:12.2f}")
        with mosquitto(folder) as broker:
            beside = publish_latency(broker, folder)
            print(f"{'publish() beside the sender':30}{beside[0]:8.2f}{beside[1]:8.2f}{beside[2]:8.2f}")
            ours_rate, bare_rate = drain_rate(broker, folder)
        print(f"outbox to PUBACK: {ours_rate:.0f} messages/s; bare paho: {bare_rate:.0f}/s; ratio {ours_rate / bare_rate:.2f}")


if __name__ == "__main__":
    main()
