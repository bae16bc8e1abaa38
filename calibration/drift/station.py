"""Drift of a whole station: every view with the product that is in force."""

from __future__ import annotations

from pathlib import Path

from calibration.drift.readings import Span
from calibration.drift.settings import DriftSettings
from calibration.drift.sources import from_archive
from calibration.drift.viewing import ViewDrift, judged
from calibration.progress import Progress, silent
from edge.archive import ArchiveReader
from edge.changeover import PATTERN, PRODUCT_FILE, ProductFile
from edge.config import StationConfig
from edge.errors import Cancelled, LineclearError
from edge.recipe import load_recipe


def look_at_station(
    config: StationConfig, span: Span, settings: DriftSettings, progress: Progress = silent
) -> tuple[ViewDrift, ...]:
    """Each view's archived verdicts beside the card of its recipe in force. A view that cannot be looked at says why and
    keeps no other from being looked at. Cancelled comes through.
    """
    state_dir = Path(config.state_dir)
    product = ProductFile(state_dir / PRODUCT_FILE).read() or config.product or ""
    reader = ArchiveReader(config.archive.folder(state_dir))
    if not reader.folder.is_dir() or not any(reader.folder.iterdir()):
        return tuple(ViewDrift(view, None, "nothing was archived yet", is_new=True) for view in config.views)
    found: list[ViewDrift] = []
    for view, place in config.views.items():
        try:
            recipe = load_recipe(Path(place.recipe.replace(PATTERN, product)), view=view)
            readings = from_archive(reader, recipe, span, progress=progress)
            found.append(judged(view, readings, recipe.card, settings))
        except Cancelled:
            raise
        except LineclearError as error:
            found.append(ViewDrift(view, None, str(error)))
    return tuple(found)
