"""Interfaces, socket buffers, reverse-path filter, USB cameras, and what a camera's link tells."""

from pathlib import Path

import pytest

from edge.doctor.cameras import link
from edge.doctor.check import Status
from edge.doctor.network import buffers, interface_to, network, softnet_drops, udp_errors, usb
from tests.doctor.trees import JETSON, case, checked, grow

ETH = "/sys/class/net/eth0"
USB = "/sys/bus/usb/devices"


@pytest.mark.parametrize(
    ("changed", "status", "word"),
    [
        ({}, "OK", "MTU 9000"),
        ({"speed": "100"}, "WARN", "100 Mbit/s"),
        ({"speed": "-1"}, "OK", "speed unknown"),
        ({"statistics/rx_crc_errors": "4"}, "OK", "4 rx_crc_errors"),
        ({"statistics/rx_missed_errors": "60000"}, "WARN", "60000 rx_missed_errors of 51234567 packets"),
        ({"statistics/rx_packets": "100", "statistics/rx_dropped": "11"}, "WARN", "11 rx_dropped of 100 packets"),
        ({"operstate": "down"}, "SKIP", "no cable"),
    ],
)
def test_an_interface(tmp_path: Path, changed: dict[str, str], status: str, word: str) -> None:
    machine = grow(tmp_path, {**JETSON, **{f"{ETH}/{name}": text for name, text in changed.items()}})
    found = checked(network(case(machine)))
    assert set(found) == {"network eth0"}, "lo and wlan0 are no hardware here"
    assert (found["network eth0"].status.value, word in found["network eth0"].detail) == (status, True)


@pytest.mark.parametrize(
    ("everywhere", "own", "status"), [("2", "1", "OK"), ("0", "1", "WARN"), ("1", "0", "WARN"), ("0", "0", "OK")]
)
def test_the_larger_filter_counts(tmp_path: Path, everywhere: str, own: str, status: str) -> None:
    base = "/proc/sys/net/ipv4/conf"
    machine = grow(tmp_path, {**JETSON, f"{base}/all/rp_filter": everywhere, f"{base}/eth0/rp_filter": own})
    assert checked(buffers(case(machine)))["rp_filter"].status.value == status


@pytest.mark.parametrize(("size", "status"), [("33554432", "OK"), ("33554431", "WARN"), ("212992", "WARN")])
def test_socket_buffers(tmp_path: Path, size: str, status: str) -> None:
    machine = grow(tmp_path, {**JETSON, "/proc/sys/net/core/rmem_max": size})
    assert checked(buffers(case(machine)))["rmem_max"].status.value == status


def test_counters_of_the_kernel() -> None:
    assert udp_errors("Udp: InDatagrams RcvbufErrors\nUdp: 5 9\n") == 9
    assert udp_errors("Udp: InDatagrams RcvbufErrors\nUdp: 5\n") == 0
    assert udp_errors("Tcp: a\nTcp: 1\n") == 0
    assert softnet_drops("00 0000000a 00\nzz zz\n00\n00 01\n") == 11
    assert udp_errors(None) == softnet_drops(None) == 0


@pytest.mark.parametrize(
    ("address", "interface"), [("169.254.7.9", "eth0"), ("10.0.0.7", "wlan0"), ("no address", None), ("999.1.1.1", None)]
)
def test_the_way_to_a_camera(tmp_path: Path, address: str, interface: str | None) -> None:
    assert interface_to(grow(tmp_path, JETSON), address) == interface


@pytest.mark.parametrize(
    ("changed", "status"),
    [({}, "OK"), ({"speed": "480"}, "FAIL"), ({"power/control": "auto"}, "WARN"), ({"speed": "junk"}, "OK")],
)
def test_a_usb_camera(tmp_path: Path, changed: dict[str, str], status: str) -> None:
    machine = grow(tmp_path, {**JETSON, **{f"{USB}/2-1/{name}": text for name, text in changed.items()}})
    assert checked(usb(case(machine)))["usb 22045679"].status.value == status


@pytest.mark.parametrize(("size", "status"), [("16", "WARN"), ("999", "WARN"), ("1000", "OK"), ("0", "OK")])
def test_memory_for_usb_frames(tmp_path: Path, size: str, status: str) -> None:
    machine = grow(tmp_path, {**JETSON, "/sys/module/usbcore/parameters/usbfs_memory_mb": size})
    assert checked(usb(case(machine)))["usbfs_memory_mb"].status.value == status


GIGE = {"link_bps": 1e9, "address": "169.254.7.9", "packet_size": 8900}


@pytest.mark.parametrize(
    ("features", "mtu", "status", "word"),
    [
        (GIGE, "9000", "OK", "1000 Mbit/s, 169.254.7.9 on eth0, MTU 9000, packets of 8900 bytes"),
        (GIGE, "1500", "WARN", "MTU 1500"),
        ({**GIGE, "packet_size": 1400}, "1500", "WARN", "MTU 1500"),
        ({**GIGE, "link_bps": 1e8}, "9000", "WARN", "100 Mbit/s"),
        ({**GIGE, "lost_packets resent": 3}, "9000", "WARN", "3 packets resent"),
        ({**GIGE, "lost_packets resent": 0, "celsius": 51.5}, "9000", "OK", "51.5 °C"),
        ({}, "9000", "SKIP", "not opened"),
        ({"link_bps": "fast", "address": 7, "packet_size": True}, "9000", "SKIP", "not opened"),
    ],
)
def test_the_link_of_a_camera(tmp_path: Path, features: dict[str, object], mtu: str, status: str, word: str) -> None:
    machine = grow(tmp_path, {**JETSON, f"{ETH}/mtu": mtu})
    found = link(case(machine), "feeder", {"serial": "1", "transport": "GEV", "features": features})
    assert (found.name, found.status.value, word in found.detail) == ("link feeder", status, True)


def test_a_packet_larger_than_the_mtu_says_both_numbers(tmp_path: Path) -> None:
    found = link(case(grow(tmp_path, {**JETSON, f"{ETH}/mtu": "1500"})), "feeder", {"features": GIGE})
    assert found.remedy.startswith("set GevSCPSPacketSize to 1500, or the MTU to 9000")


def test_a_usb3_link_at_usb2_speed(tmp_path: Path) -> None:
    machine = grow(tmp_path, JETSON)
    slow = link(case(machine), "nest", {"transport": "U3V", "features": {"link_bps": 4.8e8}})
    fast = link(case(machine), "nest", {"transport": "U3V", "features": {"link_bps": 4e9}})
    assert (slow.status, fast.status) == (Status.WARN, Status.OK)
