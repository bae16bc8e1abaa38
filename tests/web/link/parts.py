"""Messages as docs/mqtt.md has them, a mirror to hear them, and a page's link on a real broker."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from calibration.web.link import Link, LinkPlan, Mirror, open_link
from calibration.web.link.connection import Heard
from edge.archive import ArchiveReader
from tests.commands.parts import ROOT
from tests.publishers.samples import mqtt_settings

DOC = Path(__file__).parents[3] / "docs" / "mqtt.md"
AT = datetime(2026, 11, 22, 6, 9, 16, tzinfo=timezone.utc)
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200))
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


def examples() -> list[tuple[str, bytes]]:
    """Topic and message of each example, in order."""
    found = re.findall(r"`([a-z/_A-Z]+)`\n\n```json\n(.*?)```", DOC.read_text().split("## Examples")[1], re.DOTALL)
    return [(topic, body.encode()) for topic, body in found]


def example(topic: str, **changes: Any) -> dict[str, Any]:
    """The first example of a topic, changed."""
    body = json.loads(next(body for at, body in examples() if at == topic))
    if topic == "clearance/result" and changes.get("outcome") == "CLEAR":
        passed = {"outcome": "PASS", "reason": None, "release": None}
        body |= {"reasons": [], "views": [{**view, **passed} for view in body["views"]]}
    return {**body, **changes}


def heard(topic: str, body: Any, *, retained: bool = False, **more: Any) -> Heard:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Heard(f"{ROOT}/{topic}", payload, retained, **more)


def mirror(*views: str, at: datetime = AT) -> Mirror:
    """Connected, nothing heard yet."""
    made = Mirror(ROOT, views or ("feeder", "nest"), clock=lambda: at)
    made.connection(None)
    return made


@contextmanager
def page_link(
    port: int, views: tuple[str, ...] = ("front", "back"), archive: Path | None = None, client: str = "plc", **changes: Any
) -> Iterator[tuple[Link, Mirror]]:
    """As the page opens it; the station of tests.commands knows its client as `plc`."""
    keys = {name: changes.pop(name) for name in ("signing_key_file",) if name in changes}
    plan = LinkPlan(mqtt_settings(port, **changes), ROOT, client, **keys)
    with open_link(plan, views, ArchiveReader(archive) if archive is not None else None) as opened:
        yield opened
