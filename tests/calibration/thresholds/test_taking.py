import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from calibration.card_text import describe
from calibration.comparison import all_methods, compare, table
from calibration.methods import KINDS, Method
from calibration.thresholds import Measurements, Signature, check_enough, make_card, measure, save_card, take_thresholds
from edge.errors import ConfigError, RecipeError
from edge.parts import make_engine
from edge.recipe import load_recipe, rollback, stale, versions
from edge.settings.engines import OnnxRuntimeSettings, SimulatedEngineSettings, SimulatedFault
from tests.calibration.scene import shot, write
from tests.calibration.thresholds.running import run

SIGNATURE = Signature(who="A. Meier", why="new lamp")
SIGNED = ("--who", "A. Meier", "--why", "new lamp")
PLACES = ((240, 160), (120, 80), (60, 250), (400, 60), (300, 280), (200, 60))


def engine_of(bundle):
    return make_engine(OnnxRuntimeSettings(threads=1), bundle)


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    for number, place in enumerate(PLACES):
        write(folder / f"bad{number}.png", shot(60 + number, leftover=place))
    return folder


@pytest.fixture(scope="module")
def found(built, bad) -> Measurements:
    return measure(built / "recipe", built / "good", open_engine=engine_of, bad_folder=bad)


def thresholds(recipe, images, *more) -> int:
    return run("thresholds", "--recipe", recipe, "--images", images, *more)


def refused(capsys, status: int) -> str:
    captured = capsys.readouterr()
    assert (status, captured.out, captured.err.count("\n")) == (3, "", 1)
    return captured.err


def test_the_card_of_each_method_says_what_it_is_and_what_it_promises(found):
    cards = {}
    for method in all_methods(Method(kind="max", alpha=0.2)):
        if method.kind == "extreme":
            with pytest.raises(ConfigError, match="give 392 more good frames"):
                make_card(found.recipe, found.good, method, SIGNATURE, found.identity, None, found.bad)
            continue
        cards[method.kind] = make_card(found.recipe, found.good, method, SIGNATURE, found.identity, None, found.bad)
    assert set(cards) == set(KINDS) - {"extreme"}
    assert {card.schema_version for card in cards.values()} == {2}
    highest = max(found.good.scores)
    assert cards["max"].headroom == 0
    assert cards["conformal"].parameters.alpha == 0.2
    assert cards["conformal"].false_alarms.expected <= 0.2
    assert cards["conformal"].image_threshold == highest
    assert cards["max"].parameters.alpha is None
    assert (cards["cost"].parameters.miss_cost, cards["cost"].parameters.bad_share) == (100, 0.01)
    for card in cards.values():
        assert card.pixel_threshold <= card.image_threshold
        assert (card.bad.frames, card.bad.missed, card.bad.low) == (6, 0, 0.0)
        assert card.bad.optimum.threshold == pytest.approx(cards["cost"].image_threshold)
        assert highest < card.bad.optimum.threshold < card.bad.scores[0]
        assert type(card).model_validate_json(card.model_dump_json(by_alias=True)) == card


def test_compare_shows_every_method_and_writes_nothing(built, bad, recipe, capsys):
    assert thresholds(recipe, built / "good", "--compare", "--bad", bad, "--alpha", "0.2") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[0] == "method"
    assert "missed of 6" in said[0]
    assert [line.split()[0] for line in said[1:7]] == list(KINDS)
    assert "give 392 more good frames" in said[5]
    assert said[7] == "8 frames: 91 more for 1 % expected false alarms, 291 more for a 1 % bound at 95 % confidence"
    assert versions(recipe) == (1,)
    assert thresholds(recipe, built / "good", "--compare", "--json") == 0
    rows = {row["method"]: row for row in json.loads(capsys.readouterr().out)["methods"]}
    assert "cost" not in rows
    assert "give 91 more" in rows["conformal"]["refusal"]
    assert rows["max"]["headroom"] == 0
    assert rows["quantile"]["headroom"] > 0
    assert rows["max"]["image_threshold"] < rows["quantile"]["image_threshold"]


def test_what_is_compared_is_what_a_card_would_say(found):
    for row in compare(found, all_methods(Method(kind="max", alpha=0.2))):
        if row.levels is not None:
            card = make_card(found.recipe, found.good, row.method, SIGNATURE, found.identity, None, found.bad)
            assert (row.levels.image, row.levels.pixel) == (card.image_threshold, card.pixel_threshold)
            assert row.levels.false_alarms == card.false_alarms
            assert row.missed == (card.bad.missed, card.bad.low, card.bad.high)


