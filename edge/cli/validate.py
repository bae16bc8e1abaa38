"""`lineclear validate`: everything that a config, a recipe, a bundle or a masks file says, without a camera or a broker."""

from __future__ import annotations

from pathlib import Path

from edge.bundle import Bundle, open_bundle
from edge.bundle.files import MODEL_FP16
from edge.cameras.adjustments import Adjustments
from edge.cli.inspection import inspect_config
from edge.cli.recipe_use import check_use
from edge.cli.terminal import complain, one_line, say
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import ConfigError, LineclearError
from edge.recipe import load_recipe
from edge.schema import load_yaml, read_yaml
from edge.settings.engines import OnnxRuntimeSettings, Precision
from edge.settings.judging import MasksFile

PRECISIONS: tuple[Precision, ...] = ("float32", "float16")


def validate(paths: list[Path]) -> int:
    """Print `PATH: ok: what it is` per sound path, one line per problem on standard error; 0 if all are sound, else 3."""
    sound = True
    for path in paths:
        try:
            say(one_line(f"{path}: ok: {_what(path)}") + "\n")
        except LineclearError as error:
            sound = False
            for problem in error.problems if isinstance(error, ConfigError) else (str(error),):
                complain("lineclear", problem)
    return 0 if sound else 3


def _what(path: Path) -> str:
    if not path.exists():
        raise ConfigError("no such file or folder", where=str(path), remedy="check the path")
    if path.suffix.lower() == ".zip" or (path / "manifest.json").exists():
        return _bundle(open_bundle(path))
    if path.is_dir():
        return _recipe(path)
    if not path.is_file():
        raise ConfigError("is neither a file nor a folder", where=str(path), remedy="check the path")
    document = read_yaml(path)
    if isinstance(document, dict) and "masks" in document and not {"station", "views"} & document.keys():
        masks = load_yaml(MasksFile, path).masks
        return f"{len(masks)} mask(s), {sum(mask.enabled for mask in masks)} of them on"
    config, problems = inspect_config(path)
    if config is None or problems:
        raise ConfigError("is not sound", where=str(path), problems=problems)
    found = Adjustments(config).read()
    if found.problems:
        raise ConfigError("is not sound", where=str(path), problems=tuple(f"{path}: {each}" for each in found.problems))
    adjusted = f", camera of {', '.join(found.views)} not as in the file" if found.views else ""
    return f"station {config.station.topic}, {len(config.views)} view(s){adjusted}"


def _recipe(path: Path) -> str:
    recipe = load_recipe(path)
    check_use(recipe)
    card = f"card: {recipe.card.method}, {recipe.card.frames} frames" if recipe.card else "no threshold card yet"
    return f"recipe for view {recipe.view!r}, version {recipe.version}, bundle {recipe.bundle.name}, {card}"


def _bundle(bundle: Bundle) -> str:
    """A bundle is sound if each of its graphs also runs and gives the golden outputs."""
    proven = []
    for precision in PRECISIONS:
        if precision == "float32" or MODEL_FP16 in bundle.manifest.files:
            with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision=precision)) as engine:
                proven.append(str(engine.identity))
    width, height = bundle.manifest.size_wh
    return f"bundle {bundle.name}, {width}x{height}, golden vectors reproduced by {', '.join(proven)}"
