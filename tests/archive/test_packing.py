from __future__ import annotations

import io
import json
import re
from datetime import datetime, timedelta, timezone

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from edge.archive import ArchiveError, Evidence
from edge.archive.evidence import keep_of
from edge.archive.packing import clean, microseconds, moment_of, pack, pack_map, unpack_document, unpack_map
from edge.errors import BundleError
from tests.archive.samples import OVERLAY, START, bare, evidence, frame, packed

NAME = re.compile(
    r"20261122T071503\.123Z_[A-Za-z0-9-]{1,40}_[A-Za-z0-9_-]{1,20}_[0-9a-f]{12}(\.frame\.png|\.overlay\.jpg|\.map\.npz|\.json)"
)


def test_a_result_becomes_four_files_that_name_time_view_and_outcome() -> None:
    one = packed(0)
    assert one.record.folder == "2026-11-22/07"
    assert list(one.record.files) == ["frame", "overlay", "map", "document"]
    assert {file.name.rsplit("_", 1)[0] for file in one.record.files.values()} == {"20261122T071503.123Z_front_FAIL"}
    assert list(one.contents) == [file.name for file in one.record.files.values()]
    assert list(one.contents)[-1].endswith(".json")


@pytest.mark.parametrize(
    "text", ["a/b", "../../etc/passwd", "x" * 4096, "two\nlines", "", ".", "\x00", "Ärger", "a b", "\ud800"]
)
def test_names_are_safe_whatever_the_texts_are(text: str) -> None:
    one = packed(0, view=text, outcome=text or "FAIL", batch=text, product=text, result_id=f"id {text}")
    for name in one.contents:
        assert NAME.fullmatch(name), name
        assert len(name) < 128
    record, _ = unpack_document(list(one.contents.values())[-1], list(one.contents)[-1], one.record.folder)
    assert record == one.record
    assert record.values["batch"] == clean(text)


def test_names_sort_by_time() -> None:
    moments = [START + timedelta(milliseconds=ms) for ms in (0, 1, 999, 60_000, 3_600_000, 86_400_000, 40 * 86_400_000)]
    names = [next(iter(packed(0, decided_at=moment, view="zab"[n % 3]).contents)) for n, moment in enumerate(moments)]
    assert names == sorted(names)


def test_a_time_in_another_zone_is_filed_in_utc() -> None:
    there = timezone(timedelta(hours=-9))
    assert packed(0, decided_at=START.astimezone(there)).record == packed(0).record


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        evidence(0, decided_at=datetime(2026, 11, 22))  # noqa: DTZ001
    with pytest.raises(ValueError, match="no time zone"):
        microseconds(datetime(2026, 11, 22))  # noqa: DTZ001


@given(st.datetimes(timezones=st.just(timezone.utc)))
def test_microseconds_are_exact(moment: datetime) -> None:
    assert moment_of(microseconds(moment)) == moment


@pytest.mark.parametrize("colour", [True, False])
def test_a_frame_is_kept_without_loss(colour: bool) -> None:
    image = frame(5, (33, 17), colour)
    one = packed(0, frame=image)
    data = one.contents[one.record.files["frame"].name]
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read if not colour else read[..., ::-1], image)


def test_what_was_not_handed_in_is_absent() -> None:
    assert set(pack(bare(1), None).record.files) == {"document"}
    assert set(pack(evidence(1), (OVERLAY, "text/html")).record.files) == {"frame", "map", "document"}
    assert pack(evidence(1), (OVERLAY, "image/png")).record.files["overlay"].name.endswith(".overlay.png")


def test_the_document_is_found_as_it_was_published() -> None:
    body = {"resultId": "r", "regions": [{"peak": 1.5}], "text": "ß\n\ud800"}
    one = packed(0, document=body)
    record, document = unpack_document(list(one.contents.values())[-1], list(one.contents)[-1], one.record.folder)
    assert document == body
    assert record == one.record


