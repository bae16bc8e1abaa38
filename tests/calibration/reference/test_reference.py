"""References from frames: the best one, the median, the ideal that all turns agree on; whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.reference import (
    Source,
    Where,
    best_frame,
    choose_fold,
    median_frame,
    rotational,
    write_reference,
)
from calibration.reference.frames import sharpness
from calibration.reference.note import ReferenceNote, check_target, note_path
from edge.cameras.images import read_image
from edge.errors import Cancelled, ConfigError
from edge.schema import load_json
from edge.settings.registration import RegistrationSettings
from edge.types import ImageU8
from tests.gears import RING, gear
from tests.station_parts import scene, with_leftover, with_noise

CENTRE, RADIUS, SIZE_WH = (120.4, 98.7), 80.0, (250, 200)
PLACE = Where("place", (123.0, 96.0), 83.0, RING * RADIUS)
TRACK = RegistrationSettings()
GEARS = Path(__file__).resolve().parents[4] / "shared" / "data" / "gear"


def shot(teeth: int, **changes: object) -> ImageU8:
    return gear(teeth, CENTRE, RADIUS, SIZE_WH, **changes)  # type: ignore[arg-type]


def nudged(seed: int, blur: float = 0.0) -> ImageU8:
    random = np.random.default_rng(seed)
    matrix = np.array([[1, 0, random.uniform(-3, 3)], [0, 1, random.uniform(-3, 3)]])
    image = cv2.warpAffine(scene(), matrix, (240, 180), borderMode=cv2.BORDER_REFLECT)
    return with_noise(cv2.GaussianBlur(image, (0, 0), blur) if blur else image, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine good frames; one is soft, one has something on it, one shows another scene, one is grey."""
    path = tmp_path_factory.mktemp("frames")
    frames = {f"{seed}": nudged(seed) for seed in range(9)}
    frames |= {"soft": nudged(20, 2.0), "dirty": with_leftover(nudged(21)), "zz-other": scene(99), "zz-grey": scene()[..., 0]}
    for name, image in frames.items():
        cv2.imwrite(str(path / f"{name}.png"), image[..., ::-1] if image.ndim == 3 else image)
    return path


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.png"))


def test_the_best_frame_is_sharp_clean_and_central(folder: Path) -> None:
    said: list[tuple[int, int, str]] = []
    chosen = best_frame(files(folder), TRACK, lambda done, total, what="": said.append((done, total, what)))
    assert chosen.path.stem.isdigit()
    assert np.array_equal(chosen.image, read_image(chosen.path))
    assert {each.name for each in chosen.refused} == {"zz-other.png", "zz-grey.png"}
    assert "another size or colour" in {each.name: each.why for each in chosen.refused}["zz-grey.png"]
    assert "px from the middle pose" in chosen.why
    assert "left out as unlike" in chosen.why
    assert said[-1][:2] == (13, 13)


def test_the_median_is_sharp_has_less_noise_and_nothing_that_lay_on_one_frame(folder: Path) -> None:
    made = median_frame(files(folder), TRACK)
    assert made.sharpness > 0.8
    assert len(made.used) == 11
    seed = read_image(made.seed).astype(int)
    off = np.abs(made.image[10:-10, 10:-10].astype(int) - seed[10:-10, 10:-10])
    assert off.max() < 60  # the leftover of one frame is 140 away
    assert off.mean() < 3


def test_frames_of_no_one_scene_are_refused(tmp_path: Path) -> None:
    for seed in range(5):
        cv2.imwrite(str(tmp_path / f"{seed}.png"), scene(seed))
    with pytest.raises(ConfigError, match=r"1 frames register, 4 are refused; 0\.png: does not register"):
        best_frame(files(tmp_path), TRACK)


def test_a_median_that_comes_out_soft_is_refused(tmp_path: Path) -> None:
    """A camera that is taken as rigid and is not."""
    for seed in range(9):
        cv2.imwrite(str(tmp_path / f"{seed}.png"), np.roll(with_noise(scene(), seed), (2 * seed - 8, 8 - 2 * seed), (0, 1)))
    loose = RegistrationSettings.model_validate({"mode": "none", "gates": {"min_similarity": -1.0}})
    with pytest.raises(ConfigError, match="the median is soft"):
        median_frame(files(tmp_path), loose)


def test_sharpness_falls_with_blur_and_not_with_noise() -> None:
    assert sharpness(cv2.GaussianBlur(scene(), (0, 0), 2)) < 0.7 * sharpness(scene())
    assert sharpness(with_noise(scene(), 1)) == pytest.approx(sharpness(scene()), rel=0.1)


@pytest.mark.parametrize("teeth", [7, 12, 36])
@pytest.mark.parametrize("given", [True, False])
def test_a_broken_tooth_is_mended_whether_its_number_is_given_or_found(teeth: int, given: bool) -> None:
    whole, spoilt = shot(teeth, noise=0), shot(teeth, broken=(0,))
    ideal = rotational(spoilt, PLACE, teeth if given else None)
    assert ideal.fold == teeth
    assert ideal.found is not given
    assert ideal.ring.centre == pytest.approx(CENTRE, abs=0.15)
    assert ideal.confidence > 0.75
    off = np.abs(ideal.image.astype(int) - whole)
    damage = np.abs(spoilt.astype(int) - whole) > 100
    assert np.mean(off[damage] > 45) < 0.1
    assert np.mean(off > 45) < 0.006
    assert 0 < ideal.strays < 0.05
    assert ideal.residual_grey <= 3


