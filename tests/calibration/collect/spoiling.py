"""What goes wrong with a picture, on purpose; and the real pictures it is done to."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras.images import read_image
from tests.calibration.scene import write

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def view_frames(view: str) -> list[Path]:
    """The good frames of a bsdata view in time order; skips the test where the data is absent."""
    folder = DATA / "bsdata" / view
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there: the real images are not part of the repository")
    return sorted((folder / "train" / "good").glob("*.jpg")) + sorted((folder / "test" / "good").glob("*.jpg"))


def defocused(image, sigma_px=1.5):
    return cv2.GaussianBlur(image, (0, 0), sigma_px)


def moved(image, length_px=7, angle_deg=0.0):
    """A straight movement during the exposure."""
    kernel = np.zeros((length_px, length_px), np.float32)
    kernel[length_px // 2] = 1
    turn = cv2.getRotationMatrix2D(((length_px - 1) / 2, (length_px - 1) / 2), angle_deg, 1)
    kernel = cv2.warpAffine(kernel, turn, (length_px, length_px))
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def lit(image, gain):
    return np.clip(image.astype(np.float32) * gain, 0, 255).astype(np.uint8)


def saved_again(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_UNCHANGED)


def shifted(image, x, y):
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    return cv2.warpAffine(image, matrix, image.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


__all__ = ["DATA", "defocused", "lit", "moved", "read_image", "saved_again", "shifted", "view_frames", "write"]
