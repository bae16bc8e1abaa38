import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from edge.errors import BundleError, LineclearError, RecipeError
from edge.recipe import load_recipe, rollback, save, versions
from edge.settings.judging import MaskPolygon, ScoreRule
from tests.bundle.samples import tree
from tests.recipe.builders import MASK, WHEN, bundle, card, content, document, reference, with_card


def test_text_in_any_language_and_repeated_values_survive_the_yaml(tmp_path):
    same = (0.25, 0.5)
    odd = MaskPolygon(name="Schläuche: 管 #1", points=((0.0, 0.0), same, (0.5, 0.1), same, (0.9, 0.9)))
    save(tmp_path / "r", content(bundle(tmp_path), masks=(odd,), document=document(why="ö: {x} \"'\nsecond line")))
    recipe = load_recipe(tmp_path / "r")
    assert recipe.masks == (odd,)
    assert recipe.document.why == "ö: {x} \"'\nsecond line"


@pytest.fixture
def made(tmp_path):
    return bundle(tmp_path)


@pytest.fixture
def path(tmp_path, made):
    path = tmp_path / "front"
    with_card(path, made)
    return path


def test_what_is_saved_comes_back(tmp_path, made):
    path = tmp_path / "r" / "front"
    homography = ((1.0, 0.0, 2.5), (0.0, 1.0, -3.0), (0.0, 0.0, 1.0))
    rule = ScoreRule(window=9)
    assert save(path, content(made, document=document(reference_to_model=homography, score=rule, min_area_px=40.0))) == 1
    recipe = load_recipe(path, view="front")
    assert (recipe.name, recipe.view, recipe.product, recipe.version) == ("front", "front", "aspirin", 1)
    assert np.array_equal(recipe.reference, reference())
    assert not recipe.reference.flags.writeable
    assert recipe.masks == (MASK,)
    assert recipe.card is None
    assert recipe.bundle.content_hash == made.content_hash
    assert recipe.bundle.path.is_relative_to(path)
    assert np.array_equal(recipe.reference_to_model, homography)
    assert recipe.score_rule == rule
    assert recipe.min_area_px == 40.0
    assert recipe.document.created_at == WHEN


def test_the_bundles_own_score_rule_holds_where_the_recipe_has_none(path, made):
    assert load_recipe(path).score_rule == made.manifest.score


def test_a_recipe_is_whole_in_itself_and_can_be_moved(path, made, tmp_path):
    shutil.rmtree(made.path)
    moved = tmp_path / "elsewhere"
    path.rename(moved)
    assert load_recipe(moved).card.image_threshold == 0.9
    assert (moved / "current").read_text() == "0002\n"
    assert not any(entry.is_symlink() for entry in moved.rglob("*"))


def test_every_save_is_a_version_and_old_ones_stay(path, made):
    assert save(path, content(made, document=document(why="third"))) == 3
    assert versions(path) == (1, 2, 3)
    assert load_recipe(path).document.why == "third"
    assert load_recipe(path, 1).document.why == "first"
    assert len(list((path / "bundles").iterdir())) == 1


def test_rollback_is_a_new_version_with_the_old_content(path, made, tmp_path):
    other = bundle(tmp_path, "x")
    save(path, content(other, reference=reference(7), masks=()))
    assert rollback(path, 2, who="B. Lead", why="wrong reference") == 4
    back = load_recipe(path)
    assert np.array_equal(back.reference, reference())
    assert back.masks == (MASK,)
    assert back.card == load_recipe(path, 2).card
    assert back.bundle.content_hash == made.content_hash
    assert (back.document.created_by, back.document.why, back.document.restored_from) == ("B. Lead", "wrong reference", 2)
    with pytest.raises(RecipeError, match=r"has no version 9.*there are 0001, 0002"):
        rollback(path, 9, who="B", why="w")


def test_challenge_frames_travel_along(path, made, tmp_path):
    challenge = tmp_path / "challenge"
    (challenge / "bad").mkdir(parents=True)
    (challenge / "bad" / "a.png").write_bytes(b"frame")
    number = save(path, content(made, challenge=challenge))
    assert (load_recipe(path).folder / "challenge" / "bad" / "a.png").read_bytes() == b"frame"
    save(path, content(made))
    rollback(path, number, who="B", why="w")
    assert (load_recipe(path).folder / "challenge" / "bad" / "a.png").read_bytes() == b"frame"


def test_the_recipe_of_another_view_is_refused(path, made):
    with pytest.raises(RecipeError, match=r"is the recipe of view 'front'.*name the recipe of view 'left'"):
        load_recipe(path, view="left")
    with pytest.raises(RecipeError, match=r"is the recipe of view 'front'.*another place for 'left'"):
        save(path, content(made, document=document(view="left")))


