from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edge.engines import trt_builder
from edge.engines.preparing import quiet
from edge.engines.trt_api import TrtApi, load_trt, wrap_trt
from edge.engines.trt_builder import BuildOptions, build_plan
from edge.engines.trt_layers import check_share, layers_of_table, share_of
from edge.errors import Cancelled, EngineFault
from tests.engines import graphs
from tests.engines.fake_gpu import FakeGpu
from tests.engines.fake_trt import RELEASES, fake_api, fake_module

HALF, SINGLE = graphs.convolved_mean(half=True), graphs.convolved_mean()
CLASSIC = [version for version, release in RELEASES.items() if release.flavour == "tensorrt"]
TYPED = [version for version in RELEASES if not version.startswith("8.")]


@pytest.fixture
def gpu() -> FakeGpu:
    gpu = FakeGpu()
    gpu.stack().append("a context")
    return gpu


def options(api: TrtApi, **changes: Any) -> BuildOptions:
    return BuildOptions(target="SM89" if api.flavour == "tensorrt_rtx" else "", **changes)


def built_with(api: TrtApi) -> tuple[Any, set[str]]:
    _, config = api.module.built[-1]
    return config, {flag.name for flag in config.flags}


@pytest.mark.parametrize("version", RELEASES)
class TestEveryRelease:
    def test_half_precision_is_kept_and_counted(self, gpu: FakeGpu, version: str) -> None:
        api = fake_api(version, gpu)
        built = build_plan(api, HALF, options(api), quiet)
        assert (built.share.promised, built.share.kept, built.share.lost, built.share.unseen) == (2, 2, 0, 0)
        assert 0 < built.share.share < 1
        assert built.plan

    def test_single_precision_promises_nothing(self, gpu: FakeGpu, version: str) -> None:
        api = fake_api(version, gpu)
        built = build_plan(api, SINGLE, options(api, precision="float32"), quiet)
        assert (built.share.promised, built.share.half_layers) == (0, 0)
        assert "FP16" not in built_with(api)[1]

    def test_an_engine_that_lost_half_precision_is_refused(self, gpu: FakeGpu, version: str) -> None:
        api = fake_api(version, gpu)
        api.module.fail.add("lose half")
        with pytest.raises(EngineFault, match=r"lost float16 in 2 of 2 layers.*precision: float32"):
            build_plan(api, HALF, options(api), quiet)

    def test_what_is_common_to_all(self, gpu: FakeGpu, version: str) -> None:
        api = fake_api(version, gpu)
        build_plan(api, HALF, options(api, workspace_mb=64, hardware_compatible=True), quiet)
        config, flags = built_with(api)
        assert "TF32" not in flags, "its 10 bits of mantissa are not the float32 that was exported"
        assert ("STRICT_NANS" in flags) == hasattr(api.module.BuilderFlag, "STRICT_NANS")
        assert config.profiling_verbosity.name == "DETAILED"
        assert {pool.name: size for pool, size in config.pools.items()} == {"WORKSPACE": 64 << 20}
        assert config.hardware_compatibility_level.name == "AMPERE_PLUS"

    def test_names_that_the_release_has_lost_are_not_there(self, gpu: FakeGpu, version: str) -> None:
        module = fake_module(RELEASES[version], gpu)
        for name in RELEASES[version].gone:
            owner, _, attribute = name.rpartition(".")
            with pytest.raises(AttributeError):
                getattr(getattr(module, owner) if owner else module, attribute)

    def test_version_compatible_plans_are_read_as_trusted_code(self, gpu: FakeGpu, version: str) -> None:
        api = fake_api(version, gpu)
        build_plan(api, HALF, options(api, version_compatible=True), quiet)
        assert "VERSION_COMPATIBLE" in built_with(api)[1]

    def test_what_cannot_be_read_or_built_is_a_fault_in_its_words(self, gpu: FakeGpu, version: str) -> None:
        api = fake_api(version, gpu)
        for wrong in (b"", b"no protobuf \xff", HALF[:200]):
            with pytest.raises(EngineFault, match=f"{api.flavour} {version} cannot read the ONNX file"):
                build_plan(api, wrong, options(api), quiet)
        api.module.fail.add("build")
        with pytest.raises(EngineFault, match="could not find any implementation"):
            build_plan(api, HALF, options(api), quiet)
        api.module.fail.add("builder")
        with pytest.raises(EngineFault, match=r"cannot make a builder: .*nullptr"):
            build_plan(api, HALF, options(api), quiet)

    def test_a_free_axis_is_refused(self, gpu: FakeGpu, version: str) -> None:
        api = fake_api(version, gpu)
        with pytest.raises(EngineFault, match=r"input image has a free axis \[1, -1, 32, 3\]"):
            build_plan(api, free_height(), options(api), quiet)

    def test_cancelling_from_the_progress(self, gpu: FakeGpu, version: str) -> None:
        api = fake_api(version, gpu)

        def stop(phase: str, done: int, total: int) -> None:
            if phase == ("Building engine" if RELEASES[version].progress_monitor else "building"):
                raise Cancelled("by hand")

        with pytest.raises(Cancelled):
            build_plan(api, HALF, options(api), stop)


