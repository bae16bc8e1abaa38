"use strict";
(() => {
  const live = document.getElementById("st-live");
  const lost = document.getElementById("st-lost");
  if (!live || !lost) { return; }
  let offset = Date.parse(live.dataset.now) - Date.now();
  let clock = null;
  let wanted = live.dataset.digest;
  let isAsking = false;
  const serverNow = () => (clock ? clock.at() : Date.now() + offset);

  const ageText = (seconds) => {
    const words = live.dataset;
    if (seconds < 2) { return words.ageNow; }
    const [word, n] = seconds < 100 ? [words.ageS, seconds] : seconds < 5400 ? [words.ageMin, seconds / 60]
      : seconds < 172800 ? [words.ageH, seconds / 3600] : [words.ageD, seconds / 86400];
    return word.replace("{n}", String(Math.round(n)));
  };
  const tick = () => {
    const now = serverNow();
    for (const place of live.querySelectorAll("[data-at]")) {
      const text = `(${ageText(Math.max(0, (now - Date.parse(place.dataset.at)) / 1000))})`;
      if (place.textContent !== text) { place.textContent = text; }
    }
  };

  // The old nodes of a part make room for new ones; a picture that is the same stays, and so do focus and what is unfolded.
  const replace = (old, fresh) => {
    const focused = document.activeElement && old.contains(document.activeElement) ? document.activeElement.id : "";
    const said = old.querySelector(".st-said");
    const pictures = new Map(Array.from(old.querySelectorAll("img"), (img) => [img.getAttribute("src"), img]));
    const unfolded = new Set(Array.from(old.querySelectorAll("details[open]"), (item) => item.dataset.key));
    for (const img of fresh.querySelectorAll("img")) {
      const same = pictures.get(img.getAttribute("src"));
      if (same) { img.replaceWith(same); }
    }
    for (const item of fresh.querySelectorAll("details")) { item.open = unfolded.has(item.dataset.key); }
    const place = fresh.querySelector(".st-said");
    if (said && place) {
      place.textContent = said.textContent;
      const button = fresh.querySelector("button");
      const before = old.querySelector("button");
      if (button && before) { button.disabled = before.disabled; }
    }
    old.replaceChildren(...fresh.childNodes);
    if (focused) { const again = document.getElementById(focused); if (again) { again.focus(); } }
  };
  const show = (page) => {
    const fresh = page.getElementById("st-live");
    if (!fresh) { return; }
    const parts = new Map(Array.from(fresh.querySelectorAll("[data-part]"), (part) => [part.dataset.part, part]));
    for (const old of live.querySelectorAll("[data-part]")) {
      const part = parts.get(old.dataset.part);
      const markup = part ? part.innerHTML : "";
      if (part && old.lineclearShown !== markup) {
        replace(old, document.importNode(part, true));
        old.lineclearShown = markup;
      }
    }
    live.dataset.digest = fresh.dataset.digest;
    tick();
  };
  // A document that the browser parsed itself: the page's policy lets no script turn text into markup.
  const ask = () => {
    if (isAsking || live.dataset.digest === wanted) { return; }
    isAsking = true;
    const request = new XMLHttpRequest();
    request.open("GET", "/station/live");
    request.responseType = "document";
    request.setRequestHeader("X-Lineclear-Background", "1");
    request.timeout = 8000;
    request.onloadend = () => {
      isAsking = false;
      if (request.status === 200 && request.response) { show(request.response); }
    };
    request.send();
  };

  const say = (title, text, what, since) => {
    document.documentElement.classList.add("st-is-lost");
    lost.querySelector("strong").textContent = title;
    lost.querySelector(".st-lost-text").textContent = text;
    lost.querySelector(".st-lost-do").textContent = what;
    lost.querySelector(".st-lost-at").textContent = since.toLocaleTimeString(document.documentElement.lang, { hour12: false });
    lost.hidden = false;
  };
  const words = lost.dataset;
  clock = window.lineclearLive("/events?page=station", {
    parts: (data) => { if (data.station) { wanted = data.station; } ask(); },
    lost: (since) => say(words.lost, words.lostText, words.lostDo, since),
    back: () => { document.documentElement.classList.remove("st-is-lost"); lost.hidden = true; ask(); },
    ended: () => { say(words.ended, words.endedText, "", new Date(serverNow())); window.lineclear.get("/station/live", { background: true }).catch(() => undefined); },
  });
  setInterval(() => { tick(); ask(); }, 1000);
  tick();

  live.addEventListener("submit", (event) => {
    const form = event.target.closest(".st-take");
    if (!form) { return; }
    event.preventDefault();
    const part = form.closest("[data-part]");
    const now = () => ({ button: part.querySelector(".st-take button"), said: part.querySelector(".st-said") });
    const finish = (text) => {
      const at = now();
      if (!at.button) { return; }
      at.button.disabled = false;
      at.said.textContent = text;
      setTimeout(() => { const later = now().said; if (later && later.textContent === text) { later.textContent = ""; } }, 15000);
    };
    now().button.disabled = true;
    now().said.textContent = live.dataset.taking;
    window.lineclear.post(form.action).then((told) => finish(told.text), (error) => finish(`${error.message} ${error.whatToDo || ""}`));
  });
})();
