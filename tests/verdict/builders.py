"""Values that the verdict tests are made of."""

import numpy as np

from edge.settings.judging import Limits, ScoreRule
from edge.types import Alignment, AnomalyMap, Gate

MAX = ScoreRule(kind="max", window=1)


def alignment(matrix=None, gates: tuple[Gate, ...] = ()) -> Alignment:
    return Alignment(
        frame_to_reference=np.eye(3) if matrix is None else matrix,
        mode="track", start="identity", motion="identity", points=100, inliers=90, residual_px=0.2, coverage=0.8,
        corner_shift_px=0.0, similarity=0.99, similarity_before=0.99, visible=1.0, gates=gates,
    )  # fmt: skip


def anomaly_map(scores, map_to_reference=None, image_score: float | None = None) -> AnomalyMap:
    matrix = np.eye(3) if map_to_reference is None else np.asarray(map_to_reference, np.float64)
    return AnomalyMap(np.asarray(scores, np.float32), matrix, "variation-0123456789ab", image_score)


def limits(image: float = 1.0, pixel: float | None = None, area: float = 0.0) -> Limits:
    return Limits(image_threshold=image, pixel_threshold=image if pixel is None else pixel, min_area_px=area)
