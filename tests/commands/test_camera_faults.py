"""The command `camera` when things break: what is kept damaged or changed by hand, a station killed between two steps,
two who ask at once. After each: the old settings or the new ones, and no PASS of a card for others.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from edge.audit import Action, AuditLog, entries
from edge.cameras import adjustments
from edge.cameras.adjustments import FILE, Adjusted, Adjustments, in_force
from edge.cameras.supervision import SupervisedCamera
from edge.commands.adjusting import _Setting
from edge.config import load_config
from edge.durable import PREFIX
from edge.errors import ConfigError
from edge.settings.cameras import hash_of_camera
from edge.types import Outcome, Verdict
from tests.cli.running import ROOT
from tests.commands.parts import message, until
from tests.commands.seen import LIMITS, Sight, code_of, seeing, write_station

DARK, BRIGHT = 5000.0, 10_000.0


def kept(path: Path, **changes: Any) -> dict[str, Any]:
    """What the file holds after the exposure was halved."""
    camera = load_config(path).views["front"].camera
    entry = {
        "values": {"exposure_us": DARK}, "camera": hash_of_camera(camera), "who": "Kim", "why": "w",
        "at": "2026-11-22T04:05:06Z", **changes,
    }  # fmt: skip
    return {"schema": "lineclear/camera-settings/1", "views": {"front": entry}}


def write_kept(path: Path, body: Any) -> Path:
    file = path.parent / "state" / FILE
    file.parent.mkdir(exist_ok=True)
    file.write_text(body if isinstance(body, str) else json.dumps(body))
    return file


def is_sound(sight: Sight) -> float:
    """Judges once: a PASS is of a frame as the card knows it, anything else is card_stale. Returns how bright it was."""
    shown = sight.judge()
    assert shown.mean is not None
    exposure = sight.ask("state")["result"]["views"][0]["camera_adjusted"].get("exposure_us", BRIGHT)
    assert code_of(shown) == ("PASS" if exposure == BRIGHT else "card_stale")
    return shown.mean


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"values": {"exposure_us": 999}}, "999 lies outside 1000 to 20000"),
        ({"values": {"exposure_us": 20_001}}, "20001 lies outside"),
        ({"values": {"exposure_us": -5000}}, "lies outside"),
        ({"values": {"gain_db": 3, "exposure_us": 1e300}}, "lies outside"),
        ({"values": {}}, "values"),
        ({"values": {"exposure_us": "5000 us"}}, "exposure_us"),
        ({"values": {"size_wh": 3}}, "size_wh"),
        ({"camera": "0" * 64}, "the config says something else"),
        ({"at": "yesterday"}, "at"),
        ({"more": 1}, "more"),
    ],
)
def test_what_somebody_wrote_by_hand_counts_only_within_the_limits(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    path = write_station(tmp_path)
    write_kept(path, kept(path, **changes))
    config = load_config(path)
    assert in_force(config) == config
    (problem,) = Adjustments(config).read().problems
    assert why in problem


def test_after_the_limits_were_narrowed_the_camera_runs_as_in_the_config(tmp_path: Path) -> None:
    path = write_station(tmp_path)
    write_kept(path, kept(path))
    with seeing(path) as sight:
        dark = sight.judge()
        assert code_of(dark) == "card_stale", "by hand, within the limits: it counts, and its frames do not pass"
    with seeing(write_station(tmp_path, view={"adjustable": {**LIMITS, "exposure_us": [6000, 20_000]}})) as sight:
        shown = sight.judge()
        assert code_of(shown) == "PASS"
        assert shown.mean == pytest.approx(2 * (dark.mean or 0), rel=0.05)


def alarm_of(sight: Sight) -> str:
    found = [each.body for each in sight.publisher.records if each.topic == "alarm/camera_settings"]
    return str(found[-1].get("text", "")) if found else ""


@pytest.mark.parametrize("kind", ["damaged", "a view that is gone"])
def test_what_the_alarm_says_helps_does_help(tmp_path: Path, kind: str) -> None:
    """Its remedy: adjust the camera again, or send cmd/camera with settings null."""
    path = write_station(tmp_path)
    file = write_kept(path, "{" if kind == "damaged" else {**kept(path), "views": {"back": kept(path)["views"]["front"]}})
    with seeing(path) as sight:
        until(lambda: bool(alarm_of(sight)))
        assert "settings null" in alarm_of(sight)
        assert code_of(sight.judge()) == "PASS", "as in the config"
        assert sight.set(None)["status"] == "ok"
        until(lambda: not alarm_of(sight))
        assert code_of(sight.judge()) == "PASS"
    assert json.loads(file.read_text())["views"] == {}


def test_setting_one_view_does_not_hide_that_another_runs_other_than_it_was_set(tmp_path: Path) -> None:
    path = write_station(tmp_path)
    config = load_config(path)
    two = config.model_copy(update={"views": {**config.views, "back": config.views["front"]}})
    entry = kept(path)["views"]["front"]
    write_kept(path, {**kept(path), "views": {"back": {**entry, "camera": "of before"}}})
    file = Adjustments(two)
    assert [problem.partition(":")[0] for problem in file.read().problems] == ["back"]
    file.keep("front", Adjusted.model_validate(entry))
    assert list(file.read().views) == ["front"]
    assert [problem.partition(":")[0] for problem in file.read().problems] == ["back"], "nobody has looked at it yet"
    file.keep("back", None)
    assert not file.read().problems


@pytest.mark.parametrize("obstacle", ["folder", "link into nothing", "unreadable bytes", "huge"])
def test_a_file_that_is_none_does_not_stop_the_station(tmp_path: Path, obstacle: str) -> None:
    path = write_station(tmp_path)
    file = path.parent / "state" / FILE
    file.parent.mkdir()
    if obstacle == "folder":
        file.mkdir()
    elif obstacle == "link into nothing":
        file.symlink_to(tmp_path / "nothing")
    else:
        file.write_bytes(b"\xff\xfe\x00" if obstacle == "unreadable bytes" else b'{"views": "' + b"x" * 40_000_000)
    config = load_config(path)
    assert in_force(config) == config
    found = Adjustments(config).read()
    assert not found.views
    assert bool(found.problems) == (obstacle != "link into nothing")


STEPS: tuple[tuple[Any, str], ...] = (
    (AuditLog, "append"),
    (SupervisedCamera, "renew"),
    (Adjustments, "keep"),
    (adjustments, "replace_file"),
    (_Setting, "_told"),
)
NEW = {"replace_file after", "keep after", "_told before", "_told after"}
OLD = {"append before", "append after", "renew before", "renew after", "keep before", "replace_file before"}


def copying(state: Path, owner: Any, name: str, cuts: Path) -> Callable[..., Any]:
    """The step, with the disk copied before and after it as a power cut at that moment would leave it."""
    real: Callable[..., Any] = getattr(owner, name)

    def copy(when: str) -> None:
        if not (cuts / f"{name} {when}").exists():
            shutil.copytree(state, cuts / f"{name} {when}")

    def step(*args: Any, **kwargs: Any) -> Any:
        copy("before")
        answer = real(*args, **kwargs)
        copy("after")
        return answer

    return step


def test_a_station_that_dies_between_two_steps_comes_back_with_old_or_new_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cuts, state = write_station(tmp_path), tmp_path / "cuts", tmp_path / "state"
    with seeing(path) as sight:
        bright = is_sound(sight)
        with monkeypatch.context() as patched:
            for owner, name in STEPS:
                patched.setattr(owner, name, copying(state, owner, name, cuts))
            assert sight.set({"exposure_us": DARK})["status"] == "ok"
    config = load_config(path)
    assert {cut.name for cut in cuts.iterdir()} == OLD | NEW
    for cut in cuts.iterdir():
        died = config.model_copy(update={"state_dir": cut})
        assert not Adjustments(died).read().problems, cut.name
        exposure = in_force(died).views["front"].camera.exposure_us  # type: ignore[union-attr]
        assert exposure == (DARK if cut.name in NEW else BRIGHT), cut.name
        audited = [entry.why for entry in entries(cut / "audit") if entry.action is Action.CAMERA]
        assert audited == ([] if cut.name == "append before" else ["a new lamp"]), "who is asked is known before it is done"
    for name, mean in (("renew after", bright), ("replace_file after", bright / 2)):
        shutil.rmtree(state)
        (cuts / name).rename(state)
        with seeing(path) as sight:
            assert is_sound(sight) == pytest.approx(mean, rel=0.05)


WRITER = """
import sys
from pathlib import Path
from edge.cameras.adjustments import Adjusted, Adjustments
from edge.config import load_config
from edge.settings.cameras import hash_of_camera
config = load_config(Path(sys.argv[1]))
file, camera = Adjustments(config), hash_of_camera(config.views["front"].camera)
for number in range(10**6):
    if number == 5:
        print("on", flush=True)
    values = {"exposure_us": 2000.0 + number % 7000}
    file.keep("front", Adjusted(values=values, camera=camera, who="Kim", why="w" * 500, at="2026-11-22T04:05:06Z"))
