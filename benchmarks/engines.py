"""What TensorRT for RTX makes of bundles, ahead of time and without a GPU: megabytes, seconds, share of half layers.

    python -m benchmarks.engines bundles/a bundles/b.zip [--target SM89] [--precision float16 float32] [--markdown]

Nothing is kept. A bundle of which an engine lost its float16 is a line that says so, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from edge.bundle import Bundle, open_bundle
from edge.engines.preparing import quiet
from edge.engines.trt_api import TrtApi, load_trt
from edge.engines.trt_builder import BuildOptions, build_plan
from edge.errors import LineclearError

HEAD = ("bundle", "graph", "precision", "ONNX MB", "engine MB", "build s", "float16 layers kept", "half layers of the engine")


def rows(api: TrtApi, bundle: Bundle, target: str, precisions: list[str]) -> list[tuple[str, ...]]:
    """One row per graph and precision. LineclearError: it cannot be built, or lost float16."""
    made = []
    for precision in precisions:
        options = BuildOptions("float32" if precision == "float32" else "float16", target)
        for graph in bundle.graphs:
            onnx = bundle.model_bytes(options.precision, graph.name)
            built = build_plan(api, onnx, options, quiet, where=f"{bundle.name}, graph {graph.name}")
            share = built.share
            unseen = f" ({share.unseen} not shown)" if share.unseen else ""
            made.append(
                (
                    bundle.name, graph.name, precision, f"{len(onnx) / 1e6:.2f}", f"{len(built.plan) / 1e6:.2f}",
                    f"{built.seconds:.2f}", f"{share.kept} of {share.promised}{unseen}",
                    f"{share.half_layers} of {share.layers} ({share.share:.0%})",
                )
            )  # fmt: skip
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--target", default="SM89", help="compute capability (default SM89)")
    parser.add_argument("--precision", nargs="+", choices=("float16", "float32"), default=["float16"])
    parser.add_argument("--markdown", action="store_true", help="for docs/models.md")
    args = parser.parse_args()
    api = load_trt("tensorrt_rtx")
    line = "| {} |".format if args.markdown else "{}".format
    joiner = " | " if args.markdown else "  "
    print(f"tensorrt_rtx {api.version}, {args.target}")
    print(line(joiner.join(HEAD)))
    if args.markdown:
        print("|" + "---|" * len(HEAD))
    failed = 0
    for path in args.bundles:
        try:
            for row in rows(api, open_bundle(path), args.target, args.precision):
                print(line(joiner.join(row)), flush=True)
        except LineclearError as error:
            failed += 1
            print(line(f"{path}: {error}"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
