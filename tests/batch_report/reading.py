"""A page read back as a browser would: elements, their texts, and everything that could fetch something."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "col", "path", "circle", "polygon"}
FETCHING = {"src", "href", "srcset", "action", "data", "poster", "background", "xlink:href", "formaction", "ping"}


@dataclass
class Page(HTMLParser):
    """Fails on an element that is closed out of turn."""

    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    style: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID, tag
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        elif data.strip():
            self.texts.append((self._open[-1], data))

    @property
    def words(self) -> str:
        """All that is read, one text per line."""
        return "\n".join(text for _, text in self.texts)

    @property
    def still_open(self) -> list[str]:
        return self._open

    @property
    def pictures(self) -> list[bytes]:
        sources = [value for tag, name, value in self.attributes if (tag, name) == ("img", "src")]
        return [b64decode(source.partition(";base64,")[2], validate=True) for source in sources]

    @property
    def references(self) -> list[str]:
        """What a browser would fetch from anywhere but the page itself."""
        found = [value for _, name, value in self.attributes if name in FETCHING]
        found += re.findall(r"url\(|@import", self.style)
        found += [name for _, name, _ in self.attributes if name.startswith("on")]
        return [each for each in found if not each.startswith("data:image/")]


def read(data: bytes) -> Page:
    page = Page()
    page.feed(data.decode("utf-8"))
    page.close()
    assert page.still_open == []
    return page
