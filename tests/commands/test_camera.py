"""The command `camera` on a whole station, with a camera in a process of its own."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.station import setting
from edge.app import assemble
from edge.archive import ArchiveReader
from edge.audit import AuditError
from edge.cameras.adjustments import FILE, Adjustments, in_force
from edge.cameras.supervision import CameraState
from edge.cli.validate import _what
from edge.commands import adjusting
from edge.commands.adjusting import Renewable
from edge.config import ViewConfig, load_config
from edge.errors import ConfigError
from edge.settings.adjustable import UNITS, value_problems
from edge.settings.cameras import hash_of_camera
from edge.settings.simulated import SimulatedSettings
from edge.types import Outcome, Verdict
from tests.commands.parts import message, until
from tests.commands.seen import CAMERA, LIMITS, Sight, code_of, seeing, write_station


def test_half_the_exposure_makes_the_card_stale_and_back_makes_it_fit(tmp_path: Path) -> None:
    with seeing(write_station(tmp_path)) as sight:
        before = sight.judge()
        assert code_of(before) == "PASS"
        reply = sight.set({"exposure_us": 5000})
        result = reply["result"]
        assert (reply["status"], result["settings"]) == ("ok", {"exposure_us": 5000, "gain_db": 0})
        assert result["adjusted"] == {"exposure_us": 5000}
        assert result["undecided"].startswith("card_stale")
        assert "set the camera back" in result["remedy"]
        dark = sight.judge()
        assert code_of(dark) == "card_stale"
        assert dark.mean == pytest.approx(before.mean / 2, rel=0.05)
        (view,) = sight.ask("state")["result"]["views"]
        assert view["camera_adjusted"] == {"exposure_us": 5000}
        until(lambda: _said(sight)["cameraAdjusted"] == {"exposure_us": 5000})

        more = sight.set({"gain_db": 6})["result"]
        assert more["adjusted"] == {"exposure_us": 5000, "gain_db": 6}, "what is not named stays"
        assert sight.judge().mean == pytest.approx(before.mean, rel=0.05)

        back = sight.set({"exposure_us": 10_000, "gain_db": 0})["result"]
        assert (back["adjusted"], back["undecided"], back["remedy"]) == ({}, "", "")
        assert code_of(sight.judge()) == "PASS"
        assert [(entry.who, entry.subject, entry.why) for entry in sight.audited()] == [("Kim", "front", "a new lamp")] * 3
        first = sight.audited()[0]
        assert first.before == {"exposure_us": 10_000, "gain_db": 0}
        assert {"exposure_us": 5000, "gain_db": 0, "in_config": False}.items() <= first.after.items()
        assert not Adjustments(sight.config).read().views


def _said(sight: Sight) -> dict[str, Any]:
    states = [each for each in sight.publisher.records if each.topic == "state"]
    view: dict[str, Any] = states[-1].body["views"][0]
    return view


def test_it_holds_over_a_restart_and_everybody_counts_with_it(tmp_path: Path) -> None:
    path = write_station(tmp_path)
    with seeing(path) as sight:
        sight.set({"exposure_us": 4000})
    config = load_config(path)
    dark = config.views["front"].camera.model_copy(update={"exposure_us": 4000.0})
    assert in_force(config).views["front"].camera == dark
    place = setting(path, None, "test")
    assert place.camera_hash(tmp_path / "recipe") == hash_of_camera(dark) != hash_of_camera(config.views["front"].camera)
    assert "camera of front not as in the file" in _what(path)
    with seeing(path) as sight:
        assert code_of(sight.judge()) == "card_stale"
        assert sight.ask("state")["result"]["views"][0]["camera_adjusted"] == {"exposure_us": 4000}
        assert sight.set(None)["result"]["undecided"] == ""
        assert code_of(sight.judge()) == "PASS"
    with seeing(path) as sight:
        assert code_of(sight.judge()) == "PASS"
    assert "not as in the file" not in _what(path)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"exposure_us": 20_001}, "exposure_us: 20001 lies outside 1000 to 20000 µs"),
        ({"exposure_us": 5000, "gain_db": -1}, "gain_db: -1 lies outside 0 to 6 dB"),
    ],
)
def test_outside_its_limits_nothing_is_done(tmp_path: Path, settings: dict[str, float], why: str) -> None:
    with seeing(write_station(tmp_path)) as sight:
        error = sight.set(settings)["error"]
        assert (error["code"], error["problems"]) == ("refused", [why])
        assert sight.set({"exposure_us": 10_000})["status"] == "ok", "as it is already: nothing to do"
        assert sight.ask("camera", view="back", settings=None, who="Kim", why="w")["error"]["code"] == "refused"
        assert not sight.audited()
        assert sight.station.views["front"].camera.state.restarts == 0  # type: ignore[attr-defined]
        assert code_of(sight.judge()) == "PASS"


def test_what_is_not_adjustable_is_refused_by_name(tmp_path: Path) -> None:
    with seeing(write_station(tmp_path, view={"adjustable": {"gain_db": [0, 6]}})) as sight:
        assert "exposure_us may not be set here: gain_db may" in sight.set({"exposure_us": 5000})["error"]["message"]


def test_under_triggers_each_gets_one_verdict_and_none_passes_with_other_settings(tmp_path: Path) -> None:
    """The card's threshold lets every frame pass: only that it is stale stands between a dark frame and a PASS."""
    with seeing(write_station(tmp_path)) as sight:
        bright = sight.judge().mean
        assert bright is not None
        answers: list[Future[Verdict]] = []
        for settings in ({"exposure_us": 2000}, None, {"gain_db": 6}, None):
            body = _order(settings)
            sight.send("camera", body)
            while not [each for each in sight.replies(body["request_id"]) if each["status"] != "progress"]:
                answers += sight.station.ask("front", 3, 20.0, None)
                answers[-1].result(30)
        verdicts = [answer.result(30) for answer in answers]
        until(lambda: len(sight.shown) == len(answers) + 1)
        assert len({verdict.result_id for verdict in verdicts}) == len(verdicts)
        assert len({verdict.origin.trigger for verdict in verdicts}) == len(verdicts)
        passed = [each.mean for each in sight.shown if each.verdict.outcome is Outcome.PASS]
        assert len(passed) > 1
        assert all(mean == pytest.approx(bright, rel=0.05) for mean in passed)
        reasons = {code_of(each) for each in sight.shown}
        assert reasons <= {"PASS", "card_stale", "camera_lost", "overrun"}, reasons
        assert {"PASS", "card_stale"} <= reasons


