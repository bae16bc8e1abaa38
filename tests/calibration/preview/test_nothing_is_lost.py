import pytest

from calibration.__main__ import main as calibrate
from calibration.methods import Method
from calibration.preview import candidate_of, preview
from calibration.preview.candidates import measured_card
from edge.engines.base import EngineIdentity
from edge.engines.simulated import SimulatedEngine
from edge.errors import Cancelled, ConfigError
from edge.recipe import CardEngine, Hashes
from edge.settings.engines import SimulatedEngineSettings
from tests.calibration.collect.test_collecting import wanted
from tests.calibration.evidence import Line, bad, card_for, engine_of, good, recipe_at
from tests.calibration.scene import write
from tests.station_parts import make_recipe


@pytest.fixture
def line(tmp_path):
    made = Line(tmp_path / "archive", recipe_at(tmp_path))
    made.run([*good(3), *bad(1)])
    return made


def replayed(line, candidate, **keywords):
    return preview(line.reader, candidate, open_engine=engine_of, **keywords)


def all_fail(line):
    return candidate_of(line.recipe, card_for(line.recipe, 0.1))


def test_a_verdict_that_would_change_is_told_even_where_its_picture_is_damaged(line, tmp_path):
    entry = line.reader.find(newest_first=False)[0]
    (entry.folder / entry.files["frame"]).write_bytes(b"no picture any more")
    made = replayed(line, all_fail(line), out=tmp_path / "out")
    assert made.transitions == {"PASS -> FAIL": 3}
    assert [change.overlay for change in made.changes] == ["", "0002-pass-to-fail.png", "0003-pass-to-fail.png"]
    assert made.not_replayed == {}
    assert sum(made.rungs.values()) == made.found == 4


def test_a_card_of_other_camera_settings_does_not_hold_where_the_settings_are_known(line):
    hashes = line.recipe.hashes.model_copy(update={"camera": "a" * 64})
    card = card_for(line.recipe, 20.0).model_dump(by_alias=True)
    other = candidate_of(line.recipe, type(line.recipe.card).sealed(**{**card, "hashes": Hashes.model_validate(hashes)}))
    assert replayed(line, other).changes == ()
    assert replayed(line, other, camera_hash="a" * 64).changes == ()
    with pytest.raises(ConfigError, match="the camera settings changed since the thresholds were taken"):
        replayed(line, other, camera_hash="b" * 64)


def test_the_verdicts_of_another_product_are_not_replayed_with_this_ones_card(line, tmp_path):
    tablets = make_recipe(tmp_path / "tablets", view="front", product="tablets")
    candidate = candidate_of(tablets, card_for(tablets, 0.1))
    made = replayed(line, candidate)
    assert made.changes == ()
    assert made.not_replayed == {"was judged by another recipe": 4}
    assert made.unchanged == 0


@pytest.mark.parametrize("stop_at", [1, 3, 4])
def test_stopped_anywhere_leaves_no_folder(line, tmp_path, stop_at):
    def stop(done, total, what=""):
        if done == stop_at:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        replayed(line, all_fail(line), out=tmp_path / "new" / "out", progress=stop)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_link_is_no_new_folder(line, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="is there already"):
        replayed(line, all_fail(line), out=tmp_path / "out")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_place_that_cannot_be_looked_at_is_one_line(line, tmp_path, capsys):
    arguments = ["preview", "--recipe", line.recipe.path, "--archive", line.folder, "--out", tmp_path / ("x" * 300)]
    assert calibrate([str(each) for each in arguments]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "lineclear-calibrate" in said


def test_a_card_from_frames_of_other_camera_settings_is_not_previewed(line, tmp_path):
    from calibration.collect import FolderSource, collect

    for number, image in enumerate(good(6, seed=300)):
        write(tmp_path / "shots" / f"{number}.png", image)
    source = FolderSource(tmp_path / "shots")
    source.camera_settings_hash = "a" * 64
    collect(source, tmp_path / "album", wanted(recipe=line.recipe))
    card = measured_card(line.recipe, tmp_path / "album", Method(kind="max"), engine_of, "a" * 64)
    assert card.hashes.camera == "a" * 64
    with pytest.raises(ConfigError, match="taken with other camera settings"):
        measured_card(line.recipe, tmp_path / "album", Method(kind="max"), engine_of, "b" * 64)


class OtherEngine(SimulatedEngine):
    """Computes the same under another name, as TensorRT in place of ONNX Runtime."""

    identity = EngineIdentity("tensorrt", "10", "GPU 0", "float16")


def other_engine(bundle):
    return OtherEngine(bundle.manifest, SimulatedEngineSettings())


@pytest.mark.parametrize(("frames", "rungs"), [(True, {"frame": 4}), (False, {})])
def test_the_scores_of_another_engine_do_not_decide(tmp_path, frames, rungs):
    line = Line(tmp_path / "archive", recipe_at(tmp_path))
    line.run([*good(3), *bad(1)], frames=frames)
    engine = CardEngine(backend="tensorrt", version="10", device="GPU 0", precision="float16")
    candidate = candidate_of(line.recipe, card_for(line.recipe, 0.1, engine=engine))
    made = preview(line.reader, candidate, open_engine=other_engine)
    assert made.rungs == rungs
    assert made.not_replayed == ({} if frames else {"was judged on another engine, and no frame is stored": 4})


def test_the_command_takes_the_parameters_that_thresholds_takes(built, recipe, tmp_path, capsys):
    """A card of conformal at 20 % can be looked at before it is taken; at 1 % eight frames are too few, and it says so."""
    given = ["preview", "--recipe", recipe, "--archive", built / "no-archive", "--images", built / "good", "--threads", 1]
    given += ["--out", tmp_path / "out", "--method"]
    assert calibrate([str(each) for each in (*given, "conformal")]) == 3
    assert "8 frames cannot promise at most 1 % false alarms" in capsys.readouterr().err
    assert calibrate([str(each) for each in (*given, "conformal", "--alpha", 0.2)]) == 3
    assert "no archive" in capsys.readouterr().err
    assert calibrate([str(each) for each in (*given, "cost")]) == 3
    assert "needs labelled bad frames" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
