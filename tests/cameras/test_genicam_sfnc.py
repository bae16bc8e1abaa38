import pytest
from pydantic import ValidationError

from edge.cameras.features import Features
from edge.cameras.sfnc import configure
from edge.errors import CameraRefused
from edge.settings.genicam import GenicamSettings, TriggerLine
from tests.cameras.fake_nodes import ERRORS, NA, FakeNodeMap, IBoolean, ICommand, IEnumeration, IFloat, IInteger, mode_of


def nodes(**more) -> FakeNodeMap:
    selector = IEnumeration("FrameStart", "AcquisitionStart", "FrameStart", "LineStart", gone=("LineStart",))
    plain = {
        "TLParamsLocked": IInteger(1, high=1),
        "AcquisitionMode": IEnumeration("SingleFrame", "SingleFrame", "Continuous"),
        "GenDCStreamingMode": IEnumeration("On", "Off", "On"),
        "OffsetX": IInteger(64),
        "OffsetY": IInteger(32),
        "Width": IInteger(640),
        "Height": IInteger(480),
        "PixelFormat": IEnumeration("Mono8", "Mono8", "BayerRG8"),
        "ExposureAuto": IEnumeration("Continuous", "Off", "Continuous"),
        "ExposureTime": IFloat(5_000.0),
        "GainAuto": IEnumeration("Continuous", "Off", "Continuous"),
        "GainSelector": IEnumeration("DigitalAll", "DigitalAll", "All"),
        "Gain": IFloat(0.0, high=24.0),
        "AcquisitionFrameRateEnable": IBoolean(False),
        "AcquisitionFrameRate": IFloat(30.0, high=100.0),
        "TriggerSelector": selector,
        "TriggerMode": mode_of(selector, AcquisitionStart="On", FrameStart="Off"),
        "TriggerSource": IEnumeration("Line0", "Line0", "Line1", "Software"),
        "TriggerActivation": IEnumeration("RisingEdge", "RisingEdge", "FallingEdge"),
        "TriggerSoftware": ICommand(),
    }
    return FakeNodeMap(**{name: node for name, node in (plain | more).items() if node is not None})


def apply(node_map: FakeNodeMap, **settings) -> list[tuple[str, object]]:
    configure(Features(node_map, "camera", ERRORS), GenicamSettings(serial="1", **settings))
    return node_map.log


def test_everything_in_the_order_that_cameras_accept() -> None:
    log = apply(
        nodes(UserSetLoad=ICommand()),
        features=({"name": "UserSetLoad"},),
        size_wh=(1024, 768),
        offset_xy=(128, 16),
        pixel_format="BayerRG8",
        exposure_us=800,
        gain_db=6,
        frame_rate_hz=20,
        trigger={"mode": "hardware", "source": "Line1", "activation": "FallingEdge"},
    )
    assert log == [
        ("TLParamsLocked", 0),
        ("UserSetLoad", True),
        ("AcquisitionMode", "Continuous"),
        ("GenDCStreamingMode", "Off"),
        ("OffsetX", 0),
        ("OffsetY", 0),
        ("Width", 1024),
        ("Height", 768),
        ("OffsetX", 128),
        ("OffsetY", 16),
        ("PixelFormat", "BayerRG8"),
        ("ExposureAuto", "Off"),
        ("ExposureTime", 800.0),
        ("GainAuto", "Off"),
        ("GainSelector", "All"),
        ("Gain", 6.0),
        ("AcquisitionFrameRateEnable", True),
        ("AcquisitionFrameRate", 20.0),
        ("TriggerSelector", "AcquisitionStart"),
        ("TriggerMode", "Off"),
        ("TriggerSelector", "FrameStart"),
        ("TriggerSelector", "FrameStart"),
        ("TriggerSource", "Line1"),
        ("TriggerActivation", "FallingEdge"),
        ("TriggerMode", "On"),
    ]


def test_free_run_turns_every_remembered_trigger_off() -> None:
    node_map = nodes()
    apply(node_map)
    assert node_map.TriggerMode.modes == {"AcquisitionStart": "Off", "FrameStart": "Off"}


