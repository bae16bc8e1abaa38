"""Which value of the health topic becomes which metric. A value that stands in no row fails a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from edge.health import Value


@dataclass(frozen=True)
class Row:
    """pattern: the value's name, `{label}` for what becomes a label. metric: its family, "" for what is no metric of its own
    (because). fixed: labels that the name stands for. read: the number of the value, None for none.
    """

    pattern: str
    metric: str = ""
    fixed: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[Value], float | None] = lambda value: float(value) if isinstance(value, int | float) else None
    because: str = ""


def _entries(value: Value) -> float | None:
    """`17:c0ffee...` -> 17; nothing is 0."""
    text = str(value or "0").split(":")[0]
    return float(text) if text.isdigit() else None


def _timestamp(value: Value) -> float | None:
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return None


TEXT: Final = "a text for people"
TOLD: Final = "the same verdicts stand in lineclear_verdicts_total"


def _kinds(pattern: str, metric: str, label: str, **names: str) -> tuple[Row, ...]:
    """Several values that are one metric: name of the value -> its label."""
    return tuple(Row(pattern.format(value=value), metric, {label: fixed}) for value, fixed in names.items())


_FATES: Final = {"frames": "delivered", **{name: name for name in ("lost", "incomplete", "skipped", "damaged")}}
_RECORDS: Final = {name: name for name in ("image", "verdict", "clearance")}

ROWS: Final = (
    Row("view.{view}.verdicts.{outcome}", because=TOLD),
    Row("view.{view}.reasons.{reason}", because=TOLD),
    Row("view.{view}.events.{event}", "lineclear_events_total"),
    Row("events.{event}", "lineclear_events_total", {"view": ""}),
    Row("view.{view}.nudge_px", "lineclear_camera_shift_pixels"),
    Row("view.{view}.nudge_before_px", "lineclear_camera_shift_before_pixels"),
    Row("view.{view}.nudge_px_per_h", "lineclear_camera_shift_pixels_per_hour"),
    Row("view.{view}.ready", "lineclear_view_ready"),
    Row("camera.{view}.status", "lineclear_camera_status"),
    *_kinds("camera.{{view}}.{value}", "lineclear_camera_frames_total", "fate", **_FATES),
    Row("camera.{view}.restarts", "lineclear_camera_restarts_total"),
    Row("camera.{view}.handoff_s", "lineclear_camera_handoff_seconds"),
    Row("camera.{view}.frame_age_s", "lineclear_camera_frame_age_seconds"),
    Row("camera.{view}.resident_bytes", "lineclear_camera_resident_memory_bytes"),
    Row("engine.{view}.call_s", "lineclear_engine_call_seconds"),
    Row("engine.{view}.first_after_idle_s", "lineclear_engine_first_after_idle_seconds"),
    Row("engine.{view}.idle_s", "lineclear_engine_idle_seconds"),
    Row("engine.{view}.fallbacks", "lineclear_engine_fallbacks"),
    Row("clearances.reasons.{reason}", "lineclear_clearance_reasons_total"),
    Row("clearances.{outcome}", "lineclear_clearances_total"),
    Row("commands.{command}.{outcome}", "lineclear_commands_total"),
    Row("trigger.{trigger}.status", "lineclear_trigger_status"),
    *_kinds("trigger.{{trigger}}.{value}", "lineclear_triggers_total", "fate", count="taken", lost="lost", refused="refused"),
    Row("trigger.{trigger}.latency_s", "lineclear_trigger_latency_seconds"),
    Row("outputs.released", "lineclear_outputs_released"),
    Row("outputs.guard_restarts", "lineclear_outputs_guard_restarts_total"),
    Row("outputs.why_closed", because=TEXT),
    Row("opcua.serving", "lineclear_opcua_serving"),
    Row("opcua.restarts", "lineclear_opcua_restarts_total"),
    Row("mqtt.connected", "lineclear_broker_connected"),
    Row("mqtt.reason", because=TEXT),
    Row("mqtt.connections", "lineclear_broker_connections_total"),
    Row("mqtt.client_id_conflict", "lineclear_broker_client_id_conflict"),
    Row("mqtt.refused_topics", "lineclear_broker_refused_topics"),
    Row("mqtt.answers_dropped", "lineclear_broker_answers_dropped_total"),
    *_kinds("outbox.{value}", "lineclear_outbox_records", "kind", results="result", images="image"),
    Row("outbox.size_bytes", "lineclear_outbox_size_bytes"),
    Row("outbox.oldest_s", "lineclear_outbox_oldest_age_seconds"),
    Row("outbox.readable", "lineclear_outbox_readable"),
    *_kinds("outbox.dropped_{value}", "lineclear_outbox_dropped_total", "kind", **_RECORDS),
    *_kinds("outbox.refused_{value}", "lineclear_outbox_refused_total", "kind", **_RECORDS),
    Row("outbox.damaged_files", "lineclear_outbox_damaged_files_total"),
    Row("memory.records", "lineclear_memory_records"),
    Row("archive.results", "lineclear_archive_results"),
    Row("archive.bytes", "lineclear_archive_size_bytes"),
    Row("archive.free_bytes", "lineclear_archive_free_bytes"),
    Row("archive.floor_bytes", "lineclear_archive_free_floor_bytes"),
    Row("archive.writable", "lineclear_archive_writable"),
    Row("archive.waiting", "lineclear_archive_waiting_results"),
    Row("archive.waiting_bytes", "lineclear_archive_waiting_bytes"),
    Row("archive.stored", "lineclear_archive_stored_total"),
    Row("archive.missing", "lineclear_archive_missing_total"),
    Row("archive.missing_clearance", "lineclear_archive_missing_clearances_total"),
    Row("archive.purged", "lineclear_archive_purged_total"),
    Row("archive.overlay_failed", "lineclear_archive_overlays_failed_total"),
    Row("audit.anchor", "lineclear_audit_entries", read=_entries),
    Row("pulse.{part}", "lineclear_pulse_age_seconds"),
    Row("station.safe_mode", "lineclear_safe_mode"),
    Row("station.last_fault_why", because=TEXT),
    Row("station.last_fault_at", "lineclear_last_fault_timestamp_seconds", read=_timestamp),
    Row("station.instance", because="another one at every start"),
    Row("state.status", "lineclear_station_status"),
    Row("alarm.{alarm}", "lineclear_alarm_active"),
    Row("checks.{check}.outcome", "lineclear_check_outcome"),
    Row("checks.{check}.age_s", "lineclear_check_age_seconds"),
    Row("checks.{check}.summary", because=TEXT),
    Row("machine.temperature_c.{zone}", "lineclear_temperature_celsius"),
    Row("machine.memory_bytes", "lineclear_machine_memory_bytes"),
    Row("machine.memory_available_bytes", "lineclear_machine_memory_available_bytes"),
    Row("disk.{folder}.size_bytes", "lineclear_disk_size_bytes"),
    Row("disk.{folder}.free_bytes", "lineclear_disk_free_bytes"),
    Row("process.resident_bytes", "process_resident_memory_bytes"),
    Row("process.open_files", "process_open_fds"),
    Row("process.max_open_files", "process_max_fds"),
    Row("process.threads", "process_threads"),
    Row("process.cpu_s", "process_cpu_seconds_total"),
    Row("process.started_s", "process_start_time_seconds"),
)


def _compiled(pattern: str) -> re.Pattern[str]:
    """Names of views may hold dots; the last part never does."""
    parts = re.split(r"\{(\w+)\}", pattern)
    texts = [re.escape(part) if index % 2 == 0 else f"(?P<{part}>.+)" for index, part in enumerate(parts)]
    return re.compile("".join(texts), re.DOTALL)


_BY_HEAD: Final[dict[str, list[tuple[re.Pattern[str], Row]]]] = {}
for _row in ROWS:
    _BY_HEAD.setdefault(_row.pattern.split(".")[0], []).append((_compiled(_row.pattern), _row))


@lru_cache(maxsize=20_000)
def row_of(name: str) -> tuple[Row, Mapping[str, str]] | None:
    """The row of a value and the labels that its name gives; None for a value that stands in no row."""
    for pattern, row in _BY_HEAD.get(name.partition(".")[0], ()):
        found = pattern.fullmatch(name)
        if found is not None:
            return row, {**found.groupdict(), **row.fixed}
    return None
