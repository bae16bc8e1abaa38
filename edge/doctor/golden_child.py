"""Opens the engine of each view, which runs the bundle's golden vectors, and says how far it was from them."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import LineclearError
from edge.recipe import load_recipe
from edge.settings.engines import OnnxRuntimeSettings


def main(asked: str) -> None:
    """asked: JSON with the engine's settings and a recipe per view. One JSON list per view on standard output."""
    with suppress(OSError):
        os.nice(10)  # a station may be judging beside it
    order = json.loads(asked)
    settings = OnnxRuntimeSettings.model_validate(order["engine"])
    known: dict[str, tuple[str, str]] = {}
    for view, path in order["views"].items():
        try:
            bundle = load_recipe(Path(path)).bundle
        except LineclearError:
            continue
        if bundle.content_hash not in known:
            try:
                with OnnxRuntimeEngine(bundle, settings) as engine:
                    report = engine.golden
                worst = f"at worst {100 * report.ratio:.2g} % of its limit" if report is not None else "proven"
                known[bundle.content_hash] = f"bundle {bundle.name} computes what was exported, {worst}", ""
            except LineclearError as error:
                known[bundle.content_hash] = str(error), error.remedy or "export the bundle again"
        sys.stdout.write(json.dumps([view, *known[bundle.content_hash]]) + "\n")
        sys.stdout.flush()
