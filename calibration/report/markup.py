"""HTML and SVG as text in which everything is escaped unless it was made here: file names are whatever people make them."""

from __future__ import annotations

from html import escape
from typing import TypeAlias


class Markup(str):
    """Text that is markup already. Only `tag`, `join` and `trusted` make it."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | int | float | None"


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. Children that are no Markup are escaped, None is left out; `class_` and `for_` lose their underscore,
    other underscores in attribute names become hyphens; an attribute of None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(shown(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not children and name in _VOID:
        return Markup(f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Children one after the other, escaped where they are no Markup."""
    return Markup("".join(_text(child) for child in children if child is not None))


def trusted(text: str) -> Markup:
    """A constant of this program, such as a style sheet."""
    return Markup(text)


def shown(value: str | float) -> str:
    """A number without a tail of digits; text as it is, what cannot be printed escaped."""
    if isinstance(value, (int, float)):
        return f"{value:.6g}"
    return printable(value)


def printable(text: str) -> str:
    """Control characters, surrogates and direction overrides escaped, so that a name looks like what it is."""
    safe = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode("ascii") for each in safe
    )


def _text(child: Child) -> str:
    if isinstance(child, Markup):
        return child
    return escape(shown("" if child is None else child))


_VOID = {"img", "meta", "br", "path", "line", "rect", "circle", "polyline", "polygon"}
