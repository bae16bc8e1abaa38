"""Another bundle for a view: a draft of the recipe with it, which nobody judges with until it is accepted."""

from __future__ import annotations

import shutil
from pathlib import Path

from calibration.recipe import Parts, reference_to_model
from calibration.web.wizard.bench import Bench
from calibration.web.wizard.desk import DRAFT
from calibration.web.wizard.state import WizardState
from edge.bundle import Bundle, open_bundle
from edge.errors import BundleError
from edge.recipe import Content, Recipe, RecipeFile, load_recipe, save
from edge.recipe.challenge import FOLDER
from edge.recipe.reading import REFERENCE


def draft_with(bench: Bench, state: WizardState, folder: Path) -> str:
    """Make the draft with the bundle in `folder`; the bundle's content hash.

    Raises BundleError (damaged, or not signed where this station takes signed ones only), RecipeError (its size or pose is not
    the reference's), ConfigError.
    """
    bench.check(state)
    recipe, bundle = bench.in_force(), open_bundle(folder)
    _believe(bench, bundle)
    target = bench.draft_path(state)
    shutil.rmtree(bench.desk.folder / DRAFT, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    save(target, _content(recipe, bundle))
    load_recipe(target, view=bench.view)
    return bundle.content_hash


def drop_draft(bench: Bench) -> None:
    """The bundle in force after all."""
    shutil.rmtree(bench.desk.folder / DRAFT, ignore_errors=True)


def _content(recipe: Recipe, bundle: Bundle) -> Content:
    parts = Parts(recipe.view, recipe.folder / REFERENCE, bundle.path, registration=recipe.registration)
    matrix = reference_to_model(recipe.reference, recipe.masks, bundle, parts)
    update: dict[str, object] = {
        "bundle": bundle.name,
        "bundle_hash": bundle.content_hash,
        "reference_to_model": matrix.tolist(),
        "restored_from": None,
    }
    if bundle.manifest.family != recipe.bundle.manifest.family:
        update["score"] = None  # a rule of its own was made for the scores of the other family
    document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
    challenge = recipe.folder / FOLDER
    return Content(document, bundle, recipe.reference, recipe.masks, None, challenge if challenge.is_dir() else None)


def _believe(bench: Bench, bundle: Bundle) -> None:
    if bench.trust is None:
        return
    problem = bench.trust.problem("bundle", bundle.content_hash, bundle.path)
    if problem is not None:
        raise BundleError(problem[0], where=bundle.name, remedy=problem[1])
