"""`lineclear validate`: everything that a config, a recipe or a bundle says, checked without a camera or a broker."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from edge.bundle import Bundle, open_bundle
from edge.bundle.files import MODEL_FP16
from edge.config import StationConfig, ViewConfig, load_config, read_document, sound_views
from edge.engines.onnxruntime import OnnxRuntimeEngine
from edge.errors import ConfigError, LineclearError
from edge.recipe import load_recipe
from edge.settings.cameras import FolderSettings, VideoSettings
from edge.settings.engines import OnnxRuntimeSettings, Precision
from edge.settings.genicam import GenicamSettings
from edge.settings.mqtt import MqttSettings, PublisherSettings


PRECISIONS: tuple[Precision, ...] = ("float32", "float16")


def validate(paths: list[Path]) -> int:
    """Print `PATH: ok: what it is` per sound path, one line per problem on standard error; 0 if all are sound, else 3."""
    sound = True
    for path in paths:
        try:
            sys.stdout.write(f"{path}: ok: {_what(path)}\n")
        except LineclearError as error:
            sound = False
            for problem in error.problems if isinstance(error, ConfigError) else (str(error),):
                print(f"lineclear: {problem}", file=sys.stderr)
    return 0 if sound else 3


def _what(path: Path) -> str:
    if not path.exists():
        raise ConfigError("no such file or folder", where=str(path), remedy="check the path")
    if path.suffix == ".zip" or (path / "manifest.json").exists():
        return _bundle(open_bundle(path))
    if path.is_dir():
        recipe = load_recipe(path)
        card = f"card: {recipe.card.method}, {recipe.card.frames} frames" if recipe.card else "no threshold card yet"
        return f"recipe for view {recipe.view!r}, version {recipe.version}, bundle {recipe.bundle.name}, {card}"
    config, problems = inspect_config(path)
    if config is None or problems:
        raise ConfigError("is not sound", where=str(path), problems=problems)
    return f"station {config.station.topic}, {len(config.views)} view(s)"


def _bundle(bundle: Bundle) -> str:
    """A bundle is sound if each of its graphs also runs and gives the golden outputs."""
    proven = []
    for precision in PRECISIONS:
        if precision == "float32" or MODEL_FP16 in bundle.manifest.files:
            with OnnxRuntimeEngine(bundle, OnnxRuntimeSettings(precision=precision)) as engine:
                proven.append(str(engine.identity))
    width, height = bundle.manifest.size_wh
    return f"bundle {bundle.name}, {width}x{height}, golden vectors reproduced by {', '.join(proven)}"


def inspect_config(path: Path) -> tuple[StationConfig | None, tuple[str, ...]]:
    """The config, None where it is malformed, and every problem: of the file, and of what its sound parts name."""
    document = read_document(path)
    config: StationConfig | None = None
    problems: tuple[str, ...] = ()
    try:
        config = load_config(path)
    except ConfigError as error:
        problems = error.problems
    views = config.views if config is not None else sound_views(document)
    product = document.get("product")
    for key, file in {**_camera_files(views), **(_broker_files(config.publisher) if config else {})}.items():
        if not file.exists():
            problems += (f"{path}: {key}: {file}: not found: check the path",)
    for name, view in views.items():
        problems += tuple(f"{path}: views.{name}.recipe: {problem}" for problem in _recipe_problems(name, view.recipe, product))
    return config, problems


def _recipe_problems(view: str, recipe: str, product: object) -> tuple[str, ...]:
    if "{product}" in recipe and not isinstance(product, str):
        return ()  # said already: product is missing
    path = Path(recipe.replace("{product}", str(product)))
    try:
        found = load_recipe(path)
    except ConfigError as error:
        return error.problems
    except LineclearError as error:
        return (str(error),)
    problems: tuple[str, ...] = ()
    if found.view != view:
        problems += (f"{path}: is the recipe of view {found.view!r}: name the recipe of {view!r}",)
    if isinstance(product, str) and found.product not in ("", product):
        problems += (f"{path}: is for product {found.product!r}, the station's is {product!r}: name that product's recipe",)
    return problems


def _camera_files(views: Mapping[str, ViewConfig]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for name, view in views.items():
        camera, key = view.camera, f"views.{name}.camera"
        if isinstance(camera, FolderSettings):
            files[f"{key}.path"] = camera.path
        elif isinstance(camera, VideoSettings) and not camera.is_stream and not camera.is_device:
            files[f"{key}.source"] = Path(camera.source)
        elif isinstance(camera, GenicamSettings):
            named = [producer for producer in camera.producers if producer != "viky"]
            files |= {f"{key}.producers.{number}": Path(producer) for number, producer in enumerate(named)}
    return files


def _broker_files(publisher: PublisherSettings) -> dict[str, Path]:
    if not isinstance(publisher, MqttSettings):
        return {}
    named = {"credentials_file": publisher.credentials_file}
    if publisher.tls is not None:
        named |= {f"tls.{key}": getattr(publisher.tls, key) for key in ("ca_file", "cert_file", "key_file")}
    return {f"publisher.{key}": file for key, file in named.items() if file is not None}
