"""Which SFNC features a camera needs for its settings, in the order in which cameras accept them.

First the technician's own list (a user set, binning, an Auto mode to turn off), then geometry, pixel format, exposure,
gain, rate, and the trigger last.
"""

from __future__ import annotations

from edge.cameras.features import Features
from edge.errors import CameraRefused
from edge.settings.genicam import GenicamSettings, TriggerLine


def configure(features: Features, settings: GenicamSettings) -> None:
    """Set everything that the settings ask for; CameraRefused or CameraLost at the first thing that is not so."""
    features.set("TLParamsLocked", 0, required=False)
    for feature in settings.features:
        features.set(feature.name, feature.value, required=feature.required)
    features.set_if_there("AcquisitionMode", "Continuous")
    features.set_if_there("GenDCStreamingMode", "Off")  # harvesters would read a GenDC container as if it were pixels
    _geometry(features, settings)
    if settings.pixel_format is not None:
        features.set("PixelFormat", settings.pixel_format, keep=True)
    _light(features, settings)
    _trigger(features, settings.trigger)
    features.verify()


def _geometry(features: Features, settings: GenicamSettings) -> None:
    if settings.size_wh is not None or settings.offset_xy is not None:
        for name in ("OffsetX", "OffsetY"):  # a large offset would lower the largest size
            features.set(name, 0, required=False)
    for names, values in ((("Width", "Height"), settings.size_wh), (("OffsetX", "OffsetY"), settings.offset_xy)):
        for name, value in zip(names, values or (), strict=False):
            features.set(name, value, keep=True)


def _light(features: Features, settings: GenicamSettings) -> None:
    if settings.exposure_us is not None:
        features.set_if_there("ExposureAuto", "Off")
        features.set("ExposureTime", settings.exposure_us, keep=True)
    if settings.gain_db is not None:
        features.set_if_there("GainAuto", "Off")
        if "All" in features.entries("GainSelector"):
            features.set("GainSelector", "All")
        features.set("Gain", settings.gain_db, keep=True)
    if settings.frame_rate_hz is not None:
        features.set_if_there("AcquisitionFrameRateAuto", "Off")
        if "Basic" in features.entries("AcquisitionFrameRateMode"):
            features.set("AcquisitionFrameRateMode", "Basic")
        features.set_if_there("AcquisitionFrameRateEnable", True)
        features.set("AcquisitionFrameRate", settings.frame_rate_hz, keep=True)


def _trigger(features: Features, trigger: TriggerLine) -> None:
    # A camera remembers triggers of other selectors: one left on would wait for pulses that never come.
    selectors = features.entries("TriggerSelector")
    for selector in selectors:
        features.set("TriggerSelector", selector)
        if features.read("TriggerMode") not in ("Off", None):
            features.set("TriggerMode", "Off")
    if not selectors:
        features.set_if_there("TriggerMode", "Off")
    if trigger.mode == "off":
        return
    if selectors:
        features.set("TriggerSelector", trigger.selector)
    elif not features.has("TriggerMode"):
        features.set("TriggerMode", "On")  # refuses, and names what the camera lacks
    elif trigger.selector != "FrameStart":
        raise CameraRefused(
            f"the camera has no TriggerSelector, so it cannot use {trigger.selector!r}", remedy="leave trigger.selector out"
        )
    features.set("TriggerSource", "Software" if trigger.mode == "software" else trigger.source or "", keep=True)
    if trigger.activation is not None:
        features.set("TriggerActivation", trigger.activation, keep=True)
    features.set("TriggerMode", "On", keep=True)
    if trigger.mode == "software" and not features.has("TriggerSoftware"):
        features.execute("TriggerSoftware")  # refuses, and says what the camera lacks
