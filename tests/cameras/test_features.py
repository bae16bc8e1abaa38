import logging

import pytest

from edge.cameras.features import Features
from edge.errors import CameraLost, CameraRefused
from tests.cameras.fake_nodes import (
    ERRORS,
    NA,
    RO,
    WO,
    AccessException,
    FakeNodeMap,
    IBoolean,
    ICommand,
    IEnumeration,
    IFloat,
    IInteger,
    IRegister,
    IString,
    TimeoutException,
)

WHERE = 'camera "40012345"'


def features(**nodes) -> tuple[Features, FakeNodeMap]:
    node_map = FakeNodeMap(**nodes)
    return Features(node_map, WHERE, ERRORS), node_map


@pytest.mark.parametrize(
    ("node", "value", "written"),
    [
        (IInteger(4, low=0, high=64, step=4), 16, 16),
        (IInteger(4, low=0, high=64), 16.0, 16),
        (IFloat(100.0), 250, 250.0),
        (IBoolean(False), True, True),
        (IString("a"), "b", "b"),
        (IEnumeration("Off", "Off", "On"), "On", "On"),
        (IEnumeration("Off", "Off", "On"), True, "On"),
        (IEnumeration("On", "Off", "On"), False, "Off"),
        (ICommand(), True, True),
        (IInteger(4, access=WO), 5, 5),
    ],
)
def test_sets_each_kind_of_node(node, value, written) -> None:
    subject, node_map = features(Thing=node)
    subject.set("Thing", value)
    assert node_map.log == [("Thing", written)]
    assert type(node_map.log[0][1]) is type(written)


@pytest.mark.parametrize(
    ("node", "value", "says"),
    [
        (IInteger(4, low=0, high=64, step=4), 17, "allowed: 0 to 64 in steps of 4"),
        (IInteger(4, low=8, high=64), 7, "allowed: 8 to 64"),
        (IInteger(4), 1.5, "write a whole number"),
        (IInteger(4), True, "write a whole number"),
        (IFloat(1.0), float("nan"), "write a number"),
        (IFloat(1.0), "fast", "write a number"),
        (IFloat(1.0, low=19.5, high=1e6), 5, "allowed: 19.5 to 1e+06"),
        (IEnumeration("Off", "Off", "Once", gone=("Once",)), "Once", "allowed: Off"),
        (IEnumeration("Off", "Off", "Once"), 1, "allowed: Off, Once"),
        (IBoolean(False), 1, "write true or false"),
        (IString("a"), 1, "write text in quotes"),
        (ICommand(), False, "takes no value"),
        (ICommand(access=RO), True, "cannot be executed now"),
        (IRegister(b""), 1, "is of type IRegister"),
        (IInteger(4, access=RO), 5, "is 4 and cannot be changed"),
        (IInteger(4, access=NA), 5, "is not available now"),
        (IInteger(4, fails=AccessException("Node is locked. : thrown in x.cpp")), 5, "refused (Node is locked.)"),
        (IInteger(4, takes=lambda _: 8), 5, "5 was asked for, the camera took 8"),
        (IFloat(4.0, takes=lambda value: value * 1.02), 100, "the camera took 102"),
    ],
)
def test_refuses_naming_node_and_camera(node, value, says) -> None:
    subject, _ = features(Thing=node)
    with pytest.raises(CameraRefused) as caught:
        subject.set("Thing", value)
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{WHERE}: Thing: ")


def test_nothing_is_written_when_the_value_is_not_allowed() -> None:
    subject, node_map = features(Thing=IInteger(4, high=64))
    with pytest.raises(CameraRefused):
        subject.set("Thing", 65)
    assert node_map.log == []


def test_unknown_node_suggests_the_nearest() -> None:
    subject, _ = features(ExposureTime=IFloat(1.0), Width=IInteger())
    with pytest.raises(CameraRefused, match="no such feature: did you mean ExposureTime"):
        subject.set("ExposureTme", 5)


def test_silence_is_a_lost_camera() -> None:
    subject, _ = features(Thing=IInteger(4, fails=TimeoutException("no answer")))
    with pytest.raises(CameraLost, match="Thing: no answer"):
        subject.set("Thing", 5)


def test_float_may_be_rounded_to_its_increment_or_one_percent() -> None:
    subject, node_map = features(
        Fine=IFloat(1.0, takes=lambda value: value * 1.009),
        Coarse=IFloat(1.0, step=0.5, takes=lambda value: round(value * 2) / 2),
    )
    subject.set("Fine", 1000)
    subject.set("Coarse", 1.3)
    assert node_map.Coarse.value == 1.5


def test_optional_feature_may_be_absent_or_locked_but_not_wrong(caplog) -> None:
    caplog.set_level(logging.INFO)
    subject, node_map = features(Locked=IInteger(4, access=RO), Open=IInteger(4, high=64))
    subject.set("Absent", 1, required=False)
    subject.set("Locked", 5, required=False)
    assert node_map.log == []
    assert "feature_absent where=" in caplog.text
    assert "name=Locked value=4" in caplog.text
    with pytest.raises(CameraRefused, match="allowed: 0 to 64"):
        subject.set("Open", 65, required=False)


def test_locked_node_that_already_has_the_value_is_fine() -> None:
    subject, _ = features(AcquisitionMode=IEnumeration("Continuous", "Continuous", access=RO))
    subject.set("AcquisitionMode", "Continuous")


def test_older_names_are_found() -> None:
    subject, node_map = features(ExposureTimeAbs=IFloat(100.0))
    assert subject.has("ExposureTime")
    subject.set("ExposureTime", 500)
    assert node_map.log == [("ExposureTimeAbs", 500.0)]
    assert subject.read("ExposureTime") == 500.0


def test_new_name_is_preferred_unless_it_is_not_available() -> None:
    subject, node_map = features(Gain=IFloat(1.0, access=NA), GainAbs=IFloat(1.0))
    subject.set("Gain", 2)
    assert node_map.log == [("GainAbs", 2.0)]


def test_delta_is_logged(caplog) -> None:
    caplog.set_level(logging.INFO)
    subject, _ = features(Width=IInteger(640), Height=IInteger(480))
    subject.set("Width", 800)
    subject.set("Height", 480)
    assert f"feature_set where={WHERE} name=Width before=640 after=800" in caplog.text
    assert "Height" not in caplog.text


def test_verify_notices_what_a_later_setting_changed() -> None:
    exposure = IFloat(100.0)
    subject, _ = features(ExposureTime=exposure, AcquisitionFrameRate=IFloat(1.0))
    subject.set("ExposureTime", 20_000, keep=True)
    subject.verify()
    exposure.value = 5_000.0
    with pytest.raises(CameraRefused, match=r"ExposureTime: 20000.0 was asked for, another setting then made it 5000.0"):
        subject.verify()


def test_reading() -> None:
    subject, _ = features(Width=IInteger(640), Secret=IInteger(1, access=WO), Mode=IEnumeration("A", "A", "B"))
    assert subject.read("Width") == 640
    assert subject.read("Secret") is None
    assert subject.read("Absent") is None
    assert subject.entries("Mode") == ("A", "B")
    assert subject.entries("Absent") == ()
