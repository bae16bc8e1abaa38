from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.upstream.comparing import HEADER, Expected, errors_of, macs_of, randomise, row
from edge.bundle import Bundle, Declaration, ResizeRule, contract, graphs
from edge.settings.judging import ScoreRule
from export.golden import golden_inputs
from export.module_bundle import write_module_bundle
from export.nets.islands import float_image, mean_filter
from export.program_bundle import TorchRunner

torch.set_num_threads(1)
SIZE_WH = (16, 16)


class Grey(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(float_image(image)).float()[:, 0].abs()


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[Bundle, nn.Module, list[Expected]]:
    module = randomise(Grey())
    declared = Declaration(
        family="grey",
        size_wh=SIZE_WH,
        inputs=contract(SIZE_WH, ["image"]),
        outputs=contract(SIZE_WH, ["anomaly_map"]),
        resize=ResizeRule(kernel="cv2_area"),
        score=ScoreRule(kind="max_of_mean_filter", window=5, padding="zero"),
        created_at=datetime(2026, 1, 2, tzinfo=timezone.utc),
        created_by="a test",
    )
    golden = golden_inputs(declared, None)
    expected = []
    for given in golden:
        scores = TorchRunner(module, graphs(declared)[0]).call(given)["anomaly_map"]
        filtered = mean_filter(torch.from_numpy(scores)[None], 5)
        expected.append(Expected(given, scores[0], float(filtered.max())))
    return write_module_bundle(tmp_path / "b", module, declared, golden, "x"), module, expected


def test_a_row_of_the_table(bundle: tuple[Bundle, nn.Module, list[Expected]]) -> None:
    made = row("grey", *bundle, rtx=False)
    assert (made.parameters, made.macs, made.engine) == (4, 3 * 16 * 16, None)
    assert max(made.float32.map, made.float32.score) < 1e-6
    assert 1e-6 < made.float16.map < 1e-2
    assert made.ort_ms > 0
    assert str(made).count("|") == HEADER.splitlines()[0].count("|")


def test_a_wrong_map_and_a_wrong_score_are_seen(bundle: tuple[Bundle, nn.Module, list[Expected]]) -> None:
    opened, _, expected = bundle
    away = np.array(expected[1].map)
    away[3, 4] += 0.5
    wrong = [expected[0], Expected(expected[1].inputs, away, 2 * (expected[1].score or 0))]
    errors = errors_of(opened, opened.model_bytes(), wrong)
    assert errors.absolute == pytest.approx(0.5, abs=1e-5)
    assert errors.score == pytest.approx(0.5, abs=1e-5)


@pytest.mark.parametrize(
    ("layer", "given", "macs"),
    [
        (nn.Conv2d(4, 6, 3, padding=1, groups=2), (1, 4, 5, 5), 6 * 25 * 2 * 9),
        (nn.ConvTranspose2d(4, 6, 2, 2), (1, 4, 5, 5), 4 * 25 * 6 * 4),
        (nn.Linear(7, 3), (2, 7), 2 * 3 * 7),
    ],
)
def test_multiplications_are_counted(layer: nn.Module, given: tuple[int, ...], macs: int) -> None:
    assert macs_of(layer, [torch.zeros(given)]) == macs