def free_height() -> bytes:
    model = onnx.load_from_string(graphs.mean_map())
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[1].ClearField("dim_value")
        value.type.tensor_type.shape.dim[1].dim_param = "height"
    return bytes(model.SerializeToString())


def test_8_6_binds_every_layer_and_demands_obedience(gpu: FakeGpu) -> None:
    api = fake_api("8.6.1", gpu)
    build_plan(api, HALF, options(api), quiet)
    network, _ = api.module.built[-1]
    assert {"FP16", "OBEY_PRECISION_CONSTRAINTS"} <= built_with(api)[1]
    for layer in network.layers:
        if layer.type.name == "CAST":
            assert layer.bound is None
        else:
            assert layer.bound == layer.get_output(0).dtype == layer.given[0]
    assert {layer.bound.name for layer in network.layers if layer.bound is not None} == {"FLOAT", "HALF"}


@pytest.mark.parametrize("version", TYPED)
def test_later_ones_are_typed_and_take_no_precision_flag(gpu: FakeGpu, version: str) -> None:
    api = fake_api(version, gpu)
    build_plan(api, HALF, options(api), quiet)
    network, _ = api.module.built[-1]
    assert network.strongly_typed
    assert not built_with(api)[1] & {"FP16", "OBEY_PRECISION_CONSTRAINTS", "BF16"}
    assert all(getattr(layer, "bound", None) is None for layer in network.layers)


@pytest.mark.parametrize("version", ["10.3.0", "10.13.3.9"])
def test_the_silent_float32_engine_of_an_untyped_network_is_caught(
    gpu: FakeGpu, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trt_builder, "_network_flags", lambda api: 0)
    api = fake_api(version, gpu)
    with pytest.raises(EngineFault, match="lost float16"):
        build_plan(api, HALF, options(api), quiet)


def test_an_engine_that_tells_no_types_is_refused(gpu: FakeGpu) -> None:
    for version, words in (("10.3.0", "does not tell its layers' types"), ("1.7.1.116", "does not tell the layers")):
        api = fake_api(version, gpu)
        api.module.fail.add("tell no types")
        with pytest.raises(EngineFault, match=words):
            build_plan(api, HALF, options(api), quiet)


@pytest.mark.parametrize("version", CLASSIC)
def test_timings_of_this_machine_are_used_and_others_are_not(gpu: FakeGpu, version: str) -> None:
    api = fake_api(version, gpu)
    first = build_plan(api, HALF, options(api), quiet)
    assert first.timing == b"timings " + version.encode()
    for timing, used in ((first.timing, True), (b"timings of another", False), (b"\0rubbish", False)):
        again = build_plan(api, HALF, options(api), quiet, timing=timing)
        assert again.timing == first.timing
        assert api.module.built[-1][1].timing.data == first.timing
        assert used == (timing == first.timing)


def test_rtx_takes_no_timings_and_names_its_target(gpu: FakeGpu) -> None:
    api = fake_api("1.7.1.116", gpu)
    assert build_plan(api, HALF, options(api), quiet).timing == b""
    assert built_with(api)[0].target == "SM89"
    for target in ("", "SM87", "CURRENT", "NONE", "__doc__"):
        with pytest.raises(EngineFault, match=r"is no target of TensorRT for RTX.*kind: tensorrt"):
            build_plan(api, HALF, BuildOptions(target=target), quiet)


