import numpy as np
import pytest

from calibration.evaluate.store import MapStore, StoredMaps
from edge.errors import Cancelled, ConfigError


def maps(count, side=8):
    return [np.full((side, side), number, np.float32) for number in range(count)]


def test_what_is_put_comes_back_by_its_number():
    with MapStore() as store:
        numbers = [store.put(each) for each in maps(4)]
        assert numbers == [0, 1, 2, 3]
        assert [float(store.get(number)[0, 0]) for number in reversed(numbers)] == [3, 2, 1, 0]
        assert store.files == 0


def test_past_the_budget_they_go_to_the_disk_and_come_back_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    random = np.random.default_rng(3)
    given = [random.normal(size=(8, 8)).astype(np.float32) for _ in range(5)]
    given[3][2, 2] = np.nan
    with MapStore(budget_bytes=2 * given[0].nbytes) as store:
        for each in given:
            store.put(each)
        assert store.files == 3
        assert len(list(tmp_path.rglob("*.npy"))) == 3
        for number, each in enumerate(given):
            np.testing.assert_array_equal(store.get(number), each)
    assert not list(tmp_path.iterdir())


def test_a_cancel_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen = []

    def work():
        with MapStore(budget_bytes=0) as store:
            store.put(maps(1)[0])
            seen.extend(tmp_path.rglob("*.npy"))
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        work()
    assert len(seen) == 1
    assert not list(tmp_path.iterdir())


def test_what_is_not_judged_becomes_the_lowest_score():
    with MapStore() as store:
        low = np.array([[1.0, np.nan], [-3.0, 2.0]], np.float32)
        numbers = [store.put(low), store.put(np.full((2, 2), np.nan, np.float32))]
        stored = StoredMaps(store, numbers)
        assert stored.floor == -3.0
        assert stored[0].tolist() == [[1.0, -3.0], [-3.0, 2.0]]
        assert stored[1].tolist() == [[-3.0, -3.0], [-3.0, -3.0]]
        assert len(stored) == 2
        assert [each.shape for each in stored[0:2]] == [(2, 2), (2, 2)]
        assert np.isnan(store.get(0)[0, 1]), "the store's own map must stay as it is"


def test_of_scores_above_zero_the_floor_is_zero():
    with MapStore() as store:
        stored = StoredMaps(store, [store.put(np.full((2, 2), 5, np.float32))])
        assert stored.floor == 0.0


def test_no_map_at_all():
    with MapStore() as store:
        assert len(StoredMaps(store, [])) == 0
        assert StoredMaps(store, []).floor == 0.0


def test_maps_only_of_pixels_that_are_not_judged():
    with MapStore() as store:
        stored = StoredMaps(store, [store.put(np.full((3, 3), np.nan, np.float32))])
        assert stored[0].tolist() == [[0.0] * 3] * 3


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError("4096 requested and 12 written")])
def test_a_full_temporary_folder_is_named_with_what_to_do(tmp_path, monkeypatch, error):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def full(*_, **__):
        raise error

    monkeypatch.setattr(np, "save", full)
    with MapStore(budget_bytes=0) as store:
        with pytest.raises(ConfigError) as caught:
            store.put(maps(1)[0])
        for words in (str(tmp_path), str(error.strerror or error), "set TMPDIR"):
            assert words in str(caught.value)
    assert not list(tmp_path.iterdir())
