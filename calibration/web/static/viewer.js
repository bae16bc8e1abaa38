"use strict";
/* The picture viewer: zoom and pan by wheel, pinch, buttons and keys; the reference by holding or slow blinking. */
(function () {
  var MOST = 16;
  /* A whole blink, there and back, takes 1.2 s: well below 3 Hz, whoever presses how often. */
  var HALF_BLINK_MS = 600;
  var LEAST_MS = 200;

  function start(root) {
    var stage = root.querySelector(".viewer-stage");
    if (!stage || root.dataset.live) { return; }
    root.dataset.live = "1";
    root.classList.add("viewer-live");
    var layers = stage.querySelector(".viewer-layers");
    var frame = stage.querySelector(".viewer-frame");
    var heat = stage.querySelector(".viewer-heat");
    var boxes = stage.querySelector(".viewer-boxes");
    var says = stage.querySelector("[data-says]");
    var bar = root.querySelector("[data-bar]");
    var zoomText = root.querySelector("[data-zoom]");
    var at = { zoom: 1, x: 0, y: 0 };
    var pointers = new Map();
    var reference = null, timer = 0, isShown = false, changedAt = 0, late = 0, isFull = false;

    function draw() {
      var width = stage.clientWidth, height = stage.clientHeight;
      at.zoom = Math.min(MOST, Math.max(1, at.zoom));
      at.x = Math.min(0, Math.max(width * (1 - at.zoom), at.x));
      at.y = Math.min(0, Math.max(height * (1 - at.zoom), at.y));
      layers.style.transform = "translate(" + at.x + "px," + at.y + "px) scale(" + at.zoom + ")";
      if (zoomText) { zoomText.textContent = Math.round(at.zoom * 100) + " %"; }
      if (at.zoom > 1.2) { sharpen(); }
    }

    /* The picture in full size is fetched only by who zooms in. */
    function sharpen() {
      if (isFull || !root.dataset.full) { return; }
      isFull = true;
      var full = new Image();
      full.onload = function () { frame.src = full.src; };
      full.onerror = function () { isFull = false; };
      full.src = root.dataset.full;
      if (reference && root.dataset.registered === "1") { reference.src = root.dataset.reference.replace("width=small", "width=full"); }
    }

    function zoomAt(factor, x, y) {
      var before = at.zoom;
      at.zoom = Math.min(MOST, Math.max(1, before * factor));
      at.x = x - (x - at.x) * at.zoom / before;
      at.y = y - (y - at.y) * at.zoom / before;
      draw();
    }

    function zoomMiddle(factor) { zoomAt(factor, stage.clientWidth / 2, stage.clientHeight / 2); }
    function fit() { at.zoom = 1; draw(); choose(0); }

    function toBox(text) {
      var box = text.split(" ").map(Number), whole = Number(root.dataset.width), high = Number(root.dataset.height);
      if (!whole || box.length !== 4) { return; }
      var scale = stage.clientWidth / whole, tall = stage.clientHeight / high;
      var wanted = Math.min(stage.clientWidth / (box[2] * scale), stage.clientHeight / (box[3] * tall)) * 0.4;
      at.zoom = Math.min(MOST, Math.max(1.5, wanted));
      at.x = stage.clientWidth / 2 - (box[0] + box[2] / 2) * scale * at.zoom;
      at.y = stage.clientHeight / 2 - (box[1] + box[3] / 2) * tall * at.zoom;
      draw();
    }

    function choose(number) {
      root.querySelectorAll("[data-region]").forEach(function (button) {
        button.setAttribute("aria-pressed", String(Number(button.dataset.region) === number));
      });
      root.querySelectorAll(".viewer-box").forEach(function (box) {
        box.classList.toggle("viewer-chosen", Number(box.dataset.number) === number);
      });
    }

    function go(number) {
      var button = root.querySelector('[data-region="' + number + '"]');
      if (button) { toBox(button.dataset.box); choose(number); }
    }

    /* Reference: made when it is wanted first. Never two changes within a fifth of a second. */
    function needReference() {
      if (reference || !root.dataset.reference) { return; }
      reference = document.createElement("img");
      reference.className = "viewer-reference" + (root.dataset.registered === "1" ? "" : " viewer-apart");
      reference.alt = "";
      reference.src = isFull ? root.dataset.reference.replace("width=small", "width=full") : root.dataset.reference;
      layers.insertBefore(reference, frame.nextSibling);
    }

    function show(wanted) {
      needReference();
      window.clearTimeout(late);
      var wait = changedAt + LEAST_MS - Date.now();
      if (wait > 0) { late = window.setTimeout(function () { show(wanted); }, wait); return; }
      if (!reference || wanted === isShown) { return; }
      isShown = wanted;
      changedAt = Date.now();
      reference.classList.toggle("viewer-on", wanted);
      says.textContent = wanted ? root.dataset.wordReference : root.dataset.wordFrame;
      says.classList.toggle("viewer-is-reference", wanted);
    }

    function blink(button) {
      var on = !timer;
      if (timer) { window.clearInterval(timer); timer = 0; show(false); }
      if (on) { show(true); timer = window.setInterval(function () { show(!isShown); }, HALF_BLINK_MS); }
      if (button) { button.setAttribute("aria-pressed", String(on)); }
    }

    function spot(event) {
      var box = stage.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    }

    stage.addEventListener("wheel", function (event) {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== stage) { return; }
      event.preventDefault();
      var point = spot(event);
      zoomAt(Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) * 0.0022), point.x, point.y);
    }, { passive: false });

    stage.addEventListener("pointerdown", function (event) {
      stage.focus({ preventScroll: true });
      stage.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, spot(event));
      stage.classList.add("viewer-drag");
    });
    stage.addEventListener("pointermove", function (event) {
      var before = pointers.get(event.pointerId);
      if (!before) { return; }
      var now = spot(event);
      if (pointers.size === 1) {
        at.x += now.x - before.x;
        at.y += now.y - before.y;
        /* A picture that is not zoomed must not keep a finger from scrolling the page. */
        if (at.zoom === 1 && event.pointerType !== "mouse") { window.scrollBy(0, before.y - now.y); pointers.set(event.pointerId, spot(event)); return; }
        draw();
      } else if (pointers.size === 2) {
        var other = null;
        pointers.forEach(function (point, id) { if (id !== event.pointerId) { other = point; } });
        var was = Math.hypot(before.x - other.x, before.y - other.y), is = Math.hypot(now.x - other.x, now.y - other.y);
        at.x += (now.x - before.x) / 2;
        at.y += (now.y - before.y) / 2;
        if (was > 0) { zoomAt(is / was, (now.x + other.x) / 2, (now.y + other.y) / 2); }
      }
      pointers.set(event.pointerId, now);
    });
    function up(event) {
      pointers.delete(event.pointerId);
      if (!pointers.size) { stage.classList.remove("viewer-drag"); }
    }
    stage.addEventListener("pointerup", up);
    stage.addEventListener("pointercancel", up);
    stage.addEventListener("dblclick", function (event) {
      var point = spot(event);
      if (at.zoom > 1.5) { fit(); } else { zoomAt(3, point.x, point.y); }
    });

    stage.addEventListener("keydown", function (event) {
      if (event.ctrlKey || event.metaKey || event.altKey) { return; }
      var step = 60, key = event.key;
      if (key === "+" || key === "=") { zoomMiddle(1.4); }
      else if (key === "-") { zoomMiddle(1 / 1.4); }
      else if (key === "0") { fit(); }
      else if (key === "ArrowLeft") { at.x += step; draw(); }
      else if (key === "ArrowRight") { at.x -= step; draw(); }
      else if (key === "ArrowUp") { at.y += step; draw(); }
      else if (key === "ArrowDown") { at.y -= step; draw(); }
      else if (key === "r" || key === "R") { if (!event.repeat) { show(!isShown); } }
      else if (/^[1-9]$/.test(key)) { go(Number(key)); }
      else { return; }
      event.preventDefault();
    });

    if (bar) {
      bar.hidden = false;
      bar.addEventListener("click", function (event) {
        var button = event.target.closest("button[data-do]");
        if (!button) { return; }
        var what = button.dataset.do;
        if (what === "in") { zoomMiddle(1.6); }
        if (what === "out") { zoomMiddle(1 / 1.6); }
        if (what === "fit") { fit(); }
        if (what === "blink") { blink(button); }
      });
      bar.addEventListener("input", function (event) {
        var what = event.target.dataset.do;
        if (what === "heat" && heat) {
          heat.style.opacity = String(Number(event.target.value) / 100);
          event.target.setAttribute("aria-valuetext", event.target.value + " %");
        }
        if (what === "boxes" && boxes) { boxes.style.display = event.target.checked ? "" : "none"; }
      });
      var hold = bar.querySelector("[data-do=hold]");
      if (hold) {
        var press = function (event) { event.preventDefault(); if (timer) { blink(bar.querySelector("[data-do=blink]")); } show(true); };
        var leave = function () { if (!timer) { show(false); } };
        hold.addEventListener("pointerdown", press);
        hold.addEventListener("contextmenu", function (event) { event.preventDefault(); });
        ["pointerup", "pointerleave", "pointercancel", "blur"].forEach(function (name) { hold.addEventListener(name, leave); });
        hold.addEventListener("keydown", function (event) { if ((event.key === " " || event.key === "Enter") && !event.repeat) { press(event); } });
        hold.addEventListener("keyup", function (event) { if (event.key === " " || event.key === "Enter") { leave(); } });
      }
    }
    root.querySelectorAll("[data-region]").forEach(function (button) {
      button.disabled = !Number(root.dataset.width);
      button.addEventListener("click", function () {
        go(Number(button.dataset.region));
        stage.scrollIntoView({ block: "nearest", behavior: "auto" });
      });
    });
    /* Words instead of the broken icon; without its frame the heat map would lie on nothing. */
    function lost() {
      stage.classList.add("viewer-lost");
      says.textContent = root.dataset.wordLost;
    }
    frame.addEventListener("error", lost);
    frame.addEventListener("load", function () {
      if (!stage.classList.contains("viewer-lost")) { return; }
      stage.classList.remove("viewer-lost");
      says.textContent = root.dataset.wordFrame;
    });
    if (frame.complete && frame.getAttribute("src") && !frame.naturalWidth) { lost(); }
    if (heat) { heat.addEventListener("error", function () { heat.hidden = true; }); }
    if (window.ResizeObserver) { new ResizeObserver(draw).observe(stage); }
    draw();
  }

  document.querySelectorAll("[data-viewer]").forEach(start);
})();
