"""A station that takes signed recipes only, and is told over MQTT to change one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.audit import Action
from edge.bundle.keys import SigningKey, make_key
from edge.bundle.trust import read_signatures, sign
from edge.recipe import Trust, load_recipe
from edge.recipe.reading import CARD
from edge.recipe.signing import version_digest
from edge.settings.trust import TrustSettings
from edge.types import Outcome
from tests.commands.conftest import made_recipes  # noqa: F401
from tests.commands.parts import VIEWS, WAIT_S, running

PERSON = {"who": "Kim", "why": "because"}


@pytest.fixture
def recipes(made_recipes: Path, tmp_path: Path) -> Path:  # noqa: F811
    return Path(shutil.copytree(made_recipes, tmp_path / "recipes"))


@pytest.fixture
def trust(tmp_path: Path, recipes: Path) -> TrustSettings:
    """The integrator signed every recipe and bundle; the station has a key for its own changes."""
    folder = tmp_path / "keys"
    folder.mkdir()
    ours = make_key(folder / "station", "station", frozenset({"recipe"}))
    theirs = make_key(folder / "integrator", "integrator", frozenset({"bundle", "recipe"}))
    (folder / "trusted").write_text(f"{ours.line()}\n{theirs.line()}\n")
    key = SigningKey(folder / "integrator")
    for path in (recipes / product / view for product in ("aspirin", "ibuprofen") for view in VIEWS):
        recipe = load_recipe(path)
        sign("recipe", version_digest(recipe.folder), recipe.folder, key, "A. Meier")
        sign("bundle", recipe.bundle.content_hash, recipe.bundle.path, key, "A. Meier")
    return TrustSettings(trusted_keys=folder / "trusted", signing_key=folder / "station")


@pytest.mark.parametrize(
    ("name", "change"),
    [("threshold", {"image_threshold": 15.0}), ("mask", {"mask": "hose", "enabled": True})],
)
def test_the_new_version_is_signed_by_the_station_and_in_force(
    recipes: Path, trust: TrustSettings, tmp_path: Path, name: str, change: dict[str, object]
) -> None:
    front = recipes / "aspirin" / "front"
    with running(recipes, tmp_path, trust=trust) as rig:
        reply = rig.ask(name, view="front", **change, **PERSON)
        assert reply["status"] == "ok", reply["error"]
        recipe = load_recipe(front, trust=Trust(trust))
        assert recipe.version == reply["result"]["recipe_version"] == 4
        (verdict,) = [future.result(WAIT_S) for future in rig.station.ask("front", 1, 5, None)]
        assert verdict.origin.recipe_version == 4
    (signature,) = read_signatures(recipe.folder)
    assert (signature.by, signature.key) == ("Kim", SigningKey(trust.signing_key).key_id)


@pytest.mark.parametrize("without", ["a key of its own", "a key that it believes"])
def test_without_a_key_nothing_is_changed_and_judging_goes_on(
    recipes: Path, trust: TrustSettings, tmp_path: Path, without: str
) -> None:
    if without == "a key of its own":
        trust = trust.model_copy(update={"signing_key": None})
    else:
        _, theirs = trust.trusted_keys.read_text().splitlines()
        trust.trusted_keys.write_text(theirs)
    with running(recipes, tmp_path, trust=trust) as rig:
        reply = rig.ask("threshold", view="front", image_threshold=15.0, **PERSON)
        assert (reply["status"], reply["error"]["code"]) == ("error", "refused")
        assert "key" in reply["error"]["message"] or "trusted" in reply["error"]["message"]
        assert not [entry for entry in rig.audited() if entry.action is Action.THRESHOLD]
        (verdict,) = [future.result(WAIT_S) for future in rig.station.ask("front", 1, 5, None)]
        assert (verdict.judgement.outcome, verdict.origin.recipe_version) == (Outcome.PASS, 3)
    assert load_recipe(recipes / "aspirin" / "front", trust=Trust(trust)).version == 3


def test_what_somebody_else_changed_is_not_put_in_force(recipes: Path, trust: TrustSettings, tmp_path: Path) -> None:
    with running(recipes, tmp_path, trust=trust) as rig:
        card = load_recipe(recipes / "aspirin" / "front").folder / CARD
        card.write_bytes(card.read_bytes() + b" ")
        reply = rig.ask("reload", **PERSON)
        assert (reply["status"], reply["error"]["code"]) == ("error", "refused")
        assert "sign" in reply["error"]["message"]
        (verdict,) = [future.result(WAIT_S) for future in rig.station.ask("front", 1, 5, None)]
        assert verdict.origin.recipe_version == 3, "what was in force stays in force"
