"""docs/station.md and docs/mqtt.md name every setting with its default, and everything that a station can say or answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from edge import config
from edge.cli import manual
from edge.settings import clearance, engines, mqtt
from edge.settings.cameras import ProcessSettings
from edge.settings.judging import VoteRule
from edge.settings.supervision import SupervisionSettings
from edge.settings.triggers import TriggerSettings
from edge.types import ReasonCode

ROOT = Path(__file__).resolve().parent.parent
STATION, MQTT, OTHER_CAMERAS = ((ROOT / "docs" / name).read_text() for name in ("station.md", "mqtt.md", "cameras-other.md"))
BLOCKS = {
    "top level": config.StationConfig,
    "station": mqtt.StationAddress,
    "engine, kind onnxruntime": engines.OnnxRuntimeSettings,
    "engine, kind tensorrt": engines.TensorRtSettings,
    "views.<name>": config.ViewConfig,
    "views.<name>.trigger": TriggerSettings,
    "views.<name>.process": ProcessSettings,
    "clearance": clearance.ClearanceConfig,
    "clearance.vote": VoteRule,
    "clearance.challenge": clearance.ChallengeConfig,
    "clearance.review": clearance.ReviewConfig,
    "pictures": config.PicturesConfig,
    "changeover": config.ChangeoverConfig,
    "health": config.HealthConfig,
    "supervision": SupervisionSettings,
}
BROKER_BLOCKS = {
    "publisher": mqtt.MqttSettings,
    "publisher.tls": mqtt.MqttTls,
    "publisher.outbox": mqtt.OutboxSettings,
    "publisher, kind memory": mqtt.MemorySettings,
}


def table(page: str, heading: str, header: str) -> list[list[str]]:
    """The cells of the table with this header below this heading, before the next one; code marks taken off."""
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", page, re.DOTALL | re.MULTILINE)
    (rows,) = re.findall(rf"^\| {re.escape(header)} \|\n\|[-|]+\|\n((?:\|.*\n)+)", section, re.MULTILINE)
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in rows.splitlines()]


def headings(page: str) -> set[str]:
    """What stands over a table of settings."""
    parts = re.split(r"^#+ (.*)$", page, flags=re.MULTILINE)
    return {name for name, text in zip(parts[1::2], parts[2::2], strict=True) if "| key | default | meaning |" in text}


def default_of(field: FieldInfo) -> str:
    """The default as the page writes it; that of a block is the block's `kind`, or it is below."""
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return str(getattr(value, "kind", "below"))
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else f"{value:.15g}" if isinstance(value, (int, float)) else str(value)


@pytest.mark.parametrize(
    ("page", "heading", "model"),
    [*((STATION, *block) for block in BLOCKS.items()), *((MQTT, *block) for block in BROKER_BLOCKS.items())],
    ids=[*BLOCKS, *BROKER_BLOCKS],
)
def test_every_setting_is_on_the_page_with_its_default(page: str, heading: str, model: type[BaseModel]) -> None:
    shown = {row[0]: row[1] for row in table(page, heading, "key | default | meaning")}
    assert shown == {name: default_of(field) for name, field in model.model_fields.items()}


def test_no_table_is_left_out() -> None:
    assert (headings(STATION), headings(MQTT)) == (set(BLOCKS), set(BROKER_BLOCKS))


def test_the_page_knows_every_reason() -> None:
    rows = table(STATION, "Why a verdict is UNDECIDED", "reason | what happened | what to do")
    assert [row[0] for row in rows] == [code.value for code in ReasonCode]
    assert all(len(row) == 3 and row[1] and row[2] for row in rows)


def test_the_page_knows_every_exit_status() -> None:
    rows = table(STATION, "Exit status", "status | `lineclear` | `lineclear-export`, `lineclear-calibrate`")
    assert [row[0] for row in rows] == re.findall(r"^  (\d+) ", manual.EXIT_STATUS, re.MULTILINE)


def test_the_page_says_what_the_unit_says() -> None:
    unit = (ROOT / "systemd" / "lineclear@.service").read_text()
    section = " ".join(STATION.split("## As a service")[1].split())
    for instance, shown in {
        "/etc/lineclear/%i.yaml": "/etc/lineclear/feeder.yaml",
        "lineclear/%i": "/var/lib/lineclear/feeder",
    }.items():
        assert instance in unit
        assert f"`{shown}`" in section
    values = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    assert values["EnvironmentFile"].lstrip("-") in section
    assert f"`{values['User']}`" in section
    assert f"always, after {values['RestartSec']} s, and it never gives up" in section
    assert f"watchdog | {values['WatchdogSec']} s" in section
    assert f"start | {values['TimeoutStartSec']} s" in section
    assert values["StartLimitIntervalSec"] == "0"
    assert f"after {values['TimeoutStopSec']} s" in section


def test_the_watching_of_a_camera_is_told_with_its_numbers() -> None:
    section = OTHER_CAMERAS.split("## Every camera runs in a process of its own")[1]
    for name, field in ProcessSettings.model_fields.items():
        default = field.default if isinstance(field.default, str) else f"{field.default:g}"
        assert re.search(rf"`{name}:? ?`? ?{default}", section), name


def test_what_the_methods_cost_is_what_was_measured() -> None:
    """docs/recipe.md repeats four rows of docs/models.md, which repeats what `python -m benchmarks.accuracy` printed."""
    models, recipe = ((ROOT / "docs" / name).read_text() for name in ("models.md", "recipe.md"))
    shown = re.findall(r"^\| `(max|quantile)` \| (still|nudged) \| (\d+) of (\d+) \| (\d+) of (\d+) \|$", recipe, re.MULTILINE)
    measured = [line.split(" | ") for line in models.split("### Accuracy")[1].splitlines() if line.startswith("| lineclear | ")]
    rows = {row[1]: {"max": row[5:7], "quantile": row[7:9]} for row in measured[:2]}
    assert len(shown) == 4
    for method, camera, alarms, good, misses, bad in shown:
        assert rows[camera][method] == [f"{alarms}/{good}", f"{misses}/{bad}"]
