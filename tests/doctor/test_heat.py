"""Temperature, throttling, power mode and clocks."""

from pathlib import Path

import pytest

from edge.doctor.check import Status
from edge.doctor.heat import power, temperature, throttling, zones
from edge.doctor.machine import Answer
from tests.doctor.trees import CPU, JETSON, JETSON_TOOLS, case, checked, grow

ZONE = "/sys/class/thermal/thermal_zone0"


@pytest.mark.parametrize(
    ("milli", "status"), [("88999", "OK"), ("89000", "WARN"), ("98999", "WARN"), ("99000", "FAIL"), ("130000", "FAIL")]
)
def test_a_jetson_that_gets_hot(tmp_path: Path, milli: str, status: str) -> None:
    machine = grow(tmp_path, {**JETSON, f"{ZONE}/temp": milli})
    assert checked(temperature(case(machine)))["temperature"].status.value == status


@pytest.mark.parametrize(("milli", "status"), [("79000", "OK"), ("80000", "WARN"), ("90000", "FAIL")])
def test_a_zone_without_a_limit_has_ours(tmp_path: Path, milli: str, status: str) -> None:
    machine = grow(tmp_path, {f"{ZONE}/type": "acpitz", f"{ZONE}/temp": milli})
    assert checked(temperature(case(machine)))["temperature"].status.value == status


def test_the_zone_nearest_to_its_limit_counts_not_the_hottest(tmp_path: Path) -> None:
    other = "/sys/class/thermal/thermal_zone7"
    tree = {
        f"{ZONE}/type": "cpu",
        f"{ZONE}/temp": "70000",
        f"{other}/type": "battery",
        f"{other}/temp": "55000",
        f"{other}/trip_point_0_type": "hot",
        f"{other}/trip_point_0_temp": "60000",
    }
    (found,) = temperature(case(grow(tmp_path, tree)))
    assert (found.status, found.detail) == (Status.WARN, "battery 55 °C, its limit is 60 °C (2 zones)")


def test_an_active_trip_point_is_a_fan_and_no_limit(tmp_path: Path) -> None:
    tree = {f"{ZONE}/type": "cpu", f"{ZONE}/temp": "58000"}
    tree |= {f"{ZONE}/trip_point_0_type": "active", f"{ZONE}/trip_point_0_temp": "50000"}
    (zone,) = zones(grow(tmp_path, tree))
    assert zone.limit is None


def test_what_slows_a_machine_down_is_said(tmp_path: Path) -> None:
    tree = {
        "/sys/class/thermal/cooling_device3/type": "devfreq-gpu",
        "/sys/class/thermal/cooling_device3/cur_state": "2",
        "/sys/class/thermal/cooling_device4/type": "pwm-fan",
        "/sys/class/thermal/cooling_device4/cur_state": "3",
        f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "4",
        f"{CPU}/cpu11/thermal_throttle/package_throttle_count": "9",
        "/sys/class/hwmon/hwmon2/oc1_event_cnt": "1",
        "/sys/class/hwmon/hwmon2/oc3_event_cnt": "5",
    }
    (found,) = throttling(case(grow(tmp_path, tree)))
    assert found.status is Status.WARN
    assert "devfreq-gpu is slowed down now" in found.detail
    assert "pwm-fan" not in found.detail
    assert "9 times" in found.detail
    assert "6 times for too much current" in found.detail


@pytest.mark.parametrize(
    ("said", "status", "word"),
    [
        (Answer(0, "NV Power Mode: MAXN_SUPER\n2\n"), "OK", "MAXN_SUPER"),
        (Answer(0, "NV Fan Mode:quiet\nNV Power Mode: 15W\n0\n"), "WARN", "15W"),
        (Answer(1, "", "Permission denied"), "SKIP", "sudo"),
        (Answer(0, "NVPM WARN: nothing"), "SKIP", "sudo"),
    ],
)
def test_the_power_mode_of_a_jetson(tmp_path: Path, said: Answer, status: str, word: str) -> None:
    found = checked(power(case(grow(tmp_path, JETSON, {**JETSON_TOOLS, "nvpmodel": said}))))["power mode"]
    assert (found.status.value, word in found.detail) == (status, True)


@pytest.mark.parametrize(
    ("governor", "driver", "low", "status"),
    [
        ("performance", "acpi-cpufreq", "1", "OK"),
        ("powersave", "acpi-cpufreq", "1", "WARN"),
        ("powersave", "amd-pstate-epp", "1", "OK"),
        ("powersave", "acpi-cpufreq", "3000", "OK"),  # fixed: lowest is highest
        ("ondemand", "acpi-cpufreq", "1", "OK"),
    ],
)
def test_the_governor_of_a_pc(tmp_path: Path, governor: str, driver: str, low: str, status: str) -> None:
    base = f"{CPU}/cpufreq/policy0"
    tree = {f"{base}/scaling_governor": governor, f"{base}/scaling_driver": driver}
    tree |= {f"{base}/scaling_min_freq": low, f"{base}/scaling_max_freq": "3000"}
    assert checked(power(case(grow(tmp_path, tree))))["clocks"].status.value == status


def test_a_jetson_with_fixed_clocks_is_well(tmp_path: Path) -> None:
    machine = grow(tmp_path, {**JETSON, f"{CPU}/cpufreq/policy0/scaling_min_freq": "1984000"}, JETSON_TOOLS)
    assert checked(power(case(machine)))["clocks"].detail == "governor schedutil, clocks fixed"
