import json
import shutil

import numpy as np
import pytest

from calibration.__main__ import main as calibrate
from calibration.collect import FolderSource, Unreadable, Wanted, collect, enough, read_album
from calibration.collect.album import Album
from calibration.commands import collect as command
from edge.cameras.images import read_image
from edge.errors import CameraLost, Cancelled, ConfigError
from edge.recipe import load_recipe
from tests.calibration.collect.spoiling import defocused, lit, moved, saved_again
from tests.calibration.scene import shot, write, write_shots


@pytest.fixture
def frames(tmp_path):
    return write_shots(tmp_path / "frames", range(30, 36))


def wanted(**fields):
    return Wanted(**{"view": "front", "who": "A. Meier", **fields})


def run(*arguments, capsys=None):
    """The command by itself: `lineclear-calibrate` may not list it yet."""
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args([str(argument) for argument in arguments]))


def test_good_frames_are_stored_without_loss_and_with_their_alignment(frames, tmp_path):
    collected = collect(FolderSource(frames), tmp_path / "out", wanted())
    assert [frame.file for frame in collected.frames] == [f"{number:04d}.png" for number in range(1, 7)]
    assert (collected.added, collected.refused, collected.stopped) == (6, (), "")
    for path, frame in zip(sorted(frames.iterdir()), collected.frames, strict=True):
        assert np.array_equal(read_image(tmp_path / "out" / frame.file), read_image(path))
        assert frame.source_name == path.name
    stored = read_album(tmp_path / "out")
    assert stored.frames == collected.frames
    assert stored.provisional
    last = stored.frames[-1]
    assert last.who == "A. Meier"
    assert np.abs(last.homography() - np.eye(3))[:2, 2].max() < 4
    assert {"similarity", "visible"} <= {gate.name for gate in last.gates}
    assert {"sharpness", "steadiness", "brightness", "saturated", "black", "distance"} <= {check.name for check in last.checks}
    assert all(check.passed for check in last.checks)


def test_each_spoilt_frame_is_refused_with_check_value_limit_and_remedy(frames, tmp_path):
    image = shot(40)
    write(frames / "a-soft.png", defocused(image, 3))
    write(frames / "b-dragged.png", moved(shot(41), 11))
    write(frames / "c-dark.png", lit(shot(42), 0.5))
    write(frames / "d-again.png", shot(31))
    write(frames / "e-jpeg.png", saved_again(shot(32), 99))
    write(frames / "f-elsewhere.png", shot(43, seed=8))
    write(frames / "g-small.png", image[:200])
    (frames / "h-broken.png").write_bytes(b"no picture")
    collected = collect(FolderSource(frames), tmp_path / "out", wanted())
    why = {refusal.name: refusal for refusal in collected.refused}
    assert {name: refusal.check for name, refusal in why.items()} == {
        "a-soft.png": "sharpness",
        "b-dragged.png": "steadiness",
        "c-dark.png": "brightness",
        "d-again.png": "copy",
        "e-jpeg.png": "distance",
        "f-elsewhere.png": "registration",
        "g-small.png": "size",
        "h-broken.png": "readable",
    }
    assert why["c-dark.png"].value == pytest.approx(0.5, abs=0.05)
    assert why["c-dark.png"].limit == 0.7
    assert "0003.png" in why["e-jpeg.png"].detail
    assert all(refusal.remedy for refusal in collected.refused)
    document = read_album(tmp_path / "out")
    assert document.refused == collected.refused
    assert document.refused_count == 8
    assert len(document.frames) == 6


def test_running_it_again_adds_and_never_overwrites(frames, tmp_path):
    out = tmp_path / "out"
    first = collect(FolderSource(frames), out, wanted())
    before = {path.name: path.read_bytes() for path in out.glob("*.png")}
    write_shots(frames, range(50, 53))
    again = collect(FolderSource(frames), out, wanted())
    assert (again.added, len(again.frames)) == (3, 9)
    assert {refusal.check for refusal in again.refused} == {"copy"}
    assert again.frames[:6] == first.frames
    assert {path.name: path.read_bytes() for path in out.glob("*.png") if path.name in before} == before


