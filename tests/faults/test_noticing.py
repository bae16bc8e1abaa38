"""A dead camera is noticed within a second beyond its expected period: what that second is made of."""

import inspect

from edge.cameras import process
from edge.loop import grabber, station

LONGEST_S = 1.0


def test_what_may_pass_before_a_dead_camera_is_said_adds_up_to_less_than_a_second() -> None:
    """By its frames: half a second beyond its period, then the report's turn. By its heart: one beat more."""
    by_frames = process._QUIET_S + station.REPORT_EVERY_S
    by_heart = process._BEAT_S + process._QUIET_S + station.REPORT_EVERY_S
    assert by_frames < by_heart < LONGEST_S


def test_whoever_waits_for_a_trigger_looks_at_the_camera_often_enough() -> None:
    assert grabber.SLICE_S + grabber.GLANCE_S < LONGEST_S
    source = inspect.getsource(grabber.Grabber._next_request)
    assert "_watch()" in source, "the camera is watched while nobody asks"


def test_the_expected_period_is_what_the_camera_showed_not_a_number_in_the_settings() -> None:
    source = inspect.getsource(process.ProcessCamera.quiet.fget)
    assert "gap_ns" in source
    assert "_period_s" in source, "and the settings' until it showed enough"
