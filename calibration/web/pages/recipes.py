"""`/recipes`: what each view judges with, older versions again, another product, a recipe as a file."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from calibration.auditing import trace_of
from calibration.cards import history, restore
from calibration.web.access.guard import Visit, acts, sees, view_of
from calibration.web.access.roles import Right
from calibration.web.http.rendering import page
from calibration.web.pages import recipes_incoming
from calibration.web.recipes import outgoing, stock
from edge.errors import RecipeError

router = APIRouter()
router.include_router(recipes_incoming.router)
Seeing = Annotated[Visit, Depends(sees())]
Changing = Annotated[Visit, Depends(acts(Right.RECIPES))]
Text = Annotated[str, Form(max_length=1000)]
Name = Annotated[str, Form(max_length=80)]


@router.get("/recipes", response_class=HTMLResponse)
def recipes(visit: Seeing) -> HTMLResponse:
    """The list."""
    site = visit.site
    views = [view for view in site.config.views if visit.user.may_see(view)]
    return page(
        visit, "recipes/list.html", lines=stock.lines(site, views), views=views, may=visit.user.may(Right.RECIPES),
        products=stock.products(site), product=stock.product_in_force(site), has_products=stock.has_products(site),
        bundles=stock.bundles_of(site), connected=site.mirror.now().connected,
    )  # fmt: skip


@router.get("/recipes/view/{view}", response_class=HTMLResponse)
def one(view: str, visit: Seeing, product: str = "") -> HTMLResponse:
    """One recipe and all its versions."""
    view_of(visit, view)
    place = stock.place_of(visit.site, view, product)
    line = stock.line_of(visit.site, place)
    versions = tuple(reversed(history(place.path))) if line.entry is not None else ()
    return page(visit, "recipes/one.html", line=line, versions=versions, may=visit.user.may(Right.RECIPES))


@router.post("/recipes/view/{view}/rollback")
def roll_back(view: str, visit: Changing, version: Annotated[int, Form(ge=1)], why: Text, product: Name = "") -> Response:
    """An old version in force again, as a new one; then the station is asked to use it."""
    view_of(visit, view)
    site, place = visit.site, stock.place_of(visit.site, view, product)
    given = stock.signature(visit.user.person, why)
    line = stock.line_of(site, place)
    if line.entry is not None and line.entry.version == version:
        raise RecipeError(f"version {version:04d} is in force already", where=view, remedy="choose another version")
    number = restore(place.path, version, given, trace_of(site.config), stock.trust_of(site))
    visit.say("ok", "recipes.rolled_back", old=version, new=number, view=view)
    if line.selected:
        recipes_incoming.tell(visit, stock.reload(site, given))
    return RedirectResponse(f"/recipes/view/{quote(view, safe='')}?product={quote(product, safe='')}", status_code=303)


@router.get("/recipes/view/{view}/export", response_class=FileResponse)
def export(
    view: str, visit: Annotated[Visit, Depends(sees(Right.RECIPES))], product: str = "", version: int | None = None
) -> FileResponse:
    """One version with its bundle as a zip, proven before it is packed."""
    view_of(visit, view)
    file, name = outgoing.pack(visit.site, stock.place_of(visit.site, view, product), version, who=visit.user.person)
    return FileResponse(file, media_type="application/zip", filename=name, background=BackgroundTask(file.unlink, True))


@router.post("/recipes/reload")
def reload(visit: Changing, why: Text) -> Response:
    """What was saved comes into force."""
    recipes_incoming.tell(visit, stock.reload(visit.site, stock.signature(visit.user.person, why)))
    return RedirectResponse("/recipes", status_code=303)


@router.post("/recipes/changeover")
def change_over(visit: Changing, product: Name, why: Text) -> Response:
    """Another product on every view, or on none."""
    recipes_incoming.tell(
        visit, stock.change_over(visit.site, product, stock.signature(visit.user.person, why)), product=product
    )
    return RedirectResponse("/recipes", status_code=303)