def test_numbers_that_are_none_are_null() -> None:
    one = packed(0, score=float("nan"), threshold=float("inf"))
    assert (one.record.values["score"], one.record.values["threshold"]) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"document": {"score": float("nan")}},
        {"document": {"x": object()}},
        {"frame": np.zeros((4, 4, 4), np.uint8)},
        {"frame": np.zeros((4, 4), np.uint16)},
        {"anomaly_map": np.zeros((4, 4), np.float32), "judged": np.ones((4, 5), np.bool_)},
        {"anomaly_map": np.zeros(4, np.float32), "judged": None},
        {"map_to_reference": np.eye(2)},
    ],
)
def test_what_cannot_be_written_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, BundleError)):
        packed(0, **changes)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema": "other"}',
        b"\xff",
        b"[" * 100_000,
        b'{"schema":"lineclear/evidence/1","files":{"a":{"name":"../x","sha256":"","size_bytes":1}}}',
    ],
)
def test_what_is_no_document_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the parser says
        unpack_document(data, "x.json", "2026-11-22/07")


def test_a_slash_in_a_stored_name_is_refused() -> None:
    one = packed(0)
    name = list(one.contents)[-1]
    document = json.loads(one.contents[name])
    document["files"]["frame"]["name"] = "../../escape.png"
    with pytest.raises(ValueError, match="slash"):
        unpack_document(json.dumps(document).encode(), name, "2026-11-22/07")


@settings(max_examples=200, deadline=None)
@given(
    npst.arrays(
        np.float32,
        npst.array_shapes(min_dims=2, max_dims=2, max_side=12),
        elements=st.floats(-(2.0**100), 2.0**100, width=32),
    ),
    st.data(),
)
def test_a_map_comes_back_within_one_part_in_2048(scores: np.ndarray, data: st.DataObject) -> None:
    judged = data.draw(npst.arrays(np.bool_, scores.shape))
    matrix = np.array([[2.0, 0.1, 3.5], [0, 2.5, -1], [1e-5, 0, 1]])
    stored = unpack_map(pack_map(scores, judged, matrix), "here")
    largest = float(np.abs(scores).max())
    error = np.abs(stored.scores.astype(np.float64) - scores)
    assert (error <= np.maximum(np.abs(scores.astype(np.float64)) / 2048, largest * 2.0**-38)).all()
    np.testing.assert_array_equal(stored.judged, judged)
    np.testing.assert_array_equal(stored.map_to_reference, matrix)
    assert stored.scores.dtype == np.float32
    assert not stored.scores.flags.writeable


@pytest.mark.parametrize("scale", [1e-30, 1e-7, 1.0, 70_000.0, 1e30])
def test_scores_beyond_the_range_of_float16_survive(scale: float) -> None:
    scores = (np.linspace(0.1, 1, 60).reshape(6, 10) * scale).astype(np.float32)
    stored = unpack_map(pack_map(scores, None, None), "here")
    np.testing.assert_allclose(stored.scores, scores, rtol=1 / 2048)
    assert stored.judged.all()


def test_scores_that_are_no_numbers_stay_so() -> None:
    scores = np.array([[np.nan, np.inf, -np.inf, 1.0]], np.float32)
    np.testing.assert_array_equal(unpack_map(pack_map(scores, None, None), "here").scores, scores)
    np.testing.assert_array_equal(unpack_map(pack_map(scores[:, :3], None, None), "here").scores, scores[:, :3])


def test_numpy_alone_reads_a_map() -> None:
    scores = np.full((3, 5), 6.0, np.float32)
    with np.load(io.BytesIO(pack_map(scores, None, None)), allow_pickle=False) as arrays:
        assert arrays["scores"].dtype == np.float16
        np.testing.assert_array_equal(arrays["scores"].astype(np.float32) * arrays["scale"], scores)


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 100, pack_map(np.ones((4, 4), np.float32), None, None)[:-30]])
def test_what_is_no_map_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveError, match="here: is no map"):
        unpack_map(data, "here")


@pytest.mark.parametrize(
    ("kind", "outcome", "clearance_id", "keep"),
    [
        ("verdict", "PASS", None, "pass"),
        ("verdict", "FAIL", None, "fail"),
        ("verdict", "UNDECIDED", None, "undecided"),
        ("verdict", "SOMETHING_NEW", None, "fail"),
        ("verdict", "PASS", "c", "clearance"),
        ("clearance", "CLEAR", None, "clearance"),
        ("clearance", "NOT_CLEAR", None, "clearance"),
    ],
)
def test_how_long_it_is_kept_follows_from_what_it_is(kind: str, outcome: str, clearance_id: str | None, keep: str) -> None:
    assert keep_of(kind, outcome, clearance_id) == keep


def test_the_interface_that_others_build_on() -> None:
    least = Evidence("r", "verdict", "PASS", "", START, {})
    assert (least.view, least.frame, least.overlay, least.keep) == ("", None, None, "pass")
