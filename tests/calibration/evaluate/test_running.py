from dataclasses import replace

import pytest

from calibration.evaluate import EIGHT, KINDS, Options, evaluate, read_labelled, sweep
from calibration.methods import Method
from calibration.thresholds import Signature, take_thresholds
from edge.bundle import open_bundle
from edge.engines.simulated import SimulatedEngine
from edge.errors import Cancelled, ConfigError, EngineFault
from edge.pipeline import ViewPipeline
from edge.recipe import load_recipe
from edge.settings.engines import SimulatedEngineSettings, SimulatedFault
from edge.types import Outcome
from tests.calibration.evaluate.making import LEFTOVER_AT, engine_of, frame
from tests.calibration.scene import write

FAST = Options(rounds=0)


def rows_of(swept):
    return {row.configuration.code: row for row in swept.evaluations[0].rows}


def test_every_configuration_has_its_row_with_every_method(swept):
    rows = rows_of(swept)
    assert tuple(rows) == tuple(each.code for each in EIGHT)
    for row in rows.values():
        assert tuple(method.level.kind for method in row.methods) == KINDS
        assert len(row.scores) == 6 + len(LEFTOVER_AT)
        assert len(row.good_scores) == 8


def test_masks_keep_the_belt_from_alarming_and_cost_the_leftover_under_them(swept):
    with_masks, without = rows_of(swept)["PRE+M+R"].method.tally, rows_of(swept)["PRE+NM+R"].method.tally
    assert (with_masks.false_alarms, with_masks.misses) == (0, 1)
    assert (without.false_alarms, without.misses) == (2, 0)


def test_registration_keeps_a_moved_camera_from_alarming(swept):
    for timing in ("PRE", "PO"):
        registered, not_registered = (rows_of(swept)[f"{timing}+M+{code}"].method.tally for code in ("R", "NR"))
        assert registered.false_alarms == 0
        assert not_registered.false_alarms == 2


def test_without_masks_pre_and_post_share_their_figures(swept):
    rows = rows_of(swept)
    for code in ("NM+R", "NM+NR"):
        assert rows[f"PO+{code}"].scores == rows[f"PRE+{code}"].scores
        assert rows[f"PO+{code}"].measured_as.code == f"PRE+{code}"


def test_the_best_is_by_accuracy_then_the_stations_way(swept):
    best = swept.evaluations[0].best_row
    assert best.configuration.code == "PRE+M+R"
    assert best.method.level.kind == "max"
    assert best.accuracy.value == pytest.approx(10 / 11)
    assert swept.best == 0


def test_the_one_mistake_has_its_pictures(swept):
    (mistake,) = swept.evaluations[0].mistakes
    assert (mistake.shot.name, mistake.verdict) == ("leftover/04.png", "miss")
    assert [caption for caption, _ in mistake.panels] == ["input", "reference", "map", "truth", "prediction", "overlay"]
    assert all(data.startswith(b"\xff\xd8") for _, data in mistake.panels)


def test_pixel_figures_count_the_leftover_under_the_mask_as_not_found(swept):
    rows = rows_of(swept)
    assert rows["PRE+NM+R"].pro.value > 0.9
    assert rows["PRE+M+R"].pro.value == pytest.approx(0.8, abs=0.02), "four of five regions can be found"


def test_what_a_reader_must_know_is_said(swept):
    notes = "\n".join(swept.evaluations[0].notes)
    assert "8 good frames" in notes
    assert "none of which is among the labelled frames" in notes
    assert "one of 2 pixels" in notes


def test_evaluate_gives_the_scores_of_the_sweep_in_the_stations_way(swept, evaluated):
    (row,) = evaluated.rows
    assert row.configuration.code == "PRE+M+R"
    assert row.scores == rows_of(swept)["PRE+M+R"].scores
    assert row.method.level == rows_of(swept)["PRE+M+R"].method.level


def test_evaluate_with_a_card_answers_as_the_station_does(recipe, built, labelled):
    signature = Signature(who="A. Meier", why="test")
    take_thresholds(recipe, built / "good", Method(kind="max"), signature, open_engine=engine_of)
    loaded, tests = load_recipe(recipe), read_labelled(labelled)
    found = evaluate(loaded, tests, open_engine=engine_of, options=FAST)
    (row,) = found.rows
    assert [method.level.kind for method in row.methods] == ["card"]
    assert found.good_source.startswith("card ")
    from edge.cameras.images import read_image

    with engine_of(loaded.bundle) as engine:
        pipeline = ViewPipeline(loaded, engine)
        outcomes = [pipeline.judge(read_image(each.path)).judgement.outcome for each in tests.samples]
    level = row.methods[0].level.image
    mine = [Outcome.UNDECIDED if s is None else Outcome.FAIL if s > level else Outcome.PASS for s in row.scores]
    assert mine == outcomes


