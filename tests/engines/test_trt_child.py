"""A build in a process of its own: with the real TensorRT for RTX, and with children that misbehave."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

import onnx
import pytest

from edge.bundle import Bundle, open_bundle
from edge.engines.cache import EngineCache
from edge.engines.preparing import quiet
from edge.engines.trt_builder import BuildOptions
from edge.engines.trt_child import ChildPlans
from edge.engines.trt_plans import PlanOrder, order_of
from edge.errors import BundleError, Cancelled, EngineFault
from tests.engines import graphs
from tests.engines.gpu_parts import conv_bundle

CHILD = """
import os, signal, sys
from edge.sidecar import die_with, link_of
die_with(sys.argv[3])
link = link_of(sys.argv[2])
while (order := link.receive()) is None:
    pass
"""
MISBEHAVIOUR = {
    "crash": "os.kill(os.getpid(), signal.SIGSEGV)",
    "exit": "sys.exit(7)",
    "hang": "link.send({'phase': 'stuck', 'done': os.getpid(), 'total': 9}); signal.pause()",
    "nonsense": "link._socket.send(b'[1, 2'); signal.pause()",
    "lie": "link.send({'built': True})",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return conv_bundle(tmp_path / "b")


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines", 1 << 30)


def rtx_order(bundle: Bundle, target: str = "SM89", **changes: Any) -> PlanOrder:
    return order_of(bundle, "model", "tensorrt_rtx", "1.7.1.116", BuildOptions(target=target), gpu=None, **changes)


class TestReal:
    @pytest.fixture(autouse=True)
    def rtx(self) -> None:
        pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")

    def test_it_builds_tells_and_keeps(self, bundle: Bundle, cache: EngineCache) -> None:
        plans, order, told = ChildPlans(cache, 120), rtx_order(bundle), []
        assert plans.find(order) is None
        built = plans.get(order, lambda *step: told.append(step))
        assert built.built_here
        assert (built.share.promised, built.share.kept) == (2, 2)
        assert told[0] == ("starting", 0, 0)
        found = plans.get(order, quiet)
        assert not found.built_here
        assert found.data == built.data
        assert built.build_s < 60
        (entry,) = cache.entries()
        assert entry.header["where"] == f"bundle {bundle.name}, graph model"

    def test_paths_may_be_relative(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        conv_bundle(tmp_path / "b")
        monkeypatch.chdir(tmp_path)
        cache = EngineCache(Path("engines"), 1 << 30)
        assert ChildPlans(cache, 120).get(rtx_order(open_bundle(Path("b"))), quiet).built_here
        assert len(list((tmp_path / "engines").glob("*.plan"))) == 1

    def test_two_that_ask_at_once_build_once(self, bundle: Bundle, cache: EngineCache) -> None:
        made = []
        order = rtx_order(bundle)
        threads = [threading.Thread(target=lambda: made.append(ChildPlans(cache, 120).get(order, quiet))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made[0].data == made[1].data
        assert made[0].build_s == made[1].build_s, "the second found what the first had built"

    def test_its_errors_arrive_as_they_were(self, bundle: Bundle, cache: EngineCache) -> None:
        with pytest.raises(EngineFault, match=r"SM87 is no target .*kind: tensorrt"):
            ChildPlans(cache, 120).get(rtx_order(bundle, "SM87"), quiet)
        order = rtx_order(bundle)
        bundle.model_path("float16").write_bytes(b"changed after it was opened")
        with pytest.raises(BundleError, match=r"model\.fp16\.onnx: is not the file that the manifest names"):
            ChildPlans(cache, 120).get(order, quiet)
        bundle.model_path("float16").unlink()
        with pytest.raises(BundleError, match="cannot be read"):
            ChildPlans(cache, 120).get(order, quiet)
        assert cache.entries() == ()

    def test_a_file_that_crashes_the_parser_takes_only_the_child(self, tmp_path: Path, cache: EngineCache) -> None:
        # An operator without a name is a segmentation fault in TensorRT for RTX 1.7.1.
        model = onnx.load_from_string(graphs.convolved_mean(half=True))
        model.graph.node[-1].op_type = ""
        bundle = conv_bundle(tmp_path / "crashing", half=model.SerializeToString())
        with pytest.raises(EngineFault, match=r"SIGSEGV|cannot read the ONNX file"):
            ChildPlans(cache, 120).get(rtx_order(bundle), quiet)
        assert ChildPlans(cache, 120).get(rtx_order(conv_bundle(tmp_path / "sound")), quiet).built_here


class TestMisbehaving:
    @pytest.fixture
    def plans(self, cache: EngineCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

        def of(kind: str, **more: Any) -> ChildPlans:
            (tmp_path / f"misbehaving_{kind}.py").write_text(CHILD + MISBEHAVIOUR[kind])
            return ChildPlans(cache, 60, f"misbehaving_{kind}", **more)

        return of

    @pytest.mark.parametrize(
        ("kind", "says"),
        [
            ("crash", "was ended by SIGSEGV"),
            ("exit", "ended with code 7"),
            ("nonsense", "was killed"),
            ("lie", "is not in the cache"),
        ],
    )
    def test_whatever_it_does_is_a_fault(self, bundle: Bundle, plans: Any, kind: str, says: str) -> None:
        with pytest.raises(EngineFault, match=says):
            plans(kind).get(rtx_order(bundle), quiet)

    def test_a_build_that_hangs_is_ended_in_time_and_heard_meanwhile(self, bundle: Bundle, plans: Any) -> None:
        told: list[str] = []
        waiting = plans("hang", clock=lambda: 61.0 if "stuck" in told else 0.0)
        with pytest.raises(EngineFault, match=r"not built within 60 s.*lineclear-export engine"):
            waiting.get(rtx_order(bundle), lambda phase, done, total: told.append(phase))
        assert told[0] == "starting"

    def test_cancelling_ends_the_process(self, bundle: Bundle, plans: Any) -> None:
        pids = []

        def stop(phase: str, done: int, total: int) -> None:
            if phase == "stuck":
                pids.append(done)
                raise Cancelled("by hand")

        with pytest.raises(Cancelled):
            plans("hang").get(rtx_order(bundle), stop)
        with pytest.raises(ProcessLookupError):
            os.kill(pids[0], 0)
