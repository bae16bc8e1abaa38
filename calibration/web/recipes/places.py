"""Where a station's recipes lie: one folder for each view, or one for each view and product."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calibration.stale_cards import PRODUCT
from calibration.web.link import product_of
from calibration.web.site import Site
from edge.changeover import PRODUCT_FILE, ProductFile, product_name
from edge.errors import RecipeError
from edge.recipe.reading import CURRENT


@dataclass(frozen=True)
class Place:
    """The recipe of one view for one product ("" where the view has one for all)."""

    view: str
    product: str
    path: Path


def has_products(site: Site) -> bool:
    """True if there is anything to change over."""
    return any(PRODUCT in view.recipe for view in site.config.views.values())


def products(site: Site) -> tuple[str, ...]:
    """Every product that has a recipe of some view on the disk."""
    found: set[str] = set()
    for view in site.config.views.values():
        head, mark, tail = view.recipe.partition(PRODUCT)
        # `{product}` may be a part of a folder's name: recipes/v-{product}/front.
        root, prefix = (Path(head), "") if head.endswith("/") else (Path(head).parent, Path(head).name)
        level = tail.split("/")[0]
        if not mark or not root.is_dir():
            continue
        for folder in root.iterdir():
            name = folder.name[len(prefix) : len(folder.name) - len(level)]
            if folder.name == f"{prefix}{name}{level}" and _is_name(name) and (_filled(view.recipe, name) / CURRENT).is_file():
                found.add(name)
    return tuple(sorted(found))


def product_in_force(site: Site) -> str:
    """As the station says, else as it kept it, else as its config: "" where there is none."""
    told = product_of(site.mirror.now())
    kept = ProductFile(Path(site.config.state_dir) / PRODUCT_FILE).read() if has_products(site) else None
    return told or kept or site.config.product or ""


def places(site: Site, view: str) -> tuple[Place, ...]:
    """The recipes of a view, the product in force first."""
    recipe = site.config.views[view].recipe
    if PRODUCT not in recipe:
        return (Place(view, "", Path(recipe)),)
    now = product_in_force(site)
    names = sorted({*products(site), *([now] if now else [])}, key=lambda name: (name != now, name))
    return tuple(Place(view, name, _filled(recipe, name)) for name in names)


def place_of(site: Site, view: str, product: str) -> Place:
    """One that there is; product "": that in force. RecipeError: this view has no recipe for such a product."""
    for place in places(site, view):
        if place.product == product or not product:
            return place
    raise RecipeError("there is no such recipe", where=f"{view} {product}"[:120], remedy="choose one from the list")


def place_for(site: Site, view: str, product: str) -> Place:
    """Where the recipe of a product goes, also of one that is new here. RecipeError: the name can be none."""
    recipe = site.config.views[view].recipe
    if PRODUCT not in recipe:
        return Place(view, "", Path(recipe))
    if not _is_name(product):
        remedy = "name a product of this station, or make the recipe for a product"
        raise RecipeError(f"{product[:90]!r} cannot name a product", where=view, remedy=remedy)
    return Place(view, product, _filled(recipe, product))


def _filled(recipe: str, product: str) -> Path:
    return Path(recipe.replace(PRODUCT, product))


def _is_name(text: str) -> bool:
    try:
        return bool(product_name(text)) and not text.startswith(".")
    except ValueError:
        return False
