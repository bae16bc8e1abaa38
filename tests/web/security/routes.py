"""Every route of the page, and who may use it: written here by hand, so that a new route without a decision fails the tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from starlette.routing import Mount, Route

from calibration.web.access import Role

SAFE: Final = ("GET", "HEAD")
RANK: Final = {"nobody": 0, Role.VIEWER.value: 1, Role.OPERATOR.value: 2, Role.TECHNICIAN.value: 3, Role.ADMIN.value: 4}
NEVER_ENDS: Final = "/events"


class Rule(NamedTuple):
    """One route. least: the lowest role that may; `releaser` needs the flag, and a role that clears."""

    method: str
    path: str
    least: str

    def allows(self, role: str, *, may_release: bool) -> bool:
        if self.least == "releaser":
            return may_release and RANK[role] >= RANK["operator"]
        return RANK[role] >= RANK[self.least]


def rules() -> list[Rule]:
    """The table below."""
    return [Rule(*line.split()) for line in TABLE.strip().splitlines()]


def served(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of every route that the application has, the mounted files left out."""
    for route in app.routes:
        if isinstance(route, Mount):
            continue
        found: Any = [route] if isinstance(route, Route) else getattr(route, "effective_route_contexts", list)()
        assert found, f"a kind of route that this test does not know: {route!r}"
        for one in found:
            for method in sorted(set(one.methods) - {"HEAD"}):
                yield method, one.path


