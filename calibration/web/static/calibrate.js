"use strict";
/* The threshold line: dragged by finger or mouse, moved by the arrow keys, kept within what the frames support. What it would
   promise there is asked of the page while it moves. Without this script the field below the picture does the same. */
(function () {
  const box = document.getElementById("line");
  if (!box) return;
  const chart = box.querySelector("svg.chart");
  const limit = chart.querySelector("[data-limit]");
  const text = chart.querySelector("[data-limit-text]");
  const field = document.getElementById("image");
  const exact = document.getElementById("exact");
  const promise = document.getElementById("promise");
  const chosen = document.getElementById("chosen");
  const figure = (name) => Number(chart.dataset[name]);
  const low = figure("low"), high = figure("high"), left = figure("left"), right = figure("right");
  const least = Number(box.dataset.least), most = Number(box.dataset.most), digits = Number(box.dataset.digits);
  const ASK_AFTER_MS = 120;
  let value = Number(exact.value);
  let asking = null;
  let timer = 0;

  const short = (number) => String(Number(number.toPrecision(digits)));
  const xOf = (score) => left + Math.min(Math.max((score - low) / (high - low), 0), 1) * (right - left);
  const scoreOf = (x) => low + (x - left) / (right - left) * (high - low);

  limit.setAttribute("tabindex", "0");
  limit.setAttribute("role", "slider");
  limit.setAttribute("aria-label", document.querySelector("label[for=image]").textContent);
  limit.setAttribute("aria-describedby", "line-help");
  limit.setAttribute("aria-valuemin", String(least));
  limit.setAttribute("aria-valuemax", String(most));
  const grip = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, part] of Object.entries({"class": "grip", x: -24, y: 18, width: 48, height: chart.viewBox.baseVal.height - 40})) grip.setAttribute(name, part);
  limit.prepend(grip);
  const knob = document.createElementNS("http://www.w3.org/2000/svg", "path");
  knob.setAttribute("class", "knob");
  knob.setAttribute("d", "M0 " + (chart.viewBox.baseVal.height / 2 - 18) + " l14 18 -14 18 -14 -18z");
  limit.append(knob);

  function draw() {
    const x = xOf(value);
    limit.setAttribute("transform", "translate(" + x + " 0)");
    limit.setAttribute("aria-valuenow", String(value));
    limit.setAttribute("aria-valuetext", short(value));
    text.textContent = short(value);
    text.setAttribute("text-anchor", x > right - 80 ? "end" : x < left + 80 ? "start" : "middle");
  }

  function move(to, fromField) {
    // What is shown is what is sent; the ends of the band stay exact.
    value = Math.min(Math.max(fromField ? to : Number(to.toPrecision(digits)), least), most);
    if (chosen) chosen.hidden = true;
    exact.value = String(value);
    if (!fromField) field.value = short(value);
    draw();
    clearTimeout(timer);
    timer = setTimeout(ask, ASK_AFTER_MS);
  }

  async function ask() {
    if (asking) asking.abort();
    asking = new AbortController();
    const query = new URLSearchParams({image: String(value), kind: box.dataset.kind});
    if (box.dataset.parameter) query.set("parameter", box.dataset.parameter);
    try {
      const told = await window.lineclear.get(box.dataset.at + "?" + query, {signal: asking.signal});
      const lines = told.promise.map((line) => {
        const paragraph = document.createElement("p");
        paragraph.textContent = line;
        return paragraph;
      });
      promise.replaceChildren(...lines);
    } catch (error) {
      window.lineclear.tell(error);
    }
  }

  function scoreAt(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
    return scoreOf(point.x);
  }

  // Without this a mouse that leaves the picture selects the text of the page.
  const dragging = (is) => document.documentElement.classList.toggle("is-dragging", is);

  chart.addEventListener("mousedown", (event) => event.preventDefault());
  chart.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    chart.setPointerCapture(event.pointerId);
    dragging(true);
    limit.focus({preventScroll: true});
    move(scoreAt(event));
  });
  chart.addEventListener("pointermove", (event) => {
    if (chart.hasPointerCapture(event.pointerId)) move(scoreAt(event));
  });
  chart.addEventListener("lostpointercapture", () => dragging(false));
  limit.addEventListener("keydown", (event) => {
    const step = (most - least) / 100 || Math.abs(value) / 100;
    const moves = {ArrowLeft: -step, ArrowDown: -step, ArrowRight: step, ArrowUp: step, PageDown: -10 * step, PageUp: 10 * step};
    if (event.key in moves) move(value + moves[event.key]);
    else if (event.key === "Home") move(least);
    else if (event.key === "End") move(most);
    else return;
    event.preventDefault();
  });
  field.addEventListener("input", () => { if (field.value !== "" && Number.isFinite(Number(field.value))) move(Number(field.value), true); });
  field.addEventListener("change", () => { field.value = short(value); });
  draw();
})();

/* How many frames there are, while they come. */
(function () {
  const count = document.querySelector("[data-live-count]");
  if (!count) return;
  document.addEventListener("job-told", async () => {
    try {
      const told = await window.lineclear.get(count.dataset.liveCount, {background: true});
      if (count.textContent !== String(told.frames)) count.textContent = String(told.frames);
    } catch (error) {
      return; // the work's own line says what is wrong
    }
  });
})();
