"""Another bundle for a view, and a station that takes signed recipes and bundles only."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from calibration.web.recipes.bundles import FOLDER
from calibration.web.wizard.bundles import known_bundles
from calibration.web.wizard.drafting import draft_with
from edge.bundle import Bundle
from edge.bundle.keys import SigningKey, make_key
from edge.bundle.trust import read_signatures, sign
from edge.errors import BundleError
from edge.recipe import Recipe, Trust, load_recipe
from edge.recipe.reading import current_version
from edge.recipe.signing import version_digest
from edge.settings.judging import ScoreRule
from edge.settings.trust import TrustSettings
from tests.bundle.samples import contract, declared, write
from tests.station_parts import MODEL_WH
from tests.web.calibrate.parts import URL, begun, bench, chosen, done, wizard_page
from tests.web.parts import Browser, Rig


def other_bundle(folder: Path, note: str = "newer") -> Bundle:
    """Of the same size and inputs, made with other parameters."""
    declaration = declared(
        size_wh=MODEL_WH,
        inputs=contract(MODEL_WH, ["image", "reference"]),
        outputs=contract(MODEL_WH, ["anomaly_map"]),
        score=ScoreRule(window=7),
        parameters={"note": note},
    )
    return write(folder / note, declaration)


def brought(rig: Rig, bundle: Bundle) -> Path:
    """As `/recipes` keeps a bundle that somebody brought."""
    return Path(shutil.copytree(bundle.path, rig.site.folder / FOLDER / bundle.name))


def test_another_bundle_is_a_draft_until_it_is_accepted(rig: Rig, recipe: Recipe, tina: Browser, tmp_path: Path) -> None:
    bundle = other_bundle(tmp_path)
    brought(rig, bundle)
    begun(rig, tina)
    page = tina.get(f"{URL}/model").text
    assert bundle.name in page
    assert recipe.bundle.name in page
    assert done(rig, tina.post(f"{URL}/model", {"bundle": bundle.content_hash})) == bundle.content_hash
    state = bench(rig).desk.mine("tina")
    assert bench(rig).recipe(state).bundle.content_hash == bundle.content_hash
    assert bench(rig).recipe(state).card is None
    assert current_version(recipe.path) == recipe.version
    chosen(rig, tina)
    accepted = done(rig, tina.post(f"{URL}/accept", {"why": "a newer model"}))
    now = load_recipe(recipe.path)
    assert now.version == accepted.version == recipe.version + 1
    assert now.bundle.content_hash == bundle.content_hash
    assert now.card is not None
    assert now.card.hashes.bundle == bundle.content_hash
    assert recipe.card is not None
    assert now.card.before == recipe.card.sha256
    assert now.document.created_by == "Tina Vogel"
    assert "0003" in tina.get("/calibrate").text
    told = tina.get(f"/cards/front/diff?before={recipe.version}&after={now.version}").text
    assert "Model" in told


def test_back_to_the_bundle_in_force_drops_the_draft(rig: Rig, recipe: Recipe, tina: Browser, tmp_path: Path) -> None:
    bundle = other_bundle(tmp_path)
    brought(rig, bundle)
    begun(rig, tina)
    done(rig, tina.post(f"{URL}/model", {"bundle": bundle.content_hash}))
    chosen(rig, tina)
    assert tina.post(f"{URL}/model", {"bundle": "current"}).status_code == 200
    state = bench(rig).desk.mine("tina")
    assert (state.bundle, state.method) == (None, None)
    assert not bench(rig).draft_path(state).exists()
    assert bench(rig).recipe(state).bundle.content_hash == recipe.bundle.content_hash
    assert tina.post(f"{URL}/model", {"bundle": "0" * 64}).status_code == 404
    assert tina.post(f"{URL}/model", {"bundle": "../../etc"}).status_code == 404


def test_a_damaged_bundle_is_listed_and_cannot_be_taken(rig: Rig, recipe: Recipe, tina: Browser, tmp_path: Path) -> None:
    folder = brought(rig, other_bundle(tmp_path))
    (folder / "model.onnx").write_bytes(b"something else")
    begun(rig, tina, frames=0)
    ours, damaged = known_bundles(rig.site, recipe)
    assert ours.in_force
    assert damaged.problem
    page = tina.get(f"{URL}/model").text
    assert "Cannot be used here:" in page
    assert page.count("disabled") >= 1


@dataclass(frozen=True)
class Signed:
    """A station that believes two keys: its own for recipes, the integrator's for bundles too."""

    rig: Rig
    recipe: Recipe
    trust: TrustSettings
    integrator: SigningKey


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[Signed]:
    folder = tmp_path / "keys"
    folder.mkdir()
    ours = make_key(folder / "station", "station", frozenset({"recipe"}))
    theirs = make_key(folder / "integrator", "integrator", frozenset({"bundle", "recipe"}))
    (folder / "trusted").write_text(f"{ours.line()}\n{theirs.line()}\n")
    settings = {"trusted_keys": str(folder / "trusted"), "signing_key": str(folder / "station")}
    key = SigningKey(folder / "integrator")
    with wizard_page(tmp_path, trust=settings) as (rig, recipe):
        for version in (path for path in (recipe.path / "versions").iterdir() if path.is_dir()):
            sign("recipe", version_digest(version), version, key, "A. Meier")
        sign("bundle", recipe.bundle.content_hash, recipe.bundle.path, key, "A. Meier")
        yield Signed(rig, recipe, TrustSettings.model_validate(settings), key)