def test_no_context_is_needed_for_rtx_and_one_is_for_the_rest() -> None:
    build_plan(fake_api("1.7.1.116", FakeGpu()), HALF, BuildOptions(target="SM86"), quiet)
    with pytest.raises(AssertionError, match="no context is current"):
        build_plan(fake_api("10.3.0", FakeGpu()), HALF, BuildOptions(), quiet)


@pytest.mark.parametrize("version", ["8.5.3", "7.2", "9.1", "12.0", "unknown", ""])
def test_a_version_that_nobody_knows_is_refused(gpu: FakeGpu, version: str) -> None:
    module = fake_module(RELEASES["10.3.0"], gpu)
    module.__version__ = version
    with pytest.raises(EngineFault, match="is not a version that this station knows"):
        wrap_trt(module, "tensorrt")


class TestRealRtx:
    """The real library builds here without a GPU."""

    @pytest.fixture
    def api(self) -> TrtApi:
        pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
        return load_trt("tensorrt_rtx")

    @pytest.mark.parametrize("target", ["SM75", "SM86", "SM89", "SM120"])
    def test_it_keeps_what_the_file_promises(self, api: TrtApi, target: str) -> None:
        built = build_plan(api, HALF, BuildOptions(target=target), quiet)
        assert (built.share.promised, built.share.kept) == (2, 2)
        assert 10_000 < len(built.plan) < 10_000_000

    def test_single_precision_stays_single(self, api: TrtApi) -> None:
        built = build_plan(api, SINGLE, BuildOptions("float32", "SM89"), quiet)
        assert (built.share.promised, built.share.half_layers) == (0, 0)
        assert built.share.layers > 0

    def test_an_engine_without_it_would_be_refused(self, api: TrtApi) -> None:
        build_plan(api, SINGLE, BuildOptions("float32", "SM89"), quiet)
        share = share_of(("first_conv", "second_conv"), layers_of_table(api.log.layer_table))
        assert (share.kept, share.lost) == (0, 2)
        with pytest.raises(EngineFault, match="lost float16 in 2 of 2"):
            check_share(share, strongly_typed=True, where="here")

    def test_it_can_be_cancelled_and_builds_again(self, api: TrtApi) -> None:
        def stop(phase: str, done: int, total: int) -> None:
            if done:
                raise Cancelled("by hand")

        with pytest.raises(Cancelled):
            build_plan(api, HALF, BuildOptions(target="SM89"), stop)
        assert build_plan(api, HALF, BuildOptions(target="SM89"), quiet).plan

    def test_its_errors_are_told(self, api: TrtApi) -> None:
        with pytest.raises(EngineFault, match=r"cannot read the ONNX file .*parse"):
            build_plan(api, b"garbage", BuildOptions(target="SM89"), quiet)
        with pytest.raises(EngineFault, match=r"SM87 is no target .*SM89"):
            build_plan(api, HALF, BuildOptions(target="SM87"), quiet)

    def test_names_that_are_no_text_are_a_fault(self, api: TrtApi) -> None:
        with pytest.raises(EngineFault, match=r"tensorrt_rtx .* failed: 'utf-8' codec"):
            build_plan(api, HALF.replace(b"first_conv", b"\xc3\x28rst_conv"), BuildOptions(target="SM89"), quiet)

    def test_loading_a_plan_needs_a_gpu_and_says_so(self, api: TrtApi, tmp_path: Path) -> None:
        plan = build_plan(api, HALF, BuildOptions(target="SM89"), quiet).plan
        api.log.clear()
        engine = api.module.Runtime(api.log).deserialize_cuda_engine(plan)
        if engine is not None:
            pytest.skip("this machine has a GPU: see test_gpu.py")
        assert "driver" in api.log.complaint().lower()


def test_the_graphs_of_these_tests_compute_what_they_say() -> None:
    import onnxruntime

    image = np.random.default_rng(3).integers(0, 256, (1, graphs.HEIGHT, graphs.WIDTH, 3), np.uint8)
    for data, limit in ((SINGLE, 1e-3), (HALF, 0.3)):
        (made,) = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"image": image})
        assert np.abs(made - image.mean(axis=3)).max() < limit