def test_a_folder_that_is_something_else_is_left_alone(tmp_path, made):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"x")
    with pytest.raises(RecipeError, match="is there already and is no recipe"):
        save(tmp_path / "photos", content(made))
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(RecipeError, match="is no recipe"):
        save(tmp_path / "file", content(made))
    assert tree(tmp_path / "photos") == {"a.jpg": b"x"}


def damage(**files):
    def apply(path: Path):
        for name, data in files.items():
            target = path / "versions" / "0002" / name.replace("__", ".")
            if data is None:
                target.unlink()
            else:
                target.write_bytes(data)

    return apply


def pixel(path: Path):
    other = path / "versions" / "0002" / "reference.png"
    save(path.parent / "other", content(bundle(path.parent), reference=reference(5)))
    shutil.copy(path.parent / "other" / "versions" / "0001" / "reference.png", other)


def edited(key: str, value):
    def apply(path: Path):
        file = path / "versions" / "0002" / "recipe.yaml"
        data = yaml.safe_load(file.read_text())
        data[key] = value
        file.write_text(yaml.safe_dump(data))

    return apply


def card_edited(path: Path):
    file = path / "versions" / "0002" / "card.json"
    file.write_text(file.read_text().replace('"image_threshold": 0.9', '"image_threshold": 9.0'))


def no_bundle(path: Path):
    shutil.rmtree(path / "bundles")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda path: (path / "current").unlink(), "is no recipe: it has no file `current`"),
        (lambda path: (path / "current").write_text("newest"), "must name a version, such as 0001, not 'newest'"),
        (lambda path: (path / "current").write_bytes(b"\xff\xfe0001"), "cannot be read"),
        (lambda path: (path / "current").write_text("0007"), "has no version 7.*there are 0001, 0002"),
        (lambda path: (path / "current").write_text("../../etc"), "must name a version"),
        (damage(recipe__yaml=None), "recipe.yaml: file not found"),
        (damage(recipe__yaml=b""), "is empty or not a mapping"),
        (damage(recipe__yaml=b"schema: 1\nview: front\n"), "missing: add this key"),
        (damage(recipe__yaml=b"\x00\xff\xfe"), "recipe.yaml"),
        (damage(reference__png=None), "reference.png: cannot be read"),
        (damage(reference__png=b""), "is not the image that this version was saved with"),
        (pixel, "is not the image that this version was saved with"),
        (damage(masks__yaml=None), "masks.yaml: file not found"),
        (damage(masks__yaml=b"schema: 1\nmasks: [{name: a}]\n"), "masks.0.points: missing"),
        (damage(card__json=b""), "card.json"),
        (damage(card__json=b'{"schema": 1'), "card.json: line 1"),
        (damage(card__json=b'{"schema": 1}'), "card.json: view: missing"),
        (card_edited, "the card was changed after it was made"),
        (no_bundle, "its bundle variation-[0-9a-f]{12} is missing"),
        (edited("viewe", 1), "unknown key: did you mean 'view'"),
        (edited("schema", 2), "recipe.yaml: schema"),
        (edited("bundle", "../../x"), "recipe.yaml: bundle"),
        (edited("bundle_hash", "1" * 64), "is not the bundle that this version was saved with"),
        (
            edited("reference_to_model", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
            "reference_to_model cannot be inverted",
        ),
        (edited("min_area_px", float("nan")), "min_area_px"),
    ],
)
def test_whatever_is_wrong_is_one_clear_line(path, break_it, message):
    break_it(path)
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_changed_bundle_is_refused(path):
    model = next((path / "bundles").iterdir()) / "model.onnx"
    model.write_bytes(b"another model")
    with pytest.raises(BundleError, match="damaged or was replaced"):
        load_recipe(path)


def test_a_damaged_recipe_can_be_mended_by_saving_again(path, made):
    (path / "versions" / "0002" / "recipe.yaml").write_text("garbage: [")
    (next((path / "bundles").iterdir()) / "model.onnx").write_bytes(b"broken")
    assert save(path, content(made)) == 3
    assert load_recipe(path).version == 3


class Crash(BaseException):
    """What no code may catch: the power is gone."""


STEPS = ("fsync", "rename", "replace", "mkdir", "open")


def crash_at(monkeypatch, step: int, error: BaseException) -> list[str]:
    """The n-th of the calls that change the disk raises; returns the names of the calls made so far."""
    import os

    done: list[str] = []

    def counted(name, real):
        def call(*arguments, **keywords):
            done.append(name)
            if len(done) == step:
                raise error
            return real(*arguments, **keywords)

        return call

    for name in STEPS:
        monkeypatch.setattr(os, name, counted(name, getattr(os, name)))
    return done


