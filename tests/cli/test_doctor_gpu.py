"""`lineclear doctor --gpu`: on a machine without a GPU, and on one whose GPU is made of numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import Bundle
from edge.cli import gpu_machine
from edge.cli.gpu_machine import GpuTools, find
from edge.cli.gpu_report import gpu_report
from edge.cli.gpu_trial import Pace
from edge.engines.base import Engine
from edge.engines.gpus import EngineUnavailable, Gpu
from edge.errors import BundleError, ConfigError
from edge.parts import make_engine
from edge.settings.engines import EngineSettings, OnnxRuntimeSettings
from tests.cli.running import RECIPE, station
from tests.engines import graphs
from tests.engines.gpu_parts import Rig, conv_bundle

ADA = Gpu(0, "RTX 4000 Ada", (8, 9), "580.65.06 cuda 13.0", False, 20 << 30)


class Ticks:
    """A clock that goes a millisecond on with every look, and sleeps in no time."""

    def __init__(self) -> None:
        self.now_s, self.slept_s = 0.0, 0.0

    def clock(self) -> float:
        self.now_s += 0.001
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept_s += seconds


def pace(ticks: Ticks | None = None) -> Pace:
    ticks = ticks or Ticks()
    return Pace(runs=20, run_s=60.0, idle_s=0.5, clock=ticks.clock, sleep=ticks.sleep)


def missing(*_: Any) -> Any:
    raise EngineUnavailable("there is none", where="gpu", remedy="install one")


def tools(tmp_path: Path, **changes: Any) -> GpuTools:
    rigs = {name: Rig(tmp_path / "cache", memory=name) for name in ("pycuda", "cuda-python")}

    def load(flavour: str) -> Any:
        return rigs["pycuda"].api if flavour == "tensorrt" else missing()

    def make(settings: EngineSettings, bundle: Bundle) -> Engine:
        if isinstance(settings, OnnxRuntimeSettings):
            return make_engine(settings, bundle)
        return rigs[settings.memory_backend].engine(bundle, **settings.model_dump(exclude={"kind", "cache_dir"}))  # type: ignore[union-attr]

    fields: dict[str, Any] = {"inventory": lambda: (ADA,), "load": load, "backend": lambda name: name, "make": make}
    return GpuTools(**{**fields, **changes})


def report(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return document


def run(tmp_path: Path, *paths: Path, **changes: Any) -> int:
    return gpu_report(paths, tmp_path / "report.json", tools(tmp_path, **changes), pace())


def test_every_kind_of_memory_is_built_proven_and_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = conv_bundle(tmp_path / "b")
    assert run(tmp_path, bundle.path) == 0
    (tried,) = report(tmp_path)["bundles"]
    cpu, *trials = tried["trials"]
    assert (cpu["engine"], cpu["parity"]) == ("onnxruntime", "proven")
    assert [(each["memory_backend"], each["memory"]) for each in trials] == [
        ("pycuda", "pinned"), ("pycuda", "mapped"), ("cuda-python", "pinned"), ("cuda-python", "mapped"),
    ]  # fmt: skip
    for each in trials:
        assert each["parity"] == "proven"
        assert 0 < each["golden_over_limit"] <= 1
        assert set(each["ms"]) == {"first", "p50", "p95", "p99", "after_idle", "kept_warm"}
        assert each["runs"] == 20
        assert each["identity"] == "tensorrt-10.3.0 Fake RTX float16"
        assert each["builds"][0]["half"].startswith("2 of 2 float16 layers kept")
    assert [each["builds"][0]["built_here"] for each in trials] == [False] * 4, "prepare built it, opening found it"
    said = capsys.readouterr().out
    assert "gpu 0: RTX 4000 Ada (compute capability 8.9, driver 580.65.06 cuda 13.0), 20480 MB" in said
    assert "missing tensorrt_rtx: gpu: there is none: install one" in said
    assert said.count("proven") == 5


def test_an_engine_that_gives_other_scores_is_a_failure_beside_those_that_do_not(tmp_path: Path, capsys: Any) -> None:
    lying = conv_bundle(tmp_path / "lying", half=graphs.mean_map(scale=1.5))
    assert run(tmp_path, conv_bundle(tmp_path / "b").path, lying.path) == 1
    good, bad = report(tmp_path)["bundles"]
    assert all(each["parity"] == "proven" for each in good["trials"])
    assert [each["parity"] for each in bad["trials"]] == ["proven"] + ["failed"] * 4
    assert "is off by" in bad["trials"][1]["problem"]
    assert "4 of 10 trials failed; the first: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"inventory": missing}, "gpu: there is none: install one"),
        ({"inventory": tuple}, "CUDA sees no GPU"),
        ({"load": missing}, "gpu: there is none: install one; gpu: there is none"),
        ({"backend": missing}, "no engine was tried on a GPU: gpu: there is none"),
    ],
)
def test_without_one_of_its_parts_it_says_which_and_times_the_cpu(tmp_path: Path, capsys: Any, changes: Any, says: str) -> None:
    assert run(tmp_path, conv_bundle(tmp_path / "b").path, **changes) == 2
    assert says in capsys.readouterr().err
    ((cpu,),) = [each["trials"] for each in report(tmp_path)["bundles"]]
    assert set(cpu["ms"]) == {"first", "p50", "p95", "p99", "after_idle"}


def test_with_nothing_to_try_the_machine_is_written_down(tmp_path: Path, capsys: Any) -> None:
    assert run(tmp_path) == 2
    assert "name a bundle, a recipe or a config" in capsys.readouterr().err
    machine = report(tmp_path)["machine"]
    assert machine["gpus"][0]["name"] == "RTX 4000 Ada"
    assert machine["tensorrt"] == {"tensorrt": "10.3.0"}
    assert machine["memory_backends"] == ["pycuda", "cuda-python"]
    assert set(machine["missing"]) == {"tensorrt_rtx"}
    assert {"platform", "cores", "python", "packages"} <= set(machine)


def test_a_config_a_recipe_and_its_bundle_are_one_bundle(tmp_path: Path) -> None:
    config = station(tmp_path, engine={"kind": "tensorrt", "memory": "mapped"})
    bundle = next((RECIPE / "bundles").iterdir())
    assert run(tmp_path, config, RECIPE, bundle, inventory=missing) == 2
    assert [each["name"] for each in report(tmp_path)["bundles"]] == [bundle.name]


@pytest.mark.parametrize("error", [BundleError, ConfigError])
def test_what_is_no_bundle_is_said_before_anything_is_timed(tmp_path: Path, error: type[Exception]) -> None:
    path = tmp_path if error is BundleError else tmp_path / "none.yaml"
    with pytest.raises(error):
        run(tmp_path, path)
    assert not (tmp_path / "report.json").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name another file with --out"):
        gpu_report((), tmp_path / "none" / "report.json", tools(tmp_path), pace())


def test_the_machines_own_tools_are_asked_and_none_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho P8, 210 MHz\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert find(tools(tmp_path)).document()["told_by"]["nvidia-smi"] == "P8, 210 MHz"
    monkeypatch.setattr(gpu_machine, "_PATIENCE_S", 0.05)
    smi.write_text("#!/bin/sh\nexec sleep 5\n")
    assert "nvidia-smi" not in find(tools(tmp_path)).document()["told_by"]


def test_the_command_degrades_in_plain_words(lineclear: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.cli.gpu_report.GpuTools", lambda: GpuTools(inventory=missing))
    monkeypatch.setattr("edge.cli.gpu_report.Pace", lambda: Pace(runs=2, idle_s=0.0))
    out = tmp_path / "report.json"
    answer = lineclear("doctor", "--gpu", RECIPE, "--out", out)
    assert answer.status == 2
    assert answer.problems == ["lineclear: no engine was tried on a GPU: gpu: there is none: install one"]
    assert answer.out.endswith(f"written: {out}: send it as docs/first-gpu.md says\n")
    assert report(tmp_path)["schema"] == 1
