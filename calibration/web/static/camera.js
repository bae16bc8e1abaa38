"use strict";
/* Reference and camera: two pictures on each other, the focus helper, sliders beside their numbers. Without it all forms work. */
(function () {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const BLINK_MS = 500;  /* each picture: one change back and forth a second, well under the three that may harm */

  /* -- old and new ----------------------------------------------------------------------------------------------- */
  document.querySelectorAll("[data-compare]").forEach((box) => {
    const figures = {first: box.querySelector(".first"), second: box.querySelector(".second")};
    const buttons = Array.from(box.querySelectorAll("[data-show]"));
    let timer = 0;
    let shown = "second";
    function put(name) {
      shown = name;
      Object.keys(figures).forEach((key) => figures[key].classList.toggle("is-away", key !== name));
    }
    function choose(name) {
      window.clearInterval(timer);
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.show === name)));
      if (name === "blink") timer = window.setInterval(() => put(shown === "first" ? "second" : "first"), calm ? 3 * BLINK_MS : BLINK_MS);
      else put(name);
    }
    box.classList.add("is-live");
    box.querySelector(".segments").hidden = false;
    buttons.forEach((button) => button.addEventListener("click", () => choose(button.dataset.show)));
    choose("second");
  });

  /* -- a form that takes long says so, and is not sent twice -------------------------------------------------------- */
  document.querySelectorAll("form[data-busy]").forEach((form) => {
    form.addEventListener("submit", () => {
      const button = form.querySelector("button:not([type=button])");
      if (!button) return;
      window.setTimeout(() => { button.disabled = true; button.textContent = form.dataset.busy; }, 0);
    });
  });
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  /* -- sliders --------------------------------------------------------------------------------------------------- */
  document.querySelectorAll("input[type=range][data-for]").forEach((slider) => {
    const number = document.getElementById(slider.dataset.for);
    slider.hidden = false;
    slider.addEventListener("input", () => { number.value = slider.value; });
    number.addEventListener("input", () => { slider.value = number.value; });
  });

  /* -- focus ----------------------------------------------------------------------------------------------------- */
  const helper = document.querySelector("[data-focus]");
  if (!helper) return;
  const at = (id) => document.getElementById(id);
  const stage = helper.querySelector(".focus-stage");
  const frame = helper.querySelector(".focus-rect");
  const picture = at("focus-picture");
  const run = at("focus-run");
  const left = at("focus-left");
  let rect = null;
  let peak = 0;
  let until = 0;
  let timer = 0;
  let asking = null;
  at("focus-actions").hidden = false;

  function put(id, text) { at(id).textContent = text; }
  function number(value, digits) { return value.toLocaleString(document.documentElement.lang, {minimumFractionDigits: digits, maximumFractionDigits: digits}); }

  function draw() {
    frame.hidden = !rect;
    if (!rect) return;
    frame.style.left = 100 * rect.x + "%";
    frame.style.top = 100 * rect.y + "%";
    frame.style.width = 100 * rect.width + "%";
    frame.style.height = 100 * rect.height + "%";
  }

  /* Drag over the picture to choose a part of it. */
  let start = null;
  function place(event) {
    const box = stage.getBoundingClientRect();
    const share = (value, size) => Math.min(1, Math.max(0, value / size));
    return [share(event.clientX - box.left, box.width), share(event.clientY - box.top, box.height)];
  }
  stage.addEventListener("pointerdown", (event) => { start = place(event); stage.setPointerCapture(event.pointerId); });
  stage.addEventListener("pointermove", (event) => {
    if (!start) return;
    const [x, y] = place(event);
    const width = Math.abs(x - start[0]), height = Math.abs(y - start[1]);
    if (width < 0.03 || height < 0.03) return;
    rect = {x: Math.min(x, start[0]), y: Math.min(y, start[1]), width, height};
    draw();
  });
  stage.addEventListener("pointerup", () => { if (start && rect) forget(); start = null; });
  stage.addEventListener("pointercancel", () => { start = null; });
  at("focus-whole").addEventListener("click", () => { rect = null; draw(); forget(); });
  at("focus-peak-reset").addEventListener("click", forget);

  function forget() { peak = 0; put("focus-peak", "–"); }

  function show(told) {
    peak = Math.max(peak, told.sharpness);
    put("focus-value", number(told.sharpness, 0));
    put("focus-peak", number(peak, 0) + " %");
    at("focus-meter").value = Math.min(150, told.sharpness);
    put("focus-laplacian", number(told.laplacian, 1));
    put("focus-gradient", number(told.gradient, 1));
    put("focus-texture", told.texture === null ? "–" : number(told.texture, 0) + " %");
    put("light-saturated", number(told.saturated, 2));
    put("light-black", number(told.black, 2));
    put("light-median", number(told.median, 0));
    put("light-advice", told.advice_text);
    at("light-advice").dataset.advice = told.advice;
    picture.src = told.picture;
    const bars = at("histogram-now");
    if (!bars) return;
    const most = Math.max(Number(bars.dataset.most), ...told.histogram);
    Array.from(bars.children).forEach((bar, index) => {
      const height = 98 * told.histogram[index] / most;
      bar.setAttribute("height", height.toFixed(1));
      bar.setAttribute("y", (100 - height).toFixed(1));
    });
  }

  async function look() {
    timer = 0;
    if (Date.now() >= until) { stop(helper.dataset.wordsStopped); return; }
    left.textContent = Math.ceil((until - Date.now()) / 1000) + " s";
    const began = Date.now();
    asking = new AbortController();
    try {
      show(await window.lineclear.post(helper.dataset.focus, rect || {}, {signal: asking.signal}));
    } catch (error) {
      if (error.name === "AbortError") return;
      stop("");
      window.lineclear.tell(error);
      return;
    }
    if (until) timer = window.setTimeout(look, Math.max(200, Number(helper.dataset.everyMs) - (Date.now() - began)));
  }

  function stop(text) {
    until = 0;
    window.clearTimeout(timer);
    if (asking) asking.abort();
    run.textContent = helper.dataset.wordsStart;
    left.textContent = text;
  }

  run.addEventListener("click", () => {
    if (until) { stop(""); return; }
    until = Date.now() + 1000 * Number(helper.dataset.forS);
    run.textContent = helper.dataset.wordsStop;
    look();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden && until) stop(helper.dataset.wordsStopped); });
  document.addEventListener("lineclear:locked", () => stop(""));
})();
