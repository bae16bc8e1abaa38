"""Sixty of the thousand mutants of `benchmarks/mutations.py`: none crashes, runs code, or takes more than its share."""

from __future__ import annotations

import contextlib
import pickle
import random
from pathlib import Path

import pytest

from benchmarks.mutation_bytes import damaged, evil_pickles
from benchmarks.mutation_cases import Case
from benchmarks.mutations import Outcome, Report, prove, show

COUNT = 60


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    scratch = tmp_path_factory.mktemp("mutations") / "inner"
    scratch.mkdir()
    return prove(COUNT, 7, scratch)


@pytest.mark.slow
def test_every_mutant_is_refused_or_harmless(report: Report) -> None:
    assert len(report.outcomes) == COUNT
    assert not report.failures, show(report)
    refused = [each for each in report.outcomes if each.result == "refused"]
    assert len(refused) > COUNT / 2, "most damage must be noticed, or nothing was damaged"
    assert {each.case.kind for each in refused} == {"checkpoint", "onnx", "manifest", "bundle"}


@pytest.mark.slow
def test_no_mutant_ran_code_or_wrote_elsewhere(report: Report) -> None:
    assert not report.canary_found
    assert not report.strangers


def test_the_evil_pickles_would_run_if_they_were_believed(tmp_path: Path) -> None:
    """The canary sings: otherwise its silence would prove nothing."""
    canary = tmp_path / "canary"
    for name, evil in evil_pickles(str(canary)):
        if name in ("os.system", "exec", "eval", "obj", "stack_global", "in a tensor", "getattr"):
            with contextlib.suppress(TypeError, AttributeError):  # what the call gives fits nowhere: it was made
                pickle.loads(evil)
            assert canary.exists(), name
            canary.unlink()


def test_damage_is_reproducible_and_real() -> None:
    data = bytes(range(256)) * 4
    assert damaged(data, random.Random(1)) == damaged(data, random.Random(1))
    changed = [damaged(data, random.Random(seed)) != data for seed in range(50)]
    assert sum(changed) > 45


def test_a_failure_is_shown() -> None:
    case = Case(3, "onnx", "graph cycle", "/nowhere", ("anomalib",))
    bad = Report((Outcome(case, "crashed", "exit -11", 0.0, 0.0),), True, ("/tmp/escaped",))
    assert bad.failures
    assert "FAILED 3 onnx, graph cycle: crashed: exit -11" in show(bad)
    assert "code run: YES; files elsewhere: /tmp/escaped" in show(bad)
