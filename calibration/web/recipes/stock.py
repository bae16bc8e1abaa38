"""Everything about the recipes that are here, for the routes of `/recipes`."""

from calibration.web.recipes.asking import Told, change_over, reload, signature
from calibration.web.recipes.bundles import bundles_of
from calibration.web.recipes.listing import line_of, lines, trust_of
from calibration.web.recipes.places import has_products, place_of, product_in_force, products

__all__ = [
    "Told",
    "bundles_of",
    "change_over",
    "has_products",
    "line_of",
    "lines",
    "place_of",
    "product_in_force",
    "products",
    "reload",
    "signature",
    "trust_of",
]
