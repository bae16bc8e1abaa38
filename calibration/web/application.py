"""The page's application: every part of it by name, and around them what each request passes."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Scope
from typing_extensions import override

from calibration.web.access.guard import session_of
from calibration.web.http.around import inner_layers, outer_layers
from calibration.web.http.assets import PATH, Assets
from calibration.web.http.bodies import UploadRoutes
from calibration.web.http.errors import handle_errors
from calibration.web.http.streams import Streams
from calibration.web.site import Site

PAGES: Final = (
    "signin", "users", "me", "station", "events", "recipes", "clearance", "clearance_review", "clearance_report", "viewer",
    "history", "result", "labelling", "calibrate", "cards", "jobs", "masks", "reference", "camera",
)  # fmt: skip


class PageApplication(FastAPI):
    """FastAPI, with our headers also around the answer to an error that nobody expected."""

    @override
    def build_middleware_stack(self) -> ASGIApp:
        site: Site = self.state.site
        return outer_layers(super().build_middleware_stack(), site.settings)


def make_app(site: Site) -> FastAPI:
    """The application of one station's page. It opens nothing: `site` is open."""
    app = PageApplication(
        title="lineclear", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False,
        middleware=inner_layers(site.settings, _uploads, _is_in),
    )  # fmt: skip
    app.state.site = site
    app.state.streams = Streams(site.settings.limits)
    for module in _pages():
        app.include_router(module.router)
    served = list(_routes(app.routes))
    app.state.served = frozenset(path for path, _ in served)
    app.state.uploads = UploadRoutes.among(served)
    app.mount(PATH, Assets(), name="static")
    handle_errors(app)
    return app


def _uploads(scope: Scope) -> UploadRoutes:
    uploads: UploadRoutes = scope["app"].state.uploads
    return uploads


def _is_in(scope: Scope) -> bool:
    return session_of(Request(scope)) is not None


def _pages() -> list[Any]:
    return [importlib.import_module(f"calibration.web.pages.{name}") for name in PAGES]


def _routes(routes: Iterable[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every route with its whole path. Newer FastAPI keeps an included router as one route, older took its routes over."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes(inner.routes, prefix + route.include_context.prefix)
        elif hasattr(route, "path"):
            yield prefix + route.path, route
