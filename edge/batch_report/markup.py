"""HTML as text in which everything is escaped unless it was made here: batch names are whatever people make them."""

from __future__ import annotations

from html import escape
from typing import TypeAlias

from edge.batch_report.words import printable


class Markup(str):
    """Text that is markup already. Only `tag`, `join` and `trusted` make it."""

    __slots__ = ()


Child: TypeAlias = "str | Markup | None"


def tag(name: str, /, *children: Child, **attributes: str | int | None) -> Markup:
    """An element. Children that are no Markup are escaped, None is left out; `class_` loses its underscore, other underscores
    in attribute names become hyphens; an attribute of None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(printable(str(value)))}"'
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


def css_string(text: str) -> Markup:
    """A string for a style sheet in which nothing but ASCII letters and digits stands for itself."""
    safe = (each if each.isascii() and each.isalnum() else f"\\{ord(each):06x}" for each in printable(text))
    return Markup('"' + "".join(safe) + '"')


def _text(child: str) -> str:
    return child if isinstance(child, Markup) else escape(printable(child))


_VOID = {"img", "meta", "col", "path", "circle", "polygon"}
