"""What goes wrong becomes a page or JSON that says what happened, where, and what to do; never a traceback."""

from __future__ import annotations

import logging
import secrets
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from calibration.web.access import PasswordsBusy, UserRefused
from calibration.web.http.asking import language_of, wants_json, with_next
from calibration.web.http.refusals import Refused, SignInNeeded
from calibration.web.http.rendering import plain_page
from calibration.web.http.wording import ENGLISH, disk_kind, own_message, worded
from calibration.web.site import NotFound, site_of
from edge.errors import ConfigError, LineclearError, StationBusy

log = logging.getLogger(__name__)

KNOWN: Final = (400, 401, 403, 404, 405, 408, 409, 411, 413, 421, 422, 429, 503)


def handle_errors(app: FastAPI) -> None:
    """Answer every error of the application in the page's own way."""
    app.add_exception_handler(SignInNeeded, _sign_in)
    app.add_exception_handler(LineclearError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


def answer(
    request: Request, status: int, error: str, what_to_do: str, *, where: str = "", own: str = "", **more: Any
) -> Response:
    """One refusal, as the asker wants it. own: what the software says by itself, in English. more: members of the JSON."""
    if wants_json(request):
        said = {name: text for name, text in (("where", where), ("own", own)) if text}
        return JSONResponse({"error": error, "what_to_do": what_to_do, **said, **more}, status_code=status)
    context = {"error": error, "what_to_do": what_to_do, "where": where, "own": own, "code": status}
    return plain_page(request, "base/error.html", status=status, **context)


def standard(request: Request, status: int, **more: Any) -> Response:
    """The usual answer of an HTTP status."""
    known = status if status in KNOWN else (500 if status >= 500 else 400)
    say, language = site_of(request).words.say, language_of(request)
    return answer(request, status, say(language, f"base.error_{known}"), say(language, f"base.error_{known}_do"), **more)


def _sign_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInNeeded)  # noqa: S101 - for the type checker
    if wants_json(request):
        return standard(request, 401, locked=error.locked, sign_in=error.path)
    query = f"?{request.url.query}" if request.url.query else ""
    back = request.url.path + query if request.method in ("GET", "HEAD") else "/"
    return RedirectResponse(with_next(error.path, back), status_code=303)


def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, LineclearError)  # noqa: S101 - for the type checker
    say, language = site_of(request).words.say, language_of(request)
    if isinstance(error, Refused):
        return answer(
            request, error.status, error.text(lambda key, **v: say(language, key, **v)), error.remedy, where=error.where
        )
    if isinstance(error, UserRefused):
        return answer(request, 409, say(language, error.key), say(language, "base.go_back"), where=error.where)
    if isinstance(error, NotFound):
        text = say(language, error.message) if site_of(request).words.knows(error.message) else error.message
        return answer(request, 404, text, error.remedy or say(language, "base.error_404_do"), where=error.where)
    log.info("page_refused path=%s what=%s", request.url.path[:200], str(error))
    return _by_kind(request, error)


def _by_kind(request: Request, error: LineclearError) -> Response:
    """What the code behind the page says is English: its kind and what to do in the reader's language, and itself beneath."""
    words, language = site_of(request).words, language_of(request)
    status = 503 if isinstance(error, (PasswordsBusy, StationBusy)) else (422 if isinstance(error, ConfigError) else 409)
    if disk_kind(error) == "disk_full":
        status = 507
    told = worded(words, language, error)
    if wants_json(request) and language == ENGLISH:
        # A script shows two lines: in English the software's own say more than its kind.
        return answer(request, status, own_message(error), error.remedy or told.what_to_do, where=error.where)
    return answer(request, status, told.headline, told.what_to_do, own=told.own)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - for the type checker
    response = standard(request, error.status_code)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - for the type checker
    fields = sorted({".".join(str(part) for part in item["loc"][1:])[:80] for item in error.errors()})[:20]
    return standard(request, 422, where=", ".join(filter(None, fields)))


def _unexpected(request: Request, error: Exception) -> Response:
    disk = disk_kind(error)
    if disk:
        log.error("page_disk method=%s path=%s what=%s", request.method, request.url.path[:200], str(error)[:300])
        say, language = site_of(request).words.say, language_of(request)
        return answer(request, 507, say(language, f"refusals.{disk}"), say(language, f"refusals.{disk}_do"))
    number = secrets.token_hex(4)
    log.error(
        "page_failed id=%s method=%s path=%s kind=%s", number, request.method, request.url.path[:200], type(error).__name__
    )
    return standard(request, 500, where=number)