@pytest.mark.parametrize("kind", ["dark", "bright"])
def test_a_part_on_a_plain_background_is_found_by_itself(kind: str) -> None:
    image = shot(9, broken=(4,))
    ideal = rotational(image if kind == "dark" else 255 - image, Where(kind), None)  # type: ignore[arg-type]
    assert ideal.fold == 9
    assert ideal.ring.centre == pytest.approx(CENTRE, abs=0.2)
    assert RADIUS < ideal.ring.outer_px < 1.08 * RADIUS
    settings = ideal.settings(pose="free", locate=ideal.locate)
    assert settings.centre[0] * SIZE_WH[0] - 0.5 == pytest.approx(CENTRE[0], abs=0.2)
    with pytest.raises(ConfigError, match="search"):
        ideal.settings(search=7.0)


def test_a_divisor_of_the_number_of_teeth_is_right_too() -> None:
    assert rotational(shot(12), PLACE, 6).confidence > 0.9


@pytest.mark.parametrize(
    ("image", "where", "fold", "said"),
    [
        (shot(12), PLACE, 11, "does not repeat 11 times"),
        (shot(12), PLACE, 24, "does not repeat 24 times"),
        (np.full((200, 250), 90, np.uint8), PLACE, None, r"no axis is found|no symmetry is found"),
        (shot(12), Where(), None, "nothing of where the part is"),
        (shot(12)[:, 70:], Where("dark"), None, "no dark part is found that stands free"),
        (shot(12)[:, 70:], Where("place", (51.0, 98.0), 83.0), 12, "not whole on the picture"),
        (shot(12), Where("dark", inner_px=500), None, "reaches only 8[0-9] px"),
    ],
)
def test_what_cannot_be_made_is_refused_with_its_reason(image: ImageU8, where: Where, fold: int | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        rotational(image, where, fold, name="part.png")


def test_a_fold_that_is_not_clear_is_refused() -> None:
    clear = np.full(40, 0.02)
    clear[[12, 6, 4, 3, 2]] = (0.9, 0.91, 0.9, 0.92, 0.95)
    assert choose_fold(clear).fold == 12
    torn = clear.copy()
    torn[24] = 0.62  # every second tooth a little longer: 12 or 24?
    with pytest.raises(ConfigError, match=r"not clear: 12 \(0.90\), but also 24 \(0.62\)"):
        choose_fold(torn)
    with pytest.raises(ConfigError, match="no symmetry is found: the best guess is 39"):
        choose_fold(np.full(40, 0.1))


def test_image_and_note_belong_together(tmp_path: Path) -> None:
    source = tmp_path / "s.png"
    cv2.imwrite(str(source), shot(12))
    ideal = rotational(read_image(source), PLACE, 12)
    out = tmp_path / "ideal.png"
    note = write_reference(
        out, ideal.image, method="rotational", sources=(Source.of(source),), figures={"n": 12}, symmetry=ideal.settings()
    )
    assert load_json(ReferenceNote, note_path(out)) == note
    assert note.sha256 == Source.of(out).sha256
    assert np.array_equal(read_image(out), ideal.image)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ideal.png", "ideal.png.json", "s.png"]


def test_a_place_that_cannot_be_meant_is_refused_before_the_work(tmp_path: Path) -> None:
    source = tmp_path / "s.png"
    for out, said in ((tmp_path / "x.jpg", "end in .png"), (tmp_path / "no" / "x.png", "folder"), (source, "made from")):
        with pytest.raises(ConfigError, match=said):
            check_target(out, [source])


def test_a_disk_that_refuses_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.durable.os.fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        write_reference(tmp_path / "x.png", shot(5), method="frame", sources=(Source(name="a", sha256="0" * 64),))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("at", [1, 5])
def test_whoever_watches_can_cancel(folder: Path, at: int) -> None:
    def stop(done: int, total: int, what: str = "") -> None:
        if done == at:
            raise Cancelled("stopped by a person")

    with pytest.raises(Cancelled):
        median_frame(files(folder), TRACK, stop)
    with pytest.raises(Cancelled):
        rotational(shot(7), PLACE, 7, progress=lambda done, total, what="": stop(at, total, what))


@pytest.mark.skipif(not GEARS.is_dir(), reason="shared/data/gear is not there")
def test_the_ideal_of_a_real_gear_is_the_data_sets_own() -> None:
    """Its ideal images were made by turning by 1/16 and aligning each turn (ECC); ours needs the axis alone."""
    folder = GEARS / "Dataset_ROBOFLOW_augmented"
    names = [sorted((folder / "A").glob(f"*_{tile}.png"))[0].name for tile in (1, 2, 3, 4)]
    tiles = {kind: [read_image(folder / kind / name) for name in names] for kind in "AB"}
    theirs, frame = (np.vstack([np.hstack(tiles[kind][:2]), np.hstack(tiles[kind][2:])]) for kind in "AB")
    ideal = rotational(frame, Where("dark", inner_px=230), None)
    assert ideal.fold == 16
    rows, columns = np.indices(frame.shape)
    part = np.hypot(columns - ideal.ring.centre[0], rows - ideal.ring.centre[1]) < ideal.ring.outer_px
    off = np.abs(ideal.image[part].astype(int) - theirs[part])
    assert np.median(off) <= 2
    assert np.mean(off) < np.abs(frame[part].astype(int) - theirs[part]).mean() / 2
