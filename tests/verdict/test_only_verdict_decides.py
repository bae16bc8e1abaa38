import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = {("Outcome", "PASS"), ("Outcome", "FAIL"), ("ClearanceOutcome", "CLEAR"), ("ClearanceOutcome", "RELEASED_BY")}
# The demo's scenes state which answer they expect; nothing they hold is ever published.
EXPECTATIONS = {ROOT / "edge" / "demo" / "story.py"}
SOURCES = sorted(path for folder in ("edge", "calibration", "export") for path in (ROOT / folder).rglob("*.py"))


def _attribute(node: ast.AST) -> tuple[str, str] | None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
        owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
        return owner, node.attr
    return None


def decisions_made(tree: ast.AST) -> list[int]:
    """Lines that use a deciding value other than to look at it: in a comparison, a case, a dict key or a subscript."""
    looked_at: set[int] = set()
    for node in ast.walk(tree):
        lookers: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            lookers = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            lookers = [node.value]
        elif isinstance(node, ast.Dict):
            lookers = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Subscript):
            lookers = [node.slice]
        for looker in lookers:
            looked_at |= {id(inner) for inner in ast.walk(looker)}
    lines = [node.lineno for node in ast.walk(tree) if _attribute(node) in DECISIONS and id(node) not in looked_at]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name == "Judgement":
                lines.append(node.lineno)
    return sorted(lines)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_else_decides(path: Path):
    if path == ROOT / "edge" / "verdict.py" or path in EXPECTATIONS:
        return
    lines = decisions_made(ast.parse(path.read_text()))
    assert not lines, f"{path.relative_to(ROOT)}: lines {lines} decide; only edge/verdict.py may (rule 2)"


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = Outcome.PASS", [1]),
        ("return_value = types.Outcome.FAIL if a else b", [1]),
        ("Judgement(outcome)", [1]),
        ("if a is Outcome.PASS: pass", []),
        ("names = {Outcome.PASS: 'ok'}", []),
        ("names = {'ok': Outcome.PASS}", [1]),
        ("names[Outcome.PASS]", []),
        ("f(ClearanceOutcome.CLEAR)", [1]),
        ("a in (Outcome.PASS, Outcome.FAIL)", []),
    ],
)
def test_the_walker_itself_sees_what_it_must(source, lines):
    assert decisions_made(ast.parse(source)) == lines


def test_the_walker_finds_verdict_itself():
    assert decisions_made(ast.parse((ROOT / "edge" / "verdict.py").read_text()))
