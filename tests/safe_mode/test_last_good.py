"""What is kept of a config that ran well, and what is refused when it is needed."""

import json
import stat
from datetime import datetime, timezone
from pathlib import Path

import pytest

from edge.config import StationConfig, load_config
from edge.errors import ConfigError
from edge.safe_mode import ConfigWatch, LastGood, Proving
from tests.cli.running import station

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=timezone.utc)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return station(tmp_path)


@pytest.fixture
def config(path: Path) -> StationConfig:
    return load_config(path)


def test_what_is_kept_is_what_ran_wherever_it_is_read(path: Path, config: StationConfig) -> None:
    kept = LastGood.of(path, {})
    assert kept.path == path.with_name("station.yaml.last-good")
    assert kept.save(config, NOW)
    found = kept.load()
    assert found.config == config
    assert found.saved_at == "2026-11-22T03:00:00+00:00"
    assert Path(found.config.state_dir).is_absolute()


def test_a_service_keeps_it_in_its_state_folder(path: Path) -> None:
    kept = LastGood.of(path, {"STATE_DIRECTORY": "/var/lib/lineclear/feeder:/var/lib/other"})
    assert kept.path == Path("/var/lib/lineclear/feeder/station.yaml.last-good")


def test_the_same_config_is_not_written_again(path: Path, config: StationConfig) -> None:
    kept = LastGood.of(path, {})
    assert kept.save(config, NOW)
    before = kept.path.stat()
    assert not kept.save(config, NOW)
    assert kept.path.stat().st_ino == before.st_ino
    assert kept.save(config.model_copy(update={"product": "aspirin"}), NOW)
    assert kept.load().config.product == "aspirin"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_it_has_the_permissions_of_the_config_and_leaves_nothing_else(path: Path, config: StationConfig, mode: int) -> None:
    path.chmod(mode)
    before = set(path.parent.iterdir())
    kept = LastGood.of(path, {})
    kept.save(config, NOW)
    assert stat.S_IMODE(kept.path.stat().st_mode) == mode
    assert set(path.parent.iterdir()) == before | {kept.path}


def test_secrets_stay_in_their_files(tmp_path: Path) -> None:
    secret = tmp_path / "broker.secret"
    secret.write_text("user:hunter2")
    secret.chmod(0o600)
    publisher = {"kind": "mqtt", "host": "127.0.0.1", "credentials_file": "broker.secret"}
    path = station(tmp_path, publisher=publisher)
    kept = LastGood.of(path, {})
    kept.save(load_config(path), NOW)
    assert "hunter2" not in kept.path.read_text()
    assert str(secret) in kept.path.read_text()


def test_what_was_damaged_or_written_by_hand_is_refused(path: Path, config: StationConfig) -> None:
    kept = LastGood.of(path, {})
    with pytest.raises(ConfigError, match="file not found"):
        kept.load()
    kept.save(config, NOW)
    body = json.loads(kept.path.read_text())
    body["config"]["product"] = "something else"
    for text in (json.dumps(body), "{}", "[]", "garbage", '{"schema": "lineclear/last-good/1"}'):
        kept.path.write_text(text)
        with pytest.raises(ConfigError):
            kept.load()
    kept.path.write_bytes(b"\xff\x00")
    with pytest.raises(ConfigError):
        kept.load()
    assert kept.save(config, NOW), "a damaged one is replaced"
    assert kept.load().config == config


def test_a_folder_that_cannot_be_written_is_said(path: Path, config: StationConfig) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        LastGood(path.parent / "none" / "x", path).save(config, NOW)


def test_it_is_kept_only_after_it_ran_well(path: Path, config: StationConfig) -> None:
    kept = LastGood.of(path, {})
    proving = Proving(config, kept, lambda: NOW, proven_s=0.0)
    for status in ("starting", "degraded", "safe_mode", "starting"):
        proving.told(status)
        assert proving.look() is None
        assert not kept.path.exists()
    proving.told("ready")
    assert proving.look() is None
    assert kept.load().config == config


def test_a_moment_of_readiness_proves_nothing(path: Path, config: StationConfig) -> None:
    kept = LastGood.of(path, {})
    proving = Proving(config, kept, lambda: NOW, proven_s=3600)
    proving.told("ready")
    proving.look()
    assert not kept.path.exists()


def test_that_it_cannot_be_kept_is_an_alarm_and_not_the_end(path: Path, config: StationConfig) -> None:
    proving = Proving(config, LastGood(path.parent / "none" / "x", path), lambda: NOW, proven_s=0.0)
    proving.told("ready")
    assert "cannot be written" in str(proving.look())
    assert proving.look() == proving.trouble


def test_a_file_that_is_changed_under_the_running_station_is_told(path: Path) -> None:
    watch, text = ConfigWatch(path, look_every_s=0.0), path.read_text()
    assert watch.look() is None
    path.write_text(text + "product: aspirin\n")
    assert "it takes effect when the station is restarted" in str(watch.look())
    path.write_text("garbage: [")
    assert "cannot be used" in str(watch.look())
    assert "safe mode" in str(watch.look())
    path.unlink()
    assert "file not found" in str(watch.look())
    path.write_text(text)
    assert watch.look() is None, "as it was: all is well again"