def test_evaluate_with_card_and_good_frames_shows_both(recipe, built, labelled):
    signature = Signature(who="A. Meier", why="test")
    take_thresholds(recipe, built / "good", Method(kind="max"), signature, open_engine=engine_of)
    found = evaluate(load_recipe(recipe), read_labelled(labelled), good=built / "good", open_engine=engine_of, options=FAST)
    levels = {method.level.kind: method.level for method in found.rows[0].methods}
    assert set(levels) == {"card", *KINDS}
    assert levels["card"].image == levels["max"].image
    assert found.rows[0].method.level.kind == "card", "a tie goes to what the station has"


def test_a_stale_card_is_said(recipe, built, labelled):
    from edge.recipe import Content, save
    from tests.calibration.evaluate.making import BELT

    signature = Signature(who="A. Meier", why="test")
    take_thresholds(recipe, built / "good", Method(kind="max"), signature, open_engine=engine_of)
    old = load_recipe(recipe)
    save(recipe, Content(old.document, old.bundle, old.reference, (BELT,), old.card))
    found = evaluate(load_recipe(recipe), read_labelled(labelled), open_engine=engine_of, options=FAST)
    assert any("stale" in note and "masks" in note for note in found.notes)


def test_without_card_and_good_frames_there_is_nothing_to_judge_by(masked, labelled):
    with pytest.raises(ConfigError, match=r"no threshold card, and no good frames are given: take thresholds"):
        evaluate(masked, read_labelled(labelled), open_engine=engine_of)


def test_labelled_frames_that_set_the_card_are_refused(recipe, built, tmp_path):
    signature = Signature(who="A. Meier", why="test")
    take_thresholds(recipe, built / "good", Method(kind="max"), signature, open_engine=engine_of)
    (tmp_path / "set" / "good").mkdir(parents=True)
    (tmp_path / "set" / "good" / "x.png").write_bytes((built / "good" / "021.png").read_bytes())
    write(tmp_path / "set" / "bad" / "y.png", frame(7, leftover=(200, 200))[0])
    with pytest.raises(ConfigError, match=r"1 labelled images set the thresholds of the card \(.*x\.png\)"):
        evaluate(load_recipe(recipe), read_labelled(tmp_path / "set"), open_engine=engine_of)


@pytest.mark.parametrize(("folder", "words"), [("good", "are good frames of"), ("train", "built the model")])
def test_labelled_frames_that_set_thresholds_or_built_the_model_are_refused(masked, built, tmp_path, folder, words):
    source = sorted((built / folder).iterdir())[0]
    (tmp_path / "good").mkdir()
    (tmp_path / "good" / "x.png").write_bytes(source.read_bytes())
    write(tmp_path / "bad" / "y.png", frame(7, leftover=(200, 200))[0])
    with pytest.raises(ConfigError, match=words):
        sweep(masked, read_labelled(tmp_path), good=built / "good", open_engine=engine_of)


def test_good_frames_that_built_the_model_are_left_out(masked, built, labelled, tmp_path):
    for folder in ("good", "train"):
        for path in (built / folder).iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    found = evaluate(masked, read_labelled(labelled), good=tmp_path, open_engine=engine_of, options=FAST)
    assert len(found.rows[0].good_scores) == 8
    assert any("10 good frames built the model and were left out" in note for note in found.notes)


def test_good_frames_of_which_all_built_the_model(masked, built, labelled):
    with pytest.raises(ConfigError, match="all 10 good frames built the model"):
        sweep(masked, read_labelled(labelled), good=built / "train", open_engine=engine_of)


def test_progress_counts_to_its_end(masked, built, labelled):
    seen = []
    sweep(
        masked,
        read_labelled(labelled),
        good=built / "good",
        open_engine=engine_of,
        options=FAST,
        progress=lambda done, total, what="": seen.append((done, total, what)),
    )
    assert [done for done, _, _ in seen] == list(range(1, len(seen) + 1))
    assert {total for _, total, _ in seen} == {len(seen)}
    assert seen[0][2] == "020.png"
    assert seen[-1][2] == "figures PRE+NM+NR"


