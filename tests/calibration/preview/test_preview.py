import argparse
import json
from dataclasses import replace

import numpy as np
import pytest

from calibration.commands import preview as command
from calibration.methods import Method
from calibration.preview import candidate_of, preview
from calibration.preview.replaying import Replay
from calibration.preview.stored import FLOAT16_STEP
from edge.archive import ArchiveError, ArchiveReader
from edge.cameras.images import read_image
from edge.errors import Cancelled, ConfigError
from edge.pipeline import ViewPipeline
from edge.recipe import load_recipe
from edge.settings.judging import ScoreRule
from edge.types import Outcome
from tests.calibration.evidence import (
    MASK_OVER_LEFTOVER,
    Line,
    bad,
    card_for,
    engine_of,
    good,
    lost,
    new_version,
    recipe_at,
)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """Six good frames (score 0.8), three with a leftover (193), a lost camera; judged with threshold 20."""
    root = tmp_path_factory.mktemp("line")
    made = Line(root / "archive", recipe_at(root))
    made.run([*good(6), *bad(3), lost()])
    return made


def own(tmp_path, images, **keywords) -> Line:
    made = Line(tmp_path / "archive", recipe_at(tmp_path))
    made.run(images, **keywords)
    return made


def replayed(line, candidate, **keywords):
    return preview(line.reader, candidate, open_engine=engine_of, **keywords)


def truly(candidate, images):
    """What the station would say with the candidate."""
    with engine_of(candidate.bundle) as engine:
        pipeline = ViewPipeline(candidate, engine)
        return [pipeline.judge(image).judgement for image in images]


def test_with_the_card_in_force_nothing_changes(line):
    made = replayed(line, line.recipe)
    assert (made.found, made.changes, made.unchanged) == (10, (), 10)
    assert made.rungs == {"score": 9, "kept": 1}
    assert made.not_replayed == {}


@pytest.mark.parametrize(("threshold", "expected"), [(0.5, {"PASS -> FAIL": 6}), (500.0, {"FAIL -> PASS": 3})])
def test_another_threshold_is_decided_by_the_stored_scores_exactly(line, threshold, expected):
    candidate = candidate_of(line.recipe, card_for(line.recipe, threshold))
    made = replayed(line, candidate)
    assert made.transitions == expected
    assert {change.rung for change in made.changes} == {"score"}
    entries = {entry.result_id: entry for entry in line.reader.find()}
    for change in made.changes:
        assert change.after.score == entries[change.result_id].score
        assert change.after.threshold == threshold


def test_a_score_that_equals_the_threshold_passes_in_double_precision(line):
    scores = sorted(entry.score for entry in line.reader.find() if entry.score is not None)
    equal = replayed(line, candidate_of(line.recipe, card_for(line.recipe, scores[-1])))
    assert equal.transitions == {"FAIL -> PASS": 3}
    below = replayed(line, candidate_of(line.recipe, card_for(line.recipe, float(np.nextafter(scores[-1], 0)))))
    assert below.transitions == {"FAIL -> PASS": 2}


def test_overlays_and_the_list_are_in_the_folder(line, tmp_path):
    made = replayed(line, candidate_of(line.recipe, card_for(line.recipe, 0.5)), out=tmp_path / "out")
    assert made.folder == tmp_path / "out"
    names = {change.overlay for change in made.changes}
    assert names == {f"{number:04d}-pass-to-fail.png" for number in range(1, 7)}
    picture = read_image(tmp_path / "out" / "0001-pass-to-fail.png")
    assert picture.ndim == 3
    document = json.loads((tmp_path / "out" / "preview.json").read_text())
    assert document["transitions"] == {"PASS -> FAIL": 6}
    assert document["changes"][0]["before"]["outcome"] == "PASS"
    assert document["changes"][0]["after"]["outcome"] == "FAIL"
    assert not list(tmp_path.glob(".new-*"))


def test_another_score_rule_is_scored_again_from_the_maps(tmp_path):
    made = own(tmp_path, [*good(4), *bad(2)])
    candidate = new_version(made.recipe, rule=ScoreRule(kind="max"), threshold=1.0)
    result = replayed(made, candidate)
    assert result.rungs == {"map": 6}
    expected = truly(candidate, [*good(4), *bad(2)])
    assert result.transitions == {"PASS -> FAIL": 4}
    assert {one.outcome for one in expected} == {Outcome.FAIL}
    for change, truth in zip(result.changes, expected, strict=False):
        assert change.after.score == pytest.approx(truth.score, rel=2 * FLOAT16_STEP)


