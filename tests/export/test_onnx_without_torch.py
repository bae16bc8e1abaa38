"""The families that start from ONNX need onnx, and no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.export.onnx_files import anomalib_2, saved, segment

BLOCKED = "import sys; sys.modules['torch'] = None; from export.__main__ import main; sys.exit(main(sys.argv[1:]))"


def test_they_export_where_torch_is_not_installed(tmp_path: Path) -> None:
    for family, model in (("anomalib", anomalib_2()), ("change_onnx", segment())):
        path = saved(model, tmp_path / f"{family}.onnx")
        words = [sys.executable, "-c", BLOCKED, family, "--checkpoint", str(path), "--out", str(tmp_path / family)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / family / "manifest.json").exists()
    words = [sys.executable, "-c", BLOCKED, "onnx", "--checkpoint", str(path), "--template", str(tmp_path / "t.yaml")]
    assert subprocess.run(words, check=False, capture_output=True).returncode == 0


def test_without_onnx_they_say_what_to_install(tmp_path: Path) -> None:
    path = saved(anomalib_2(), tmp_path / "m.onnx")
    blocked = BLOCKED.replace("'torch'", "'onnx'")
    words = [sys.executable, "-c", blocked, "anomalib", "--checkpoint", str(path), "--out", str(tmp_path / "b")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "pip install 'lineclear[onnx]'" in done.stderr
    assert done.stderr.count("\n") == 1
