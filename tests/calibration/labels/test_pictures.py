import cv2
import numpy as np
import pytest

from calibration.labels.documents import Fault
from calibration.labels.pictures import ALPHA_THRESHOLD, decode_mask, marked, read_mask
from tests.calibration.labels import making
from tests.calibration.labels.making import SIZE, box_truth

BOX = box_truth(4, 5, 12, 11)


def _grey(low: int, high: int, dtype=np.uint8) -> np.ndarray:
    return np.where(BOX, high, low).astype(dtype)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
@pytest.mark.parametrize("value", [1, 255])
def test_zero_and_one_value_in_every_kind_of_file(tmp_path, suffix, value) -> None:
    path = making.mask(tmp_path / f"m{suffix}", value=value)
    assert np.array_equal(read_mask(path, SIZE), BOX)


@pytest.mark.parametrize(
    "pixels",
    [
        _grey(0, 65535, np.uint16),
        _grey(0, 255, np.uint16),
        np.dstack([_grey(0, 255)] * 3),
        np.dstack([_grey(0, 255)] * 3 + [_grey(255, 255)]),
        np.dstack([_grey(0, 0), _grey(0, 0), _grey(0, 128)]),
        np.dstack([_grey(9, 9)] * 3 + [_grey(0, 255)]),
        np.dstack([_grey(0, 0)] * 3 + [_grey(0, 255)]),
        np.dstack([_grey(0, 200)] * 3 + [_grey(0, 128)]),
    ],
    ids=["16 bits", "16 bits to 255", "equal channels", "opaque", "one colour", "alpha", "black alpha", "alpha at threshold"],
)
def test_pictures_that_follow_a_rule(tmp_path, pixels) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), pixels)
    assert np.array_equal(read_mask(tmp_path / "m.png", SIZE), BOX)


def test_soft_alpha_is_cut_at_the_threshold() -> None:
    alpha = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = np.dstack([np.full((16, 16), 80, np.uint8)] * 3 + [alpha])
    assert np.array_equal(marked(pixels), alpha >= ALPHA_THRESHOLD)
    wide = pixels.astype(np.uint16) * 257
    assert np.array_equal(marked(wide), alpha >= ALPHA_THRESHOLD)


def test_a_palette_picture_is_judged_by_its_colours(tmp_path) -> None:
    # An 8-bit BMP with a palette of black and dark red, as VOC tools write index 1.
    width, height = SIZE
    rows = np.flipud(BOX.astype(np.uint8)).tobytes()
    palette = bytes([0, 0, 0, 0, 0, 0, 128, 0]) + bytes(4 * 254)
    head = (54 + 1024).to_bytes(4, "little") + (40).to_bytes(4, "little")
    head += width.to_bytes(4, "little") + height.to_bytes(4, "little") + b"\x01\0\x08\0" + bytes(4)
    head += len(rows).to_bytes(4, "little") + bytes(8) + (256).to_bytes(4, "little") + bytes(4)
    body = b"BM" + (54 + 1024 + len(rows)).to_bytes(4, "little") + bytes(4) + head + palette + rows
    (tmp_path / "m.bmp").write_bytes(body)
    assert np.array_equal(read_mask(tmp_path / "m.bmp", SIZE), BOX)


def test_masks_all_of_one_kind() -> None:
    assert not marked(np.zeros((3, 4), np.uint8)).any()
    assert marked(np.full((3, 4), 255, np.uint8)).all()
    assert marked(np.ones((3, 4), np.uint8)).all()
    assert not marked(np.zeros((3, 4, 4), np.uint8)).any()


@pytest.mark.parametrize(
    ("pixels", "what"),
    [
        (np.array([[0, 1, 255]], np.uint8), "the values 0, 1, 255, not 0 and one of"),
        (np.array([[0, 128]], np.uint8), "the values 0, 128"),
        (np.array([[7, 255]], np.uint8), "the values 7, 255"),
        (np.arange(12, dtype=np.uint8)[None], "0, 1, 2, 3, 4, 5, 6, 7, ..."),
        (np.array([[[0, 0, 255], [0, 255, 0], [0, 0, 0]]], np.uint8), "(0, 255, 0), (255, 0, 0)"),
        (np.array([[[0, 0, 0, 255], [9, 9, 9, 255], [1, 1, 1, 0]]], np.uint8), "both black and not black"),
        (np.zeros((2, 2), np.float32), "float32"),
        (np.zeros((2, 2, 2), np.uint8), r"\(2, 2, 2\)"),
    ],
)
def test_pictures_that_follow_no_rule_are_errors_with_their_values(pixels, what) -> None:
    with pytest.raises(Fault, match=what if what.startswith(r"\(") else None) as caught:
        marked(pixels)
    assert what.replace("\\", "") in caught.value.what


def test_a_declared_threshold_reads_soft_grey_masks() -> None:
    soft = np.array([[0, 3, 127, 128, 250]], np.uint8)
    assert marked(soft, 128).tolist() == [[False, False, False, True, True]]
    with pytest.raises(Fault, match="declare a threshold"):
        marked(soft)


def test_the_size_is_checked_before_anything_is_decoded(tmp_path) -> None:
    path = making.mask(tmp_path / "m.png")
    with pytest.raises(Fault, match="the mask is 40x30, but its image is 41x30: masks are never resized"):
        read_mask(path, (41, 30))


def test_files_that_are_no_masks(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "m.jpg"), _grey(0, 255))
    with pytest.raises(Fault, match="is a JPEG"):
        read_mask(tmp_path / "m.jpg", SIZE)
    (tmp_path / "m.png").write_bytes(b"no picture")
    with pytest.raises(Fault, match="is no png"):
        read_mask(tmp_path / "m.png", SIZE)
    with pytest.raises(Fault, match="cannot be read"):
        read_mask(tmp_path / "none.png", SIZE)


def test_a_tiff_of_several_pages_is_refused(tmp_path) -> None:
    assert cv2.imwritemulti(str(tmp_path / "m.tif"), [_grey(0, 255), _grey(0, 255)])
    with pytest.raises(Fault, match="several pages"):
        read_mask(tmp_path / "m.tif", SIZE)


def test_a_header_that_claims_too_much_is_refused() -> None:
    data = bytearray(cv2.imencode(".bmp", _grey(0, 255))[1].tobytes())
    data[18:26] = (60_000).to_bytes(4, "little") * 2
    data[30:34] = (1).to_bytes(4, "little")
    with pytest.raises(Fault, match="60000x60000: at most 200 megapixels"):
        decode_mask(bytes(data), lambda _: True, "")
