"""axe-core in the page: what it calls serious or critical."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Page

GRAVE: Final = ("serious", "critical")
PACKAGES: Final = ("axe_playwright_python", "axe_core_python")


@cache
def axe_script() -> str:
    """axe.min.js of one of the packages that bring it, the newer axe first; skips where there is none."""
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        if found is not None and found.origin is not None:
            return (Path(found.origin).parent / "axe.min.js").read_text()
    pytest.skip("axe-core is not installed: pip install axe-playwright-python")


def grave_faults(page: Page) -> list[str]:
    """A line for each serious or critical fault: rule, how to mend it, the first elements."""
    if not page.evaluate("typeof window.axe === 'object'"):
        page.evaluate(axe_script())
    result: dict[str, Any] = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    lines = []
    for fault in result["violations"]:
        if fault["impact"] in GRAVE:
            where = "; ".join(f"{' '.join(map(str, node['target']))}: {node['failureSummary']}" for node in fault["nodes"][:3])
            lines.append(f"{fault['impact']} {fault['id']}: {fault['help']} ({len(fault['nodes'])}x): {where}")
    return lines