def test_what_float16_cannot_tell_is_flagged(tmp_path):
    """A threshold right at the true score: the stored map is a little off, so neither PASS nor FAIL can be believed."""
    images = good(3)
    made = own(tmp_path, images)
    rule = ScoreRule(kind="max")
    scores = [one.score for one in truly(new_version(made.recipe, rule=rule, threshold=1e6), images)]
    candidate = candidate_of(load_recipe(made.recipe.path), card_for(load_recipe(made.recipe.path), scores[1]))
    result = replayed(made, candidate)
    assert "r0002" in {one.result_id for one in result.close}
    far = candidate_of(candidate, card_for(candidate, 2 * max(scores)))
    assert replayed(made, far).close == ()


def test_the_error_of_the_stored_map_is_within_what_is_claimed(tmp_path):
    images = [*good(4), *bad(4)]
    made = own(tmp_path, images)
    candidate = new_version(made.recipe, rule=ScoreRule(window=3), threshold=1e6)
    truth = truly(candidate, images)
    with engine_of(candidate.bundle) as engine:
        replay = Replay(made.reader, candidate, ViewPipeline(candidate, engine))
        for entry, expected in zip(made.reader.find(newest_first=False), truth, strict=True):
            score = replay.replay(entry).replayed.after.score
            assert abs(score - expected.score) <= FLOAT16_STEP * expected.score * 1.01


def test_masks_change_the_registration_so_the_frames_are_judged_again(tmp_path):
    images = [*good(2), *bad(3)]
    made = own(tmp_path, images)
    candidate = new_version(made.recipe, masks=(MASK_OVER_LEFTOVER,))
    result = replayed(made, candidate, out=tmp_path / "out")
    assert result.rungs == {"frame": 5}
    assert result.transitions == {"FAIL -> PASS": 3}
    expected = truly(candidate, images)[2:]
    assert [change.after.score for change in result.changes] == [one.score for one in expected]
    assert all((tmp_path / "out" / change.overlay).exists() for change in result.changes)


def test_without_frames_masks_are_tried_on_the_maps_and_called_approximate(tmp_path):
    made = own(tmp_path, [*good(2), *bad(3)], frames=False)
    result = replayed(made, new_version(made.recipe, masks=(MASK_OVER_LEFTOVER,)))
    assert result.rungs == {"map": 5}
    assert result.transitions == {"FAIL -> PASS": 3}
    assert result.approximate == 5
    assert all(change.approximate for change in result.changes)


def test_another_reference_needs_frames_and_what_has_none_is_counted(tmp_path):
    made = own(tmp_path, good(2))
    made.run(bad(2), frames=False)
    from edge.recipe import Content, save

    moved = np.ascontiguousarray(np.clip(made.recipe.reference.astype(int) + 3, 0, 255).astype(np.uint8))
    content = Content(made.recipe.document, made.recipe.bundle, moved)
    save(made.recipe.path, content)
    bare = load_recipe(made.recipe.path)
    candidate = candidate_of(bare, card_for(bare, 20.0))
    result = replayed(made, candidate)
    assert result.rungs == {"frame": 2}
    assert result.not_replayed == {"no frame is stored": 2}
    assert result.unchanged == 2


def test_a_stale_card_can_be_previewed_back_to_verdicts(tmp_path):
    """UNDECIDED(card_stale) kept its score: the new card would have decided."""
    recipe = recipe_at(tmp_path)
    stale = replace(recipe, card=card_for(recipe, 20.0, engine=recipe.card.engine.model_copy(update={"device": "cuda"})))
    made = Line(tmp_path / "archive", stale)
    made.run([*good(2), *bad(1)])
    assert {entry.reason for entry in made.reader.find()} == {"card_stale"}
    result = replayed(made, recipe)
    assert result.transitions == {"UNDECIDED -> FAIL": 1, "UNDECIDED -> PASS": 2}


def test_what_does_not_register_stays_undecided(tmp_path):
    made = own(tmp_path, [np.ascontiguousarray(good(1)[0][::-1])])
    assert {entry.reason for entry in made.reader.find()} == {"not_registered"}
    result = replayed(made, candidate_of(made.recipe, card_for(made.recipe, 1e6)))
    assert (result.changes, result.rungs) == ((), {"kept": 1})


def test_results_of_another_recipe_or_damaged_evidence_are_counted(line, tmp_path):
    other = replace(line.recipe, path=line.recipe.path.with_name("other"))
    assert replayed(line, other).not_replayed == {"was judged by another recipe": 10}
    made = own(tmp_path, good(3))
    entry = made.reader.find(newest_first=False)[1]
    (entry.folder / entry.files["map"]).write_bytes(b"nothing")
    candidate = new_version(made.recipe, rule=ScoreRule(kind="max"), threshold=50.0)
    assert replayed(made, candidate).not_replayed == {"its evidence cannot be read": 1}


