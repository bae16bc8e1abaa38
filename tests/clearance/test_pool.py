"""Released frames in the pool: the very bytes of the archive, whose they are beside them, bounded, and read by collect."""

import json
from pathlib import Path

import pytest

from edge.archive import Archive, ArchiveReader
from edge.archive.evidence import ArchiveError
from edge.cameras.folder import good_images
from edge.cameras.images import read_image
from edge.clearance import FramePool, PoolEntry
from edge.clearance.pool import folder_name
from edge.settings.archive import ArchiveSettings
from tests.archive.samples import evidence, frame


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """result-0 .. result-4 with frames, bare without one."""
    with Archive(tmp_path / "archive", ArchiveSettings(min_free_bytes=0)) as opened:
        for number in range(5):
            opened.submit(evidence(number, frame=frame(number)))
        opened.submit(evidence(9, result_id="bare", frame=None))
    return tmp_path / "archive"


def entry(*result_ids: str, view: str = "front") -> PoolEntry:
    return PoolEntry(view, result_ids, "clearance-1", "shot-1", "Chef", "a reflection")


def test_frames_go_in_as_they_were_grabbed_once_each(archive: Path, tmp_path: Path) -> None:
    pool = FramePool(tmp_path / "pool", archive)
    pool.take(entry("result-0", "result-1"))
    pool.take(entry("result-0"))
    found = good_images(tmp_path / "pool" / "front")
    assert len(found) == 2
    assert (read_image(found[0]) == frame(0)).all()
    about = json.loads(found[0].with_name(f"{found[0].name}.json").read_text())
    assert about == {
        "view": "front", "result_id": "result-0", "clearance": "clearance-1", "snapshot": "shot-1", "who": "Chef",
        "why": "a reflection",
    }  # fmt: skip


@pytest.mark.parametrize("missing", ["never", "bare"])
def test_what_is_not_there_is_named_and_the_rest_goes_in(archive: Path, tmp_path: Path, missing: str) -> None:
    with pytest.raises(ArchiveError, match=missing):
        FramePool(tmp_path / "pool", archive).take(entry("result-0", missing, "result-2"))
    assert len(good_images(tmp_path / "pool" / "front")) == 2


def test_a_frame_that_was_changed_is_not_taken(archive: Path, tmp_path: Path) -> None:
    found = ArchiveReader(archive).get("result-0")
    assert found is not None
    path = found.folder / found.files["frame"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArchiveError, match="not as it was written"):
        FramePool(tmp_path / "pool", archive).take(entry("result-0"))


def test_the_oldest_give_way(archive: Path, tmp_path: Path) -> None:
    pool = FramePool(tmp_path / "pool", archive, keep=2)
    for number in range(5):
        pool.take(entry(f"result-{number}"))
    found = good_images(tmp_path / "pool" / "front")
    assert [(read_image(path) == frame(number)).all() for path, number in zip(found, (3, 4), strict=True)] == [True, True]
    assert len(list((tmp_path / "pool" / "front").iterdir())) == 4


def test_a_pool_that_cannot_be_written_says_where(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "pool").write_text("a file where the folder should be")
    with pytest.raises(ArchiveError, match="pool"):
        FramePool(tmp_path / "pool", archive).take(entry("result-0"))


@pytest.mark.parametrize(
    ("view", "name"), [("front", "front"), ("..", "__"), ("a/b", "a_b"), ("Füller 2", "Füller_2"), ("", "_")]
)
def test_no_view_leaves_the_pool(view: str, name: str) -> None:
    assert folder_name(view) == name