"""


def test_a_writer_that_is_killed_leaves_the_file_whole(tmp_path: Path) -> None:
    path = write_station(tmp_path)
    (tmp_path / "state").mkdir()
    config = load_config(path)
    for _ in range(2):
        running = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert running.stdout is not None
        try:
            with running.stdout:
                assert running.stdout.readline() == "on\n"
        finally:
            running.send_signal(signal.SIGKILL)
            running.wait(20)
        found = Adjustments(config).read()
        assert not found.problems
        assert 2000 <= found.views["front"].values["exposure_us"] < 9000
    left = list((tmp_path / "state").glob(f"{PREFIX}*"))
    assert len(left) <= 2


def test_two_who_ask_at_once_are_done_one_after_the_other(tmp_path: Path) -> None:
    with seeing(write_station(tmp_path)) as sight:
        bright = is_sound(sight)
        bodies = [
            message("camera", client="plc", view="front", settings={"exposure_us": wanted}, who="Kim", why="w")
            for wanted in (2000.0, 4000.0)
        ]
        for body in bodies:
            sight.send("camera", body)
        replies = [sight.wait(body["request_id"]) for body in bodies]
        assert {reply["status"] for reply in replies} <= {"ok", "busy"}
        done = [reply["result"]["settings"]["exposure_us"] for reply in replies if reply["status"] == "ok"]
        assert done
        asked = {body["request_id"]: body["settings"]["exposure_us"] for body in bodies}
        assert all(
            reply["result"]["settings"]["exposure_us"] == asked[reply["request_id"]] for reply in replies if reply["result"]
        )
        assert Adjustments(sight.config).read().views["front"].values == {"exposure_us": done[-1]}
        assert is_sound(sight) == pytest.approx(bright * done[-1] / BRIGHT, rel=0.05)
        assert len(sight.audited()) == len(done)


def test_a_camera_that_refuses_under_triggers_leaves_one_verdict_each_and_the_old_settings(tmp_path: Path) -> None:
    fault = {"kind": "refused", "life": 1, "probability": 1}
    with seeing(write_station(tmp_path, camera={"faults": [fault]})) as sight:
        bright = is_sound(sight)
        body = message("camera", view="front", settings={"exposure_us": DARK}, who="Kim", why="w")
        sight.send("camera", body)
        answers: list[Future[Verdict]] = []
        while not [each for each in sight.replies(body["request_id"]) if each["status"] != "progress"]:
            answers += sight.station.ask("front", 2, 20.0, None)
            answers[-1].result(30)
        verdicts = [answer.result(30) for answer in answers]
        assert sight.wait(body["request_id"])["error"]["code"] == "refused"
        until(lambda: len(sight.shown) == len(answers) + 1)
        assert len({verdict.origin.trigger for verdict in verdicts}) == len(verdicts)
        passed = [each.mean for each in sight.shown if each.verdict.outcome is Outcome.PASS]
        assert all(mean == pytest.approx(bright, rel=0.05) for mean in passed)
        assert {code_of(each) for each in sight.shown} <= {"PASS", "camera_lost", "overrun"}
        until(lambda: sight.station.views["front"].camera.state.status == "live")  # type: ignore[attr-defined]
        assert is_sound(sight) == pytest.approx(bright, rel=0.05)


def test_a_disk_that_is_full_says_so_and_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_station(tmp_path)
    before = write_kept(path, kept(path)).read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        Adjustments(load_config(path)).keep("front", None)
    assert (tmp_path / "state" / FILE).read_bytes() == before
    assert [each.name for each in (tmp_path / "state").iterdir()] == [FILE]
