"""The batch report to read, print and take along."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.responses import Response

from calibration.web.access.guard import Visit
from calibration.web.clearance.report import SANDBOX, as_html, as_pdf, has_batch, has_pdf
from calibration.web.http.headers import CSP
from calibration.web.http.refusals import Refused
from calibration.web.http.rendering import page
from calibration.web.pages.clearance_office import Seeing
from calibration.web.site import NotFound

router = APIRouter()
Batch = Annotated[str, Query(max_length=128)]
_AROUND = CSP.replace("default-src 'none';", "default-src 'none'; frame-src 'self';")


@router.get("/clearance/reports/batch")
def report_page(visit: Seeing, batch: Batch) -> Response:
    """The report with its print button around it."""
    _allowed(visit, batch)
    response = page(visit, "clearance/report.html", batch=batch, query=quote(batch, safe=""), has_pdf=has_pdf())
    response.headers["Content-Security-Policy"] = _AROUND
    return response


@router.get("/clearance/reports/batch.html")
def report_html(visit: Seeing, batch: Batch) -> Response:
    """The report alone: its styles are inside it, so it has a policy of its own, without any script."""
    _allowed(visit, batch)
    headers = {"Content-Security-Policy": SANDBOX, "X-Frame-Options": "SAMEORIGIN"}
    return Response(as_html(visit.site.archive, batch), media_type="text/html", headers=headers)


@router.get("/clearance/reports/batch.pdf")
def report_pdf(visit: Seeing, batch: Batch) -> Response:
    """The same as PDF."""
    _allowed(visit, batch)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", batch)[:80] or "batch"
    headers = {"Content-Disposition": f'attachment; filename="clearance-{name}.pdf"'}
    return Response(as_pdf(visit.site.archive, batch), media_type="application/pdf", headers=headers)


def _allowed(visit: Visit, batch: str) -> None:
    """A report shows every view, so it is for those who see every view."""
    if not all(visit.user.may_see(view) for view in visit.site.config.views):
        raise Refused("clearance.report_all_views", 403)
    if not has_batch(visit.site.archive, batch):
        raise NotFound(visit.t("clearance.no_such_batch"), where=batch[:80], remedy=visit.t("clearance.see_last"))