def test_thresholds_with_bad_frames_say_what_is_missed_and_where_the_optimum_is(built, bad, recipe, capsys):
    assert thresholds(recipe, built / "good", "--method", "max", "--bad", bad, *SIGNED) == 0
    said = capsys.readouterr().out
    assert "misses 0 of 6 bad frames (95 % interval 0.0 .. 45.9 %)" in said
    assert "cost optimum " in said
    assert "a miss costs 100 false alarms, 1 % of frames are bad): alarms 0 of 8 good, misses 0 of 6 bad" in said
    assert thresholds(recipe, built / "good", "--method", "cost", "--bad", bad, *SIGNED, "--json") == 0
    card = json.loads(capsys.readouterr().out)["card"]
    assert card["bad"]["optimum"]["threshold"] == card["image_threshold"]
    loaded = load_recipe(recipe)
    assert loaded.card.method == "cost"
    assert stale(loaded.card, loaded) == ()


def test_conformal_refuses_and_says_how_many_more(built, recipe, capsys):
    said = refused(capsys, thresholds(recipe, built / "good", "--method", "conformal", *SIGNED))
    assert "8 frames cannot promise at most 1 % false alarms: that takes 99: give 91 more good frames" in said
    assert thresholds(recipe, built / "good", "--method", "conformal", "--alpha", "0.12", *SIGNED) == 0
    assert "conformal: score 8 of 8, for at most 12 % false alarms" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--method", "cost", *SIGNED), "method cost needs labelled bad frames"),
        (("--method", "max", "--who", "A"), "why: "),
        (("--method", "max", "--why", "x"), "who: "),
        (("--method", "max", "--who", " ", "--why", "x"), "who: is blank"),
        (("--compare", "--alpha", "0"), "alpha: "),
        (("--compare", "--rate", "0.5"), "rate: "),
        (("--compare", "--miss-cost", "-1"), "miss_cost: "),
        (("--compare", "--bad-share", "1"), "bad_share: "),
        (("--compare", "--bad", "nowhere"), "nowhere: cannot be listed"),
        (("--compare", "--config", "nowhere.yaml"), "nowhere.yaml: file not found"),
    ],
)
def test_bad_use_is_one_line(built, recipe, tmp_path, monkeypatch, capsys, more, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, thresholds(recipe, built / "good", *more))
    assert versions(recipe) == (1,)


def test_a_frame_is_good_or_bad(built, recipe, bad, tmp_path, capsys):
    both = shutil.copytree(bad, tmp_path / "both")
    shutil.copy(built / "good" / "022.png", both / "again.png")
    said = refused(capsys, thresholds(recipe, built / "good", "--compare", "--bad", both))
    assert "1 images are among the good frames too (again.png)" in said


@pytest.mark.parametrize(("name", "said"), [("nowhere", "cannot be listed"), ("empty", "holds no image: put bad frames")])
def test_a_folder_of_bad_frames_that_is_none_is_found_before_anything_is_measured(built, recipe, tmp_path, name, said):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=said):
        measure(recipe, built / "good", open_engine=lambda _: pytest.fail("opened"), bad_folder=tmp_path / name)


def test_bad_frames_that_cannot_be_judged_are_no_misses(built, recipe, bad, tmp_path, capsys):
    mixed = shutil.copytree(bad, tmp_path / "mixed")
    write(mixed / "elsewhere.png", shot(70, seed=8))
    (mixed / "broken.png").write_bytes(b"no image")
    assert thresholds(recipe, built / "good", "--method", "max", "--bad", mixed, *SIGNED) == 0
    card = load_recipe(recipe).card
    assert sorted(card.bad.refused) == ["broken.png", "elsewhere.png"]
    assert card.bad.frames == 6
    assert "refused bad frame broken.png" in capsys.readouterr().out
    alone = tmp_path / "alone"
    write(alone / "elsewhere.png", shot(70, seed=8))
    said = refused(capsys, thresholds(recipe, built / "good", "--compare", "--bad", alone))
    assert "none of 1 images is usable, first elsewhere.png: does not register" in said


@pytest.mark.parametrize(("kind", "why"), [("nan", "NaN"), ("wrong_shape", "map")])
def test_maps_that_are_none_give_nothing(built, recipe, kind, why):
    fault = SimulatedFault(kind=kind, every=1)
    settings = SimulatedEngineSettings(checked=False, faults=(fault,))
    with pytest.raises(ConfigError, match=f"8 of 8 images are refused, first 020.png: .*{why}"):
        take_thresholds(
            recipe, built / "good", Method(kind="max"), SIGNATURE, open_engine=lambda bundle: make_engine(settings, bundle)
        )
    assert versions(recipe) == (1,)


def test_a_map_of_another_size_among_the_others_is_refused_by_name(built, recipe):
    settings = SimulatedEngineSettings(checked=False, faults=(SimulatedFault(kind="wrong_shape", at=(3,)),))
    found = measure(recipe, built / "good", open_engine=lambda bundle: make_engine(settings, bundle))
    assert list(found.good.refused) == ["023.png"]
    assert len(found.good.scores) == 7


def test_scores_that_are_all_the_same_say_nothing(built, found):
    flat = replace(found.good, scores=(0.5,) * 8)
    with pytest.raises(ConfigError, match=r"all 8 frames have the same score 0\.5"):
        check_enough(flat, built / "good")


