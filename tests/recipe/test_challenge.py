"""challenge/ of a recipe: what was put there is what is read, or it is refused by name."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml

from edge.errors import ConfigError, RecipeError
from edge.recipe import Content, load_recipe, rollback, save
from edge.recipe.challenge import FILE, MAX_FRAMES, KnownFrame, read_challenge, read_frame, write_challenge
from tests.recipe.builders import bundle, content


def image(seed: int, grey: bool = False) -> np.ndarray:
    shape = (48, 64) if grey else (48, 64, 3)
    return np.random.default_rng(seed).integers(0, 255, shape, np.uint8)


GOOD, BAD = KnownFrame(image(1), "PASS", "empty"), KnownFrame(image(2, grey=True), "FAIL", "one blister\nbelow")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "challenge").mkdir()
    write_challenge(tmp_path / "challenge", [GOOD, BAD], who="A. Technician", why="first")
    return tmp_path / "challenge"


def test_frames_come_back_as_they_were(folder: Path) -> None:
    challenge = read_challenge(folder)
    assert challenge is not None
    assert challenge.is_complete
    good, bad = challenge.frames
    assert (good.expected, bad.expected, good.note, bad.note) == ("PASS", "FAIL", "empty", "one blister_below")
    assert (good.file[:5], bad.file[:4]) == ("good-", "bad-")
    for frame, known in ((good, GOOD), (bad, BAD)):
        read = read_frame(folder, frame)
        assert np.array_equal(read, known.image)
        assert not read.flags.writeable
    assert (challenge.who, challenge.why) == ("A. Technician", "first")


def test_it_travels_with_the_versions_of_a_recipe(folder: Path, tmp_path: Path) -> None:
    path, made = tmp_path / "recipe", bundle(tmp_path)
    plain = content(made)
    save(path, Content(plain.document, made, plain.reference, plain.masks, None, folder))
    save(path, plain)
    assert read_challenge(load_recipe(path).folder / "challenge") is None
    rollback(path, 1, who="A", why="again")
    challenge = read_challenge(load_recipe(path).folder / "challenge")
    assert challenge is not None
    assert len(challenge.frames) == 2


def test_none_is_none(tmp_path: Path) -> None:
    assert read_challenge(tmp_path) is None
    assert read_challenge(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"frames": [{"file": "../x.png", "sha256": "0" * 64, "expected": "PASS"}]}, "frames.0.file"),
        ({"frames": [{"file": "a.png", "sha256": "0" * 64, "expected": "UNDECIDED"}]}, "frames.0.expected"),
        ({"frames": [{"file": "a.png", "sha256": f"{n:064x}", "expected": "PASS"} for n in (1, 2)]}, "must differ"),
        ({"more": 1}, "unknown key"),
        ({"who": ""}, "who"),
    ],
)
def test_a_file_that_says_something_else_is_refused(folder: Path, change: dict[str, object], said: str) -> None:
    data = yaml.safe_load((folder / FILE).read_text())
    (folder / FILE).write_text(yaml.safe_dump({**data, **change}))
    with pytest.raises(RecipeError) as caught:
        read_challenge(folder)
    assert said in str(caught.value)
    assert str(folder) in str(caught.value)


def test_frames_that_were_touched_are_refused_by_name(folder: Path) -> None:
    challenge = read_challenge(folder)
    assert challenge is not None
    good, bad = challenge.frames
    (folder / good.file).write_bytes((folder / bad.file).read_bytes())
    with pytest.raises(RecipeError, match=f"{good.file}: is not the frame that was put there"):
        read_frame(folder, good)
    (folder / bad.file).unlink()
    with pytest.raises(RecipeError, match="cannot be read"):
        read_frame(folder, bad)
    (folder / good.file).write_text("no picture")
    signed = good.model_copy(update={"sha256": hashlib.sha256(b"no picture").hexdigest()})
    with pytest.raises(RecipeError, match="is no PNG"):
        read_frame(folder, signed)


def test_a_frame_is_there_once_and_not_too_many(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must differ"):
        write_challenge(tmp_path, [GOOD, KnownFrame(GOOD.image, "FAIL")], who="A", why="w")
    with pytest.raises(ConfigError, match="frames"):
        write_challenge(tmp_path, [KnownFrame(image(number), "PASS") for number in range(MAX_FRAMES + 1)], who="A", why="w")
    assert not (tmp_path / FILE).exists()
    with pytest.raises(RecipeError, match="uint8"):
        write_challenge(tmp_path, [KnownFrame(image(1).astype(float), "PASS")], who="A", why="w")  # type: ignore[arg-type]
    assert not write_challenge(tmp_path, [GOOD], who="A", why="w").is_complete