def test_the_wanted_number_ends_it(frames, tmp_path):
    collected = collect(FolderSource(frames), tmp_path / "out", wanted(count=4))
    assert (len(collected.frames), collected.stopped) == (4, "")
    more = collect(FolderSource(frames), tmp_path / "out", wanted(count=9))
    assert len(more.frames) == 6
    assert "no more frames" in more.stopped


def test_cancelled_half_way_what_was_stored_is_whole(frames, tmp_path):
    def stop(done, total, what=""):
        if done == 3:
            raise Cancelled("stopped by the technician")

    with pytest.raises(Cancelled):
        collect(FolderSource(frames), tmp_path / "out", wanted(), stop)
    document = read_album(tmp_path / "out")
    assert [frame.file for frame in document.frames] == ["0001.png", "0002.png", "0003.png"]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["0001.png", "0002.png", "0003.png"]
    assert collect(FolderSource(frames), tmp_path / "out", wanted()).added == 3


@pytest.mark.parametrize("step", ["after the file", "after the list"])
def test_a_power_cut_at_any_step_leaves_a_whole_folder(frames, tmp_path, monkeypatch, step):
    out = tmp_path / "out"
    collect(FolderSource(frames), out, wanted(count=2))

    class PowerCut(BaseException):
        pass

    def cut(*_):
        raise PowerCut

    target = "calibration.collect.album.Album._save" if step == "after the file" else "calibration.collect.album.os.rename"
    with monkeypatch.context() as patched:
        patched.setattr(target, cut)
        with pytest.raises(PowerCut):
            collect(FolderSource(frames), out, wanted())
    visible = {path.name for path in out.glob("*.png") if not path.name.startswith(".")}
    assert visible == {"0001.png", "0002.png"}
    again = collect(FolderSource(frames), out, wanted())
    assert len(again.frames) == 6
    with Album(out, read_album(out)) as album:
        assert len(list(album.images())) == 6
    assert not list(out.glob(".pending-*"))


