from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.engines import sealed
from edge.engines.cache import COMPILED, PLAN, TIMING, CacheKey, EngineCache, default_cache_dir, timings_name
from edge.engines.sealed import SealBroken, read_header, read_sealed, write_sealed
from edge.errors import Cancelled, EngineFault
from tests.unprivileged import ordinary_user

KEY = CacheKey("a" * 64, "tensorrt", "10.3.0", "Orin", "SM87", "540.4.0 cuda 12.6", (("precision", "float16"),))


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines", 10_000)


def test_what_was_written_is_read_and_nothing_else_stays(cache: EngineCache) -> None:
    cache.write("one", PLAN, {"key": "k"}, b"plan" * 100)
    header, content = cache.read("one", PLAN, {"key": "k"}) or ({}, b"")
    assert content == b"plan" * 100
    assert header["key"] == "k"
    assert [path.name for path in cache.folder.iterdir()] == ["one.plan"]
    assert cache.read("two", PLAN, {}) is None
    assert cache.read("one", TIMING, {}) is None


@pytest.mark.parametrize("field", ["onnx_sha256", "backend", "version", "gpu", "compute_capability", "driver", "options"])
def test_every_field_makes_another_name(field: str) -> None:
    other: Any = (("precision", "float32"),) if field == "options" else "other"
    changed = replace(KEY, **{field: other})
    assert changed.name != KEY.name
    assert replace(KEY).name == KEY.name


def test_timings_are_of_one_machine() -> None:
    told = ("tensorrt", "10.3.0", "Orin", "540.4.0 cuda 12.6")
    names = {timings_name(*told[:place], "other", *told[place + 1 :]) for place in range(4)}
    assert len(names | {timings_name(*told)}) == 5


def test_a_file_that_may_not_be_read_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with ordinary_user() as folder:
        cache = EngineCache(folder / "engines", 10_000)
        cache.write("one", PLAN, {}, b"1")
        (cache.folder / "one.plan").chmod(0)
        assert cache.read("one", PLAN, {}) is None
        assert (cache.folder / "one.plan").exists()
    assert "give it to the station's user" in caplog.text


@pytest.mark.parametrize("damage", ["cut", "flipped", "longer", "header", "magic", "empty", "folder", "link", "length"])
def test_what_is_damaged_is_no_engine_and_goes(cache: EngineCache, damage: str, tmp_path: Path) -> None:
    cache.write("one", PLAN, {"key": "k"}, b"plan" * 100)
    path = cache.folder / "one.plan"
    data = path.read_bytes()
    changed = {
        "cut": data[:-1],
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
        "longer": data + b"\0",
        "header": data.replace(b"payload_sha256", b"payload_sha255"),
        "magic": b"X" + data[1:],
        "empty": b"",
        "length": data[:19] + b"\xff" * 8 + data[27:],
    }
    if damage in changed:
        path.write_bytes(changed[damage])
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.unlink()
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.unlink()
        path.mkdir()
    assert cache.read("one", PLAN, {"key": "k"}) is None
    assert damage == "folder" or not path.is_symlink()
    assert damage == "folder" or not path.exists()


def test_a_file_under_another_name_is_not_taken(cache: EngineCache) -> None:
    cache.write("one", PLAN, {"key": "k"}, b"plan")
    (cache.folder / "one.plan").rename(cache.folder / "two.plan")
    assert cache.read("two", PLAN, {"key": "of two"}) is None
    assert not (cache.folder / "two.plan").exists()


def test_the_least_recently_used_goes_and_the_newest_stays(cache: EngineCache) -> None:
    for number, name in enumerate(("old", "used", "middle")):
        cache.write(name, PLAN, {}, bytes(3000))
        os.utime(cache.folder / f"{name}.plan", (1000 + number, 1000 + number))
    cache.read("old", PLAN, {})
    cache.write("new", PLAN, {}, bytes(3000))
    assert {path.stem for path in cache.folder.iterdir()} == {"old", "middle", "new"}
    cache.write("huge", PLAN, {}, bytes(20_000))
    assert {path.stem for path in cache.folder.iterdir()} == {"huge"}


def test_what_a_killed_process_left_goes_and_what_is_being_written_stays(cache: EngineCache) -> None:
    cache.write("one", PLAN, {}, b"1")
    left, young = cache.folder / ".new-left", cache.folder / ".new-young"
    for path in (left, young):
        path.write_bytes(b"half")
    os.utime(left, (1000, 1000))
    cache.write("two", PLAN, {}, b"2")
    assert not left.exists()
    assert young.exists()


