"use strict";
/* Clearances live: whether one is taken, how far one is, forms that are sent once, and what was typed when a session ends. */
(function () {
  function get(url) { return window.lineclear.get(url, { background: true }); }

  /* One form, one answer: the second touch of an impatient finger is not sent. */
  function once(form) {
    form.addEventListener("submit", function (event) {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
      var button = form.querySelector("[data-busy]");
      if (button) { button.dataset.was = button.textContent; button.textContent = button.dataset.busy; button.setAttribute("aria-busy", "true"); }
    });
    /* The back button shows the page as it was left: then the form may be sent again, and its id says that it is the same. */
    window.addEventListener("pageshow", function () {
      delete form.dataset.sent;
      var button = form.querySelector("[data-busy]");
      if (button && button.dataset.was) { button.textContent = button.dataset.was; button.removeAttribute("aria-busy"); }
    });
  }

  /* A session can end while somebody types. Texts wait in this tab until the form is sent for good; passwords never do. */
  function draft(form) {
    var key = "draft:" + form.dataset.draft, fields = form.querySelectorAll("input:not([type=hidden]):not([type=password]):not([type=checkbox]):not([data-no-draft]), textarea");
    var saved = {};
    try { saved = JSON.parse(window.sessionStorage.getItem(key) || "{}"); } catch (error) { saved = {}; }
    if (saved.at && Date.now() - saved.at < 3600000) {
      fields.forEach(function (field) {
        if (saved.texts && typeof saved.texts[field.name] === "string" && (field.value === "" || field.value === field.defaultValue) && !form.querySelector("[aria-invalid]")) {
          field.value = saved.texts[field.name];
        }
      });
    }
    form.addEventListener("input", function () {
      var texts = {};
      fields.forEach(function (field) { if (field.value !== field.defaultValue) { texts[field.name] = field.value; } });
      try { window.sessionStorage.setItem(key, JSON.stringify({ at: Date.now(), texts: texts })); } catch (error) { /* no room: nothing is kept */ }
    });
  }

  function forget(prefix) {
    try {
      Object.keys(window.sessionStorage).forEach(function (key) { if (key.indexOf("draft:" + prefix) === 0) { window.sessionStorage.removeItem(key); } });
    } catch (error) { /* nothing was kept */ }
  }

  function every(ms, look) {
    var busy = false;
    window.setInterval(function () {
      if (busy || document.hidden) { return; }
      busy = true;
      look().then(function () { busy = false; }, function () { busy = false; });
    }, ms);
  }

  function startPage(root) {
    var box = root.querySelector("[data-not-ready]"), list = root.querySelector("[data-why]");
    var button = root.querySelector("[data-start]"), link = root.querySelector("[data-running-link]");
    var shown = list.textContent.trim();
    every(2000, function () {
      return get(root.dataset.url).then(function (now) {
        box.hidden = now.ready;
        if (button) { button.disabled = !now.ready; }
        var text = now.why.join(" ");
        if (text !== shown) {
          shown = text;
          list.textContent = "";
          now.why.forEach(function (line) { var item = document.createElement("li"); item.textContent = line; list.appendChild(item); });
        }
        link.hidden = !now.running;
        if (now.running) { link.querySelector("a").setAttribute("href", "/clearance/orders/" + encodeURIComponent(now.running)); }
      });
    });
  }

  function row(view, word) {
    var item = document.createElement("li"), name = document.createElement("span"), bar = document.createElement("progress"), text = document.createElement("span");
    name.textContent = view.view;
    bar.max = view.frames || 1;
    bar.value = view.done;
    bar.setAttribute("aria-label", view.view);
    text.textContent = word.replace("{done}", String(view.done)).replace("{frames}", String(view.frames));
    item.append(name, bar, text);
    return item;
  }

  function orderPage(root) {
    var phase = root.querySelector("[data-phase]"), list = root.querySelector("[data-views]"), lost = root.querySelector("[data-lost]");
    forget("clearance");
    every(400, function () {
      return get(root.dataset.url).then(function (now) {
        lost.hidden = true;
        if (now.then) { window.location.replace(now.then); return; }
        if (now.runs) {
          if (phase.textContent !== now.phase_text) { phase.textContent = now.phase_text; }
          list.textContent = "";
          now.views.forEach(function (view) { list.appendChild(row(view, root.dataset.wordFrames)); });
        }
      }, function (error) { lost.hidden = false; throw error; });
    });
  }

  /* The archive writes just after the answer; then there is more to see. Not while somebody types. */
  function evidence(root) {
    if (root.dataset.awaits !== "1") { return; }
    var EVERY_S = 5, EAGER_S = 30, LONGEST_S = 600;
    var seconds = 0, touched = false, over = false;
    document.addEventListener("input", function () { touched = true; });
    every(1000, function () {
      seconds += 1;
      if (over || (seconds > EAGER_S && seconds % EVERY_S)) { return Promise.resolve(); }
      if (seconds > LONGEST_S) { over = true; root.textContent = root.dataset.wordLate; return Promise.resolve(); }
      return get(root.dataset.url).then(function (now) {
        var typing = document.activeElement && /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName);
        if (now.there && !typing && !touched) { window.location.reload(); }
      });
    });
  }

  /* A small picture that cannot be had is no broken icon; its words stand in the view that opens. */
  function thumb(image) {
    function gone() { image.hidden = true; }
    image.addEventListener("error", gone);
    if (image.complete && !image.naturalWidth) { gone(); }
  }

  function report(root) {
    var frame = document.querySelector("[data-report]"), button = root.querySelector("[data-print]");
    button.hidden = false;
    button.addEventListener("click", function () { frame.contentWindow.focus(); frame.contentWindow.print(); });
  }

  var parts = { start: startPage, order: orderPage, evidence: evidence, report: report };
  document.querySelectorAll("img.clr-thumb").forEach(thumb);
  document.querySelectorAll("form[data-once]").forEach(once);
  document.querySelectorAll("form[data-draft]").forEach(draft);
  document.querySelectorAll("[data-clearance]").forEach(function (root) { parts[root.dataset.clearance](root); });
})();