TABLE: Final = """
GET  /                                                viewer
GET  /calibrate                                       technician
GET  /calibrate/{view}                                technician
GET  /calibrate/{view}/accept                         technician
POST /calibrate/{view}/accept                         technician
POST /calibrate/{view}/bad/labelled                   technician
POST /calibrate/{view}/bad/remove                     technician
POST /calibrate/{view}/bad/upload                     technician
GET  /calibrate/{view}/bad/{file}                     technician
POST /calibrate/{view}/begin                          technician
GET  /calibrate/{view}/challenge                      technician
POST /calibrate/{view}/challenge                      technician
GET  /calibrate/{view}/changed/{number}               technician
POST /calibrate/{view}/discard                        technician
GET  /calibrate/{view}/done                           technician
GET  /calibrate/{view}/frames                         technician
GET  /calibrate/{view}/frames/count                   technician
POST /calibrate/{view}/frames/archive                 technician
POST /calibrate/{view}/frames/camera                  technician
POST /calibrate/{view}/frames/people                  technician
POST /calibrate/{view}/frames/remove                  technician
POST /calibrate/{view}/frames/upload                  technician
GET  /calibrate/{view}/good/{file}                    technician
GET  /calibrate/{view}/known/{file}                   technician
GET  /calibrate/{view}/masks                          technician
POST /calibrate/{view}/masks                          technician
POST /calibrate/{view}/measure                        technician
GET  /calibrate/{view}/model                          technician
POST /calibrate/{view}/model                          technician
GET  /calibrate/{view}/preview                        technician
POST /calibrate/{view}/preview                        technician
GET  /calibrate/{view}/reference.jpg                  technician
POST /calibrate/{view}/reload                         technician
POST /calibrate/{view}/take-over                      technician
GET  /calibrate/{view}/thresholds                     technician
POST /calibrate/{view}/thresholds                     technician
GET  /calibrate/{view}/thresholds/at                  technician
GET  /camera/{view}                                   technician
POST /camera/{view}/reading                           technician
POST /camera/{view}/reset                             technician
POST /camera/{view}/settings                          technician
POST /camera/{view}/shot                              technician
GET  /cards/{view}                                    viewer
GET  /cards/{view}/diff                               viewer
POST /cards/{view}/rollback                           technician
POST /choose                                          nobody
GET  /clearance                                       viewer
POST /clearance                                       operator
POST /clearance/cancel                                operator
GET  /clearance/live/now.json                         viewer
GET  /clearance/looks/{snapshot_id}                   viewer
GET  /clearance/orders/{request_id}                   viewer
POST /clearance/orders/{request_id}/again             operator
GET  /clearance/orders/{request_id}/live.json         viewer
GET  /clearance/reports/batch                         viewer
GET  /clearance/reports/batch.html                    viewer
GET  /clearance/reports/batch.pdf                     viewer
GET  /clearance/{result_id}                           viewer
GET  /clearance/{result_id}/evidence.json             viewer
POST /clearance/{result_id}/look                      operator
POST /clearance/{result_id}/release                   releaser
POST /clearance/{result_id}/removed                   operator
GET  /events                                          viewer
GET  /first                                           nobody
POST /first                                           nobody
GET  /history                                         viewer
POST /history/exports                                 operator
GET  /history/exports/{job_id}                        operator
GET  /history/exports/{job_id}/zip                    operator
GET  /history/list.csv                                viewer
GET  /history/list.jsonl                              viewer
GET  /jobs/{job_id}                                   viewer
POST /jobs/{job_id}/cancel                            viewer
GET  /labels                                          viewer
GET  /labels/{view}                                   viewer
GET  /labels/{view}/set.zip                           viewer
GET  /labels/{view}/{name}/picture                    viewer
POST /labels/{view}/{name}/remove                     operator
GET  /masks                                           technician
GET  /masks/{view}                                    technician
POST /masks/{view}/check                              technician
GET  /masks/{view}/check/{job_id}                     technician
GET  /masks/{view}/density                            technician
GET  /masks/{view}/density.png                        technician
GET  /masks/{view}/document                           technician
POST /masks/{view}/import                             technician
GET  /masks/{view}/reference.jpg                      technician
POST /masks/{view}/save                               technician
POST /masks/{view}/share                              technician
GET  /me                                              viewer
POST /me/alive                                        viewer
POST /me/language                                     viewer
POST /me/lock                                         viewer
GET  /me/password                                     viewer
POST /me/password                                     viewer
POST /me/sign-out-everywhere                          viewer
POST /me/theme                                        viewer
GET  /recipes                                         viewer
POST /recipes/bundles                                 technician
POST /recipes/bundles/{name}/remove                   technician
POST /recipes/changeover                              technician
GET  /recipes/incoming/{token}                        technician
POST /recipes/incoming/{token}/forget                 technician
GET  /recipes/incoming/{token}/reference.png          technician
POST /recipes/incoming/{token}/take                   technician
POST /recipes/reload                                  technician
POST /recipes/upload                                  technician
GET  /recipes/view/{view}                             viewer
GET  /recipes/view/{view}/export                      technician
POST /recipes/view/{view}/rollback                    technician
GET  /reference                                       technician
GET  /reference/{view}                                technician
POST /reference/{view}/candidate                      technician
GET  /reference/{view}/candidate/{name}               technician
POST /reference/{view}/candidate/{name}/drop          technician
GET  /reference/{view}/candidate/{name}/picture.jpg   technician
POST /reference/{view}/candidate/{name}/save          technician
GET  /reference/{view}/frame/{result_id}/picture.jpg  technician
GET  /reference/{view}/making/{job_id}                technician
GET  /reference/{view}/picture.jpg                    technician
GET  /results/{result_id}                             viewer
GET  /results/{result_id}/document.json               viewer
GET  /results/{result_id}/frame                       viewer
GET  /results/{result_id}/label                       operator
POST /results/{result_id}/label                       operator
GET  /results/{result_id}/map.npz                     viewer
GET  /results/{result_id}/overlay                     viewer
GET  /results/{result_id}/thumbnail                   viewer
GET  /sign-in                                         nobody
POST /sign-in                                         nobody
POST /sign-out                                        nobody
GET  /station/live                                    viewer
GET  /unlock                                          nobody
POST /unlock                                          nobody
GET  /users                                           admin
GET  /users/new                                       admin
POST /users/new                                       admin
GET  /users/{name}                                    admin
POST /users/{name}                                    admin
POST /users/{name}/password                           admin
POST /users/{name}/remove                             admin
GET  /viewer/{result_id}/frame.jpg                    viewer
GET  /viewer/{result_id}/heat.png                     viewer
GET  /viewer/{result_id}/overlay                      viewer
GET  /viewer/{result_id}/reference.jpg                viewer
GET  /views/{view}/picture                            viewer
POST /views/{view}/snapshot                           operator
"""
