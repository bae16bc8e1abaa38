"""What people write into the forms, made into the body of a command, or into a problem for each field."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from edge.clearance.requests import plain
from edge.settings.mqtt import topic_level

_MOST: Final = {"batch": 128, "product": 80, "operator": 128, "note": 2000, "why": 2000}
MAX_ID: Final = 128


@dataclass(frozen=True)
class Filled:
    """A form as it was sent. problems: field -> message `clearance.problem.CODE`; none: body is whole."""

    body: Mapping[str, Any]
    problems: Mapping[str, str]


def new_request_id() -> str:
    """The identity of a form: made when it is shown, so that sending it twice asks once."""
    return f"page-{uuid.uuid4()}"


def is_request_id(text: str) -> bool:
    """True for what `new_request_id` makes: nobody can send the request of another client once more by this page."""
    head, _, rest = text.partition("-")
    try:
        return head == "page" and str(uuid.UUID(rest)) == rest
    except ValueError:
        return False


def start_form(batch: str, product: str, operator: str, note: str, *, needs_operator: bool) -> Filled:
    """A clearance: blanks around a name are dropped, since nobody sees them."""
    body = {"batch": batch.strip(), "product": product.strip(), "operator": operator.strip(), "note": note.strip()}
    problems = {name: problem for name, text in body.items() if (problem := _problem(name, text))}
    for name in ("batch", "product", *(("operator",) if needs_operator else ())):
        if not body[name]:
            problems[name] = "empty"
    if "/" in body["batch"]:
        problems["batch"] = "slash"
    if "product" not in problems and not _is_product(body["product"]):
        problems["product"] = "no_product"
    return Filled(body, problems)


def answer_why(text: str) -> tuple[str, str]:
    """The reason that a person gives, on one line, and the problem with it ("" if none)."""
    why = " ".join(text.split())
    return why, "empty" if not why else _problem("why", why)


def wrong_product(state: Mapping[str, Any] | None, product: str) -> str:
    """The product whose recipes are in force where it is another one, "" where it fits or nobody knows."""
    views = (state or {}).get("views") or ()
    others = sorted({str(view.get("product")) for view in views} - {"", product, "None"})
    return ", ".join(others)


def _problem(name: str, text: str) -> str:
    if len(text) > _MOST[name]:
        return "too_long"
    try:
        plain(text)
    except ValueError:
        return "invisible"
    return ""


def _is_product(text: str) -> bool:
    try:
        return text not in (".", "..") and bool(topic_level(text))
    except ValueError:
        return False
