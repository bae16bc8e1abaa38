"""Every metric that the station shows: its name by Prometheus's conventions, its kind, its labels, what it means.

Base units (seconds, bytes, celsius), `_total` on what only grows, and no label whose values have no bound: results, batches,
people and texts are told by topics and logs, never by a label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["counter", "gauge", "states", "histogram", "info"]


@dataclass(frozen=True)
class Family:
    """One metric. kind states: one series per possible state, 1 for the one that is, the last label names it; info: always 1,
    what is to be known stands in the labels. states: all that the last label can be.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    states: tuple[str, ...] = ()


CAMERA_STATES: Final = ("closed", "opening", "live", "silent", "lost", "refused")
TRIGGER_STATES: Final = ("listening", "away", "stopped")
STATION_STATES: Final = ("starting", "ready", "degraded", "safe_mode")
CHECK_STATES: Final = ("ok", "attention", "failed", "unknown")


def _counter(name: str, meaning: str, *labels: str) -> Family:
    return Family(f"lineclear_{name}_total", "counter", meaning, labels)


def _gauge(name: str, meaning: str, *labels: str) -> Family:
    return Family(f"lineclear_{name}", "gauge", meaning, labels)


def _histogram(name: str, meaning: str, *labels: str) -> Family:
    return Family(f"lineclear_{name}", "histogram", meaning, labels)


def _states(name: str, meaning: str, states: tuple[str, ...], *labels: str) -> Family:
    return Family(f"lineclear_{name}", "states", meaning, labels, states)


