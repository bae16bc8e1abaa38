"""Link and mirror of one station, connected for as long as the page runs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from calibration.web.link.asking import Link
from calibration.web.link.connection import Connection, Heard
from calibration.web.link.keys import PageKey
from calibration.web.link.mirror import Mirror
from calibration.web.link.seeding import seed
from calibration.web.link.trouble import Trouble, Why
from calibration.web.settings import PageSettings
from edge.archive import ArchiveReader
from edge.config import StationConfig
from edge.settings.mqtt import MqttSettings

_HEARD: Final = ("state", "health", "view/+/result", "view/+/image/#", "clearance/result", "clearance/state", "alarm/+")


@dataclass(frozen=True)
class LinkPlan:
    """How the page reaches the broker. mqtt None: the station has no broker. client: who the page is, to broker and station.

    signing_key_file: where the station wants signed commands.
    """

    mqtt: MqttSettings | None
    root: str
    client: str = "page"
    signing_key_file: Path | None = None

    @property
    def client_id(self) -> str:
        """The MQTT client id: another than the station's, so that neither pushes the other out."""
        return f"{self.root.replace('/', '-')}-{self.client}"


def plan_link(config: StationConfig, settings: PageSettings) -> LinkPlan:
    """The station's own publisher settings, with the page's name, password and key."""
    mqtt = None
    if isinstance(config.publisher, MqttSettings):
        credentials = settings.credentials_file or config.publisher.credentials_file
        mqtt = config.publisher.model_copy(update={"credentials_file": credentials, "client_id": None})
    return LinkPlan(mqtt, config.station.topic, settings.client, settings.signing_key_file)


@contextmanager
def open_link(plan: LinkPlan, views: tuple[str, ...], archive: ArchiveReader | None) -> Iterator[tuple[Link, Mirror]]:
    """Both, connecting in the background: this returns at once, whether there is a broker or not."""
    mirror = Mirror(plan.root, views)
    link = Link(plan.root, plan.client, PageKey(plan.signing_key_file, plan.client) if plan.signing_key_file else None)

    def hear(heard: Heard) -> None:
        if heard.topic == link.reply_topic or heard.topic.startswith(f"{link.reply_topic}/"):
            link.hear(heard)
        else:
            mirror.hear(heard)

    def changed(trouble: Trouble | None) -> None:
        mirror.connection(trouble)
        if trouble is None:
            link.connected()
            if archive is not None:
                threading.Thread(target=seed, args=(mirror, archive, views), name="page-seed", daemon=True).start()

    if archive is not None:
        seed(mirror, archive, views)
    if plan.mqtt is None:
        mirror.connection(Trouble(Why.NO_BROKER))
        yield link, mirror
        mirror.close()
        return
    topics = [*(f"{plan.root}/{topic}" for topic in _HEARD), f"{link.reply_topic}/#"]
    with Connection(plan.mqtt, plan.client_id, topics, hear, changed) as connection:
        link.through(connection)
        try:
            yield link, mirror
        finally:
            mirror.close()