def test_a_stored_frame_that_was_changed_is_named(frames, tmp_path):
    out = tmp_path / "out"
    collect(FolderSource(frames), out, wanted())
    write(out / "0002.png", shot(99))
    with pytest.raises(ConfigError, match=r"0002\.png was changed"):
        collect(FolderSource(frames), out, wanted())


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda out: write(out / "mine.png", shot(1)), "holds what was not collected"),
        (lambda out: (out.mkdir(), (out / "collected.json").write_text("{}")), "collected.json"),
        (lambda out: out.write_text("a file"), "cannot be written"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(frames, tmp_path, prepare, message):
    prepare(tmp_path / "out")
    with pytest.raises(ConfigError, match=message):
        collect(FolderSource(frames), tmp_path / "out", wanted())


def test_two_cannot_collect_into_one_folder(frames, tmp_path):
    collect(FolderSource(frames), tmp_path / "out", wanted(count=1))
    with Album(tmp_path / "out", read_album(tmp_path / "out")), pytest.raises(ConfigError, match="someone else"):
        collect(FolderSource(frames), tmp_path / "out", wanted())


def test_another_view_or_kind_of_reference_needs_another_folder(frames, tmp_path, built):
    collect(FolderSource(frames), tmp_path / "out", wanted())
    with pytest.raises(ConfigError, match="another view"):
        collect(FolderSource(frames), tmp_path / "out", wanted(view="back"))
    with pytest.raises(ConfigError, match="another recipe"):
        collect(FolderSource(frames), tmp_path / "out", wanted(recipe=load_recipe(built / "recipe")))


def test_with_a_recipe_its_reference_and_masks_decide(frames, tmp_path, built):
    recipe = load_recipe(built / "recipe")
    shutil.copy(built / "train" / "003.png", frames / "trained.png")
    collected = collect(FolderSource(frames), tmp_path / "out", wanted(recipe=recipe))
    assert [(refusal.name, refusal.check) for refusal in collected.refused] == [("trained.png", "trained")]
    document = read_album(tmp_path / "out")
    assert not document.provisional
    assert document.reference == recipe.document.reference_sha256


def test_thresholds_take_the_folder_as_it_is(frames, tmp_path, built, recipe, capsys):
    out = tmp_path / "out"
    assert run("--images", frames, "--out", out, "--recipe", built / "recipe", "--who", "A") == 0
    said = capsys.readouterr().out
    assert f"next: lineclear-calibrate thresholds --recipe {built / 'recipe'} --images {out}" in said
    arguments = ["--recipe", str(recipe), "--images", str(out), "--method", "max", "--who", "A", "--why", "w"]
    assert calibrate(["thresholds", *arguments]) == 0
    assert load_recipe(recipe).card.frames == 6


def test_what_is_enough_is_said():
    assert str(enough(24)) == (
        "24 frames: no false-alarm bound under 11.8 %; "
        "5 more for a 10 % bound, 35 more for a 5 % bound, 275 more for a 1 % bound"
    )
    assert str(enough(299)) == "299 frames: no false-alarm bound under 1 %"
    assert str(enough(1)).startswith("1 frame: no false-alarm bound under 95 %")
    assert "nothing" in str(enough(0))


def test_the_command_says_it_all_and_so_does_its_json(frames, tmp_path, capsys):
    write(frames / "x-soft.png", defocused(shot(60), 3))
    assert run("--images", frames, "--view", "front", "--out", tmp_path / "a") == 0
    said = capsys.readouterr().out
    assert "refused x-soft.png: sharpness: sharpness 0." in said
    assert "6 good frames, 6 of them new, 1 refused" in said
    assert "6 frames: no false-alarm bound under 39.4 %; 23 more for a 10 % bound" in said
    assert run("--images", frames, "--view", "front", "--count", "9", "--out", tmp_path / "b", "--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert len(document["frames"]) == 6
    assert document["more"]["0.01"] == 293
    assert document["stopped"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--view", "v"], "either --config or --images"),
        (["--view", "v", "--images", "i", "--config", "c"], "either --config or --images"),
        (["--images", "nowhere"], "--view"),
        (["--view", "v", "--images", "nowhere"], "cannot be listed"),
        (["--view", "v", "--config", "nowhere.yaml"], "--count"),
        (["--view", "v", "--config", "nowhere.yaml", "--count", "3"], "file not found"),
    ],
)
def test_bad_use_is_said(tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run(*arguments, "--out", tmp_path / "out")


class Scripted:
    """A source without end, as a camera is."""

    name, camera_settings_hash, total = "camera scripted", "a" * 64, None

    def __init__(self, shots):
        self._shots = shots

    def shots(self):
        yield from self._shots
        raise CameraLost("was unplugged", where="camera of front")


def test_a_count_below_one_and_a_camera_without_one_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="at least 1"):
        collect(Scripted([]), tmp_path / "out", wanted(count=0))
    with pytest.raises(ConfigError, match="count"):
        collect(Scripted([]), tmp_path / "out", wanted())


def test_a_lost_camera_keeps_what_was_stored(tmp_path, frames):
    shots = list(FolderSource(frames).shots())[:3]
    with pytest.raises(CameraLost):
        collect(Scripted(shots), tmp_path / "out", wanted(count=9))
    document = read_album(tmp_path / "out")
    assert len(document.frames) == 3
    assert document.frames[0].camera_settings_hash == "a" * 64


def test_a_camera_that_gives_nothing_good_is_given_up_with_the_reason(tmp_path):
    collected = collect(Scripted([Unreadable("frame", "arrived damaged")] * 30), tmp_path / "out", wanted(count=2))
    assert "20 frames in a row were refused" in collected.stopped
    assert len(collected.refused) == 20
