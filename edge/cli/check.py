"""`lineclear check`: one clearance, its answer as the exit status."""

from __future__ import annotations

import uuid
from pathlib import Path

from edge.app import assemble
from edge.clearance import ClearanceRequest, describe
from edge.cli.terminal import complain, say, say_json
from edge.config import StationConfig, load_config
from edge.errors import ConfigError
from edge.publishers.payloads import clearance_body
from edge.types import ClearanceOutcome, Outcome

EXIT = {ClearanceOutcome.CLEAR: 0, ClearanceOutcome.NOT_CLEAR: 1, ClearanceOutcome.UNDECIDED: 2}


def check(config_path: Path, batch: str, product: str, operator: str, as_json: bool) -> int:
    """Open the station, take one clearance, close it. 0 CLEAR, 1 NOT_CLEAR, 2 UNDECIDED. Raises ConfigError, StationBusy."""
    said = {"--batch": batch, "--product": product, "--operator": operator}
    problems = tuple(problem for option, text in said.items() for problem in _problems(option, text))
    if problems:
        raise ConfigError("cannot be recorded", problems=problems)
    config = load_config(config_path)
    _refuse_path_as_product(config, product)
    with assemble(config, product=product) as assembly:
        request = ClearanceRequest(request_id=str(uuid.uuid4()), batch=batch, product=product, operator=operator)
        clearance = assembly.clearances.run(request)
    if as_json:
        say_json(clearance_body(clearance))
    else:
        say(describe(clearance))
    if clearance.outcome is not ClearanceOutcome.CLEAR:
        why = ", ".join(f"{view.view} {view.outcome.value}" for view in clearance.views if view.outcome is not Outcome.PASS)
        complain("lineclear", f"{clearance.outcome.value}: {why}")
    return EXIT[clearance.outcome]


def _problems(option: str, text: str) -> tuple[str, ...]:
    """What goes into the record must read the same for everybody who reads it."""
    if option != "--operator" and not text.strip():
        return (f"{option}: is empty: name what the clearance is for",)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return (f"{option}: is not UTF-8: write plain text",)
    # Also the line and paragraph separators of Unicode, which some readers take for the end of a line.
    odd = next((character for character in text if not character.isprintable()), None)
    return (f"{option}: contains {odd!r}, which cannot be seen: write plain text on one line",) if odd else ()


def _refuse_path_as_product(config: StationConfig, product: str) -> None:
    """A product becomes part of a path where a recipe says {product}."""
    named = any("{product}" in view.recipe for view in config.views.values())
    if named and (product in ("", ".", "..") or "/" in product):
        raise ConfigError(
            f"{product!r} cannot be a folder's name", where="--product", remedy="the recipes of this station are named by it"
        )
