"use strict";
/* What every page has: asking with the session's token, notices, dialogs, and the lock of a session that nobody touches. */
(function () {
  const body = document.body;
  const words = document.getElementById("page-words").dataset;
  const notices = document.getElementById("notices");
  const ICONS = {ok: "M5 12.5l4.5 4.5L19 7", error: "M6 6l12 12M18 6L6 18", warning: "M12 4v10M12 18.5v.5", info: "M12 10v8M12 5.5v.5"};

  function icon(kind) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const set = (node, pairs) => Object.keys(pairs).forEach((name) => node.setAttribute(name, pairs[name]));
    set(svg, {viewBox: "0 0 24 24", "class": "icon", "aria-hidden": "true"});
    set(path, {d: ICONS[kind] || ICONS.info, fill: "none", stroke: "currentColor", "stroke-width": "3", "stroke-linecap": "round"});
    svg.append(path);
    return svg;
  }

  /* A line at the top of the page. kind: ok, info, warning, error. Returns it, so that it can be removed. */
  function notice(kind, text, button) {
    const box = document.createElement("div");
    const said = document.createElement("p");
    const close = document.createElement("button");
    box.className = "message " + kind;
    if (kind === "error") box.setAttribute("role", "alert");
    said.textContent = text;
    close.type = "button";
    close.className = "quiet";
    close.textContent = button ? button.text : words.close;
    close.addEventListener("click", () => { box.remove(); if (button) button.act(); });
    box.append(icon(kind), said, close);
    notices.append(box);
    if (box.scrollIntoView) box.scrollIntoView({block: "nearest"});
    return box;
  }

  /* An answer that was no: what the page's error answers hold. */
  class Refusal extends Error {
    constructor(status, told) {
      super(told.error || words.lost);
      this.status = status;
      this.whatToDo = told.what_to_do || "";
      this.told = told;
    }
  }

  async function ask(method, url, sent, options) {
    const headers = Object.assign({Accept: "application/json"}, options && options.headers);
    if (options && options.background) headers["X-Lineclear-Background"] = "1";
    if (method !== "GET") headers["X-CSRF-Token"] = body.dataset.csrf;
    let content;
    if (sent instanceof FormData || sent instanceof URLSearchParams || sent instanceof Blob) content = sent;
    else if (sent !== undefined && sent !== null) {
      headers["Content-Type"] = "application/json";
      content = JSON.stringify(sent);
    }
    let answer;
    try {
      answer = await fetch(url, {method, headers, body: content, credentials: "same-origin", redirect: "follow", signal: options && options.signal});
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refusal(0, {error: words.lost, what_to_do: words.lostDo});
    }
    const isJson = (answer.headers.get("Content-Type") || "").startsWith("application/json");
    const told = isJson ? await answer.json() : {};
    if (answer.status === 401) {
      if (told.locked) lock(); else ended();
    }
    if (!answer.ok) throw new Refusal(answer.status, told);
    return isJson ? told : answer;
  }

  /* Show a refusal where the person looks. */
  function tell(error) {
    if (error && error.name === "AbortError") return;
    const own = error.told && error.told.own ? words.own + " " + error.told.own : "";
    notice("error", [error.message, error.whatToDo, own].filter(Boolean).join("\n"));
  }

  /* -- the lock ------------------------------------------------------------------------------------------------ */
  const dialog = document.getElementById("lock-dialog");
  const locks = body.dataset.locks === "yes";
  const WARN_S = 60;
  let locksAt = Date.now() + Number(body.dataset.idleLeftS) * 1000;
  let touchedAt = 0;
  let toldAt = Date.now();
  let warning = null;

  function lock() {
    if (body.classList.contains("is-locked")) return;
    if (!dialog || !dialog.showModal) { location.assign("/unlock?next=" + encodeURIComponent(location.pathname + location.search)); return; }
    body.classList.add("is-locked");
    document.dispatchEvent(new CustomEvent("lineclear:locked"));
    for (const open of document.querySelectorAll("dialog[open]")) open.close();
    dialog.showModal();
  }

  function unlocked(leftS) {
    body.classList.remove("is-locked");
    locksAt = Date.now() + leftS * 1000;
    if (warning) { warning.remove(); warning = null; }
    document.dispatchEvent(new CustomEvent("lineclear:unlocked"));
  }

  function ended() {
    if (document.getElementById("session-ended")) return;
    const box = notice("warning", words.ended, {text: words.signIn, act: () => location.assign("/sign-in?next=" + encodeURIComponent(location.pathname + location.search))});
    box.id = "session-ended";
  }

  async function alive() {
    toldAt = Date.now();
    touchedAt = 0;
    try {
      const told = await ask("POST", "/me/alive");
      unlocked(told.idle_left_s);
    } catch (error) { /* the next page or answer says it */ }
  }

  if (dialog) {
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    document.getElementById("lock-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const password = document.getElementById("lock-password");
      const problem = document.getElementById("lock-problem");
      problem.hidden = true;
      try {
        await ask("POST", "/unlock", new URLSearchParams({password: password.value}));
        dialog.close();
        await alive();
      } catch (error) {
        if (error.status === 401) { location.assign("/sign-in?next=" + encodeURIComponent(location.pathname)); return; }
        problem.textContent = error.message;
        problem.hidden = false;
      }
      password.value = "";
      password.focus();
    });
  }

  for (const name of ["pointerdown", "keydown", "wheel", "touchstart"]) {
    addEventListener(name, () => { touchedAt = Date.now(); }, {passive: true, capture: true});
  }

  setInterval(() => {
    if (!locks || body.classList.contains("is-locked")) return;
    const leftS = (locksAt - Date.now()) / 1000;
    if (leftS <= 0) { lock(); return; }
    if (touchedAt && (Date.now() - toldAt > 60000 || leftS < WARN_S)) { alive(); return; }
    if (leftS < WARN_S && !warning) warning = notice("warning", words.soon, {text: words.stay, act: alive});
  }, 2000);

  /* -- small things -------------------------------------------------------------------------------------------- */
  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    if (target.closest("[data-close-details]")) target.closest("details").open = false;
    for (const menu of document.querySelectorAll(".user-menu[open], .nav-menu[open]")) if (!menu.contains(target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll(".user-menu[open], .nav-menu[open], .confirm[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  /* A button that was pressed once is not pressed twice. */
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.dataset.again !== undefined) return;
    setTimeout(() => { for (const button of event.target.querySelectorAll("button")) button.disabled = true; }, 0);
  });
  /* What must be pushed sideways to be seen whole can be pushed with the keys too. */
  const reach = () => { for (const box of document.querySelectorAll(".table-box")) { if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; else box.removeAttribute("tabindex"); } };
  reach();
  addEventListener("resize", reach);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  window.lineclear = {
    post: (url, sent, options) => ask("POST", url, sent, options),
    put: (url, sent, options) => ask("PUT", url, sent, options),
    remove: (url, options) => ask("DELETE", url, undefined, options),
    get: (url, options) => ask("GET", url, undefined, options),
    notice, tell, Refusal, lock,
    isLocked: () => body.classList.contains("is-locked"),
  };
})();
