"""`lineclear demo`: the whole job on a simulated machine."""

from __future__ import annotations

from pathlib import Path

from edge.demo.story import play


def demo(out: Path) -> int:
    """Run the demo into `out`; 0 if every clearance had its expected answer. Raises ConfigError."""
    return play(out.absolute())
