"""The float16 twins of foreign graphs build for TensorRT-RTX ahead of time, with no GPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.bundle import open_bundle
from export.__main__ import main
from tests.export.onnx_files import anomalib_0, anomalib_2, classify, saved, segment


@pytest.mark.parametrize(
    ("family", "model"),
    [
        ("anomalib", anomalib_2(opset=18)),
        ("anomalib", anomalib_0(opset=11, imagenet=True, second=True)),
        ("change_onnx", segment(5)),
        ("change_onnx", classify("euclidean")),
        ("change_onnx", classify(golden=3)),
    ],
    ids=["anomalib 2", "anomalib 1", "segment", "classify", "golden samples"],
)
def test_a_bundle_builds(tmp_path: Path, family: str, model: Any) -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed: pip install 'lineclear[tensorrt-rtx]'")
    from benchmarks.upstream.comparing import rtx_engine

    path = saved(model, tmp_path / "m.onnx")
    assert main([family, "--checkpoint", str(path), "--out", str(tmp_path / "b")]) == 0
    built = rtx_engine(open_bundle(tmp_path / "b").model_bytes("float16"))
    assert built is not None
    assert built[0] > 1000
