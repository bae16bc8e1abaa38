"""Recipes and bundles that somebody brings: proven and shown, then taken."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

from fastapi import APIRouter, Depends, File, Form, UploadFile
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from calibration.web.access.guard import Visit, acts, sees, view_of
from calibration.web.access.roles import Right
from calibration.web.http.bodies import takes_uploads
from calibration.web.http.rendering import page
from calibration.web.http.uploads import save_upload
from calibration.web.recipes import bundles, incoming, stock

SUFFIXES: Final = (".zip",)

router = APIRouter()
Looking = Annotated[Visit, Depends(sees(Right.RECIPES))]
Changing = Annotated[Visit, Depends(acts(Right.RECIPES))]
Sent = Annotated[UploadFile, File()]
Text = Annotated[str, Form(max_length=1000)]
Name = Annotated[str, Form(max_length=80)]


def tell(visit: Visit, told: stock.Told, **values: object) -> None:
    """On the next page: what the station made of it."""
    visit.say("ok" if told.ok else "warning", told.key, why=told.why(visit.site.words, visit.language), **values)


@router.post("/recipes/upload")
@takes_uploads
def upload(visit: Changing, file: Sent, view: Name) -> Response:
    """A recipe's zip is proven and kept aside."""
    view_of(visit, view)
    path = save_upload(visit.site, file, limit_bytes=visit.site.settings.limits.upload_bytes, suffixes=SUFFIXES)
    try:
        token = incoming.receive(visit.site, path, view, user=visit.user.name)
    finally:
        path.unlink(missing_ok=True)
    return RedirectResponse(f"/recipes/incoming/{token}", status_code=303)


@router.get("/recipes/incoming/{token}", response_class=HTMLResponse)
def look(token: str, visit: Looking, product: str = "") -> HTMLResponse:
    """What it holds, beside what it would follow."""
    seen = incoming.look(visit.site, token, user=visit.user.name, product=product or None)
    view_of(visit, seen.place.view)
    return page(
        visit,
        "recipes/incoming.html",
        seen=seen,
        products=stock.products(visit.site),
        signed=visit.site.config.trust is not None,
    )


@router.get("/recipes/incoming/{token}/reference.png", response_class=FileResponse)
def reference(token: str, visit: Looking) -> FileResponse:
    """Its reference image, proven with the rest."""
    seen = incoming.look(visit.site, token, user=visit.user.name)
    return FileResponse(seen.recipe.folder / "reference.png", media_type="image/png")


@router.post("/recipes/incoming/{token}/take")
def take(token: str, visit: Changing, why: Text, product: Name = "") -> Response:
    """It becomes a new version, and the station is asked to use it where it is of the product in force."""
    site = visit.site
    given = stock.signature(visit.user.person, why)
    seen = incoming.look(site, token, user=visit.user.name, product=product or None)
    view_of(visit, seen.place.view)
    done = incoming.take(site, token, user=visit.user.name, who=given.who, why=given.why, product=product or None)
    visit.say("ok", "recipes.taken", view=done.view, version=done.version)
    if seen.place.product in ("", stock.product_in_force(site)):
        tell(visit, stock.reload(site, given))
    back = f"/recipes/view/{quote(done.view, safe='')}?product={quote(seen.place.product, safe='')}"
    return RedirectResponse(back, status_code=303)


@router.post("/recipes/incoming/{token}/forget")
def forget(token: str, visit: Changing) -> Response:
    """It is not wanted."""
    incoming.forget(visit.site, token, user=visit.user.name)
    return RedirectResponse("/recipes", status_code=303)


@router.post("/recipes/bundles")
@takes_uploads
def bring_bundle(visit: Changing, file: Sent) -> Response:
    """A bundle's zip is verified and kept for the next calibration."""
    path = save_upload(visit.site, file, limit_bytes=visit.site.settings.limits.upload_bytes, suffixes=SUFFIXES)
    try:
        info = bundles.take_bundle(visit.site, path, who=visit.user.person)
    finally:
        path.unlink(missing_ok=True)
    visit.say("ok", "recipes.bundle_taken", name=info.name)
    return RedirectResponse("/recipes#bundles", status_code=303)


@router.post("/recipes/bundles/{name}/remove")
def remove_bundle(name: str, visit: Changing) -> Response:
    """One less."""
    bundles.remove_bundle(visit.site, name, who=visit.user.person)
    visit.say("ok", "recipes.bundle_removed", name=name)
    return RedirectResponse("/recipes#bundles", status_code=303)
