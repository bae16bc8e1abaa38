import shutil

import numpy as np
import pytest

from calibration.evaluate.samples import good_samples, read_labelled, refuse_known
from edge.errors import ConfigError
from tests.calibration.evaluate.making import frame
from tests.calibration.scene import write


@pytest.fixture
def folders(tmp_path):
    """good/a, good/b, bad/a."""
    write(tmp_path / "good" / "a.png", frame(1)[0])
    write(tmp_path / "good" / "b.png", frame(2)[0])
    write(tmp_path / "bad" / "a.png", frame(3, leftover=(200, 200))[0])
    return tmp_path


def test_names_are_unique_and_short(folders):
    tests = read_labelled(folders)
    assert sorted(each.name for each in tests.samples) == ["bad/a.png", "good/a.png", "good/b.png"]
    assert {each.name: each.bad for each in tests.samples} == {"bad/a.png": True, "good/a.png": False, "good/b.png": False}
    assert tests.source == str(folders)


def test_links_keep_their_own_names(folders, tmp_path):
    store = tmp_path / "elsewhere"
    store.mkdir()
    shutil.move(folders / "good" / "a.png", store / "hash.png")
    (folders / "good" / "a.png").symlink_to(store / "hash.png")
    assert "good/a.png" in {each.name for each in read_labelled(folders).samples}


def test_the_digest_is_of_the_files_bytes(folders):
    import hashlib

    for each in read_labelled(folders).samples:
        assert each.sha256 == hashlib.sha256(each.path.read_bytes()).hexdigest()


def test_one_file_that_is_good_and_bad_is_refused(folders):
    shutil.copy(folders / "good" / "a.png", folders / "bad" / "twin.png")
    with pytest.raises(ConfigError, match=r"a\.png and .*twin\.png are one file, once called good and once bad|twin"):
        read_labelled(folders)


def test_one_file_twice_under_one_label_is_no_contradiction(folders):
    shutil.copy(folders / "good" / "a.png", folders / "good" / "c.png")
    assert len(read_labelled(folders).samples) == 4


def test_a_folder_without_labels(tmp_path):
    with pytest.raises(ConfigError):
        read_labelled(tmp_path)
    with pytest.raises(ConfigError, match="no such file or folder"):
        read_labelled(tmp_path / "nothing")


def test_what_cannot_be_used_is_told(folders):
    (folders / "good" / "torn.png").write_bytes(b"no image at all")
    tests = read_labelled(folders)
    assert len(tests.samples) == 3
    assert any("torn.png" in problem for problem in tests.problems)


def test_labels_for_images_that_are_not_there_are_told(folders):
    lines = [
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes",
        'a.png,1,"{}",1,0,"{""name"":""rect"",""x"":10,""y"":10,""width"":30,""height"":20}","{""Label"":""leftover""}"',
        'gone.png,1,"{}",1,0,"{""name"":""rect"",""x"":1,""y"":1,""width"":3,""height"":2}","{""Label"":""leftover""}"',
    ]
    (folders / "via.csv").write_text("\n".join(lines) + "\n")
    tests = read_labelled(folders / "via.csv", folders / "bad")
    assert [each.name for each in tests.samples] == ["a.png"]
    assert tests.samples[0].item.truth[10:30, 10:40].all()
    assert any("gone.png" in problem for problem in tests.problems)


def test_masks_are_read_with_a_threshold(folders):
    import cv2

    soft = np.zeros((320, 480), np.uint8)
    soft[50:80, 50:80], soft[60:70, 60:70] = 100, 255
    (folders / "masks").mkdir()
    assert cv2.imwrite(str(folders / "masks" / "a.png"), soft)
    tests = read_labelled(folders / "masks", folders / "bad", "masks", mask_threshold=200)
    (sample,) = tests.samples
    assert sample.item.truth.sum() == 100


def test_known_frames_are_refused_by_name_with_what_to_do(folders):
    tests = read_labelled(folders)
    known = [(each.sha256, "front/x.png") for each in tests.samples]
    with pytest.raises(ConfigError) as caught:
        refuse_known(tests, known, "built the model m", "label other frames")
    text = str(caught.value)
    assert "3 labelled images built the model m" in text
    assert "= front/x.png" in text
    assert text.endswith("label other frames")


def test_many_known_frames_are_listed_briefly(folders):
    for number in range(10, 16):
        write(folders / "good" / f"{number}.png", frame(number)[0])
    tests = read_labelled(folders)
    with pytest.raises(ConfigError, match=r"9 labelled images .* and 6 more\)"):
        refuse_known(tests, [(each.sha256, "") for each in tests.samples], "are known", "x")


def test_unknown_frames_pass(folders):
    refuse_known(read_labelled(folders), [("0" * 64, "other.png")], "are known", "x")


def test_good_frames(folders):
    assert [each.name for each in good_samples(folders / "good")] == ["a.png", "b.png"]
    assert not any(each.bad for each in good_samples(folders / "good"))
    with pytest.raises(ConfigError, match="holds no image"):
        good_samples(folders)
    with pytest.raises(ConfigError, match="cannot be listed"):
        good_samples(folders / "none")


def test_images_without_labels_in_a_label_file_are_no_part_of_the_set(folders):
    (folders / "via.csv").write_text(
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
        'a.png,1,"{}",0,0,"{}","{}"\n'
    )
    tests = read_labelled(folders / "via.csv", folders / "good")
    assert "b.png" not in {each.name for each in tests.samples}
    assert any("b.png" in problem for problem in tests.problems)
