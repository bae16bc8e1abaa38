"""A whole station in this process, with everything that it can show, and a reader of the page that it serves."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from edge.app import Assembly, assemble
from edge.config import load_config
from edge.supervision import Notifier, Pulses, Supervisor
from edge.watching import Watching
from tests.cli.running import RECIPE, simulated
from tests.mosquitto import free_port
from tests.supervision.test_supervisor import Fuse

ROOT = Path(__file__).resolve().parents[2]
OPS = ROOT / "docs" / "ops"
PATIENCE_S = 30.0
VIEW = "feeder"
Metrics = dict[str, Metric]


def config(folder: Path, port: int, broker: int | None = None, **changes: Any) -> Path:
    """One simulated camera that is asked 20 times a second; every part that has figures is there."""
    publisher = {"kind": "mqtt", "host": "127.0.0.1", "port": broker} if broker is not None else {"kind": "memory"}
    content: dict[str, Any] = {
        "station": {"site": "s", "area": "a", "line": "l", "station": "b"},
        "state_dir": str(folder / "state"),
        "publisher": publisher,
        "engine": {"kind": "onnxruntime", "threads": 1},
        "health": {"interval_s": 1, "prometheus_port": port},
        "views": {
            VIEW: {
                "recipe": str(RECIPE),
                "camera": simulated(trigger="software", rate_hz=50),
                "trigger": {"kind": "continuous", "interval_s": 0.05},
            }
        },
        "clearance": {"min_free_bytes": 0},
        "archive": {"min_free_bytes": 0},
        "outputs": {
            "chip": {"kind": "simulated", "path": str(folder / "lines")},
            "release": {"relay": {"line": 1}},
            "hold_s": 600,
        },
        "triggers": {"gate": {"kind": "gpio", "views": [VIEW], "chip": str(folder / "no-chip"), "line": 4}},
        "opcua": {"port": free_port()},
        **changes,
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@contextmanager
def running(path: Path) -> Iterator[Assembly]:
    """The station of this config, watched over as `lineclear run` does; no part of the process is ended by it."""
    stop = threading.Event()
    supervisor = Supervisor(Pulses(), Notifier("", None), Fuse(), exit_now=lambda _status: None)
    watching = Watching(supervisor, stop=stop)
    with supervisor, assemble(load_config(path), watching=watching) as assembly:
        yield assembly
        supervisor.stopping()


def scrape(port: int) -> str:
    """The page as Prometheus gets it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain")
        text: str = answer.read().decode()
    return text


def parsed(text: str) -> Metrics:
    """By the name of the family, `_total` left out."""
    return {metric.name: metric for metric in text_string_to_metric_families(text)}


def value(metrics: Metrics, sample: str, **labels: str) -> float:
    """The one sample of this name with these labels."""
    found = [
        each.value
        for metric in metrics.values()
        for each in metric.samples
        if each.name == sample and labels.items() <= each.labels.items()
    ]
    assert len(found) == 1, (sample, labels, found)
    return float(found[0])


def scraped_until(port: int, condition: Callable[[Metrics], bool]) -> Metrics:
    """Scrape until it is so."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        metrics = parsed(scrape(port))
        if condition(metrics):
            return metrics
        assert time.monotonic() < deadline, scrape(port)
        threading.Event().wait(0.1)


def promtool(*arguments: str | Path, text: str = "", cwd: Path | None = None) -> str:
    """What promtool says; it must be content."""
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not on this machine: apt-get install prometheus")
    done = subprocess.run([tool, *map(str, arguments)], input=text, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