def _order(settings: dict[str, float] | None) -> dict[str, Any]:
    return message("camera", view="front", settings=settings, who="Kim", why="w")


def test_a_trigger_that_meets_the_restart_is_given_again(tmp_path: Path) -> None:
    """A software trigger that the process before has taken with it."""
    with seeing(write_station(tmp_path, camera={"trigger": "software"})) as sight:
        assert code_of(sight.judge()) == "PASS"
        renewed = sight.station.views["front"].camera.renew(sight.config.views["front"].camera)  # type: ignore[attr-defined]
        shown = sight.judge()
        assert renewed.result(20) > 0
        assert code_of(shown) == "PASS"
        assert sight.set({"exposure_us": 5000})["result"]["undecided"].startswith("card_stale")


def test_a_camera_that_refuses_is_set_as_it_was(tmp_path: Path) -> None:
    fault = {"kind": "refused", "life": 1, "probability": 1}
    with seeing(write_station(tmp_path, camera={"faults": [fault]})) as sight:
        error = sight.set({"exposure_us": 5000})["error"]
        assert error["code"] == "refused"
        assert "is set as it was" in error["message"]
        assert "refuses its settings" in error["message"]
        until(lambda: sight.station.views["front"].camera.state.status == "live")  # type: ignore[attr-defined]
        assert code_of(sight.judge()) == "PASS"
        assert [entry.why for entry in sight.audited()] == ["a new lamp", "not put in force"]
        assert not (Path(sight.config.state_dir) / FILE).exists()
        assert sight.set({"exposure_us": 5000})["status"] == "ok"


