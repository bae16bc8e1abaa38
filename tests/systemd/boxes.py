"""A box in a folder: the real installer, below --destdir, with a Python that makes its environments in no time."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "systemd"
NEVER = 1_000_000
SECRETS = {"passwords", "feeder.mqtt", "feeder.page.mqtt"}

# It is asked for a version, makes an environment, and installs; everything else goes to the real one.
PYTHON = """#!/bin/bash
case "$1 $2" in
    "-V "*) echo "Python 3.11.9" ;;
    "-c import sys; print"*) echo "${FAKE_VERSION:-3.11}" ;;
    "-c import venv"*) exit "${FAKE_NO_VENV:-0}" ;;
    "-c import tensorrt"*) exit "${FAKE_NO_TENSORRT:-0}" ;;
    "-c import edge.app"*) exit "${FAKE_BROKEN:-0}" ;;
    "-m compileall") ;;
    "-m venv")
        folder="${!#}"
        mkdir -p "$folder/bin" "$folder/lib"
        echo "$*" >"$folder/made-with"
        cp "$0" "$folder/bin/python"
        for name in lineclear lineclear-calibrate lineclear-export; do
            printf '#!/bin/sh\\necho lineclear 0.1.0\\n' >"$folder/bin/$name"
            chmod +x "$folder/bin/$name"
        done ;;
    "-m pip")
        [ -z "$FAKE_PIP_FAILS" ] || { echo "no such wheel" >&2; exit 1; }
        echo "$*" >>"$(dirname "$0")/../pip"
        while [ $# -gt 0 ]; do [ "$1" != --wheel-dir ] || touch "$2/lineclear-0.1.0-py3-none-any.whl"; shift; done ;;
    *) PYTHONPATH="REPOSITORY" exec "REAL" "$@" ;;
esac
"""

# Sourced by the shell under test before it begins: SIGKILL at its Nth command. Its children are not counted.
KILLER = """
case "$0" in *install.sh | *lineclear-rollback) ;; *) return ;; esac
case " $* " in *" --snapshot "*) return ;; esac
set -T
commands=0
trap '[ "$BASHPID" != $$ ] || { commands=$((commands + 1)); [ "$commands" != "$KILL_AT" ] || kill -9 $$; }' DEBUG
trap 'echo "$commands" >"$COUNT_INTO"' EXIT
"""


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def changes(self) -> list[str]:
        """What was changed, or with --dry-run would have been, in the same words."""
        return [line.removeprefix("would ") for line in self.out.splitlines() if not line.startswith("lineclear install: ")]


@dataclass
class Box:
    """folder: its root. source: what is installed, a copy that nobody edits meanwhile."""

    folder: Path
    python: Path
    source: Path
    environment: dict[str, str] = field(default_factory=dict)

    def install(self, *arguments: str | Path, kill_at: int = 0, **environment: str) -> Done:
        given = ("--destdir", self.folder, "--python", self.python, *arguments)
        return self._run(self.source / "systemd/install.sh", given, kill_at, environment)

    def copy(self, name: str) -> Box:
        """The same box again, in a folder beside it."""
        other = Box(self.folder.parent / name, self.python, self.source)
        shutil.copytree(self.folder, other.folder, symlinks=True)
        return other

    def rollback(self, *arguments: str, kill_at: int = 0) -> Done:
        return self._run(self.source / "systemd/lineclear-rollback", ("--destdir", self.folder, *arguments), kill_at, {})

    def commands(self) -> int:
        """How many commands the last run took that could have been killed and was not (kill_at=NEVER)."""
        return int((self.python.parent / "count").read_text())

    def current(self) -> Path:
        """The release in force; it is whole, and its program runs."""
        found = (self.folder / "opt/lineclear/current").resolve(strict=True)
        assert (found / ".complete").exists()
        subprocess.run([self.folder / "opt/lineclear/bin/lineclear"], check=True, capture_output=True)
        return found

    def tree(self) -> dict[str, tuple[str, str]]:
        """Everything that is there: mode and content. Of secrets only that they are there."""
        found: dict[str, tuple[str, str]] = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if name.split("/", 1)[0] == "run":
                continue
            mode = f"{stat.S_IMODE(path.lstat().st_mode):o}"
            if path.is_symlink():
                found[name] = ("", f"-> {os.readlink(path)}")
            elif path.is_dir():
                found[name] = (mode, "folder")
            else:
                found[name] = (mode, "secret" if path.name in SECRETS else path.read_text())
        return found

    def _run(self, script: Path, arguments: tuple[str | Path, ...], kill_at: int, more: dict[str, str]) -> Done:
        beside = self.python.parent
        killer = {"KILL_AT": str(kill_at), "COUNT_INTO": str(beside / "count")} if kill_at else {}
        killer |= {"BASH_ENV": str(beside / "killer")} if kill_at else {}
        path = f"{beside}:{os.environ['PATH']}:/usr/sbin"
        environment = {
            **os.environ,
            "PATH": path,
            "LC_ALL": "C.UTF-8",
            "FAKE_PIP_FAILS": "",
            **killer,
            **self.environment,
            **more,
        }
        command = ["/bin/bash", str(script), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
        return Done(done.returncode, done.stdout, done.stderr)


def make_box(folder: Path, name: str = "box") -> Box:
    """A folder of its own and a Python beside it."""
    programs = folder / f"{name}-programs"
    programs.mkdir(parents=True)
    python = programs / "python3"
    python.write_text(PYTHON.replace("REPOSITORY", str(ROOT)).replace("REAL", sys.executable))
    python.chmod(0o755)
    (programs / "killer").write_text(KILLER)
    (programs / "sync").write_text("#!/bin/sh\n")  # of the whole disk, which others write to
    (programs / "sync").chmod(0o755)
    source = folder / f"{name}-source"
    shutil.copytree(SYSTEMD, source / "systemd")
    for file in ("pyproject.toml", "README.md", "configs/one-gige-camera.yaml"):
        (source / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, source / file)
    for package in ("edge", "export", "calibration"):
        (source / package).mkdir()
        (source / package / "__init__.py").touch()
    return Box(folder / name, python, source)


def need(*programs: str) -> None:
    """Skip where a program is missing."""
    for program in programs:
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.skip(f"{program} is not installed: bash .ci/install-system-packages")


def make_recipe_folder(box: Box, *, current: str = "0001", versions: tuple[str, ...] = ("0001", "0002")) -> Path:
    """What the installer looks at of a recipe, in the state folder of the station `feeder`."""
    folder = box.folder / "var/lib/lineclear/feeder/recipes/feeder"
    for version in versions:
        (folder / "versions" / version).mkdir(parents=True, exist_ok=True)
        (folder / "versions" / version / "recipe.yaml").write_text(f"version {version}\n")
    (folder / "current").write_text(f"{current}\n")
    return folder
