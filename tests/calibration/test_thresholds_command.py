import shutil

import numpy as np
import pytest

from calibration.__main__ import main
from calibration.methods import Method
from calibration.thresholds import Signature, take_thresholds
from edge.bundle import Bundle
from edge.errors import Cancelled
from edge.parts import make_engine
from edge.pipeline import ViewPipeline
from edge.recipe import load_recipe, stale, versions
from edge.settings.engines import OnnxRuntimeSettings
from edge.types import Outcome
from tests.calibration.scene import shot, write, write_shots

MAX = Method(kind="max")


def take(recipe, images, *more: str, method: str = "max") -> int:
    arguments = ["--recipe", str(recipe), "--images", str(images), "--method", method]
    return main(["thresholds", *arguments, "--who", "A. Meier", "--why", "new lamp", *more])


def failed(capsys, code: int) -> str:
    captured = capsys.readouterr()
    assert code == 3
    assert captured.err.count("\n") == 1
    return captured.err


def engine_of(bundle: Bundle):
    return make_engine(OnnxRuntimeSettings(threads=1), bundle)


def outcomes(path, images):
    recipe = load_recipe(path)
    with engine_of(recipe.bundle) as engine:
        pipeline = ViewPipeline(recipe, engine)
        return [pipeline.judge(image).judgement for image in images]


def test_thresholds_make_a_recipe_that_passes_good_frames_and_fails_a_leftover(built, recipe, capsys):
    assert take(recipe, built / "good", method="quantile") == 0
    said = capsys.readouterr().out
    loaded = load_recipe(recipe)
    assert loaded.version == 2
    card = loaded.card
    assert f"image threshold {card.image_threshold:.4g}" in said
    assert (card.method, card.frames, card.who, card.why, card.view) == ("quantile", 8, "A. Meier", "new lamp", "front")
    assert stale(card, loaded, None) == ()
    judged = outcomes(recipe, [shot(60), shot(61), shot(62, leftover=(240, 160)), shot(63, leftover=(120, 80))])
    assert [judgement.outcome for judgement in judged] == [Outcome.PASS, Outcome.PASS, Outcome.FAIL, Outcome.FAIL]
    x, y = judged[2].regions[0].centroid
    assert (x, y) == (pytest.approx(240, abs=8), pytest.approx(160, abs=8))


def test_at_the_maximum_every_calibration_frame_passes(built, recipe):
    assert take(recipe, built / "good") == 0
    card = load_recipe(recipe).card
    assert card.image_threshold == max(card.scores)
    assert list(card.scores) == sorted(card.scores)
    judged = outcomes(recipe, [shot(number) for number in range(20, 28)])
    assert {judgement.outcome for judgement in judged} == {Outcome.PASS}


def test_the_card_holds_what_is_needed_to_believe_it(built, recipe):
    assert take(recipe, built / "good", "--sigma", "4", method="sigma") == 0
    loaded = load_recipe(recipe)
    card = loaded.card
    assert card.parameters.sigma == 4
    assert card.hashes == loaded.hashes
    assert (card.engine.backend, card.engine.precision) == ("onnxruntime", "float32")
    assert len(set(card.frame_sha256)) == 8
    assert card.image.count == 8
    assert 0.95 < card.pixel.count / (8 * np.prod(loaded.bundle.manifest.size_wh)) <= 1
    assert card.false_alarms.expected == pytest.approx(1 / 9)
    assert card.before is None
    assert card.pixel_threshold <= card.image_threshold
    assert take(recipe, built / "good") == 0
    assert load_recipe(recipe).card.before == card.sha256


def test_changed_masks_make_the_card_stale_and_say_so(built, recipe, tmp_path):
    assert take(recipe, built / "good") == 0
    masks = tmp_path / "masks.yaml"
    masks.write_text("schema: 1\nmasks: [{name: hose, points: [[0, 0], [0.2, 0], [0.2, 0.2]]}]\n")
    arguments = ["--view", "front", "--reference", str(built / "train" / "000.png"), "--bundle", str(built / "bundle")]
    assert main(["recipe", *arguments, "--out", str(recipe), "--masks", str(masks)]) == 0
    (judgement,) = outcomes(recipe, [shot(60)])
    assert judgement.outcome is Outcome.UNDECIDED
    assert judgement.reason.code.value == "card_stale"
    assert "masks" in judgement.reason.detail
    assert take(recipe, built / "good") == 0
    assert outcomes(recipe, [shot(60)])[0].outcome is not Outcome.UNDECIDED