def test_scores_that_are_no_numbers_make_no_card(found):
    odd = replace(found.good, scores=(np.nan, *found.good.scores[1:]))
    with pytest.raises(ConfigError, match="1 of 8 scores of good frames are NaN"):
        make_card(found.recipe, odd, Method(kind="max"), SIGNATURE, found.identity)


def test_somebody_else_was_faster(built, recipe):
    found = measure(recipe, built / "good", open_engine=engine_of)
    card = make_card(found.recipe, found.good, Method(kind="max"), SIGNATURE, found.identity)
    rollback(recipe, 1, who="B", why="masks mended")
    with pytest.raises(RecipeError, match="version 0002 was put in force while the thresholds of 0001 were taken"):
        save_card(found.recipe, card)
    assert versions(recipe) == (1, 2)


def test_the_trace_is_told_before_and_can_stop_it(built, recipe):
    told = []

    def trace(*said):
        told.append(said)
        assert load_recipe(recipe).version == len(told)

    for _ in range(2):
        take_thresholds(recipe, built / "good", Method(kind="max"), SIGNATURE, open_engine=engine_of, trace=trace)
    (action, subject, who, why, before, after), second = told
    assert (action, subject, who, why, before) == ("thresholds", str(recipe), "A. Meier", "new lamp", {})
    assert after["card"] == second[4]["card"]
    assert after["image_threshold"] == pytest.approx(load_recipe(recipe).card.image_threshold)

    def full(*_):
        raise RecipeError("the audit log cannot be written")

    with pytest.raises(RecipeError, match="audit"):
        take_thresholds(recipe, built / "good", Method(kind="max"), SIGNATURE, open_engine=engine_of, trace=full)
    assert versions(recipe) == (1, 2, 3)


CONFIG = """\
station: {site: works, area: filling, line: l1, station: s1}
state_dir: state
publisher: {kind: memory}
engine: {kind: onnxruntime, precision: float16}
views:
  NAME:
    camera: {kind: folder, path: shots}
    recipe: front
"""


def test_with_the_stations_config_its_engine_measures_and_its_camera_is_bound(built, recipe, tmp_path, capsys):
    file = tmp_path / "station.yaml"
    file.write_text(CONFIG.replace("NAME", "front"))
    assert thresholds(recipe, built / "good", "--method", "max", *SIGNED, "--config", file) == 0
    card = load_recipe(recipe).card
    assert card.engine.precision == "float16"
    assert card.hashes.camera is not None
    assert run("card", "stale", "--config", file) == 0
    file.write_text(CONFIG.replace("NAME", "front").replace("float16", "float32").replace("shots", "others"))
    capsys.readouterr()
    assert run("card", "stale", "--config", file, "--json") == 1
    (stale_one,) = json.loads(capsys.readouterr().out)
    assert stale_one["stale"] == [
        "the camera settings changed since the thresholds were taken",
        "the engine's precision was float16, now float32",
    ]
    file.write_text(CONFIG.replace("NAME", "left"))
    said = refused(capsys, thresholds(recipe, built / "good", "--method", "max", *SIGNED, "--config", file))
    assert "has no view 'front'" in said


def test_threads_belong_to_onnx_runtime(built, recipe, tmp_path, capsys):
    file = tmp_path / "station.yaml"
    file.write_text(CONFIG.replace("NAME", "front").replace("{kind: onnxruntime, precision: float16}", "{kind: simulated}"))
    said = refused(capsys, thresholds(recipe, built / "good", "--compare", "--config", file, "--threads", "3"))
    assert "leave --threads out" in said


def test_a_tail_of_many_frames_is_on_the_card_and_shown(found):
    pytest.importorskip("scipy.stats", reason="scipy is in the extra `calibration`")
    scores = tuple(np.random.default_rng(19).exponential(size=400).tolist())
    many = replace(found.good, scores=scores, sha256=tuple(f"{index:064x}" for index in range(400)))
    card = make_card(found.recipe, many, Method(kind="extreme"), SIGNATURE, found.identity)
    said = describe(card, 7)
    assert f"image threshold {card.image_threshold:.4g} (the tail of 400 scores at 1 false alarms per 1000)" in said
    assert f"generalised Pareto tail on the 120 scores above {card.fit.start:.4g}" in said
    assert f"A² {card.fit.anderson_darling:.3g}, p {card.fit.p_value:.2g} (it fits)" in said
    assert re.search(r"expected false alarms: 1\.0 of 1000 good frames \(bootstrap 95 % interval \d\.\d \.\. \d\.\d\)", said)
    assert "400 frames are enough for a 1 % bound" in said
    shown = table(compare(replace(found, good=many), all_methods(Method(kind="max"))))
    assert f"extreme 1/1000: generalised Pareto tail on the 120 scores above {card.fit.start:.4g}" in shown
    conformal = make_card(found.recipe, many, Method(kind="conformal"), SIGNATURE, found.identity)
    assert conformal.false_alarms.above == 3
    assert "at most 10 of 1000 good frames (95 % interval 3 .. 22); 3 of its own frames are above it" in describe(conformal, 7)
    assert "below the highest good score" in describe(conformal, 7)
