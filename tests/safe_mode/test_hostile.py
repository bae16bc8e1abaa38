"""What may stand where the config, or the last good one, should be: nothing hangs on it, and nothing is trusted."""

import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from edge.config import load_config
from edge.errors import ConfigError
from edge.safe_mode import ConfigWatch, LastGood
from edge.safe_mode.watching import MAX_LOOKED_BYTES
from tests.cli.running import process, station

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=timezone.utc)


def _nothing(path: Path) -> None:
    path.unlink()


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


def _device(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _huge(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1 << 40)


def _binary(path: Path) -> None:
    path.write_bytes(bytes(range(256)))


HOSTILE = [_nothing, _folder, _pipe, _loop, _device, _huge, _binary]


@pytest.mark.parametrize("spoil", HOSTILE)
def test_whatever_stands_in_the_configs_place_is_refused_at_once(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = station(tmp_path)
    spoil(path)
    with pytest.raises(ConfigError) as found:
        load_config(path)
    assert str(path) in str(found.value)


@pytest.mark.parametrize("spoil", HOSTILE)
def test_a_running_station_is_not_held_up_by_it(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = station(tmp_path)
    watch = ConfigWatch(path, look_every_s=0.0)
    assert watch.look() is None
    spoil(path)
    assert "safe mode" in str(watch.look())
    assert ConfigWatch(path, look_every_s=0.0).look() is None, "nothing changed since"


@pytest.mark.parametrize("spoil", HOSTILE)
def test_whatever_stands_in_the_last_good_ones_place_is_refused_at_once(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = station(tmp_path)
    kept = LastGood.of(path, {})
    kept.save(load_config(path), NOW)
    spoil(kept.path)
    with pytest.raises(ConfigError) as found:
        kept.load()
    assert str(kept.path) in str(found.value)


def test_a_running_station_parses_nothing_that_would_hold_it_up(tmp_path: Path) -> None:
    path = station(tmp_path)
    watch = ConfigWatch(path, look_every_s=0.0)
    path.write_text(path.read_text() + "# a comment\n" * (MAX_LOOKED_BYTES // 10))
    load_config(path)
    assert "is too large" in str(watch.look())


@pytest.mark.parametrize("mode", [0o660, 0o606, 0o666])
def test_what_others_could_have_written_is_not_used(tmp_path: Path, mode: int) -> None:
    path = station(tmp_path)
    kept, config = LastGood.of(path, {}), load_config(path)
    kept.save(config, NOW)
    kept.path.chmod(mode)
    with pytest.raises(ConfigError, match="others than the station's user"):
        kept.load()
    assert kept.save(config, NOW), "it is replaced once the config proved itself"
    assert kept.load().config == config


def test_what_is_a_link_is_not_used_and_not_followed(tmp_path: Path) -> None:
    path = station(tmp_path)
    kept, config, elsewhere = LastGood.of(path, {}), load_config(path), tmp_path / "elsewhere"
    kept.save(config, NOW)
    kept.path.rename(elsewhere)
    kept.path.symlink_to(elsewhere)
    before = elsewhere.read_text()
    with pytest.raises(ConfigError, match="is a link"):
        kept.load()
    kept.save(config.model_copy(update={"product": "aspirin"}), NOW)
    assert not kept.path.is_symlink()
    assert elsewhere.read_text() == before


def test_with_both_spoilt_it_ends_and_names_both(tmp_path: Path) -> None:
    path = station(tmp_path)
    kept = LastGood.of(path, {})
    kept.save(load_config(path), NOW)
    for file in (path, kept.path):
        _pipe(file)
    answer = process("run", path)
    assert answer.status == 3
    assert answer.problems == [
        f"lineclear: {path}: is no plain file: name the file",
        f"lineclear: there is no last good config to run in safe mode: {kept.path}: is no plain file: name the file",
    ]