def test_entries_are_listed_without_being_read_whole(cache: EngineCache) -> None:
    assert cache.entries() == ()
    for number, (name, kind) in enumerate((("a", PLAN), ("b", TIMING), ("c", COMPILED))):
        cache.write(name, kind, {"name": name}, b"x")
        os.utime(cache.folder / (name + kind), (1000 + number, 1000 + number))
    (cache.folder / "stranger.plan").write_bytes(b"not ours")
    (cache.folder / "notes.txt").write_text("hello")
    assert [entry.header["name"] for entry in cache.entries()] == ["c", "b", "a"]
    assert all(entry.size_bytes > 0 for entry in cache.entries())


def test_a_folder_that_anybody_can_write_is_not_trusted(cache: EngineCache) -> None:
    cache.write("one", PLAN, {}, b"1")
    cache.folder.chmod(0o777)
    assert cache.read("one", PLAN, {}) is None
    with pytest.raises(EngineFault, match=r"can be written by everybody.*chmod o-w"):
        cache.write("two", PLAN, {}, b"2")
    cache.folder.chmod(0o750)
    assert cache.read("one", PLAN, {}) is not None


def test_a_folder_that_cannot_be_made_or_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineFault, match=r"cannot be made .*set `engine.cache_dir`"):
        EngineCache(tmp_path / "file" / "engines", 1).write("one", PLAN, {}, b"1")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sealed.os, "fsync", full)
    with pytest.raises(EngineFault, match=r"cannot be written \(No space left on device\).*free some space"):
        EngineCache(tmp_path / "engines", 1).write("one", PLAN, {}, b"1")
    assert list((tmp_path / "engines").iterdir()) == []


def disk_of(monkeypatch: pytest.MonkeyPatch, folder: Path, size: int) -> None:
    """A disk that holds so much of the cache's files and says that it is full beyond."""
    real = sealed.os.fsync

    def fsync(descriptor: int) -> None:
        if sum(path.stat().st_size for path in folder.iterdir()) > size:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(sealed.os, "fsync", fsync)


