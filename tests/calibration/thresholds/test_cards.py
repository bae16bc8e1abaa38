import json

import pytest

from calibration.cards import card_of, diff, history, restore
from calibration.trace import Signature
from edge.errors import RecipeError
from edge.recipe import load_recipe, save, versions
from edge.settings.judging import MaskPolygon
from tests.calibration.thresholds.running import run
from tests.recipe.builders import bundle, card, content, with_card

SIGNATURE = Signature(who="B. Huber", why="lamp went back")
OTHER = MaskPolygon(name="arm", points=((0.2, 0.2), (0.5, 0.1), (0.5, 0.6)))


@pytest.fixture
def recipe(tmp_path):
    """1: no card; 2: a card; 3: other masks, the same card; 4: a card of more frames and a higher threshold."""
    made, path = bundle(tmp_path), tmp_path / "front"
    with_card(path, made)
    first = load_recipe(path).card
    save(path, content(made, masks=(OTHER,), card=first))
    changes = {"image_threshold": 1.5, "why": "new lamp", "before": first.sha256, "parameters": {"margin": 2.0}}
    frames = {"frames": 6, "scores": (0.1, 0.3, 0.5, 0.7, 0.9, 1.0), "frame_sha256": tuple(f"{i:064x}" for i in range(1, 7))}
    save(path, content(made, masks=(OTHER,), card=card(load_recipe(path).hashes, **changes, **frames)))
    return path


def test_history_tells_who_when_why_and_which_card(recipe):
    first, second, third, fourth = history(recipe)
    assert [entry.version for entry in (first, second, third, fourth)] == [1, 2, 3, 4]
    assert [entry.in_force for entry in (first, second, third, fourth)] == [False, False, False, True]
    assert first.card is None
    assert (second.card.sha256, second.takes_over) == (third.card.sha256, True)
    assert not third.takes_over
    assert (fourth.card.image_threshold, fourth.takes_over, fourth.who) == (1.5, True, "A. Technician")
    assert {entry.problem for entry in history(recipe)} == {""}


def test_history_needs_no_bundle_and_lists_what_is_damaged(recipe):
    for folder in (recipe / "bundles").iterdir():
        folder.rename(folder.with_name(".gone"))
    (recipe / "versions" / "0003" / "recipe.yaml").write_text("schema: 1\nview: [")
    file = recipe / "versions" / "0004" / "card.json"
    file.write_text(file.read_text().replace('"image_threshold": 1.5', '"image_threshold": 15'))
    found = history(recipe)
    assert [bool(entry.problem) for entry in found] == [False, False, True, True]
    assert "changed after it was made" in found[3].problem


def test_a_card_from_elsewhere_breaks_the_chain(recipe, tmp_path):
    made, hashes = bundle(tmp_path), load_recipe(recipe).hashes
    save(recipe, content(made, card=card(hashes, why="a stranger", before="f" * 64)))
    assert "never had" in history(recipe)[-1].problem
    save(recipe, content(made, card=card(hashes, why="from nothing")))
    assert "never had" in history(recipe)[-1].problem


def test_diff_names_every_value_and_counts_the_frames(recipe):
    found = diff(recipe, 2, 4)
    changes = {change.key: (change.before, change.after) for change in found.changes}
    assert changes["image_threshold"] == (0.9, 1.5)
    assert changes["parameters.margin"] == (0.0, 2.0)
    assert changes["frames"] == (5, 6)
    assert changes["why"] == ("first thresholds", "new lamp")
    assert changes["hashes.masks"][0] != changes["hashes.masks"][1]
    assert not {"scores", "frame_sha256", "view"} & set(changes)
    assert (found.common, found.gone, found.new) == (4, 1, 2)
    assert diff(recipe, 2, 3).changes == ()


def test_a_version_without_a_card_or_none_at_all_is_refused(recipe, tmp_path):
    with pytest.raises(RecipeError, match="version 0001 has no threshold card"):
        diff(recipe, 1, 4)
    with pytest.raises(RecipeError, match="has no version 9: there are 0001, 0002, 0003, 0004"):
        card_of(recipe, 9)
    with pytest.raises(RecipeError, match="is no recipe"):
        history(tmp_path / "nowhere")


