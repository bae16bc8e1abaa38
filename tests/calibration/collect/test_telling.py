"""What a technician reads: how many are enough, what was refused, what to do next."""

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.collect import Collected, FolderSource, Shot, StoredFrame, Unreadable, enough
from calibration.collect.inspecting import refusal
from calibration.commands.collect import SHOWN, describe
from calibration.methods import frames_needed
from edge.errors import ConfigError
from tests.calibration.scene import shot, write

NOW = datetime(2026, 11, 22, tzinfo=timezone.utc)


@given(count=st.integers(1, 2000))
def test_what_is_missing_for_a_bound_is_what_reaches_it(count):
    found = enough(count)
    assert found.bound == pytest.approx(1 - 0.05 ** (1 / count))
    for rate, more in found.more:
        assert enough(count + more).bound <= rate + 1e-12
        assert enough(count + more - 1).bound > rate
        assert count + more == frames_needed(rate)
    reached = {0.10, 0.05, 0.01} - {rate for rate, _ in found.more}
    assert all(found.bound <= rate + 1e-12 for rate in reached)


@given(count=st.integers(1, 2000))
def test_the_percentage_said_is_never_better_than_the_truth(count):
    said = float(str(enough(count)).split("under ")[1].split(" %")[0])
    assert said >= 100 * enough(count).bound - 1e-6


def stored(number: int) -> StoredFrame:
    return StoredFrame(
        file=f"{number:04d}.png", sha256="a" * 64, source="folder x", source_name="a", stored_at=NOW, who="A",
        frame_to_reference=((1, 0, 0), (0, 1, 0), (0, 0, 1)), gates=(), checks=(),
    )  # fmt: skip


def collected(frames: int = 2, refused: int = 0, **changes) -> Collected:
    listed = tuple(stored(number + 1) for number in range(frames))
    why = tuple(refusal(f"{number}.png", "size", "is 3x3", "mend it") for number in range(refused))
    return Collected(Path("out"), listed, frames, why, enough(frames), **changes)


def test_each_refusal_is_a_line_with_what_to_do():
    said = describe(collected(refused=2))
    assert "refused 0.png: size: is 3x3: mend it\nrefused 1.png: size: is 3x3: mend it\n" in said
    assert said.endswith("next: lineclear-calibrate thresholds --recipe RECIPE --images out\n")


def test_a_long_list_is_cut_and_says_where_the_rest_is():
    said = describe(collected(refused=SHOWN + 3))
    assert said.count("is 3x3") == SHOWN
    assert "refused 3 more, see collected.json" in said


def test_why_it_stopped_and_what_else_to_know_is_said():
    said = describe(collected(frames=0, stopped="20 frames in a row were refused", notes=("the reference is soft",)))
    assert "note: the reference is soft\n" in said
    assert "stopped: 20 frames in a row were refused\n" in said
    assert "no frame: nothing can be promised" in said
    assert "next:" not in said


def test_a_folder_gives_its_files_in_natural_order_and_names_what_is_no_image(tmp_path):
    for number in (10, 2, 1):
        write(tmp_path / f"{number}.png", shot(number))
    (tmp_path / "3.png").write_bytes(b"")
    source = FolderSource(tmp_path)
    shots = list(source.shots())
    assert [one.name for one in shots] == ["1.png", "2.png", "3.png", "10.png"]
    assert isinstance(shots[2], Unreadable)
    assert isinstance(shots[0], Shot)
    assert np.array_equal(shots[0].image, shot(1))
    assert (source.total, source.camera_settings_hash) == (4, None)
    assert len(shots[0].file_sha256) == 64


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no image"):
        FolderSource(tmp_path)
