"""Room, kind, speed and wear of disks."""

from pathlib import Path

import pytest

from edge.config import load_config
from edge.doctor import disk
from edge.doctor.check import Case, Status
from edge.doctor.disk import filesystem, mount_of, mounts, room, speed
from edge.doctor.limits import Limit
from edge.doctor.machine import Answer, Machine
from edge.doctor.wear import smart, wear
from tests.cli.running import station
from tests.doctor.trees import CONTAINER, MOUNTS, case, checked, grow, nothing
from tests.unprivileged import ordinary_user


def configured(tmp_path: Path, **changes: object) -> Case:
    return Case(config=load_config(station(tmp_path, **changes)))


def test_a_blank_in_a_mount_point_and_the_deepest_mount() -> None:
    found = mounts(MOUNTS)
    assert [mount.point for mount in found] == ["/", "/sys", "/srv/evid ence"]
    at = mount_of(found, Path("/srv/evid ence/2026"))
    assert at is not None
    assert (at.kind, at.source) == ("xfs", "/dev/sda1")
    beside = mount_of(found, Path("/srv/evid ence2"))
    assert beside is not None
    assert beside.point == "/"


def test_of_two_mounts_at_one_place_the_later_counts() -> None:
    found = mounts("1 0 8:1 / /data rw - ext4 /dev/sda1 rw\n2 1 8:2 / /data ro - xfs /dev/sdb1 rw\nnonsense\n")
    at = mount_of(found, Path("/data/x"))
    assert at is not None
    assert at.source == "/dev/sdb1"
    assert mount_of((), Path("/data")) is None


@pytest.mark.parametrize(
    ("line", "status", "word"),
    [
        ("1 0 8:1 / / rw - ext4 /dev/sda1 rw", "OK", "ext4"),
        ("1 0 8:1 / / rw - ext4 /dev/sda1 ro,errors=remount-ro", "FAIL", "read-only"),
        ("1 0 8:1 / / ro - ext4 /dev/sda1 rw", "FAIL", "read-only"),
        ("1 0 8:1 / / rw - tmpfs tmpfs rw", "WARN", "memory"),
        ("1 0 8:1 / / rw - nfs4 nas:/x rw", "WARN", "network"),
        ("1 0 8:1 / / rw - vfat /dev/sda1 rw", "WARN", "journal"),
        ("1 0 8:1 / / rw - overlay overlay rw", "WARN", "container"),
        ("", "SKIP", "does not say"),
    ],
)
def test_the_kind_of_disk(tmp_path: Path, line: str, status: str, word: str) -> None:
    machine = grow(tmp_path / "root", {"/proc/self/mountinfo": line})
    (found,) = filesystem(Case(machine))
    assert (found.status.value, word in found.detail) == (status, True)


def test_the_archive_has_its_own_line(tmp_path: Path) -> None:
    config = configured(tmp_path, archive={"path": str(tmp_path / "evidence")})
    assert set(checked(room(config))) == {"disk", "disk archive"}
    config = Case(grow(tmp_path / "root", CONTAINER), config.config)
    assert set(checked(filesystem(config))) == {"filesystem", "filesystem archive"}


@pytest.mark.parametrize(("least", "free", "status"), [(1, 2, "OK"), (1, 10**12, "WARN"), (10**12, 10**13, "FAIL")])
def test_a_disk_that_fills_up(tmp_path: Path, monkeypatch, least: float, free: float, status: str) -> None:
    monkeypatch.setattr(disk, "DISK_LEAST", Limit("", least, "MB", ""))
    monkeypatch.setattr(disk, "DISK_FREE", Limit("", free, "MB", ""))
    (found,) = room(configured(tmp_path))
    assert (found.status.value, found.detail.endswith(f"free at {tmp_path}")) == (status, True)