@pytest.mark.parametrize("at", [1, 12, 30])
def test_a_cancel_ends_it_and_leaves_nothing(masked, built, labelled, at, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    closed = []

    class Watched:
        def __init__(self, engine):
            self._engine = engine
            self.infer = engine.infer

        def __enter__(self):
            self._engine.__enter__()
            self.identity = self._engine.identity
            return self

        def __exit__(self, *error):
            closed.append(error[0])
            self._engine.__exit__(*error)

    def progress(done, total, what=""):
        if done == at:
            raise Cancelled("stopped by a person")

    with pytest.raises(Cancelled):
        sweep(
            masked,
            read_labelled(labelled),
            good=built / "good",
            open_engine=lambda bundle: Watched(engine_of(bundle)),
            options=FAST,
            progress=progress,
        )
    assert closed == [Cancelled]
    assert not list(tmp_path.iterdir())


def test_maps_of_two_sizes_and_scores_that_are_no_numbers_are_undecided_and_counted(masked, built, labelled):
    faults = (
        SimulatedFault(kind="wrong_shape", at=tuple(range(9, 12))),
        SimulatedFault(kind="nan", at=tuple(range(12, 14))),
    )

    def engine(bundle):
        settings = SimulatedEngineSettings(checked=False, faults=faults)
        return SimulatedEngine(bundle.manifest, settings, reference=bundle.reference())

    found = evaluate(masked, read_labelled(labelled), good=built / "good", open_engine=engine, options=FAST)
    (row,) = found.rows
    refused = [why for why in row.refusals if why]
    assert len(refused) == 5
    assert any("the map is" in why for why in refused)
    assert any("NaN" in why for why in refused)
    assert row.method.tally.undecided == 5
    assert sum(mistake.verdict == "undecided" for mistake in found.mistakes) == 5
    assert found.engine.startswith("simulated")


def test_an_engine_that_cannot_be_opened_is_the_callers_to_see(masked, built, labelled):
    class Broken:
        def __enter__(self):
            raise EngineFault("no GPU", where="engine")

        def __exit__(self, *error):
            return None

    with pytest.raises(EngineFault, match="no GPU"):
        sweep(masked, read_labelled(labelled), good=built / "good", open_engine=lambda bundle: Broken())


@pytest.fixture(scope="module")
def second(built, tmp_path_factory):
    """Another checkpoint: the same pose, a model of other frames and another size."""
    export = pytest.importorskip("export.__main__")
    out = tmp_path_factory.mktemp("second") / "bundle"
    arguments = ["--images", str(built / "train"), "--out", str(out), "--size", "120x80", "--quiet"]
    assert export.main(["variation", *arguments]) == 0
    return open_bundle(out)


def test_several_bundles_are_swept_one_after_the_other(masked, built, labelled, second):
    tests = read_labelled(labelled)
    bundles = (masked.bundle, second)
    found = sweep(masked, tests, good=built / "good", open_engine=engine_of, bundles=bundles, options=FAST)
    assert [each.bundle for each in found.evaluations] == [masked.bundle.name, second.name]
    assert [each.map_size_wh for each in found.evaluations] == [(240, 160), (120, 80)]
    assert [each.reduction for each in found.evaluations] == [2, 4]
    assert found.best in (0, 1)
    assert all(len(each.rows) == 8 for each in found.evaluations)


def test_one_bundle_twice_is_refused(masked, built, labelled, second):
    with pytest.raises(ConfigError, match=f"{second.name} is given twice"):
        sweep(masked, read_labelled(labelled), good=built / "good", open_engine=engine_of, bundles=(second, second))


def test_a_recipe_without_masks_says_that_they_are_the_same(built, labelled):
    recipe = load_recipe(built / "recipe")
    found = sweep(recipe, read_labelled(labelled), good=built / "good", open_engine=engine_of, options=FAST)
    (evaluation,) = found.evaluations
    assert any("no enabled mask" in note for note in evaluation.notes)
    assert len({row.measured_as for row in evaluation.rows}) == 2


def test_bad_frames_without_masks_have_image_figures_only(masked, built, labelled, tmp_path):
    for kind in ("good", "leftover"):
        for path in (labelled / "test" / kind).iterdir():
            target = tmp_path / ("good" if kind == "good" else "bad") / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    found = evaluate(masked, read_labelled(tmp_path), good=built / "good", open_engine=engine_of, options=FAST)
    (row,) = found.rows
    assert row.pixel_auroc.value is None
    assert row.image_auroc.value is not None
    assert any("5 bad frames have no mask" in note for note in found.notes)


def test_masks_that_mark_nearly_everything_raise_a_question(masked, built, labelled):
    tests = read_labelled(labelled)
    from calibration.labels import Polygon

    whole = Polygon("leftover", points=((0, 0), (480, 0), (480, 300), (0, 300)))
    samples = tuple(replace(each, item=replace(each.item, regions=(whole,))) if each.bad else each for each in tests.samples)
    found = evaluate(masked, replace(tests, samples=samples), good=built / "good", open_engine=engine_of, options=FAST)
    assert any("are they inverted" in note for note in found.notes)
