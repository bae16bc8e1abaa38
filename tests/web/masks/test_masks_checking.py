"""Whether masks would hide what must be found: real recipes, real engines' path, real images."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.progress import silent
from calibration.web.history.labels import Labels
from calibration.web.masking.candidate import grows, heeds_masks, makes_stale, refuse_unfit, with_masks
from calibration.web.masking.checking import KnownBad, check_masks
from calibration.web.masking.draft import Order, hash_of_masks
from calibration.web.masking.known_bad import frames_of, said_of
from calibration.web.masking.saving import MustConfirm, SavedMeanwhile, save_masks
from calibration.web.masking.studio import Studio as MaskStudio
from edge.audit import AuditError, AuditLog
from edge.cameras.adjustments import Adjusted, Adjustments, in_force
from edge.config import load_config
from edge.engines.simulated import SimulatedEngine
from edge.errors import Cancelled, RecipeError
from edge.pipeline import ViewPipeline
from edge.recipe import CardEngine, Content, Recipe, ThresholdCard, load_recipe, save, versions
from edge.settings.cameras import hash_of_camera
from edge.settings.engines import SimulatedEngineSettings
from edge.settings.judging import MaskPolygon, ScoreRule
from edge.settings.symmetry import SymmetrySettings
from tests.bundle.samples import mapless, write
from tests.calibration.evidence import Line, bad, engine_of
from tests.cli.running import simulated
from tests.recipe.builders import card, document
from tests.station_parts import MODEL_WH, make_bundle, make_recipe, scene
from tests.web.masks.parts import BIN, HOSE, VIEW, bad_frame, somebody_saves, with_challenge, write_config

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
SPOT = np.zeros((180, 240), np.bool_)
SPOT[84:117, 134:167] = True


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return make_recipe(tmp_path)


def tried(recipe: Recipe, *masks: MaskPolygon, **known):
    frame = KnownBad("bad.png", bad_frame(), **known)
    (found,) = check_masks(recipe, masks, [frame], engine_of).frames
    return found


def test_a_mask_elsewhere_hides_nothing(recipe: Recipe) -> None:
    found = tried(recipe, HOSE)
    assert (found.before, found.after, found.is_hidden, found.masks) == ("FAIL", "FAIL", False, ())
    assert found.score_before == pytest.approx(found.score_after, rel=0.05)


def test_a_mask_over_the_defect_hides_it_and_is_named(recipe: Recipe) -> None:
    off = BIN.model_copy(update={"name": "off", "enabled": False})
    found = tried(recipe, HOSE, BIN, off)
    assert (found.after, found.is_hidden, found.masks) == ("PASS", True, ("bin",))
    assert found.covered == 1


def test_a_defect_under_a_mask_counts_as_hidden_though_something_else_fails(recipe: Recipe) -> None:
    frame = bad_frame()
    cv2.circle(frame, (30, 30), 8, (250, 250, 245), -1)  # a second, smaller thing
    (found,) = check_masks(recipe, (BIN,), [KnownBad("two.png", frame, marked=SPOT)], engine_of).frames
    assert (found.after, found.is_hidden, found.masks) == ("FAIL", True, ("bin",))
    (unmarked,) = check_masks(recipe, (BIN,), [KnownBad("two.png", frame)], engine_of).frames
    assert unmarked.is_hidden  # what spoke loudest is what lies under the mask


def test_a_mask_that_only_touches_is_named_and_hides_nothing(recipe: Recipe) -> None:
    corner = MaskPolygon(name="corner", points=((0.55, 0.4), (0.6, 0.4), (0.6, 0.52), (0.55, 0.52)))
    found = tried(recipe, corner, marked=SPOT)
    assert (found.is_hidden, found.masks) == (False, ("corner",))
    assert 0 < found.covered < 0.5


def test_thresholds_in_force_are_used_although_the_card_is_stale_by_masks(recipe: Recipe) -> None:
    save(recipe.path, Content(recipe.document, recipe.bundle, recipe.reference, (HOSE,), recipe.card))
    again = load_recipe(recipe.path)
    assert tried(again, HOSE, BIN).after == "PASS"
    assert makes_stale(again, (HOSE,))
    assert not makes_stale(again, ())


def test_without_thresholds_nothing_is_known_and_that_counts_as_hidden(recipe: Recipe) -> None:
    save(recipe.path, Content(recipe.document, recipe.bundle, recipe.reference))
    found = tried(load_recipe(recipe.path), HOSE)
    assert (found.after, found.is_hidden) == ("UNDECIDED", True)
    assert "card_missing" in found.detail


def test_a_trial_can_be_stopped(recipe: Recipe) -> None:
    def stop(done: int, total: int, what: str = "") -> None:
        raise Cancelled("was stopped")

    with pytest.raises(Cancelled):
        check_masks(recipe, (), [KnownBad("a", bad_frame())] * 3, engine_of, progress=stop)


def test_a_candidate_differs_in_its_masks_alone(recipe: Recipe) -> None:
    made = with_masks(recipe, (HOSE,))
    assert made.hashes.masks == hash_of_masks((HOSE,)) == load_hash(recipe, (HOSE,))
    assert made.hashes.model_copy(update={"masks": recipe.hashes.masks}) == recipe.hashes
    assert made.card is not None
    assert made.card.image_threshold == recipe.card.image_threshold
    assert grows(recipe, (HOSE,))
    assert not grows(made, (HOSE.model_copy(update={"name": "other"}),))


def load_hash(recipe: Recipe, masks: tuple[MaskPolygon, ...]) -> str:
    """As the station reads it from the disk."""
    save(recipe.path, Content(recipe.document, recipe.bundle, recipe.reference, masks, recipe.card))
    return load_recipe(recipe.path).hashes.masks


def test_a_score_of_the_graphs_own_takes_no_masks(tmp_path: Path) -> None:
    for number, fill in enumerate(("none", "reference")):
        bundle = write(tmp_path / f"b{number}", mapless(size_wh=MODEL_WH, masking={"post": False, "fill": fill}))
        path = tmp_path / f"r{number}"
        save(path, Content(document(), bundle, scene()))
        recipe = load_recipe(path)
        assert heeds_masks(recipe) is (fill == "reference")
        if fill == "none":
            with pytest.raises(RecipeError, match="masks off"):
                refuse_unfit(recipe, (HOSE,))
            refuse_unfit(recipe, (HOSE.model_copy(update={"enabled": False}),))
        else:
            refuse_unfit(recipe, (HOSE,))


def test_frames_labelled_bad_are_tried_too(recipe: Recipe, tmp_path: Path) -> None:
    line = Line(tmp_path / "archive", recipe)
    ids = line.run(bad(3))
    labels = Labels(tmp_path / "labels", AuditLog(tmp_path / "audit"))
    entries = [line.reader.get(result_id) for result_id in ids]
    drawn = '[{"kind":"box","points":[[134,84],[167,117]],"width":0}]'
    labels.give(line.reader, entries[0], "bad", "A. Meier", note="tablet", drawn=drawn)
    labels.give(line.reader, entries[1], "bad", "A. Meier")
    labels.give(line.reader, entries[2], "good", "A. Meier")
    frames, unusable = frames_of(recipe, labels)
    assert {frame.name for frame in frames} == set(ids[:2])
    assert unusable == ()
    assert said_of("front", labels) == ({ids[2]}, set(ids[:2]))
    marked = next(frame for frame in frames if frame.marked is not None)
    assert marked.note == "tablet"
    assert marked.marked[100, 150]
    check = check_masks(recipe, (BIN,), frames, engine_of)
    assert len(check.hidden) == 2
    for path in (tmp_path / "labels" / "front" / "test" / "bad").glob("*.png"):
        path.write_bytes(b"no picture")
    frames, unusable = frames_of(recipe, labels)
    assert (frames, len(unusable)) == ([], 2)


def order(version: int, *masks: MaskPolygon, **changes) -> Order:
    return Order.model_validate({"version": version, "masks": masks, "why": "the hose moves", **changes})


def put(recipe: Recipe, wish: Order, **more: Any) -> Any:
    """Save it; nothing is to be checked, and nobody keeps the trail, unless it is said."""
    return save_masks(recipe.path, wish, "A. Meier", **{"check": None, "bad_frames": False, "write": nowhere, **more})


def nowhere(*_: object, **__: object) -> None:
    """Records nothing."""


def test_symmetry_and_everything_else_of_the_recipe_stays(recipe: Recipe) -> None:
    symmetric = SymmetrySettings(fold=4, centre=(0.5, 0.5), radius=0.3)
    document = recipe.document.model_copy(update={"min_area_px": 33.0, "symmetry": symmetric})
    save(recipe.path, Content(document, recipe.bundle, recipe.reference, (), recipe.card))
    before = load_recipe(recipe.path)
    saved = put(before, order(before.version, HOSE))
    after = load_recipe(before.path)
    assert saved.version == after.version
    changed = {"created_by", "created_at", "why"}
    assert after.document.model_dump(exclude=changed) == before.document.model_dump(exclude=changed)
    assert after.masks == (HOSE,)


def test_two_people_who_save_at_once_get_one_version(recipe: Recipe) -> None:
    both = threading.Barrier(2)
    outcomes: list[str] = []

    def write(*_: object, why: str, **__: object) -> None:
        if why != "not saved":
            both.wait(10)  # both have looked at the version before either saves

    def run(mask: MaskPolygon) -> None:
        try:
            put(recipe, order(recipe.version, mask), write=write)
            outcomes.append("saved")
        except (SavedMeanwhile, RecipeError) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=(mask,)) for mask in (HOSE, BIN)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert outcomes.count("saved") == 1
    assert versions(recipe.path)[-1] == recipe.version + 1


def test_what_cannot_be_recorded_is_not_saved(recipe: Recipe) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AuditError("the disk is full")

    with pytest.raises(AuditError):
        put(recipe, order(recipe.version, HOSE), write=refuse)
    assert load_recipe(recipe.path).version == recipe.version


def test_entries_stay_small_whatever_was_drawn(recipe: Recipe, tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit")
    ring = tuple((0.1 + 0.05 * np.cos(angle), 0.1 + 0.05 * np.sin(angle)) for angle in np.linspace(0, 6.2, 5))
    many = tuple(MaskPolygon(name=f"{'管' * 70} {number}", points=ring) for number in range(100))
    put(recipe, order(recipe.version, *many), write=log.append)
    assert log.head().sequence == 1
    assert len(load_recipe(recipe.path).masks) == 100


def test_the_version_is_looked_at_before_anything_else(recipe: Recipe) -> None:
    number = somebody_saves(recipe.path)
    with pytest.raises(SavedMeanwhile) as caught:
        put(recipe, order(number - 1, HOSE), bad_frames=True)
    assert (caught.value.version, caught.value.who) == (number, "B. Roth")
    with pytest.raises(MustConfirm):
        put(recipe, order(number, HOSE), bad_frames=True)


def test_the_studio_tries_with_the_stations_own_engine(recipe: Recipe, tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, recipe.path))
    studio = MaskStudio("front", recipe.path, config, Labels(tmp_path / "labels", AuditLog(tmp_path / "audit")))
    assert studio.bad_frames() == 0
    assert studio.check(recipe.version, (HOSE,), silent).frames == ()
    assert studio.trust is None


@pytest.mark.skipif(not (DATA / "bsdata").is_dir(), reason="the real images are not on this machine")
def test_on_real_images_a_leftover_is_found_until_a_mask_lies_on_it(tmp_path: Path) -> None:
    view = sorted(path for path in (DATA / "bsdata").iterdir() if (path / "train" / "good").is_dir())[0]
    shots = [cv2.imread(str(path))[..., ::-1].copy() for path in sorted((view / "train" / "good").iterdir())[:4]]
    nut = cv2.imread(str(sorted((DATA / "hazelnut_toy" / "train" / "good").iterdir())[0]))[..., ::-1]
    left = shots[1].copy()
    left[150:270, 500:620] = cv2.resize(nut, (120, 120), interpolation=cv2.INTER_AREA)
    bundle = make_bundle(tmp_path)
    path = tmp_path / "screw"
    content = Content(document(), bundle, shots[0])
    save(path, content)
    bare = load_recipe(path)
    engine = CardEngine(backend="simulated", version="1", device="none", precision="float32")
    with SimulatedEngine(bundle.manifest, SimulatedEngineSettings()) as opened:
        scores = [ViewPipeline(bare, opened).judge(shot).judgement.score or 0.0 for shot in shots[1:]]
    level = max(scores) * 1.5
    made = card(bare.hashes, engine=engine, image_threshold=level, pixel_threshold=level, score_rule=ScoreRule(window=7))
    save(path, Content(document(), bundle, shots[0], (), made))
    recipe = load_recipe(path)
    height, width = shots[0].shape[:2]
    over = MaskPolygon(
        name="nut", points=tuple((x / width, y / height) for x, y in ((480, 130), (640, 130), (640, 290), (480, 290)))
    )
    aside = MaskPolygon(name="aside", points=((0.0, 0.8), (0.2, 0.8), (0.2, 1.0), (0.0, 1.0)))
    frames = [KnownBad("leftover.png", left)]
    (found,) = check_masks(recipe, (aside,), frames, engine_of).frames
    assert (found.before, found.after, found.is_hidden) == ("FAIL", "FAIL", False)
    (hidden,) = check_masks(recipe, (aside, over), frames, engine_of).frames
    assert hidden.is_hidden
    assert hidden.masks == ("nut",)
    (x, y, _wide, high), *_ = hidden.boxes
    assert x * width == pytest.approx(500, abs=40)
    assert (y + high) * height == pytest.approx(270, abs=40)


def test_a_camera_that_was_set_since_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """The card was taken with the camera as it is set now, not as the config has it."""
    recipe = with_challenge(make_recipe(tmp_path))
    camera = simulated(trigger="software", exposure_us=10_000)
    place = {"recipe": str(recipe.path), "camera": camera, "adjustable": {"exposure_us": [1000, 20_000]}}
    config = load_config(write_config(tmp_path, recipe.path, views={VIEW: place}))
    now = Adjusted(
        values={"exposure_us": 5000}, camera=hash_of_camera(config.views[VIEW].camera), who="A. Meier", why="a lamp",
        at=datetime.now(timezone.utc),
    )  # fmt: skip
    Path(config.state_dir).mkdir()
    Adjustments(config).keep(VIEW, now)
    assert recipe.card is not None
    hashes = recipe.card.hashes.model_copy(update={"camera": hash_of_camera(in_force(config).views[VIEW].camera)})
    fields = {**recipe.card.model_dump(by_alias=True, exclude={"sha256"}), "hashes": hashes}
    kept = recipe.folder / "challenge"
    made = ThresholdCard.sealed(**fields)
    save(recipe.path, Content(recipe.document, recipe.bundle, recipe.reference, recipe.masks, made, kept))
    labels = Labels(tmp_path / "labels", AuditLog(tmp_path / "audit"))
    found = MaskStudio(VIEW, recipe.path, config, labels).check(load_recipe(recipe.path).version, (HOSE,), silent)
    assert [frame.before for frame in found.frames] == ["FAIL"]
    assert not found.hidden
