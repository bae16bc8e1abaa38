"""A config with everything that it names: recipes, folders, files. What `validate` and `doctor` say of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from edge.cameras.folder import image_files
from edge.cli.recipe_use import check_use
from edge.config import StationConfig, ViewConfig, load_config, read_document, sound_views
from edge.errors import ConfigError, LineclearError
from edge.recipe import Trust, load_recipe
from edge.settings.cameras import FolderSettings, VideoSettings
from edge.settings.genicam import GenicamSettings
from edge.settings.mqtt import MqttSettings, PublisherSettings


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
    problems += tuple(f"{path}: {problem}" for problem in _camera_problems(views))
    problems += tuple(f"{path}: {problem}" for problem in _broker_problems(config.publisher if config else None))
    trust = Trust.of(config.trust) if config is not None else None
    for name, view in views.items():
        found = _recipe_problems(name, view.recipe, product, trust)
        problems += tuple(f"{path}: views.{name}.recipe: {problem}" for problem in found)
    return config, problems


def _recipe_problems(view: str, recipe: str, product: object, trust: Trust | None) -> tuple[str, ...]:
    if "{product}" in recipe and not isinstance(product, str):
        return ()  # said already: product is missing
    path = Path(recipe.replace("{product}", str(product)))
    try:
        found = load_recipe(path, trust=trust)
        check_use(found)
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


def _camera_problems(views: Mapping[str, ViewConfig]) -> Iterator[str]:
    for name, view in views.items():
        camera, key = view.camera, f"views.{name}.camera"
        if isinstance(camera, FolderSettings):
            yield from _folder_problems(f"{key}.path", camera.path)
        elif isinstance(camera, VideoSettings) and not camera.is_stream and not camera.is_device:
            yield from _missing(f"{key}.source", Path(camera.source))
        elif isinstance(camera, GenicamSettings):
            for number, producer in enumerate(camera.producers):
                if producer != "viky":
                    yield from _missing(f"{key}.producers.{number}", Path(producer))


def _folder_problems(key: str, folder: Path) -> Iterator[str]:
    try:
        if not image_files(folder):
            yield f"{key}: {folder}: holds no image: put png, jpg, bmp or tif files there"
    except OSError as error:
        yield f"{key}: {folder}: cannot be listed ({error.strerror}): check the path"


def _broker_problems(publisher: PublisherSettings | None) -> Iterator[str]:
    if not isinstance(publisher, MqttSettings):
        return
    named = {"credentials_file": publisher.credentials_file}
    if publisher.tls is not None:
        named |= {f"tls.{key}": getattr(publisher.tls, key) for key in ("ca_file", "cert_file", "key_file")}
    for key, file in named.items():
        if file is not None:
            yield from _missing(f"publisher.{key}", file)


def _missing(key: str, file: Path) -> Iterator[str]:
    if not file.is_file():
        yield f"{key}: {file}: {'is no file' if file.exists() else 'not found'}: check the path"
