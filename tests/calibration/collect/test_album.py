import json
from datetime import datetime, timezone

import numpy as np
import pytest

from calibration.collect import CollectionFile, CollectSettings, read_album
from calibration.collect.album import DOCUMENT, Album
from calibration.collect.inspecting import refusal
from calibration.collect.records import MAX_REFUSED
from edge.errors import ConfigError
from edge.settings.registration import RegistrationSettings
from tests.calibration.scene import shot


def start(**changes):
    fields = {"schema": 1, "view": "front", "provisional": True}
    fields |= {"registration": RegistrationSettings(), "settings": CollectSettings()}
    return CollectionFile.model_validate({**fields, **changes})


def fields(name="a.png"):
    return {
        "source": "folder x",
        "source_name": name,
        "stored_at": datetime.now(timezone.utc),
        "who": "A",
        "frame_to_reference": np.eye(3).tolist(),
        "gates": (),
        "checks": (),
    }


def test_frames_come_back_as_they_were_colour_and_grey(tmp_path):
    grey = np.ascontiguousarray(shot(1)[..., 0])
    with Album(tmp_path / "out", start()) as album:
        album.add(shot(0), fields())
        album.add(grey, fields())
        found = [image for _, image in album.images()]
    assert np.array_equal(found[0], shot(0))
    assert np.array_equal(found[1], grey)


def test_the_first_frame_becomes_the_provisional_reference(tmp_path):
    with Album(tmp_path / "out", start()) as album:
        first = album.add(shot(0), fields())
        album.add(shot(1), fields())
    assert read_album(tmp_path / "out").reference == first.sha256


def test_numbers_go_on_after_the_highest(tmp_path):
    with Album(tmp_path / "out", start()) as album:
        assert [album.add(shot(number), fields()).file for number in range(3)] == ["0001.png", "0002.png", "0003.png"]
    with Album(tmp_path / "out", start()) as album:
        assert album.add(shot(3), fields()).file == "0004.png"


def test_only_the_last_refusals_are_kept_but_all_are_counted(tmp_path):
    with Album(tmp_path / "out", start()) as album:
        album.note([refusal(f"{number}", "readable", "broken", "mend it") for number in range(MAX_REFUSED + 5)])
        album.note([])
    document = read_album(tmp_path / "out")
    assert len(document.refused) == MAX_REFUSED
    assert document.refused_count == MAX_REFUSED + 5
    assert document.refused[-1].name == f"{MAX_REFUSED + 4}"


def test_what_is_cut_off_before_it_is_listed_goes_and_after_it_stays(tmp_path):
    out = tmp_path / "out"
    with Album(out, start()) as album:
        kept = album.add(shot(0), fields())
    (out / kept.file).rename(out / f".pending-{kept.file}")
    (out / ".pending-0002.png").write_bytes(b"half a pict")
    (out / ".new-collected.json").write_text("{")
    with Album(out, start()) as album:
        assert [frame.file for frame, _ in album.images()] == ["0001.png"]
    assert sorted(path.name for path in out.iterdir()) == [".collecting", "0001.png", "collected.json"]


def test_a_listed_frame_that_is_gone_is_named(tmp_path):
    with Album(tmp_path / "out", start()) as album:
        album.add(shot(0), fields())
    (tmp_path / "out" / "0001.png").unlink()
    with Album(tmp_path / "out", start()) as album, pytest.raises(ConfigError, match=r"0001\.png cannot be read"):
        list(album.images())


@pytest.mark.parametrize("text", ["", "[]", '{"schema": 1}', '{"schema": 2}', "{"])
def test_a_damaged_document_is_refused_and_the_folder_is_free_again(tmp_path, text):
    out = tmp_path / "out"
    with Album(out, start()):
        pass
    (out / DOCUMENT).write_text(text)
    for _ in range(2):
        with pytest.raises(ConfigError), Album(out, start()):
            pytest.fail("it was opened")
    (out / DOCUMENT).unlink()
    with Album(out, start()):
        pass


def test_a_recipes_reference_must_be_the_same(tmp_path):
    given = {"provisional": False, "recipe": "front", "reference": "a" * 64}
    with Album(tmp_path / "out", start(**given)) as album:
        album.add(shot(0), fields())
    with (
        pytest.raises(ConfigError, match="another reference"),
        Album(tmp_path / "out", start(**(given | {"reference": "b" * 64}))),
    ):
        pytest.fail("it was opened")
    with Album(tmp_path / "out", start(**given)) as album:
        assert len(album.frames) == 1


def test_new_limits_hold_from_now_on_and_are_written_down(tmp_path):
    with Album(tmp_path / "out", start()) as album:
        album.add(shot(0), fields())
    strict = CollectSettings(min_sharpness=0.9)
    with Album(tmp_path / "out", start(settings=strict)) as album:
        album.add(shot(1), fields())
    assert read_album(tmp_path / "out").settings == strict


def test_the_document_is_plain_json_without_nan(tmp_path):
    with Album(tmp_path / "out", start()) as album:
        album.add(shot(0), fields())
    document = json.loads((tmp_path / "out" / DOCUMENT).read_text())
    assert document["schema"] == 1
    assert document["frames"][0]["frame_to_reference"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
