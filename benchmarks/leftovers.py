"""The composed line-clearance views (shared/tools/compose_leftovers.py), made once into a cache outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"
DATA = SHARED / "data"
TOOL = SHARED / "tools" / "compose_leftovers.py"
OBJECTS = ("hazelnut_toy", "piped/PA_BRG01_RL", "piped/PA_BDP01_TL")


def missing() -> str:
    """Why the views cannot be composed here, or "" if they can."""
    for path in (TOOL, DATA / "bsdata", *(DATA / name for name in OBJECTS)):
        if not path.exists():
            return f"{path} is absent"
    return ""


def view_names() -> list[str]:
    """The real views, sorted."""
    return sorted(path.name for path in (DATA / "bsdata").iterdir() if path.is_dir())


def cache_root() -> Path:
    """$LINECLEAR_CACHE, else lineclear-benchmarks in the folder for temporary files."""
    named = os.environ.get("LINECLEAR_CACHE")
    return Path(named) if named else Path(tempfile.gettempdir()) / "lineclear-benchmarks"


def compose(view: str, seed: int = 0) -> Path:
    """The folder of one composed view, made if it is not there yet; a broken-off run leaves nothing behind."""
    target = cache_root() / f"leftovers-{seed}" / view
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{view}-", dir=target.parent))
    try:
        objects = [str(DATA / name) for name in OBJECTS]
        arguments = ["--view", str(DATA / "bsdata" / view), "--objects", *objects, "--out", str(scratch), "--seed", str(seed)]
        subprocess.run([sys.executable, str(TOOL), *arguments], check=True, stdout=subprocess.DEVNULL)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