def test_a_disk_without_files_left(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(disk, "INODES_FREE", Limit("", 101, "%", ""))
    (found,) = room(configured(tmp_path))
    assert found.status is Status.WARN
    assert "of its files are free" in found.detail


def test_a_folder_of_somebody_else() -> None:
    with ordinary_user() as folder:
        case = configured(folder)
        (folder / "state").mkdir()
        assert [check.status for check in room(case)] != [Status.FAIL]
        (folder / "state").chmod(0o500)
        (found,) = room(case)
    assert (found.status, "cannot be written" in found.detail) == (Status.FAIL, True)


def test_the_disk_is_tried_once_and_nothing_stays(tmp_path: Path, monkeypatch) -> None:
    config = configured(tmp_path)
    (found,) = speed(config)
    assert (found.status, "not there yet" in found.detail) == (Status.SKIP, True)
    (tmp_path / "state").mkdir()
    for limit, status in ((0.0, "WARN"), (1e9, "OK")):
        monkeypatch.setattr(disk, "FSYNC", Limit("", limit, "ms", ""))
        (found,) = speed(config)
        assert found.status.value == status
    assert list((tmp_path / "state").iterdir()) == []
    assert next(iter(speed(Case()))).status is Status.SKIP


@pytest.mark.parametrize(
    ("life", "spare", "status", "detail"),
    [
        ("0x01 0x01", "0x01", "OK", "0 to 10 % of its life used"),
        ("0x03 0x09", "0x01", "WARN", "80 to 90 % of its life used"),
        ("0x02 0x02", "0x02", "WARN", "10 to 20 % of its life used; four fifths of its spare blocks are used"),
        ("0x02 0x02", "0x03", "FAIL", "10 to 20 % of its life used; nearly all of its spare blocks are used"),
        ("0x0b 0x01", "0x01", "FAIL", "its life is used up"),
        ("0x00 0x00", "0x00", "SKIP", "an SD card or an old eMMC: it does not say how worn it is"),
        ("", "", "SKIP", "an SD card or an old eMMC: it does not say how worn it is"),
    ],
)
def test_an_emmc_that_wears_out(tmp_path: Path, life: str, spare: str, status: str, detail: str) -> None:
    base = "/sys/block/mmcblk0/device"
    (found,) = wear(case(grow(tmp_path, {f"{base}/life_time": life, f"{base}/pre_eol_info": spare})))
    assert (found.name, found.status.value, found.detail) == ("disk wear mmcblk0", status, detail)


NVME_CLI = '{"critical_warning":0,"avail_spare":%d,"percent_used":%d,"media_errors":%d}'


@pytest.mark.parametrize(
    ("said", "status", "word"),
    [
        (NVME_CLI % (100, 5, 0), "OK", "5 % of its life used"),
        (NVME_CLI % (100, 80, 0), "WARN", "80 %"),
        (NVME_CLI % (19, 5, 0), "WARN", "19 % spare"),
        (NVME_CLI % (0, 5, 0), "WARN", "0 % spare"),
        (NVME_CLI % (100, 5, 3), "WARN", "3 damaged blocks"),
        ('{"critical_warning": 4, "avail_spare": 100}', "FAIL", "failing"),
        ("Permission denied", "SKIP", "smartmontools"),
        ("[1, 2]", "SKIP", "smartmontools"),
        ('{"percent_used": true}', "SKIP", "smartmontools"),
    ],
)
def test_an_nvme_by_the_nvme_program(tmp_path: Path, said: str, status: str, word: str) -> None:
    (found,) = wear(case(grow(tmp_path, {"/sys/block/nvme0n1/size": "1"}, {"nvme": Answer(0, said)})))
    assert (found.status.value, word in found.detail) == (status, True)


def test_a_sata_disk_that_gives_up(tmp_path: Path) -> None:
    answer = Answer(8, '{"smart_status": {"passed": false}}')
    (found,) = wear(case(grow(tmp_path, {"/sys/block/sda/size": "1"}, {"smartctl": answer})))
    assert (found.status, "failing" in found.detail) == (Status.FAIL, True)
    assert smart('{"smart_status": {"passed": true}}') is not None
    assert smart("{}") is None


def test_without_a_program_a_disk_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "sys/block/sda").mkdir(parents=True)
    (found,) = wear(case(Machine(tmp_path, nothing, {})))
    assert found.status is Status.SKIP