def test_a_mask_takes_what_it_hides_out_of_the_thresholds(built, tmp_path):
    masks = tmp_path / "masks.yaml"
    masks.write_text("schema: 1\nmasks: [{name: arm, points: [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]]}]\n")
    arguments = ["--view", "front", "--reference", str(built / "train" / "000.png"), "--bundle", str(built / "bundle")]
    assert main(["recipe", *arguments, "--out", str(tmp_path / "masked"), "--masks", str(masks)]) == 0
    busy = write_shots(tmp_path / "busy", range(20, 28), leftover=(240, 160))
    assert take(tmp_path / "masked", busy) == 0
    assert take(shutil.copytree(built / "recipe", tmp_path / "bare"), busy) == 0
    hidden, seen = (load_recipe(tmp_path / name).card.image_threshold for name in ("masked", "bare"))
    assert hidden < seen / 2


def test_frames_that_do_not_count_are_refused_by_name_and_reason(built, recipe, tmp_path, capsys):
    folder = shutil.copytree(built / "good", tmp_path / "mixed")
    shutil.copy(built / "train" / "003.png", folder / "trained.png")
    shutil.copy(folder / "020.png", folder / "twice.png")
    write(folder / "elsewhere.png", shot(70, seed=8))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (folder / "notes.txt").write_text("not an image")
    assert take(recipe, folder) == 0
    refused = load_recipe(recipe).card.refused
    assert sorted(refused) == ["broken.png", "elsewhere.png", "trained.png", "twice.png"]
    assert "built the model" in refused["trained.png"]
    assert "same picture as 020.png" in refused["twice.png"]
    assert "does not register" in refused["elsewhere.png"]
    said = capsys.readouterr().out
    assert all(f"refused {name}" in said for name in refused)
    assert load_recipe(recipe).card.frames == 8


def test_too_few_the_same_or_the_models_own_frames_give_nothing(built, recipe, tmp_path, capsys):
    few = write_shots(tmp_path / "few", range(20, 24))
    assert "4 usable frames of 4 images" in failed(capsys, take(recipe, few))
    assert "10 images built the model (000.png, 001.png, 002.png and 7 more)" in failed(capsys, take(recipe, built / "train"))
    same = tmp_path / "same"
    for number in range(6):
        write(same / f"{number}.png", shot(20))
    assert "all 6 images are the same picture" in failed(capsys, take(recipe, same))
    elsewhere = write_shots(tmp_path / "elsewhere", range(5), seed=8)
    write_shots(elsewhere, range(20, 24))
    assert "5 of 9 images are refused, first 000.png: does not register" in failed(capsys, take(recipe, elsewhere))
    (tmp_path / "empty").mkdir()
    assert "holds no image" in failed(capsys, take(recipe, tmp_path / "empty"))
    assert "cannot be listed" in failed(capsys, take(recipe, tmp_path / "nowhere"))
    assert versions(recipe) == (1,)


def test_frames_of_another_size_are_refused(built, recipe, tmp_path, capsys):
    folder = tmp_path / "small"
    for number in range(6):
        write(folder / f"{number}.png", shot(number)[:100])
    assert "6 of 6 images are refused, first 0.png" in failed(capsys, take(recipe, folder))


@pytest.mark.parametrize(
    ("more", "method", "message"),
    [
        (["--quantile", "1.5"], "quantile", "quantile"),
        (["--sigma", "nan"], "sigma", "sigma"),
        (["--margin", "-2"], "max", "margin"),
        (["--threads", "0"], "max", "threads"),
        (["--why", ""], "max", "why"),
    ],
)
def test_bad_parameters_are_one_line(built, recipe, capsys, more, method, message):
    assert message in failed(capsys, take(recipe, built / "good", *more, method=method))


def test_half_a_recipe_is_refused(built, recipe, capsys):
    (recipe / "versions" / "0001" / "masks.yaml").unlink()
    assert "masks.yaml: file not found" in failed(capsys, take(recipe, built / "good"))


def test_cancelled_half_way_nothing_is_written(built, recipe):
    def progress(done, total, what):
        if done == 4:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        take_thresholds(recipe, built / "good", MAX, Signature(who="A", why="w"), open_engine=engine_of, progress=progress)
    assert versions(recipe) == (1,)
    assert not list(recipe.rglob(".new-*"))


def test_progress_is_told_of_every_file_in_order(built, recipe):
    seen = []

    def progress(done, total, what):
        seen.append((done, total, what))

    signature = Signature(who="A", why="w")
    taken = take_thresholds(recipe, built / "good", MAX, signature, open_engine=engine_of, progress=progress)
    assert seen == [(index, 8, f"{index + 19:03d}.png") for index in range(1, 9)]
    assert taken.version == 2
    assert taken.measured.names == tuple(name for _, _, name in seen)