def test_what_cannot_be_kept_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise ConfigError("cannot be written (No space left on device)", where="camera-settings.json")

    with seeing(write_station(tmp_path)) as sight:
        monkeypatch.setattr(Adjustments, "keep", full)
        assert "No space left" in sight.set({"exposure_us": 5000})["error"]["message"]
        until(lambda: sight.station.views["front"].camera.state.status == "live")  # type: ignore[attr-defined]
        assert code_of(sight.judge()) == "PASS"


def test_what_cannot_be_audited_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise AuditError("cannot be written")

    with seeing(write_station(tmp_path)) as sight:
        monkeypatch.setattr("edge.audit.AuditLog.append", full)
        assert sight.set({"exposure_us": 5000})["error"]["code"] == "refused"
        assert sight.station.views["front"].camera.state.restarts == 0  # type: ignore[attr-defined]


class Deaf:
    """A camera whose thread never comes by."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    @property
    def state(self) -> CameraState:
        state: CameraState = self._inner.state
        return state

    def renew(self, _settings: object) -> Future[int]:
        return Future()


def test_a_camera_whose_thread_does_not_come_by_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adjusting, "ENDING_S", 0.05)
    with seeing(write_station(tmp_path)) as sight:
        view = sight.station.views["front"]
        real, view.camera = view.camera, Deaf(view.camera)  # type: ignore[assignment]
        assert isinstance(view.camera, Renewable)
        assert "does not come by" in sight.set({"exposure_us": 5000})["error"]["message"]
        assert view.frames_from_ns == 0
        view.camera = real
        assert code_of(sight.judge()) == "PASS"


def test_a_lost_camera_is_mended_before_it_is_set(tmp_path: Path) -> None:
    lost = {"kind": "lost", "frames": [0], "length": 10**6}
    path = write_station(tmp_path, camera={"faults": [lost]}, view={"process": {"retry_first_s": 60, "retry_last_s": 60}})
    config = load_config(path)
    with assemble(config) as assembly:
        sight = Sight(assembly, config)
        until(lambda: sight.station.views["front"].camera.state.status == "lost")  # type: ignore[attr-defined]
        assert "is lost" in sight.set({"exposure_us": 5000})["error"]["message"]
        assert not sight.audited()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"camera": {"gain_db": 1}}, "the config says something else"),
        ({"view": {"adjustable": {"exposure_us": [6000, 20_000]}}}, "5000 lies outside 6000"),
        ({"view": {"adjustable": {}}}, "exposure_us may not be set here: nothing of this camera may"),
    ],
)
def test_what_was_kept_counts_only_with_the_config_that_it_was_set_with(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    with seeing(write_station(tmp_path)) as sight:
        sight.set({"exposure_us": 5000})
    path = write_station(tmp_path, **changes)
    config = load_config(path)
    assert in_force(config) == config
    (problem,) = Adjustments(config).read().problems
    assert why in problem
    with pytest.raises(ConfigError, match="is not sound"):
        _what(path)
    with seeing(path) as sight:
        until(lambda: bool(_alarm(sight)))
        assert why in _alarm(sight)
        assert sight.set(None)["status"] == "ok"
        until(lambda: not _alarm(sight))
    assert not Adjustments(config).read().problems


def _alarm(sight: Sight) -> str:
    found = [each.body for each in sight.publisher.records if each.topic == "alarm/camera_settings"]
    return str(found[-1].get("text", "")) if found else ""


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other"}', '{"views": {"front": {}}}'])
def test_a_damaged_file_does_not_count(tmp_path: Path, text: str) -> None:
    config = load_config(write_station(tmp_path))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / FILE).write_text(text)
    found = Adjustments(config).read()
    assert not found.views
    assert len(found.problems) == 1
    assert "as in the config" in found.problems[0]
    assert in_force(config) == config


def test_a_view_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    config = load_config(write_station(tmp_path))
    (tmp_path / "state").mkdir()
    gone = {"values": {"gain_db": 1}, "camera": "x", "who": "Kim", "why": "w", "at": "2026-11-22T04:05:06Z"}
    (tmp_path / "state" / FILE).write_text(json.dumps({"schema": "lineclear/camera-settings/1", "views": {"back": gone}}))
    assert "there is no such view any more" in Adjustments(config).read().problems[0]


@pytest.mark.parametrize(
    ("camera", "limits", "why"),
    [
        ({"kind": "folder", "path": "x"}, {"exposure_us": [1, 2]}, "a camera of kind folder has no such setting"),
        (CAMERA, {"exposure_us": [20_000, 1000]}, "write the lower limit first"),
        (CAMERA, {"exposure_us": [0, 20_000]}, "write a lower limit above 0"),
        ({**CAMERA, "gain_db": None}, {"gain_db": [0, 6]}, "the camera's own is missing"),
        (CAMERA, {"gain_db": [1, 6]}, "the camera's own 0 lies outside 1 to 6"),
        (CAMERA, {"focus": [1, 6]}, "is nothing of a camera that can be adjusted"),
        (CAMERA, {"gain_db": [0, float("nan")]}, "finite"),
        ({"kind": "genicam", "serial": "1"}, {"exposure_us": [1000, 2000]}, "the camera's own is missing"),
    ],
)
def test_limits_that_do_not_fit_are_refused_in_words(camera: dict[str, Any], limits: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ViewConfig.model_validate({"camera": camera, "recipe": "r", "adjustable": limits})


@given(st.sampled_from(sorted(UNITS)), st.floats(-1e9, 1e9), st.floats(0, 1e9), st.floats())
def test_a_value_may_be_set_exactly_where_it_lies_within_its_limits(name: str, low: float, span: float, value: float) -> None:
    high = low + span
    assert (not list(value_problems({name: (low, high)}, {name: value}))) == (low <= value <= high)


@given(st.floats(1, 1e6), st.floats(-40, 40))
def test_brightness_follows_exposure_and_gain(exposure_us: float, gain_db: float) -> None:
    one = SimulatedSettings(exposure_us=exposure_us, gain_db=gain_db)
    assert one.brightness == pytest.approx(exposure_us / 1e4 * 10 ** (gain_db / 20))
    assert hash_of_camera(one) != hash_of_camera(SimulatedSettings())
    assert SimulatedSettings().brightness == 1.0


def test_the_hash_of_cameras_from_before_there_was_an_exposure_is_the_same() -> None:
    """Cards are older than these keys; written down before there were any."""
    old = "0f46296eaee7cb45c741b6bd7ad9d136bde5adb90ff1b654f852333f54d92181"
    assert hash_of_camera(SimulatedSettings()) == old
    assert hash_of_camera(SimulatedSettings(exposure_us=10_000)) != old
    assert LIMITS.keys() == UNITS.keys()


def test_a_snapshot_that_is_to_be_kept_is_in_the_archive_lossless_though_it_passes(tmp_path: Path) -> None:
    with seeing(write_station(tmp_path, archive={"min_free_bytes": 0, "pass_share": 0})) as sight:
        reader = ArchiveReader(tmp_path / "state" / "archive")
        plain = sight.ask("snapshot", view="front")["result"]
        kept = sight.ask("snapshot", view="front", keep=True)["result"]
        assert kept["outcome"] == "PASS"
        until(lambda: reader.get(kept["result_id"]) is not None)
        entry = reader.get(kept["result_id"])
        assert entry is not None
        assert reader.frame(entry).shape == (180, 240, 3)
        assert reader.get(plain["result_id"]) is None
