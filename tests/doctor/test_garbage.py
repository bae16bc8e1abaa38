"""Whatever /proc, /sys and programs say: no check raises, and every line is one."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.doctor.cameras import answer_of, link
from edge.doctor.check import Case, Check
from edge.doctor.clock import chrony
from edge.doctor.disk import mounts
from edge.doctor.engine_cache import rebuilt_because
from edge.doctor.frames import frames
from edge.doctor.golden import said
from edge.doctor.gpu import _load
from edge.doctor.heat import power, temperature, throttling
from edge.doctor.machine import Answer, Machine, number, table, whole
from edge.doctor.memory import allowance, meminfo, memory
from edge.doctor.network import buffers, network, softnet_drops, udp_errors, usb
from edge.doctor.service import service
from edge.doctor.wear import smart, wear
from tests.doctor.trees import JETSON, JETSON_TOOLS, RTX, RTX_TOOLS, grow

ANYTHING = st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("utf-8", "replace"))
NUMBERS = (
    st.integers(-(10**30), 10**30).map(str) | st.floats().map(str) | st.sampled_from(["", "0x", "max", "N/A", "[N/A]", "-1"])
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
LOOKS = (memory, allowance, temperature, throttling, power, wear, network, buffers, usb, service)


@pytest.mark.parametrize(("tree", "tools"), [(JETSON, JETSON_TOOLS), (RTX, RTX_TOOLS)])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_files_and_programs_that_say_anything(tree, tools, data) -> None:
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(tree)), ANYTHING | NUMBERS, max_size=8))
    wrong = data.draw(
        st.dictionaries(st.sampled_from(sorted(tools)), st.builds(Answer, st.integers(0, 2), ANYTHING), max_size=3)
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**tree, **changed}.items():
            path = Path(folder) / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode("utf-8", "surrogatepass"))
        case = Case(Machine(Path(folder), {**tools, **wrong}.get, {}), config_path=Path("/etc/lineclear/x.yaml"))
        machine = Machine(Path(folder), lambda command: {**tools, **wrong}.get(command[0]), {})
        case = Case(machine, config_path=case.config_path)
        for look in LOOKS:
            assert all(isinstance(check, Check) and check.detail for check in look(case))


@settings(max_examples=60, deadline=None)
@given(text=ANYTHING)
def test_parsers_take_any_text(text: str) -> None:
    meminfo(text), mounts(text), udp_errors(text), softnet_drops(text), chrony(text), table(text, "="), smart(text)
    whole(text), whole(text, 16), number(text), list(_load(text)), answer_of(1, text, text)
    list(said(text.encode("utf-8", "surrogatepass")))


@settings(max_examples=60, deadline=None)
@given(body=JSON)
def test_parsers_take_any_json(body) -> None:
    import json

    text = json.dumps(body)
    found = smart(text)
    assert found is None or set(found) == {"used", "spare", "damaged", "alarms", "passed"}
    answer_of(0, text, "")
    list(said(text.encode()))
    if isinstance(body, dict):
        list(frames(("feeder",), {**body, "camera.feeder.frames": body}))
        link(Case(grow(Path(tempfile.gettempdir()) / "no-such-root", {})), "x", {"features": body})
        rebuilt_because({"onnx_sha256": "a", "backend": "b"}, [body, *body.values()])


@given(text=NUMBERS | ANYTHING)
def test_a_number_is_finite_or_none(text: str) -> None:
    value = number(text)
    assert value is None or abs(value) < float("inf")
    assert whole(text) is None or isinstance(whole(text), int)
