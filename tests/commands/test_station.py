"""Every command on a real station: what it does, what it says, and what it leaves in the audit log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.audit import Action
from edge.publishers.base import RecordKind
from edge.recipe import ThresholdCard, load_recipe
from edge.types import Outcome
from tests.commands.conftest import SCORES
from tests.commands.parts import CLEAN, PAUSE, VIEWS, WAIT_S, message, running, settings, until
from tests.station_parts import THRESHOLD, Event, with_leftover

PERSON = {"who": "Kim", "why": "because"}
ORDER = {"batch": "B42", "product": "aspirin"}


def test_a_clearance_is_begun_and_answered(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        body = message("clearance", **ORDER, operator="Kim")
        rig.send("clearance", body)
        reply = rig.wait(body["request_id"])
        assert reply["status"] == "ok"
        assert (reply["result"]["kind"], reply["result"]["outcome"]) == ("answered", "CLEAR")
        begun, *_ = rig.replies(body["request_id"])
        assert (begun["status"], begun["result"]["kind"]) == ("progress", "begun")
        assert begun["result"]["result_id"] == reply["result"]["result_id"]
        assert sum(record.kind is RecordKind.CLEARANCE for record in rig.publisher.records) == 1
        # The same request once more: the same answer, nothing done.
        rig.send("clearance", body)
        assert rig.wait(body["request_id"], 2) == reply
        assert sum(record.kind is RecordKind.CLEARANCE for record in rig.publisher.records) == 1


def test_what_a_clearance_may_not_be_asked_for_is_said_by_its_own_rules(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        reply = rig.ask("clearance", batch="B42", product="..")
        assert (reply["status"], reply["error"]["code"]) == ("error", "refused")
        assert "product" in reply["error"]["message"]


def test_a_second_clearance_is_busy_and_can_be_cancelled(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path, events=[]) as rig:
        first = message("clearance", **ORDER)
        rig.send("clearance", first)
        busy = rig.ask("clearance", **ORDER)
        assert (busy["status"], busy["result"]["request_id"]) == ("busy", first["request_id"])
        assert rig.ask("state")["result"]["kind"] == "state"
        assert rig.ask("cancel", cancels="other", who="Kim")["result"]["cancelled"] is False
        assert rig.ask("cancel", cancels=first["request_id"], who="Kim")["result"]["cancelled"] is True
        assert rig.wait(first["request_id"])["result"]["outcome"] == "UNDECIDED"
        assert [entry.action for entry in rig.audited()] == [Action.COMMAND] * 2
        # A busy one was not done: the same request may be asked again.
        rig.send("clearance", message("clearance", **ORDER, request_id=busy["request_id"]))
        while not rig.ask("cancel", cancels=busy["request_id"], who="Kim")["result"]["cancelled"]:
            PAUSE.wait(0.01)
        assert rig.wait(busy["request_id"], 2)["result"]["outcome"] == "UNDECIDED"


def test_a_challenge_says_what_each_view_gave(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        reply = rig.ask("challenge", who="Kim")
        assert reply["status"] == "ok"
        assert reply["result"]["passed"] is False
        assert {view["reason"]["code"] for view in reply["result"]["views"]} == {"challenge_missing"}
        assert [(entry.action, entry.who) for entry in rig.audited()] == [(Action.CHALLENGE, "Kim")]


def test_changeover_and_reload(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        reply = rig.ask("recipe", product="ibuprofen", **PERSON)
        assert (reply["result"]["product"], reply["result"]["changed"]) == ("ibuprofen", True)
        assert rig.ask("state")["result"]["product"] == "ibuprofen"
        assert rig.ask("reload", **PERSON)["result"]["changed"] is False
        refused = rig.ask("recipe", product="zinc", **PERSON)
        assert refused["error"]["code"] == "refused"
        assert "front: has no recipe for product 'zinc'" in refused["error"]["message"]
        assert not rig.audited()
        assert "because (cmd/recipe r-" in rig.changed_over()[0].why


def test_what_cannot_be_audited_is_not_done(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        (tmp_path / "audit").write_text("a file where the folder belongs")
        for name, more in (
            ("recipe", {"product": "ibuprofen"}),
            ("threshold", {"view": "front", "image_threshold": 15.0}),
            ("mask", {"view": "front", "mask": "hose", "enabled": True}),
        ):
            reply = rig.ask(name, **more, **PERSON)
            assert reply["error"]["code"] == "refused"
            assert "cannot be written" in reply["error"]["message"]
        assert rig.ask("state")["result"]["product"] == "aspirin"
        assert load_recipe(recipes / "aspirin" / "front").version == 3


def test_a_threshold_within_its_band_is_in_force_at_once(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        before = load_recipe(recipes / "aspirin" / "front").card
        reply = rig.ask("threshold", view="front", image_threshold=15.0, **PERSON)
        result = reply["result"]
        assert (result["recipe_version"], result["image_threshold"], result["pixel_threshold"]) == (4, 15.0, THRESHOLD)
        assert result["image_band"] == {"low": SCORES[-1], "high": SCORES[-1] + (SCORES[-1] - SCORES[0])}
        (verdict,) = [future.result(WAIT_S) for future in rig.station.ask("front", 1, 5, None)]
        assert (verdict.judgement.threshold, verdict.origin.recipe_version) == (15.0, 4)
        card = load_recipe(recipes / "aspirin" / "front").card
        assert card is not None
        assert before is not None
        assert (card.who, card.why, card.before, card.method) == ("Kim", "because", before.sha256, "max")
        (entry,) = rig.audited()
        assert (entry.action, entry.who, entry.why) == (Action.THRESHOLD, "Kim", "because")
        assert (entry.before["image_threshold"], entry.after["image_threshold"]) == (THRESHOLD, 15.0)
        assert entry.after["client"] == "plc"


@pytest.mark.parametrize("value", [11.99, 22.01, -1.0, 1e300])
def test_a_threshold_outside_its_band_changes_nothing(recipes: Path, tmp_path: Path, value: float) -> None:
    with running(recipes, tmp_path) as rig:
        reply = rig.ask("threshold", view="front", image_threshold=value, **PERSON)
        assert "is outside 12 to 22" in reply["error"]["message"]
        assert load_recipe(recipes / "aspirin" / "front").version == 3
        assert not rig.audited()


def test_setting_again_and_again_leads_no_further(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        for _ in range(2):
            assert rig.ask("threshold", view="front", image_threshold=22.0, **PERSON)["status"] == "ok"
        assert rig.ask("threshold", view="front", image_threshold=22.1, **PERSON)["status"] == "error"
        assert rig.ask("threshold", view="front", image_threshold=THRESHOLD, **PERSON)["status"] == "ok"


def whole_card(recipes: Path, **changes: Any) -> dict[str, Any]:
    card = load_recipe(recipes / "aspirin" / "front").card
    assert card is not None
    fields = {**card.model_dump(by_alias=True, exclude={"sha256"}), "before": card.sha256, **changes}
    return ThresholdCard.sealed(**fields).model_dump(mode="json", by_alias=True)


def test_a_whole_card_comes_into_force_if_it_follows_and_fits(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        reply = rig.ask("threshold", view="front", card=whole_card(recipes, image_threshold=14.0), **PERSON)
        assert reply["result"]["image_threshold"] == 14.0
        for changes, named in (
            ({"image_threshold": 22.5}, "above 22"),
            ({"before": "0" * 64}, "does not follow"),
            ({"view": "back"}, "of view 'back'"),
        ):
            refused = rig.ask("threshold", view="front", card=whole_card(recipes, **changes), **PERSON)
            assert named in refused["error"]["message"]
        forged = {**whole_card(recipes), "image_threshold": 13.0}
        assert "changed after it was made" in rig.ask("threshold", view="front", card=forged, **PERSON)["error"]["message"]
        assert load_recipe(recipes / "aspirin" / "front").version == 4


def test_a_whole_card_needs_its_own_right(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path, settings(rights={"plc": ["technician"]})) as rig:
        denied = rig.ask("threshold", view="front", card=whole_card(recipes), **PERSON)
        assert "'card'" in denied["error"]["message"]
        assert rig.ask("threshold", view="front", image_threshold=13.0, **PERSON)["status"] == "ok"


def test_a_card_that_no_longer_fits_the_engine_is_put_back(recipes: Path, tmp_path: Path) -> None:
    engine = {"backend": "tensorrt", "version": "10", "device": "gpu", "precision": "float16"}
    with running(recipes, tmp_path) as rig:
        before = load_recipe(recipes / "aspirin" / "front").card
        refused = rig.ask("threshold", view="front", card=whole_card(recipes, engine=engine), **PERSON)
        assert "all is as it was" in refused["error"]["message"]
        assert load_recipe(recipes / "aspirin" / "front").card == before
        assert rig.why_not("front") == ""
        assert [entry.why for entry in rig.audited()] == ["because", "not put in force"]
        # Disk and station agree again, so the next change is taken.
        assert rig.ask("threshold", view="front", image_threshold=13.0, **PERSON)["status"] == "ok"


def test_a_threshold_waits_for_a_running_clearance_and_is_taken_afterwards(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path, events=[]) as rig:
        clearance = message("clearance", **ORDER)
        rig.send("clearance", clearance)
        until(lambda: bool(rig.replies(clearance["request_id"])))
        body = message("threshold", view="front", image_threshold=15.0, **PERSON)
        rig.send("threshold", body)
        assert rig.wait(body["request_id"])["status"] == "busy"
        assert rig.ask("cancel", cancels=clearance["request_id"], who="Kim")["result"]["cancelled"] is True
        rig.wait(clearance["request_id"])
        rig.send("threshold", {**body, "sent_at": message("threshold")["sent_at"]})
        assert rig.wait(body["request_id"], 2)["result"]["image_threshold"] == 15.0


def test_a_version_that_waits_on_the_disk_is_not_written_over(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        (recipes / "aspirin" / "front" / "current").write_text("0002\n")
        reply = rig.ask("threshold", view="front", image_threshold=13.0, **PERSON)
        assert "put it in force first: cmd/reload" in f"{reply['error']['message']}: {reply['error']['remedy']}"
        assert "there are front, back" in rig.ask("threshold", view="x", image_threshold=1.0, **PERSON)["error"]["remedy"]


def test_a_mask_makes_the_view_undecided_until_it_goes_back(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        reply = rig.ask("mask", view="front", mask="hose", enabled=True, **PERSON)
        assert reply["result"]["undecided"].startswith("card_stale: the masks changed")
        assert "switch 'hose' back" in reply["result"]["remedy"]
        assert (rig.why_not("front"), rig.why_not("back")) == ("card_stale", "")
        assert rig.station.ask("front", 1, 5, None)[0].result(WAIT_S).outcome is Outcome.UNDECIDED
        # Another view may still be changed meanwhile.
        assert rig.ask("threshold", view="back", image_threshold=15.0, **PERSON)["status"] == "ok"
        again = rig.ask("mask", view="front", mask="hose", enabled=True, **PERSON)["result"]
        assert (again["recipe_version"], again["undecided"][:10]) == (4, "card_stale")
        back = rig.ask("mask", view="front", mask="hose", enabled=False, **PERSON)["result"]
        assert (back["recipe_version"], back["undecided"], back["remedy"]) == (5, "", "")
        assert rig.station.ask("front", 1, 5, None)[0].result(WAIT_S).outcome is Outcome.PASS
        assert "there are hose" in rig.ask("mask", view="front", mask="x", enabled=True, **PERSON)["error"]["remedy"]
        assert [entry.action for entry in rig.audited()] == [Action.MASK, Action.THRESHOLD, Action.MASK]


def test_a_snapshot_shows_frame_and_overlay_of_its_verdict(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        result = rig.ask("snapshot", view="front")["result"]
        assert (result["outcome"], result["images"]) == ("PASS", ["view/front/image/frame", "view/front/image/overlay"])
        until(lambda: sum(record.kind is RecordKind.IMAGE for record in rig.publisher.records) == 2)
        pictures = [record for record in rig.publisher.records if record.kind is RecordKind.IMAGE]
        assert [record.topic for record in pictures] == result["images"]
        assert {record.result_id for record in pictures} == {result["result_id"]}
        assert all(record.blob.startswith(b"\xff\xd8\xff") for record in pictures)
        assert "there are front, back" in rig.ask("snapshot", view="x")["error"]["remedy"]


def test_a_view_without_frames_gives_a_snapshot_without_pictures(recipes: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("edge.commands.looking.SNAPSHOT_TIMEOUT_S", 0.1)
    with running(recipes, tmp_path, events=[]) as rig:
        result = rig.ask("snapshot", view="front")["result"]
        assert (result["outcome"], result["reason"]["code"], result["images"]) == ("UNDECIDED", "frame_timeout", [])


def test_a_false_alarm_is_released_only_after_a_look_and_with_the_right(recipes: Path, tmp_path: Path) -> None:
    leftover = Event(with_leftover(CLEAN.image))
    with running(recipes, tmp_path, settings(rights={**{"plc": ("releaser",)}, "mes": ("operator",)}), [leftover] * 50) as rig:
        answered = rig.ask("clearance", **ORDER)["result"]
        assert answered["outcome"] == "NOT_CLEAR"
        review = {"result_id": answered["result_id"], "views": list(VIEWS), "action": "false_alarm", **PERSON}
        assert "look at the live frame first" in rig.ask("review", **review)["error"]["message"]
        shown = {view: rig.ask("snapshot", view=view)["result"]["result_id"] for view in VIEWS}
        denied = rig.ask("review", **review, snapshots=shown, client="mes")
        assert (denied["error"]["code"], "'release'" in denied["error"]["message"]) == ("no_right", True)
        stranger = rig.ask("review", **{**review, "who": "Lee"}, snapshots=shown)
        assert "has not the right to release" in stranger["error"]["message"]
        released = rig.ask("review", **review, snapshots=shown)
        assert released["result"]["outcome"] == "RELEASED_BY"
        assert {entry.action for entry in rig.audited()} == {Action.OVERRIDE}


def test_the_archive_is_listed_within_limits(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        assert rig.ask("clearance", **ORDER)["status"] == "ok"
        until(lambda: rig.evidence.count() == 2)
        found = rig.ask("archive", view="front")["result"]
        assert [(entry["view"], entry["outcome"]) for entry in found["entries"]] == [("front", "PASS")]
        assert found["entries"][0]["files"] == ["document", "frame", "map", "overlay"]
        limited = rig.ask("archive", limit=1)["result"]
        assert (len(limited["entries"]), limited["more"]) == (1, True)
        assert rig.ask("archive", batch="none", kind="clearance", outcome="CLEAR")["result"]["entries"] == []
        past = rig.ask("archive", until="2025-01-01T00:00:00Z", since="2024-01-01T00:00:00+01:00")
        assert past["result"] == {"kind": "found", "entries": [], "more": False}


def test_the_state_is_said_as_it_is(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path) as rig:
        result = rig.ask("state")["result"]
        assert (result["product"], result["ready"], result["clearance"]) == ("aspirin", True, None)
        assert [(view["view"], view["recipe_version"]) for view in result["views"]] == [("front", 3), ("back", 3)]
        counted = rig.commands.values()
        assert counted["commands.state.ok"] == 1
        assert counted["station.instance"] == rig.commands.instance


def test_who_has_no_right_gets_none_and_nothing_is_done(recipes: Path, tmp_path: Path) -> None:
    with running(recipes, tmp_path, settings(rights=None)) as rig:
        for name, more in (
            ("threshold", {"view": "front", "image_threshold": 15.0}),
            ("mask", {"view": "front", "mask": "hose", "enabled": True}),
            ("reload", {}),
        ):
            assert rig.ask(name, **more, **PERSON)["error"]["code"] == "no_right"
        assert rig.ask("state")["status"] == "ok"
        assert not rig.audited()
    with running(recipes, tmp_path, settings(rights={})) as rig:
        assert rig.ask("state")["error"]["code"] == "no_right"
