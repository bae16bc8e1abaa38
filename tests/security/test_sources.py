"""What must not be in the sources: code that runs what a file says, shells, files that others can guess or read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for package in ("edge", "calibration", "export") for path in (ROOT / package).rglob("*.py"))
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "jsonpickle",
    "xmlrpc",
    "telnetlib",
    "ftplib",
}
CALLS = {"eval", "exec", "compile", "__import__"}
ATTRIBUTES = {
    "os.system",
    "os.popen",
    "os.tempnam",
    "tempfile.mktemp",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "ssl._create_unverified_context",
    "ssl.create_default_context",
    "yaml.unsafe_load",
    "yaml.full_load",
    "yaml.load_all",
    "yaml.unsafe_load_all",
    "torch.load",
    "numpy.loads",
    "cv2.imread",
    "cv2.imreadmulti",
    "onnx.load_model",
}
# Its own reader of checkpoints: an interpreter in Python that knows a dozen harmless words, attacked in tests/export.
PICKLE = {"export/unpickling.py"}
# The safe loader, made stricter.
YAML = {"edge/schema.py"}
# Where pixels are decoded: each proves the header first.
DECODERS = {
    "edge/cameras/images.py",
    "edge/bundle/image.py",
    "edge/batch_report/pictures.py",
    "calibration/labels/pictures.py",
    "calibration/web/history/thumbnails.py",
    "edge/publishers/images.py",  # pictures that this station drew itself
}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return {"np": "numpy"}.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports anywhere in it, late ones and those by a name in quotes included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("import_module") and node.args:
            yield node.args[0].value if isinstance(node.args[0], ast.Constant) else ""


def faults(source: str, name: str) -> list[str]:
    tree = ast.parse(source)
    found = [f"imports {module}" for module in imported(tree) if module.split(".")[0] in MODULES and name not in PICKLE]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called, given = dotted(node.func), {word.arg: word.value for word in node.keywords}
        constants = {key: value.value for key, value in given.items() if isinstance(value, ast.Constant)}
        if called in CALLS or called in ATTRIBUTES:
            found.append(f"calls {called}")
        if called == "yaml.load" and name not in YAML:
            found.append("calls yaml.load")
        if called == "cv2.imdecode" and name not in DECODERS:
            found.append("decodes a picture in another place")
        if called == "numpy.load" and constants.get("allow_pickle", True) is not False:
            found.append("numpy.load without allow_pickle=False")
        if constants.get("shell") or constants.get("verify") is False or constants.get("check_hostname") is False:
            found.append(f"{called} with a dangerous argument")
        if called.endswith(".tls_insecure_set") or called.endswith(".extractall"):
            found.append(f"calls {called}")
        modes = [*node.args, *given.values()] if called.endswith(("chmod", "mkdir", "open", "makedirs")) else []
        if any(
            isinstance(mode, ast.Constant) and type(mode.value) is int and mode.value > 7 and mode.value & 0o002
            for mode in modes
        ):
            found.append(f"{called} lets everybody write")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) == "ssl.CERT_NONE":
            found.append("ssl.CERT_NONE")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_in_the_sources_runs_what_a_file_says(path: Path) -> None:
    assert faults(path.read_text(), path.relative_to(ROOT).as_posix()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from pickle import loads",
        "import importlib\nimportlib.import_module('marshal')",
        "eval('1')",
        "import yaml\nyaml.load(x, Loader=y)",
        "np.load(x)",
        "np.load(x, allow_pickle=True)",
        "subprocess.run('ls', shell=True)",
        "ssl.create_default_context()",
        "context.verify_mode = ssl.CERT_NONE",
        "cv2.imread('a')",
        "cv2.imdecode(a, 1)",
        "torch.load(x)",
        "client.tls_insecure_set(True)",
        "archive.extractall('x')",
        "os.chmod('x', 0o666)",
        "os.open('x', 2, 0o777)",
    ],
)
def test_the_test_sees_it(source: str) -> None:
    assert faults(source, "edge/x.py")


def test_edge_never_loads_pickle_by_itself() -> None:
    """Not ours to forbid in libraries, but nothing of ours asks for it."""
    assert not [
        path
        for path in SOURCES
        if path.is_relative_to(ROOT / "edge") and "pickle" in set(imported(ast.parse(path.read_text())))
    ]