def test_an_old_version_comes_back_with_a_trace_told_before(recipe):
    told = []

    def trace(action, subject, who, why, before, after):
        told.append((action, subject, who, why, before, after, versions(recipe)))

    assert restore(recipe, 2, SIGNATURE, trace) == 5
    ((action, subject, who, why, before, after, there),) = told
    assert (action, subject, who, why) == ("rollback", str(recipe), "B. Huber", "lamp went back")
    assert (before["version"], before["image_threshold"], after["version"], after["image_threshold"]) == (4, 1.5, 2, 0.9)
    assert there == (1, 2, 3, 4)
    assert json.dumps([before, after])
    last = history(recipe)[-1]
    assert (last.restored_from, last.who, last.card.image_threshold, last.problem) == (2, "B. Huber", 0.9, "")


def test_what_the_trace_refuses_does_not_happen(recipe):
    def trace(*_):
        raise RecipeError("the audit log is full")

    with pytest.raises(RecipeError, match="full"):
        restore(recipe, 2, SIGNATURE, trace)
    assert load_recipe(recipe).version == 4


def test_from_a_damaged_version_one_can_go_back(recipe):
    (recipe / "versions" / "0004" / "card.json").write_text("{")
    told = []
    assert restore(recipe, 2, SIGNATURE, lambda *said: told.append(said)) == 5
    assert told[0][4] == {"version": 4}


def test_commands_show_diff_and_history(recipe, capsys):
    assert run("card", "show", recipe) == 0
    said = capsys.readouterr().out
    assert "image threshold 1.5 (the highest of 6 scores, + 2 x spread" in said
    assert "margin: the threshold is 0.5 (50.0 %) above the highest good score" in said
    assert "6 frames: 93 more for 1 % expected false alarms, 293 more for a 1 % bound" in said
    assert run("card", "show", recipe, "--version", 2, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["version"], shown["card"]["schema"], shown["headroom"]) == (2, 1, 0.0)
    assert run("card", "diff", recipe, 2, 4) == 0
    said = capsys.readouterr().out
    assert "image_threshold: 0.9 -> 1.5\n" in said
    assert "frames: 4 in both, 1 only in 0002, 2 only in 0004\n" in said
    assert run("card", "diff", recipe, 2, 3) == 0
    assert "have the same card" in capsys.readouterr().out
    assert run("card", "diff", recipe, 2, 4, "--json") == 0
    assert json.loads(capsys.readouterr().out)["frames"] == {"common": 4, "gone": 1, "new": 2}
    assert run("card", "history", recipe) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("  0001  2026-11-22 04:05  no card  A. Technician: first")
    assert "same card: max of 5: 0.9 / 0.7" in lines[2]
    assert lines[3].startswith("* 0004")
    assert run("card", "history", recipe, "--json") == 0
    assert [entry["image_threshold"] for entry in json.loads(capsys.readouterr().out)] == [None, 0.9, 0.9, 1.5]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "{recipe}", "--version", "7"), "has no version 7"),
        (("show", "nowhere"), "nowhere: is no recipe"),
        (("diff", "{recipe}", "1", "2"), "version 0001 has no threshold card"),
        (("history", "nowhere"), "nowhere: is no recipe"),
        (("stale",), "name a recipe, a folder of recipes, or --config"),
        (("stale", "nowhere"), "nowhere: is no folder"),
    ],
)
def test_what_is_not_there_is_one_line(recipe, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert run("card", *(str(each).format(recipe=recipe) for each in arguments)) == 3
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert said in captured.err


@pytest.mark.parametrize(("who", "why", "named"), [(" ", "x", "who"), ("A", "\t", "why"), ("", "x", "who"), ("A", "", "why")])
def test_rollback_wants_somebody_and_a_reason(recipe, capsys, who, why, named):
    assert run("rollback", "--recipe", recipe, "--version", 2, "--who", who, "--why", why) == 3
    assert f"{named}: " in capsys.readouterr().err
    assert versions(recipe) == (1, 2, 3, 4)
    assert run("rollback", "--recipe", recipe, "--version", 2, "--who", " A ", "--why", "back") == 0
    assert history(recipe)[-1].who == "A"
