"""What every page must be, whatever it shows: titled, in a language, as wide as the screen, with targets that a finger hits."""

from __future__ import annotations

from typing import Any, Final

from playwright.sync_api import Page

TARGET_PX: Final = 44

_LOOK: Final = """(least) => {
  const shown = (el) => {
    const box = el.getBoundingClientRect();
    const style = getComputedStyle(el);
    return box.width > 1 && box.height > 1 && style.visibility !== "hidden" && style.display !== "none" && style.opacity !== "0"
      && !el.closest("[inert], [hidden]") && (el.checkVisibility ? el.checkVisibility() : true);
  };
  const area = (el) => {
    if (el.matches("input[type=checkbox], input[type=radio], input[type=file]")) {
      const label = el.closest("label") || (el.id && document.querySelector(`label[for="${CSS.escape(el.id)}"]`));
      if (label && shown(label)) {
        const a = el.getBoundingClientRect(), b = label.getBoundingClientRect();
        const left = Math.min(a.left, b.left), top = Math.min(a.top, b.top);
        return new DOMRect(left, top, Math.max(a.right, b.right) - left, Math.max(a.bottom, b.bottom) - top);
      }
    }
    return el.getBoundingClientRect();
  };
  const inText = (el) => el.matches("a") && getComputedStyle(el).display === "inline"
    && [...el.parentElement.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim().length > 1);
  const found = [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [role=tab], [role=slider]")]
    .filter((el) => shown(el) && !el.disabled && !el.closest("svg") && !inText(el));
  const boxes = found.map(area);
  const small = boxes.map((b) => b.width < least - 0.5 || b.height < least - 0.5);
  const middle = (b) => [b.left + b.width / 2, b.top + b.height / 2];
  const away = (x, y, b) => Math.hypot(Math.max(b.left - x, 0, x - b.right), Math.max(b.top - y, 0, y - b.bottom));
  const crowded = [];
  found.forEach((el, i) => {
    if (!small[i]) return;
    const [x, y] = middle(boxes[i]);
    const near = found.findIndex((other, j) => {
      if (j === i || other.contains(el) || el.contains(other)) return false;
      const [u, v] = middle(boxes[j]);
      return away(x, y, boxes[j]) < least / 2 || (small[j] && Math.hypot(u - x, v - y) < least);
    });
    const too_flat = Math.min(boxes[i].width, boxes[i].height) < 24;
    if (near >= 0 || too_flat) {
      const text = (el.getAttribute("aria-label") || el.innerText || el.name || el.id || "").trim().slice(0, 40);
      crowded.push(`${el.tagName.toLowerCase()}${el.type ? "[" + el.type + "]" : ""}.${el.className} "${text}" `
        + `${Math.round(boxes[i].width)}x${Math.round(boxes[i].height)} px`);
    }
  });
  const root = document.documentElement;
  const wide = [];
  if (root.scrollWidth > root.clientWidth + 1) {
    for (const el of document.querySelectorAll("body *")) {
      const b = el.getBoundingClientRect();
      if (b.right > root.clientWidth + 1 && b.width > 0 && wide.length < 5)
        wide.push(`${el.tagName.toLowerCase()}.${el.className} ends at ${Math.round(b.right)} of ${root.clientWidth}`);
    }
  }
  const broken = [...document.images].filter((i) => i.complete && !i.naturalWidth && shown(i)).map((i) => i.src);
  const words = (document.body.innerText.match(/\\b[a-z]+\\.[a-z_]+(?:\\.[a-z_]+)*\\b/g) || []);
  return {lang: root.lang, title: document.title, h1: document.querySelectorAll("h1").length,
          overflow: root.scrollWidth > root.clientWidth + 1 ? wide.concat([`${root.scrollWidth} > ${root.clientWidth}`]) : [],
          crowded, broken, words};
}"""

AREAS: Final = ("base", "station", "clearance", "history", "calibrate", "masks", "camera", "recipes", "reference")


def seen(page: Page) -> dict[str, Any]:
    """The measurements of one page."""
    found: dict[str, Any] = page.evaluate(_LOOK, TARGET_PX)
    return found


def faults(page: Page, language: str = "en") -> list[str]:
    """Everything on this page that no page may have."""
    look = seen(page)
    found = [f"overflows: {what}" for what in look["overflow"]]
    found += [f"hard to hit: {what}" for what in look["crowded"]]
    found += [f"broken image: {what}" for what in look["broken"]]
    if look["lang"] != language:
        found.append(f"html lang is {look['lang']!r}, not {language!r}")
    if len(look["title"].strip()) < 4:
        found.append("has no title")
    if look["h1"] != 1:
        found.append(f"has {look['h1']} h1")
    found += [f"a word without its message: {word}" for word in look["words"] if word.split(".")[0] in AREAS]
    return found