class TestFullDisk:
    def test_a_new_engine_drives_out_those_that_were_used_longest_ago(
        self, cache: EngineCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number, name in enumerate(("oldest", "older", "used")):
            cache.write(name, PLAN, {}, bytes(2000))
            os.utime(cache.folder / f"{name}.plan", (1000 + number, 1000 + number))
        disk_of(monkeypatch, cache.folder, 7500)
        cache.write("new", PLAN, {}, bytes(1900))
        assert {path.stem for path in cache.folder.iterdir()} == {"older", "used", "new"}

    def test_where_nothing_can_go_it_is_a_fault_and_nothing_is_left(
        self, cache: EngineCache, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache.write("sibling", PLAN, {}, bytes(2000), group="one bundle")
        disk_of(monkeypatch, cache.folder, 3000)
        with pytest.raises(EngineFault, match=r"cannot be written \(No space left on device\).*free some space"):
            cache.write("new", PLAN, {}, bytes(2000), group="one bundle")
        assert {path.name for path in cache.folder.iterdir()} == {"sibling.plan"}

    @pytest.mark.parametrize("kind", [TIMING, COMPILED])
    def test_what_only_saves_time_drives_out_no_engine(
        self, cache: EngineCache, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        cache.write("one", PLAN, {}, bytes(2000))
        disk_of(monkeypatch, cache.folder, 3000)
        with pytest.raises(EngineFault, match="No space left"):
            cache.write("new", kind, {}, bytes(2000))
        assert cache.read("one", PLAN, {}) is not None


@pytest.mark.parametrize("kind", [TIMING, COMPILED])
def test_beyond_the_limit_too_only_an_engine_drives_out_an_engine(cache: EngineCache, kind: str) -> None:
    cache.write("one", PLAN, {}, bytes(9000))
    cache.write("new", kind, {}, bytes(9000))
    assert cache.read("one", PLAN, {}) is not None
    cache.write("two", PLAN, {}, bytes(9000))
    assert {path.name for path in cache.folder.iterdir()} == {"two.plan"}


def test_what_belongs_together_stays_together_beyond_the_limit(cache: EngineCache) -> None:
    cache.write("other", PLAN, {}, bytes(6000), group="bundle b")
    cache.write("step", PLAN, {}, bytes(6000), group="bundle a")
    cache.write("model", PLAN, {}, bytes(6000), group="bundle a")
    assert {path.stem for path in cache.folder.iterdir()} == {"step", "model"}
    cache.write("alone", PLAN, {}, bytes(6000))
    assert {path.stem for path in cache.folder.iterdir()} == {"alone"}


def test_a_clock_that_went_back_makes_no_engine_immortal(cache: EngineCache) -> None:
    now = time.time()
    for name, used_at in (("of the future", now + 10 * 365 * 86_400), ("of today", now - 60)):
        cache.write(name, PLAN, {}, bytes(4000))
        os.utime(cache.folder / f"{name}.plan", (used_at, used_at))
    (cache.folder / ".new-left").write_bytes(b"half")
    os.utime(cache.folder / ".new-left", (now + 90_000, now + 90_000))
    assert [entry.path.stem for entry in cache.entries()] == ["of today", "of the future"]
    cache.write("new", PLAN, {}, bytes(4000))
    assert {path.stem for path in cache.folder.iterdir()} == {"of today", "new"}


def test_what_cannot_be_read_just_now_is_not_thrown_away(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache.write("one", PLAN, {}, b"1")

    def no_descriptor(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(sealed.os, "open", no_descriptor)
        assert cache.read("one", PLAN, {}) is None
    assert "engine_cache_unreadable" in caplog.text
    assert cache.read("one", PLAN, {}) is not None


@pytest.mark.parametrize("whose", ["a stranger's", "everybody's"])
def test_a_sound_file_that_a_stranger_may_have_written_is_not_run(
    cache: EngineCache, whose: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write("one", PLAN, {}, b"1")
    path = cache.folder / "one.plan"
    if whose == "everybody's":
        path.chmod(0o666)
    elif os.geteuid() == 0:
        os.chown(path, 4711, 4711)
    else:  # only root can give a file away: the station is another user instead
        monkeypatch.setattr(sealed.os, "geteuid", lambda: 4711)
    assert cache.read("one", PLAN, {}) is None
    assert "give it to the station's user" in caplog.text
    assert path.exists()


def test_a_folder_that_may_only_be_read_still_gives_its_engines() -> None:
    with ordinary_user() as folder:
        cache = EngineCache(folder / "engines", 10_000)
        cache.write("one", PLAN, {}, b"1")
        cache.folder.chmod(0o550)
        try:
            assert cache.read("one", PLAN, {}) is not None
            with pytest.raises(EngineFault, match="cannot be written"):
                cache.write("two", PLAN, {}, b"2")
            with pytest.raises(EngineFault, match="cannot be locked"), cache.locked("two", lambda: None):
                pass
        finally:
            cache.folder.chmod(0o750)


def test_one_builds_and_the_other_waits(cache: EngineCache) -> None:
    order: list[str] = []
    waiting, first_has_it = threading.Event(), threading.Event()

    def second() -> None:
        first_has_it.wait(10)
        with cache.locked("one", waiting.set):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with cache.locked("one", lambda: None):
        first_has_it.set()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_waiting_can_be_given_up_and_other_names_are_free(cache: EngineCache) -> None:
    def give_up() -> None:
        raise Cancelled("no patience")

    with cache.locked("one", lambda: None):
        with pytest.raises(Cancelled), cache.locked("one", give_up):
            pass
        with cache.locked("two", give_up):
            pass


def test_a_lock_goes_with_its_process(cache: EngineCache) -> None:
    script = (
        "import sys, pathlib; from edge.engines.cache import EngineCache\n"
        "with EngineCache(pathlib.Path(sys.argv[1]), 1).locked('one', lambda: None):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(cache.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "held\n"
    waited = []

    def killed_then() -> None:
        waited.append(True)
        child.kill()

    with cache.locked("one", killed_then):
        assert waited
    child.wait(10)
    child.stdin.close()
    child.stdout.close()


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CACHE_DIRECTORY": "/var/cache/lineclear"}, "/var/cache/lineclear/engines"),
        ({"CACHE_DIRECTORY": "/var/cache/lineclear:/var/cache/other"}, "/var/cache/lineclear/engines"),
        ({"XDG_CACHE_HOME": "/home/x/.c"}, "/home/x/.c/lineclear/engines"),
        ({"HOME": "/home/x"}, "/home/x/.cache/lineclear/engines"),
    ],
)
def test_where_engines_are_kept(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str) -> None:
    for name in ("CACHE_DIRECTORY", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert str(default_cache_dir()) == expected


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=400), at=st.integers(0, 600), change=st.binary(min_size=1, max_size=20))
def test_no_change_of_a_byte_goes_unseen(tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, change: bytes) -> None:
    path = tmp_path_factory.mktemp("sealed") / "x.plan"
    write_sealed(path, {"n": 1}, data)
    whole = path.read_bytes()
    assert read_sealed(path)[1] == data
    assert read_header(path)["n"] == 1
    mutated = whole[: at % len(whole)] + change + whole[at % len(whole) + len(change) :]
    path.write_bytes(mutated)
    try:
        header, read = read_sealed(path)
    except SealBroken:
        return
    # Only the free part of the header may differ unseen: the cache compares it with what it expects.
    assert read == data
    assert mutated == whole or header != {"n": 1}