_ALL: Final = (
    Family("lineclear_build_info", "info", "Versions of what runs.", ("lineclear", "python", "numpy", "opencv", "onnxruntime")),
    Family("lineclear_view_info", "info", "What a view is judged with.", ("view", "product", "bundle", "engine")),
    _states("station_status", "What the station can do, as its state topic says.", STATION_STATES, "status"),
    _gauge("report_age_seconds", "Since the figures shown here were looked at. Grows where the station hangs."),
    _gauge("safe_mode", "1 while the config cannot be used and nothing is judged."),
    _gauge("alarm_active", "1 while this alarm is up.", "alarm"),
    _gauge("last_fault_timestamp_seconds", "When a part hung last and the station ended itself; no series if never."),
    _gauge("pulse_age_seconds", "Since a part of the station last made progress.", "part"),
    _counter("verdicts", "Verdicts; reason is empty unless UNDECIDED.", "view", "outcome", "reason"),
    _histogram("verdict_latency_seconds", "From the frame in the camera's process to the durable verdict.", "view"),
    _histogram("stage_duration_seconds", "Time per stage of a verdict.", "view", "stage"),
    _counter("events", "Things that went wrong; view is empty for the station's own.", "view", "event"),
    _gauge("view_ready", "1 if this view can be judged.", "view"),
    _gauge("camera_shift_pixels", "Newest displacement of the camera from its reference pose.", "view"),
    _gauge("camera_shift_before_pixels", "The same at the start of the window of 500 verdicts.", "view"),
    _gauge("camera_shift_pixels_per_hour", "How fast that changes.", "view"),
    _states("camera_status", "How the view's camera is.", CAMERA_STATES, "view", "status"),
    _counter("camera_frames", "Frames of the camera, by what became of them.", "view", "fate"),
    _counter("camera_restarts", "Processes of the camera that were started after the first.", "view"),
    _gauge("camera_frame_age_seconds", "Since the camera's last frame.", "view"),
    _gauge("camera_handoff_seconds", "How long the last frame took from the camera to the station.", "view"),
    _gauge("camera_resident_memory_bytes", "Memory of the camera's process.", "view"),
    _counter("clearances", "Clearances by outcome.", "outcome"),
    _counter("clearance_reasons", "Why clearances could not be believed.", "reason"),
    _histogram("clearance_duration_seconds", "From the request to the answer, releases by a person left out.", "outcome"),
    _counter("commands", "Commands by name and outcome.", "command", "outcome"),
    _states("trigger_status", "Whether somebody listens to this trigger.", TRIGGER_STATES, "trigger", "status"),
    _counter("triggers", "Triggers that came, by what became of them.", "trigger", "fate"),
    _gauge("trigger_latency_seconds", "How long the last trigger took from the line to the station.", "trigger"),
    _gauge("outputs_released", "1 while the release line is on."),
    _counter("outputs_guard_restarts", "Processes of the output lines' guard that were started after the first."),
    _gauge("opcua_serving", "1 while the OPC UA server answers."),
    _counter("opcua_restarts", "Processes of the OPC UA server that were started after the first."),
    _gauge("broker_connected", "1 while the broker is there."),
    _counter("broker_connections", "Connections to the broker since the start."),
    _gauge("broker_client_id_conflict", "1 while another client uses this station's client id."),
    _gauge("broker_refused_topics", "Topics that the broker does not take."),
    _counter("broker_answers_dropped", "Answers to commands that could not be sent."),
    _gauge("outbox_records", "What waits on the disk for the broker.", "kind"),
    _gauge("outbox_size_bytes", "How much that is."),
    _gauge("outbox_oldest_age_seconds", "For how long the oldest record has waited; 0 where nothing waits."),
    _gauge("outbox_readable", "0 while the outbox cannot be read."),
    _counter("outbox_dropped", "Records dropped unsent since the outbox's file was begun.", "kind"),
    _counter("outbox_refused", "Records that could never be sent, since the outbox's file was begun.", "kind"),
    _counter("outbox_damaged_files", "Outbox files that were found damaged and set aside."),
    _gauge("memory_records", "Records kept in the process where there is no broker."),
    _gauge("archive_results", "Results in the archive."),
    _gauge("archive_size_bytes", "Size of the archive."),
    _gauge("archive_free_bytes", "Free space on the archive's disk."),
    _gauge("archive_free_floor_bytes", "What is kept free there: below it evidence is deleted before its age."),
    _gauge("archive_writable", "0 while no evidence can be kept."),
    _gauge("archive_waiting_results", "Results in memory whose evidence waits to be written."),
    _gauge("archive_waiting_bytes", "How much that is."),
    _counter("archive_stored", "Results whose evidence was kept."),
    _counter("archive_missing", "Results whose evidence is missing for good."),
    _counter("archive_missing_clearances", "Those of them that belong to a clearance."),
    _counter("archive_purged", "Results whose evidence was deleted, by age or for room."),
    _counter("archive_overlays_failed", "Overlays that could not be drawn; the rest was kept."),
    _gauge("audit_entries", "Number of the last entry of the audit log."),
    _gauge("engine_call_seconds", "How long the engine's last call took.", "view"),
    _gauge("engine_first_after_idle_seconds", "The newest call after a pause of more than a second.", "view"),
    _gauge("engine_idle_seconds", "How long that pause was.", "view"),
    _gauge("engine_fallbacks", "Better engines of `auto` that could not be had.", "view"),
    _states("check_outcome", "What a timer beside the station found last.", CHECK_STATES, "check", "outcome"),
    _gauge("check_age_seconds", "Since that check ended.", "check"),
    _gauge("temperature_celsius", "Temperature of a zone of the machine.", "zone"),
    _gauge("machine_memory_bytes", "Memory of the machine."),
    _gauge("machine_memory_available_bytes", "Memory that the machine has left."),
    _gauge("disk_size_bytes", "Size of the disk of a folder.", "folder"),
    _gauge("disk_free_bytes", "What the station may still write there.", "folder"),
    Family("process_resident_memory_bytes", "gauge", "Memory of the station's own process."),
    Family("process_open_fds", "gauge", "Open descriptors."),
    Family("process_max_fds", "gauge", "How many may be open."),
    Family("process_threads", "gauge", "Threads."),
    Family("process_cpu_seconds_total", "counter", "Processor time since the start, camera processes left out."),
    Family("process_start_time_seconds", "gauge", "When the process started."),
)
FAMILIES: Final = {family.name: family for family in _ALL}