@pytest.mark.parametrize("error", [Crash("power"), OSError(28, "No space left on device")])
def test_a_crash_at_any_step_leaves_the_old_or_the_whole_new_version(path, made, tmp_path, monkeypatch, error):
    other = bundle(tmp_path, "x")
    old = load_recipe(path)
    new = content(other, reference=reference(9), masks=(), document=document(why="new"))
    outcomes = []
    for step in range(1, 500):
        attempt = tmp_path / str(step) / "front"
        shutil.copytree(path, attempt)
        with monkeypatch.context() as patched:
            done = crash_at(patched, step, error)
            with contextlib.suppress(Crash, LineclearError):
                save(attempt, new)
        after = load_recipe(attempt)
        outcomes.append(after.version)
        if after.version == old.version:
            assert np.array_equal(after.reference, old.reference)
            assert after.card == old.card
        else:
            assert "replace" in done
            assert (after.document.why, after.masks, after.bundle.content_hash) == ("new", (), other.content_hash)
        assert save(attempt, new) == versions(attempt)[-1]
        assert load_recipe(attempt).document.why == "new"
        assert not list(attempt.rglob(".new-*"))
        shutil.rmtree(attempt.parent)
        if len(done) < step:
            break
    assert outcomes.count(old.version) > 15
    assert 15 < step < 400


def test_kill_nine_while_saving_leaves_a_recipe_that_loads(path, made):
    import os
    import signal
    import subprocess
    import sys

    program = (
        "import sys; from pathlib import Path; from edge.recipe import save; from edge.recipe.reading import load_recipe\n"
        "from edge.recipe.writing import Content\n"
        "path = Path(sys.argv[1]); old = load_recipe(path)\n"
        "print('ready', flush=True)\n"
        "while True: save(path, Content(old.document, old.bundle, old.reference, old.masks, old.card))\n"
    )
    root = Path(__file__).resolve().parents[2]
    seen = 0
    for wait_bytes in range(6):
        child = subprocess.Popen([sys.executable, "-c", program, str(path)], cwd=root, stdout=subprocess.PIPE)
        child.stdout.readline()
        before = len(versions(path))
        while len(versions(path)) < before + wait_bytes:
            assert child.poll() is None
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        assert load_recipe(path).card.image_threshold == 0.9
        seen = max(seen, load_recipe(path).version)
    assert seen > 5
    assert save(path, content(made)) == len(versions(path))


def test_two_at_once_is_refused(path, made):
    import fcntl
    import os

    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(RecipeError, match="someone else is saving"):
            save(path, content(made))
    finally:
        os.close(descriptor)
    assert save(path, content(made)) == 3


def test_masks_that_are_off_do_not_count_and_masks_that_are_on_do(path, made):
    before = load_recipe(path).hashes.masks
    off = MaskPolygon(name="spare", points=MASK.points, enabled=False)
    save(path, content(made, masks=(MASK, off)))
    assert load_recipe(path).hashes.masks == before
    save(path, content(made, masks=(MASK, off.model_copy(update={"enabled": True}))))
    assert load_recipe(path).hashes.masks != before


def test_a_card_seals_its_numbers(path):
    made = card(load_recipe(path).hashes)
    assert made.sha256 == made.content_hash()
    assert card(load_recipe(path).hashes, image_threshold=0.91).sha256 != made.sha256
    assert made.limits(12.0).model_dump() == {"image_threshold": 0.9, "pixel_threshold": 0.7, "min_area_px": 12.0}
    with pytest.raises(ValueError, match="disagree"):
        card(load_recipe(path).hashes, frames=6)
    with pytest.raises(ValueError, match="image_threshold"):
        card(load_recipe(path).hashes, image_threshold=float("nan"))


def test_a_card_holds_when_another_library_would_write_the_reference_differently(path, made, monkeypatch):
    """As after an update of OpenCV: the pixels are the same, the PNG's bytes would not be."""
    import cv2

    from edge.recipe import stale

    old = load_recipe(path)
    monkeypatch.setattr(
        "edge.recipe.writing.encode_png",
        lambda image: cv2.imencode(".png", image[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes(),
    )
    fresh = content(made, document=old.document, card=card(old.hashes))
    save(path, fresh)
    again = load_recipe(path)
    assert again.hashes == old.hashes
    assert stale(again.card, again) == ()
    rollback(path, 1, who="A", why="b")
    assert load_recipe(path).hashes.reference == old.hashes.reference
    other = content(made, document=old.document, reference=reference(seed=5))
    save(path, other)
    assert load_recipe(path).hashes.reference != old.hashes.reference