def test_only_the_last_days(line):
    from tests.calibration.evidence import START

    since = START.replace(hour=14)
    assert replayed(line, line.recipe, since=since).found == sum(entry.decided_at >= since for entry in line.reader.find())


def test_a_card_that_does_not_hold_or_is_missing_is_refused(line):
    wrong = card_for(line.recipe, 1.0, score_rule=ScoreRule(window=3))
    wrong = wrong.model_copy(update={"hashes": wrong.hashes.model_copy(update={"masks": "1" * 64})})
    with pytest.raises(ConfigError, match="masks changed"):
        replayed(line, candidate_of(line.recipe, wrong))
    with pytest.raises(ConfigError, match="no card"):
        replayed(line, replace(line.recipe, card=None))
    with pytest.raises(ConfigError, match="of view 'back'"):
        candidate_of(line.recipe, card_for(line.recipe, 1.0, view="back"))


def test_a_folder_that_is_there_or_cannot_be_made_is_refused(line, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="is there already"):
        replayed(line, line.recipe, out=tmp_path / "full")
    with pytest.raises(ConfigError, match="cannot be written"):
        replayed(line, line.recipe, out=tmp_path / "full" / "mine.txt" / "out")
    (tmp_path / "empty").mkdir()
    assert replayed(line, line.recipe, out=tmp_path / "empty").folder == tmp_path / "empty"


def test_cancelled_half_way_nothing_is_left(line, tmp_path):
    def stop(done, total, what=""):
        if done == 4:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        replayed(line, candidate_of(line.recipe, card_for(line.recipe, 0.5)), out=tmp_path / "out", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_no_archive_is_said(line, tmp_path):
    with pytest.raises(ArchiveError, match="no archive"):
        preview(ArchiveReader(tmp_path), line.recipe, open_engine=engine_of)


def arguments(*given):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args([str(one) for one in given])


@pytest.fixture
def station(line, tmp_path):
    """A config with the simulated engine that judged the line."""
    import yaml

    views = {"front": {"camera": {"kind": "simulated"}, "recipe": str(line.recipe.path)}}
    document = {
        "station": {"root": "lineclear", "site": "s", "area": "a", "line": "l", "station": "t"},
        "state_dir": str(line.folder.parent),
        "publisher": {"kind": "memory"},
        "engine": {"kind": "simulated"},
        "views": views,
    }
    path = tmp_path / "station.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_command_lists_what_would_change(line, station, tmp_path, capsys):
    card = tmp_path / "card.json"
    card.write_text(json.dumps(card_for(line.recipe, 0.5).model_dump(mode="json", by_alias=True)))
    given = ("--recipe", line.recipe.path, "--config", station, "--card", card)
    assert command.run(arguments(*given, "--out", tmp_path / "out")) == 0
    said = capsys.readouterr().out
    assert said.count("PASS -> FAIL  2026-11-20") == 6
    assert "10 verdicts of view front: 4 as they were; changed: 6 PASS -> FAIL" in said
    assert "exact" in said
    assert command.run(arguments(*given, "--out", tmp_path / "out2", "--json")) == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 4


def test_the_command_takes_a_version_of_the_recipe(line, station, tmp_path, capsys):
    version = line.recipe.version
    given = ("--recipe", line.recipe.path, "--config", station, "--version", version, "--out", tmp_path / "out")
    assert command.run(arguments(*given)) == 0
    assert "changed: none" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "either --config or --archive"),
        (("--archive", "a", "--config", "c"), "either --config or --archive"),
        (("--archive", "a", "--days", "-1"), "days"),
        (("--archive", "a", "--method", "max"), "belong together"),
        (("--archive", "a", "--card", "nowhere.json"), "file not found"),
    ],
)
def test_bad_use_is_said(line, tmp_path, given, message):
    with pytest.raises(ConfigError, match=message):
        command.run(arguments("--recipe", line.recipe.path, "--out", tmp_path / "out", *given))


def test_a_measured_card_is_previewed_and_not_saved(built, recipe, tmp_path):
    from calibration.preview.candidates import measured_card
    from edge.parts import make_engine
    from edge.settings.engines import OnnxRuntimeSettings

    loaded = load_recipe(recipe)
    card = measured_card(
        loaded, built / "good", Method(kind="max"), lambda bundle: make_engine(OnnxRuntimeSettings(threads=1), bundle)
    )
    assert card.frames == 8
    assert load_recipe(recipe).version == loaded.version
