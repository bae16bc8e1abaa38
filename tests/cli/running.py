"""Run a command as a stranger does: in a process of its own, or in this one where the process boundary does not matter."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs"
RECIPE = CONFIGS / "recipes" / "feeder"
IMAGES = sorted((CONFIGS / "replay").glob("*.png"))
PATIENCE_S = 60


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def problems(self) -> list[str]:
        """The lines on standard error."""
        return self.err.splitlines()


def process(*arguments: str | Path | bytes, package: str = "edge", cwd: Path | None = None, **settings: Any) -> Answer:
    """`python -m PACKAGE ...`; never a traceback, whatever the test is about."""
    command = [sys.executable, "-m", package, *arguments]
    done = subprocess.run(command, capture_output=True, cwd=cwd or ROOT, timeout=PATIENCE_S, check=False, **settings)
    answer = Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
    assert "Traceback" not in answer.err
    return answer


class Command:
    """`lineclear ...` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Answer:
        self._capsys.readouterr()
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        said = self._capsys.readouterr()
        return Answer(status, said.out, said.err)

    def refused(self, *arguments: str | Path) -> str:
        """The one line on standard error of a command that must end with 3 and an empty standard output."""
        answer = self(*arguments)
        assert (answer.status, answer.out) == (3, ""), answer
        (problem,) = answer.problems
        assert problem.startswith("lineclear")
        return problem


def station(folder: Path, **changes: Any) -> Path:
    """A config in `folder` that replays the example images; changes replace its top-level keys."""
    data: dict[str, Any] = {
        "station": {"site": "s", "area": "a", "line": "l", "station": "b"},
        "state_dir": "state",
        "publisher": {"kind": "memory"},
        "views": {"feeder": {"recipe": str(RECIPE), "camera": replayed()}},
        **changes,
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def replayed(**changes: Any) -> dict[str, Any]:
    return {"kind": "folder", "path": str(CONFIGS / "replay"), "trigger": "software", **changes}


def simulated(**changes: Any) -> dict[str, Any]:
    """The camera of configs/simulated.yaml."""
    camera: dict[str, Any] = yaml.safe_load((CONFIGS / "simulated.yaml").read_text())["views"]["feeder"]["camera"]
    return {**camera, **changes}
