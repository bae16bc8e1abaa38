from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle, open_bundle
from edge.engines.gpus import EngineUnavailable, Gpu, gpu_inventory
from edge.engines.preparing import quiet
from edge.engines.trt_child import build_here
from edge.engines.trt_plans import Plans
from edge.errors import ConfigError
from edge.settings.engines import TensorRtRtxSettings
from export.__main__ import main
from export.engine import build_ahead, choose_flavour, targets_of
from tests.engines.gpu_parts import conv_bundle
from tests.export.scenes import frames, scene, write

ADA = Gpu(0, "RTX 4000 Ada", (8, 9), "580.65.06 cuda 13.0")


@pytest.fixture(autouse=True)
def rtx() -> None:
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return conv_bundle(tmp_path / "b")


def no_gpu() -> Gpu:
    raise EngineUnavailable("no NVIDIA driver", where="gpu", remedy="install it")


class TestTargets:
    def test_named_ones_are_taken_once_each_in_their_order(self) -> None:
        assert targets_of("sm89, SM86,SM89", "tensorrt_rtx", no_gpu) == ("SM89", "SM86")

    def test_without_a_name_it_is_this_gpus(self) -> None:
        assert targets_of(None, "tensorrt_rtx", lambda: ADA) == ("SM89",)
        assert targets_of(None, "tensorrt", lambda: ADA) == ("SM89",)

    def test_neither_gpu_nor_name_says_what_to_write(self) -> None:
        with pytest.raises(ConfigError, match=r"--compute-capability: there is no GPU here .*SM89 RTX 40"):
            targets_of(None, "tensorrt_rtx", no_gpu)
        with pytest.raises(EngineUnavailable):
            targets_of(None, "tensorrt", no_gpu)

    @pytest.mark.parametrize("text", ["", "89", "SM8.9", "SM89,", "SM89;SM86", "CURRENT", "SM" + "9" * 4000])
    def test_what_is_no_list_of_them(self, text: str) -> None:
        with pytest.raises(ConfigError, match="is no compute capability: write SM89"):
            targets_of(text, "tensorrt_rtx", no_gpu)

    def test_the_classic_one_builds_for_the_gpu_at_hand(self) -> None:
        with pytest.raises(ConfigError, match=r"runs on: run this on the station"):
            targets_of("SM89", "tensorrt", lambda: ADA)


def test_one_engine_per_graph_and_target_where_a_station_finds_it(bundle: Bundle, tmp_path: Path) -> None:
    settings = TensorRtRtxSettings(cache_dir=str(tmp_path / "c"))
    told: list[str] = []

    def teller(what: str) -> Any:
        told.append(what)
        return quiet

    made = build_ahead(bundle, settings, ("SM86", "SM89"), teller, plans=lambda cache, _: Plans(cache, build_here))
    assert [(built.graph, built.target) for built in made] == [("model", "SM86"), ("model", "SM89")]
    assert told == ["model SM86", "model SM89"]
    assert all(built.path.is_file() and built.plan.built_here and built.plan.share.kept == 2 for built in made)
    again = build_ahead(bundle, settings, ("SM89",), teller, plans=lambda cache, _: Plans(cache, build_here))
    assert not again[0].plan.built_here
    assert "there already" in str(again[0])


class TestFamilies:
    """Real bundles of the families that need no checkpoint; the others are in benchmarks/engines.py."""

    def test_comparison(self, tmp_path: Path) -> None:
        assert main(["comparison", "--size", "96x64", "--patch", "12", "--out", str(tmp_path / "b")]) == 0
        self._build(tmp_path, "float16")

    def test_variation(self, tmp_path: Path) -> None:
        images = write(tmp_path / "good", frames(6, scene()))
        options = ["--images", str(images), "--size", "120x90", "--out", str(tmp_path / "b"), "--quiet"]
        assert main(["variation", *options]) == 0
        self._build(tmp_path, "float16", "float32")

    @staticmethod
    def _build(folder: Path, *precisions: Any) -> None:
        bundle = open_bundle(folder / "b")
        for precision in precisions:
            settings = TensorRtRtxSettings(cache_dir=str(folder / "c"), precision=precision)
            (built,) = build_ahead(
                bundle, settings, ("SM89",), lambda _: quiet, plans=lambda cache, _: Plans(cache, build_here)
            )
            assert len(built.plan.data) > 10_000
            assert built.plan.share.lost == 0
            assert (built.plan.share.half_layers > 0) == (precision == "float16")


def test_the_default_is_what_is_installed() -> None:
    assert choose_flavour("tensorrt_rtx") == "tensorrt_rtx"
    assert choose_flavour(None) in ("tensorrt", "tensorrt_rtx")


class TestCommand:
    def test_a_line_per_engine(self, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        options = ["--backend", "tensorrt_rtx", "--compute-capability", "SM89", "--cache", str(tmp_path / "c"), "--quiet"]
        assert main(["engine", str(bundle.path), *options]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        size = r"model SM89 float16  \d+\.\d\d MB  \d+\.\d s, built  2 of 2 float16 layers kept; 4 of 5 engine layers"
        assert re.match(rf"{bundle.name}  {size}  {tmp_path}/c/tensorrt_rtx-[0-9a-f]{{40}}\.plan$", line)
        assert main(["engine", str(bundle.path), *options]) == 0
        assert "there already" in capsys.readouterr().out
        assert main(["engine", str(bundle.path), *options, "--precision", "float32"]) == 0
        assert "0 of 0 float16 layers kept" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            (["--compute-capability", "SM87"], "SM87 is no target of TensorRT for RTX"),
            (["--compute-capability", "89"], "is no compute capability"),
            (["--compute-capability", "SM89", "--hardware-compatible"], "--hardware-compatible: is of --backend tensorrt"),
            (["--compute-capability", "SM89", "--device", "99"], "device"),
            (["--compute-capability", "SM89", "--timeout", "0"], "build_timeout_s"),
            (["--backend", "tensorflow"], "invalid choice"),
        ],
    )
    def test_what_cannot_be_done_is_one_line_and_3(
        self, bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
    ) -> None:
        arguments = ["engine", str(bundle.path), "--backend", "tensorrt_rtx", "--cache", str(tmp_path / "c"), *options]
        try:
            status = main(arguments)
        except SystemExit as error:
            status = int(str(error.code))
        assert status == 3
        error = capsys.readouterr().err.splitlines()[-1]
        assert says in error
        assert not list((tmp_path / "c").glob("*.plan"))

    def test_a_bundle_without_the_precision(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        bundle = conv_bundle(tmp_path / "single", model_fp16=None)
        arguments = ["--backend", "tensorrt_rtx", "--compute-capability", "SM89", "--cache", str(tmp_path / "c")]
        assert main(["engine", str(bundle.path), *arguments]) == 3
        assert "has no float16 model" in capsys.readouterr().err

    def test_the_classic_backend_needs_its_package_and_a_gpu(self, bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
        try:
            if gpu_inventory():
                pytest.skip("this machine has a GPU: see tests/engines/test_gpu.py")
        except EngineUnavailable:
            pass
        assert main(["engine", str(bundle.path), "--backend", "tensorrt"]) == 3
        assert re.search("package tensorrt is not installed|no NVIDIA driver", capsys.readouterr().err)