def test_software_trigger() -> None:
    node_map = nodes()
    apply(node_map, trigger={"mode": "software"})
    assert node_map.TriggerMode.modes == {"AcquisitionStart": "Off", "FrameStart": "On"}
    assert node_map.TriggerSource.value == "Software"


def test_camera_without_a_selector() -> None:
    bare = {"TriggerSelector": None, "TriggerMode": IEnumeration("On", "Off", "On")}
    node_map = nodes(**bare)
    apply(node_map, trigger={"mode": "software"})
    assert node_map.TriggerMode.value == "On"
    with pytest.raises(CameraRefused, match="no TriggerSelector, so it cannot use 'LineStart'"):
        apply(nodes(**bare), trigger={"mode": "software", "selector": "LineStart"})


def test_camera_without_any_trigger() -> None:
    bare = {"TriggerSelector": None, "TriggerMode": None}
    apply(nodes(**bare))
    with pytest.raises(CameraRefused, match="TriggerMode: the camera has no such feature"):
        apply(nodes(**bare), trigger={"mode": "software"})


@pytest.mark.parametrize(
    ("absent", "settings"),
    [
        ("ExposureTime", {"exposure_us": 100}),
        ("Gain", {"gain_db": 1}),
        ("AcquisitionFrameRate", {"frame_rate_hz": 10}),
        ("OffsetX", {"offset_xy": (8, 8)}),
        ("PixelFormat", {"pixel_format": "Mono8"}),
        ("TriggerSoftware", {"trigger": {"mode": "software"}}),
        ("TriggerSource", {"trigger": {"mode": "software"}}),
        ("TriggerActivation", {"trigger": {"mode": "hardware", "source": "Line1", "activation": "RisingEdge"}}),
    ],
)
def test_what_the_config_asks_for_must_be_there(absent, settings) -> None:
    with pytest.raises(CameraRefused, match=f"{absent}: the camera has no such feature"):
        apply(nodes(**{absent: None}), **settings)


def test_gendc_that_cannot_be_turned_off_is_refused_and_absent_is_fine() -> None:
    with pytest.raises(CameraRefused, match="GenDCStreamingMode"):
        apply(nodes(GenDCStreamingMode=IEnumeration("On", "On")))
    assert "GenDCStreamingMode" not in dict(apply(nodes(GenDCStreamingMode=IEnumeration("On", "On", access=NA))))


def test_rate_that_cuts_the_exposure_is_noticed() -> None:
    exposure = IFloat(100.0)
    cut = IFloat(30.0, high=500.0, takes=lambda value: setattr(exposure, "_value", min(exposure.value, 1e6 / value)) or value)
    with pytest.raises(CameraRefused, match="another setting then made it"):
        apply(nodes(ExposureTime=exposure, AcquisitionFrameRate=cut), exposure_us=20_000, frame_rate_hz=200)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"serial": 40012345}, "write the serial in quotes"),
        ({"serial": ""}, "at least 1 character"),
        ({"serial": "1", "trigger": {"mode": "hardware"}}, "needs its source"),
        ({"serial": "1", "trigger": {"mode": "software", "source": "Line1"}}, "belong to mode: hardware"),
        ({"serial": "1", "features": [{"name": "Not a node"}]}, "should match pattern"),
        ({"serial": "1", "size_wh": (0, 5)}, "greater than or equal to 1"),
        ({"serial": "1", "speed": 5}, "Extra inputs"),
    ],
)
def test_settings_refuse(settings, says) -> None:
    with pytest.raises(ValidationError, match=says):
        GenicamSettings(**settings)


def test_policy_follows_the_trigger_unless_it_is_written() -> None:
    hardware = {"mode": "hardware", "source": "Line1"}
    assert GenicamSettings(serial="1").policy == "newest"
    assert GenicamSettings(serial="1", trigger=hardware).policy == "every"
    assert GenicamSettings(serial="1", trigger=TriggerLine(**hardware)).policy == "every"
    assert GenicamSettings(serial="1", trigger=hardware, policy="newest").policy == "newest"
