"""`lineclear run` with a config that cannot be used: it comes up with the last good one, answers, and judges nothing."""

import json
import signal
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edge.app import Assembly, assemble
from edge.clearance import ClearanceRequest
from edge.config import load_config
from edge.loop import SwitchRefused
from edge.publishers.base import RecordKind
from edge.publishers.memory import MemoryPublisher
from edge.safe_mode import LastGood
from edge.types import ClearanceOutcome, Outcome, ReasonCode
from edge.watching import Watching
from tests.cli.running import process, station
from tests.schemas import validate_message
from tests.supervision.systemd import service
from tests.supervision.test_hanging import config, reasons

WHY = "station.yaml: line 3: broken"


def kept(path: Path) -> Path:
    """As if the station had run well with this config."""
    last_good = LastGood.of(path, {})
    last_good.save(load_config(path), datetime.now(timezone.utc))
    return last_good.path


def body(assembly: Assembly, topic: str) -> dict[str, Any]:
    publisher = assembly.publisher
    assert isinstance(publisher, MemoryPublisher)
    return next((dict(record.body) for record in reversed(publisher.records) if record.topic == topic), {})


def test_every_verdict_and_every_clearance_is_undecided_and_says_why(tmp_path: Path) -> None:
    path = station(tmp_path)
    with assemble(load_config(path), watching=Watching(safe_mode=WHY)) as assembly:
        (answer,) = assembly.station.ask("feeder", 1, 5, None)
        verdict = answer.result(30)
        late = assembly.station.ask("feeder", 1, 0, None)[0].result(30)
        clearance = assembly.clearances.run(ClearanceRequest("r1", "batch", "product", "operator"))
        with pytest.raises(SwitchRefused, match="line 3: broken"):
            assembly.changeover.select("aspirin", who="me", why="try")
        examined = assembly.station.examine("feeder", np.zeros((4, 4), np.uint8)).result(30)
        publisher = assembly.publisher
        assert isinstance(publisher, MemoryPublisher)
        while not body(assembly, "alarm/safe_mode") or not body(assembly, "health"):
            assembly.station.ask("feeder", 1, 5, None)[0].result(30)
        state, alarm, health = (body(assembly, topic) for topic in ("state", "alarm/safe_mode", "health"))
        for record in publisher.records:
            if record.kind is not RecordKind.IMAGE:
                text = json.dumps(record.body).encode() if record.body else b""
                validate_message(f"lineclear/s/a/l/b/{record.topic}", text)
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason is not None
    assert (verdict.reason.code, verdict.reason.detail) == (ReasonCode.SAFE_MODE, WHY)
    assert late.reason == verdict.reason, "also where no frame came in time: nothing of this station counts"
    assert clearance.outcome is ClearanceOutcome.UNDECIDED
    assert [view.reason.code for view in clearance.views if view.reason] == [ReasonCode.SAFE_MODE]
    assert not clearance.views[0].verdicts, "no frame was taken"
    assert (state["status"], state["reason"]) == ("safe_mode", WHY)
    assert [view["ready"] for view in state["views"]] == [False]
    assert alarm["text"] == WHY
    assert health["values"]["station.safe_mode"] is True
    assert examined.judgement.outcome is Outcome.UNDECIDED


def test_a_config_that_does_not_load_leaves_no_silent_box(tmp_path: Path) -> None:
    path = config(tmp_path)
    last_good = kept(path)
    good = path.read_text()
    path.write_text("views: {feeder: [\n")
    with service(path, tmp_path) as running:
        running.until(lambda: running.ready and "UNDECIDED" in running.status)
        assert running.status.startswith("safe_mode: ")
        assert "nothing is judged; mend the file and restart the station" in running.status
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
    assert set(reasons(tmp_path)) <= {"safe_mode", "stopped"}
    assert "safe_mode" in reasons(tmp_path)
    log = tmp_path / "state" / "audit"
    assert any("nothing is judged" in file.read_text() for file in log.rglob("*") if file.is_file())
    before = last_good.read_text()
    path.write_text(good)
    with service(path, tmp_path) as again:
        again.until(lambda: again.ready)
        assert again.status.startswith("ready")
    assert last_good.read_text() == before


def test_a_config_that_ran_well_is_kept_and_one_that_names_what_is_not_there_is_not(tmp_path: Path) -> None:
    path = config(tmp_path)
    last_good = LastGood.of(path, {"STATE_DIRECTORY": str(tmp_path)})
    with service(path, tmp_path, STATE_DIRECTORY=str(tmp_path)) as running:
        running.until(last_good.path.exists)
        path.write_text("garbage: [")
        running.until(lambda: "config_file what=" in running.logged)
        assert "safe mode" in running.logged
        assert running.status.startswith("ready"), "the running station goes on"
        running.process.send_signal(signal.SIGTERM)
        assert running.ended() == 0
    # It loads, but its broker's password is not there: that is no station either.
    config(tmp_path)
    path.write_text(path.read_text().replace("drain_s: 0", f"drain_s: 0\n  credentials_file: {tmp_path / 'none'}"))
    with service(path, tmp_path, STATE_DIRECTORY=str(tmp_path)) as fallen:
        fallen.until(lambda: fallen.ready)
        assert fallen.status.startswith("safe_mode")
    assert "credentials_file" not in last_good.path.read_text().replace('"credentials_file": null', "")


def test_without_a_last_good_config_it_says_so_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "station.yaml"
    path.write_text("station:\n\tsite: s\n")
    answer = process("run", path)
    assert (answer.status, answer.out) == (3, "")
    assert answer.problems == [
        f"lineclear: {path}: line 2: a tab in the indentation: indent with spaces",
        f"lineclear: there is no last good config to run in safe mode: none was kept in {path}.last-good",
    ]
    Path(f"{path}.last-good").write_text("{}")
    assert "is damaged" in process("run", path).problems[1]


def test_a_fault_that_the_last_good_config_has_too_is_no_safe_mode(tmp_path: Path) -> None:
    path = station(tmp_path, state_dir="/proc/state")
    kept(path)
    answer = process("run", path)
    assert answer.status == 3
    assert "/proc/state" in answer.problems[-1]
    assert "safe_mode" not in answer.err


def test_a_config_that_asks_for_a_gpu_that_is_not_there_is_safe_mode_as_long_as_another_ran_well(tmp_path: Path) -> None:
    path = config(tmp_path)
    kept(path)
    document = yaml.safe_load(path.read_text())
    document["station"]["station"], document["engine"] = "other", {"kind": "tensorrt"}
    path.write_text(yaml.safe_dump(document))
    assert load_config(path).engine.kind == "tensorrt"
    with service(path, tmp_path, CUDA_VISIBLE_DEVICES="") as running:
        running.until(lambda: running.ready and "UNDECIDED" in running.status)
        assert running.status.startswith("safe_mode: ")
        assert "it speaks as lineclear/s/a/l/b, not as lineclear/s/a/l/other" in running.logged
    assert set(reasons(tmp_path)) <= {"safe_mode", "stopped"}


def test_without_another_it_does_not_start_and_says_what_is_missing(tmp_path: Path) -> None:
    path = station(tmp_path, engine={"kind": "tensorrt"})
    answer = process("run", path)
    assert answer.status == 3
    assert "no last good config" in answer.problems[-1]
    kept(path)
    (alone,) = process("run", path).problems
    assert alone == answer.problems[0]
