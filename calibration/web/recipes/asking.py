"""What the page asks of the station once a recipe was saved, and who answers for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from calibration.trace import Signature
from calibration.web.http.wording import in_one
from calibration.web.language import Words
from calibration.web.link import StationSilent
from calibration.web.recipes.places import product_in_force, products
from calibration.web.site import Site
from edge.errors import LineclearError, RecipeError
from edge.schema import validate

RELOAD_S: Final = 60.0
CHANGEOVER_S: Final = 120.0


@dataclass(frozen=True)
class Told:
    """What came of it. key: of the message; error: what the station, or the way to it, said."""

    key: str
    ok: bool
    error: LineclearError | None = None

    def why(self, words: Words, language: str) -> str:
        """What was said, for the reader; "" where all went well."""
        return in_one(words, language, self.error) if self.error is not None else ""


def signature(who: str, why: str) -> Signature:
    """ConfigError: no reason is given."""
    return validate(Signature, {"who": who, "why": why}, "reason")


def reload(site: Site, given: Signature) -> Told:
    """Have the station judge with what was saved; saved it is either way."""
    try:
        site.link.ask("reload", {"who": given.who, "why": given.why}, timeout_s=RELOAD_S)
    except LineclearError as error:
        return Told("recipes.reload_failed", False, error)
    return Told("recipes.reload_done", True)


def change_over(site: Site, product: str, given: Signature) -> Told:
    """Another product in force on every view, or on none. RecipeError: no such product is here. Raises what `ask` raises."""
    if product not in products(site):
        raise RecipeError("there is no such product", where=product[:80], remedy="choose one from the list")
    if product == product_in_force(site):
        return Told("recipes.changeover_same", True)
    try:
        site.link.ask("recipe", {"product": product, "who": given.who, "why": given.why}, timeout_s=CHANGEOVER_S)
    except StationSilent as error:
        return Told("recipes.changeover_unknown", False, error)
    return Told("recipes.changeover_done", True)
