from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.errors import EngineFault
from tests.bundle.samples import random_inputs
from tests.engines import programs as made
from tests.engines.gpu_parts import Rig, conv_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return conv_bundle(tmp_path / "b")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "cache")


class TestWarmth:
    def test_every_graph_of_a_program_is_kept_warm(self, tmp_path: Path, rig: Rig) -> None:
        bundle = made.loop_bundle(tmp_path / "loop")
        with rig.engine(bundle, precision="float32") as engine:
            first = engine.infer(random_inputs(bundle.manifest))["anomaly_map"]
            rig.seconds += 1
            rig.gpu.calls.clear()
            assert engine.keep_warm()
            assert rig.gpu.calls.count("execute") == 2
            again = engine.infer(random_inputs(bundle.manifest))["anomaly_map"]
            np.testing.assert_array_equal(again, first)

    def test_an_idle_gpu_is_kept_warm_and_no_score_changes(self, bundle: Bundle, rig: Rig) -> None:
        given = random_inputs(bundle.manifest)
        with rig.engine(bundle, warm_keeper_s=0.5) as engine:
            first = engine.infer(given)["anomaly_map"].copy()
            assert not engine.keep_warm()
            rig.seconds += 0.6
            rig.gpu.calls.clear()
            assert engine.keep_warm()
            assert [call for call in rig.gpu.calls if call not in ("push", "pop")] == ["execute", "sync"]
            assert not engine.keep_warm()
            np.testing.assert_array_equal(engine.infer(given)["anomaly_map"], first)

    def test_off_and_closed_do_nothing(self, bundle: Bundle, rig: Rig) -> None:
        engine = rig.engine(bundle, warm_keeper_s=0)
        assert not engine.keep_warm()
        with engine:
            rig.seconds += 100
            assert not engine.keep_warm()

    def test_a_gpu_that_is_lost_meanwhile_is_told(self, bundle: Bundle, rig: Rig) -> None:
        with rig.engine(bundle) as engine:
            rig.seconds += 100
            rig.gpu.faults["sync"] = (0, "lost")
            with pytest.raises(EngineFault, match="sync failed"):
                engine.keep_warm()
            with pytest.raises(EngineFault, match="the GPU is lost"):
                engine.infer(random_inputs(bundle.manifest))

    def test_a_pause_of_the_line_is_one_also_where_the_gpu_was_kept_warm(self, bundle: Bundle, rig: Rig) -> None:
        with rig.engine(bundle, warm_keeper_s=0.5) as engine:
            engine.infer(random_inputs(bundle.manifest))
            for _ in range(10):
                rig.seconds += 0.6
                assert engine.keep_warm()
            engine.infer(random_inputs(bundle.manifest))
            assert engine.pace.idle_s == pytest.approx(6.0)
            assert engine.pace.first_after_idle_ms is not None

    def test_the_first_frame_after_idle_is_reported(self, bundle: Bundle, rig: Rig) -> None:
        with rig.engine(bundle) as engine:
            engine.infer(random_inputs(bundle.manifest))
            assert engine.pace.first_after_idle_ms is None
            rig.seconds += 30
            engine.infer(random_inputs(bundle.manifest))
            assert engine.pace.first_after_idle_ms is not None
            assert engine.pace.idle_s == pytest.approx(30)
            engine.infer(random_inputs(bundle.manifest))
            assert engine.pace.idle_s == pytest.approx(30)


class TestRtx:
    def test_what_was_compiled_is_kept_for_the_next_start(self, bundle: Bundle, tmp_path: Path) -> None:
        rig = Rig(tmp_path / "cache", version="1.7.1.116")
        for _ in range(2):
            with rig.engine(bundle) as engine:
                assert engine.identity.backend == "tensorrt_rtx"
        assert rig.api.module.compiled_seen == b"compiled"
        assert [path.suffix for path in rig.cache.iterdir()].count(".compiled") == 1

    def test_its_plans_are_portable_and_its_compilations_are_not(self, bundle: Bundle, tmp_path: Path) -> None:
        with Rig(tmp_path / "cache", version="1.7.1.116").engine(bundle):
            pass
        other = Rig(tmp_path / "cache", version="1.7.1.116", driver="600.1 cuda 14.0")
        assert other.engine(bundle).prepared()
        with other.engine(bundle):
            assert other.api.module.compiled_seen is None