def test_what_is_accepted_is_signed_by_the_station(signed: Signed) -> None:
    tina = signed.rig.signed_in("tina")
    begun(signed.rig, tina)
    chosen(signed.rig, tina)
    accepted = done(signed.rig, tina.post(f"{URL}/accept", {"why": "new lamp"}))
    now = load_recipe(signed.recipe.path, trust=Trust(signed.trust))
    assert now.version == accepted.version
    (one,) = read_signatures(now.folder)
    assert signed.trust.signing_key is not None
    assert (one.by, one.key) == ("Tina Vogel", SigningKey(signed.trust.signing_key).key_id)


def test_without_a_key_of_its_own_nothing_is_accepted(signed: Signed) -> None:
    tina = signed.rig.signed_in("tina")
    begun(signed.rig, tina)
    chosen(signed.rig, tina)
    _, theirs = signed.trust.trusted_keys.read_text().splitlines()
    signed.trust.trusted_keys.write_text(theirs + "\n")
    response = tina.post(f"{URL}/accept", {"why": "new lamp"})
    job = signed.rig.site.jobs.wait(response.url.params["job"], 60)
    assert job is not None
    assert job.state == "failed"
    assert "not trusted" in str(job.error)
    assert current_version(signed.recipe.path) == signed.recipe.version
    assert bench(signed.rig).desk.mine("tina").method is not None


def test_a_bundle_that_nobody_signed_is_shown_and_refused(signed: Signed, tmp_path: Path) -> None:
    tina = signed.rig.signed_in("tina")
    bundle = other_bundle(tmp_path)
    folder = brought(signed.rig, bundle)
    begun(signed.rig, tina)
    assert "nobody signed" in tina.get(f"{URL}/model").text
    refused = tina.post(f"{URL}/model", {"bundle": bundle.content_hash})
    assert refused.status_code == 409
    assert "nobody signed" in refused.text
    with pytest.raises(BundleError, match="nobody signed"):
        draft_with(bench(signed.rig), bench(signed.rig).desk.mine("tina"), folder)
    sign("bundle", bundle.content_hash, folder, signed.integrator, "A. Meier")
    done(signed.rig, tina.post(f"{URL}/model", {"bundle": bundle.content_hash}))
    chosen(signed.rig, tina)
    accepted = done(signed.rig, tina.post(f"{URL}/accept", {"why": "a newer model"}))
    now = load_recipe(signed.recipe.path, trust=Trust(signed.trust))
    assert (now.version, now.bundle.content_hash) == (accepted.version, bundle.content_hash)
