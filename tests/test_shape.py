"""The budgets of the architecture page, measured on every run."""

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = sorted(p for folder in ("edge", "export", "calibration") for p in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))
ASSEMBLY = {"edge.app", "edge.keeping", "edge.outside"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def _functions(path: Path) -> list[tuple[str, int, ast.FunctionDef | ast.AsyncFunctionDef]]:
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or node.lineno) - node.lineno + 1, node)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, FUNCTIONS)
    ]


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, known: set[str]) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & known
            found |= inner or {node.module}
    return (found & known) - {_module(path)}


def test_no_file_is_longer_than_400_lines() -> None:
    too_long = {str(p.relative_to(ROOT)): _lines(p) for p in SOURCE + TESTS + BENCHMARKS if _lines(p) > 400}
    assert not too_long


def test_median_file_is_at_most_150_lines() -> None:
    assert statistics.median(_lines(p) for p in SOURCE if _lines(p)) <= 150


def test_functions_are_short() -> None:
    lengths = [(lines, where) for p in SOURCE for where, lines, _ in _functions(p)]
    assert not [item for item in lengths if item[0] > 80]
    ordered = sorted(lines for lines, _ in lengths)
    assert ordered[int(len(ordered) * 0.95)] <= 40


def _is_vocabulary(module: str) -> bool:
    """Words and Protocols: importing them ties nothing together (docs/decisions/0003)."""
    return (
        module in {"edge", "edge.types", "edge.errors", "edge.schema", "edge.durable"}
        or ".settings" in module
        or module.endswith(".base")
    )


def test_no_import_cycles_and_small_fan_out() -> None:
    known = {_module(p) for p in SOURCE}
    graph = {_module(p): _imports(p, known) for p in SOURCE}
    fan_out = {name: sorted(target for target in targets if not _is_vocabulary(target)) for name, targets in graph.items()}
    wide = {name: targets for name, targets in fan_out.items() if len(targets) > (14 if name in ASSEMBLY else 8)}
    assert not wide
    assert not {name: sorted(targets) for name, targets in graph.items() if len(targets) > 14}, "words and Protocols counted"
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in graph[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_every_public_function_is_typed_and_documented() -> None:
    bare = []
    for path in SOURCE:
        tree = ast.parse(path.read_text())
        for parent in [tree, *(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))]:
            for node in parent.body:
                if isinstance(node, FUNCTIONS) and not node.name.startswith("_"):
                    overrides = isinstance(parent, ast.ClassDef) and any("override" in ast.dump(d) for d in node.decorator_list)
                    if (ast.get_docstring(node) is None and not overrides) or node.returns is None:
                        bare.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not bare


def test_broad_except_stands_only_in_the_loop() -> None:
    broad = []
    for path in SOURCE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                names = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {"Exception"}
                reraises = any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(node))
                if names & {"Exception", "BaseException"} and not reraises:
                    broad.append(str(path.relative_to(ROOT)))
    assert broad == ["edge/loop/threads.py"]


def test_no_utils_modules_and_no_pickle_in_the_runtime() -> None:
    assert not [p for p in SOURCE + TESTS if p.stem in {"utils", "util", "helpers", "common", "misc"}]
    assert not [p for p in (ROOT / "edge").rglob("*.py") if "import pickle" in p.read_text()]


def test_tests_are_at_least_four_fifths_of_the_source() -> None:
    source, tests = (sum(_lines(p) for p in paths) for paths in (SOURCE, TESTS))
    assert tests / source >= 0.8


@pytest.mark.parametrize("name", ["README.md", "Makefile", "pyproject.toml", ".ci/run"])
def test_the_top_level_is_as_designed(name: str) -> None:
    assert (ROOT / name).is_file()


def test_the_top_level_holds_nothing_else() -> None:
    allowed = {
        "pyproject.toml", "README.md", "Makefile", "LICENSE", "edge", "export", "calibration", "configs", "systemd", "tests",
        "benchmarks", "docs", ".ci", ".git", ".gitignore", ".venv", "demo-out",
    }  # fmt: skip
    made_by_tools = {"build", "dist"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".") and path.suffix != ".egg-info"}
    assert found - made_by_tools <= allowed


def test_the_packages_hold_nothing_but_source() -> None:
    shown = {"templates": {".html"}, "static": {".css", ".js", ".svg"}, "messages": {".yaml"}}
    strays = [
        path
        for folder in ("edge", "export", "calibration")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and path.suffix != ".py"
        and "__pycache__" not in path.parts
        and path.suffix not in shown.get(next(iter(path.relative_to(ROOT / folder).parts[1:]), ""), set())
    ]
    assert not strays
