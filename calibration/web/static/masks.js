"use strict";
/* The masks page: editor, list and server put together. */
(function () {
  const root = document.getElementById("masks");
  if (!root) {
    return;
  }
  const find = (name) => root.querySelector("[data-part=" + name + "]");
  const texts = {};
  root.querySelectorAll("[data-word]").forEach((item) => (texts[item.dataset.word] = item.textContent));
  function words(key, values) {
    return (texts[key] || key).replace(/\{([a-z_]+)\}/g, (whole, name) => (values && name in values ? String(values[name]) : whole));
  }

  const size = [Number(root.dataset.width), Number(root.dataset.height)];
  const draftKey = "lineclear-masks:" + root.dataset.base;
  const server = MaskServer.create(root.dataset.base, root.dataset.csrf, words);
  const model = MaskModel.create(size);
  const svg = find("picture");
  const state = { version: Number(root.dataset.version), shares: null, stale: false, asked: null, timer: 0, ready: false };
  const editor = MaskEditor.create(svg, model, {
    say: (key, values) => say(words(key, values)),
    named: () => words("new_name", { number: model.masks.length + 1 }),
    used: showTool,
    drawing: showDrawing,
    zoomed: (scale) => (find("zoom").textContent = Math.round(scale * 100) + " %")
  });
  const list = MaskList.create(find("list"), model, words, look, () => state.shares);
  const saving = MaskSaving.create(root, model, server, words, state, { say: say, marks: showMarks, reload: load });

  function say(text, bad) {
    const place = find("said");
    place.textContent = text;
    place.classList.toggle("is-bad", Boolean(bad));
  }

  function look(mask, said) {
    if (said) {
      say(words(said, { parts: 2 }));
      return;
    }
    model.choose(mask.id);
    editor.use("select");
    editor.view.look(mask.points);
    svg.focus({ preventScroll: true });
  }

  function showMarks(boxes) {
    editor.view.marks(boxes);
    if (boxes.length) {
      editor.view.look([].concat.apply([], boxes.map((b) => [[b[0], b[1]], [b[0] + b[2], b[1] + b[3]]])));
      svg.scrollIntoView({ block: "nearest" });
    }
  }

  /* --- tools --------------------------------------------------------------------------------------------------------- */

  svg.style.aspectRatio = size[0] + " / " + size[1];

  function showTool(name) {
    root.querySelectorAll("[data-tool-button]").forEach(function (button) {
      button.setAttribute("aria-pressed", String(button.dataset.toolButton === name));
    });
    find("help").textContent = words("help_" + name, {});
  }

  function showDrawing(corners) {
    find("finish").hidden = corners < 3;
    find("back").hidden = corners < 1;
  }

  function showState() {
    const dirty = model.isDirty();
    find("undo").disabled = !model.canUndo();
    find("redo").disabled = !model.canRedo();
    find("save").disabled = !dirty || !state.ready;
    find("dirty").hidden = !dirty;
    find("delete").disabled = model.chosen === null;
    root.querySelector("[data-tool-button=split]").disabled = model.chosen === null;
    find("stale").hidden = !(dirty && state.stale);
  }

  function remove() {
    if (editor.drawn() > 0) {
      editor.takeBack();
    } else if (model.corner !== null && model.current()) {
      if (!model.removeCorner(model.chosen, model.corner)) {
        say(words("least_corners", {}));
      }
    } else if (model.chosen !== null) {
      model.remove(model.chosen);
    }
  }

  const actions = {
    undo: () => (editor.drawn() ? editor.takeBack() : model.undo()),
    redo: () => model.redo(),
    finish: () => editor.close(),
    back: () => editor.takeBack(),
    closer: () => editor.view.zoom(1.5),
    farther: () => editor.view.zoom(1 / 1.5),
    fit: () => editor.view.fit(),
    delete: remove,
    add: function () {
      if (editor.addInMiddle()) {
        const fields = find("list").querySelectorAll(".mask-name");
        fields[fields.length - 1].focus();
      }
    }
  };
  Object.keys(actions).forEach((name) => find(name).addEventListener("click", actions[name]));
  root.querySelectorAll("[data-tool-button]").forEach(function (button) {
    button.addEventListener("click", () => editor.use(button.dataset.toolButton));
  });
  find("snap").addEventListener("change", (event) => editor.snap(event.target.checked));

  /* --- keys ---------------------------------------------------------------------------------------------------------- */

  const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function nextCorner(step) {
    const mask = model.current();
    if (mask) {
      const count = mask.points.length;
      const at = model.corner === null ? (step > 0 ? 0 : count - 1) : (model.corner + step + count) % count;
      model.choose(mask.id, at);
    }
  }

  function leave() {
    if (editor.drawn() || editor.tool() !== "select") {
      editor.use("select");
    } else {
      model.choose(model.corner === null ? null : model.chosen);
    }
  }

  const keys = {
    Delete: remove, Backspace: remove, Escape: leave,
    Enter: () => editor.close(),
    "+": actions.closer, "=": actions.closer, "-": actions.farther, "0": actions.fit,
    "[": () => nextCorner(-1), "]": () => nextCorner(1)
  };

  svg.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const way = WAYS[event.key];
    const step = event.shiftKey ? 10 : 1;
    if (way && editor.nudge(way[0] * step, way[1] * step)) {
      event.preventDefault();
    } else if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  /* Undo in a field of text is the field's own. */
  document.addEventListener("keydown", function (event) {
    const writes = event.target instanceof Element && event.target.matches("input[type=text], textarea");
    if (!(event.ctrlKey || event.metaKey) || writes || document.querySelector("dialog[open]")) {
      return;
    }
    const key = event.key.toLowerCase();
    if (key === "z" || key === "y") {
      event.preventDefault();
      actions[key === "y" || event.shiftKey ? "redo" : "undo"]();
    }
  });

  /* --- shares -------------------------------------------------------------------------------------------------------- */

  function showShare(share, exact) {
    find("share").textContent = (exact ? "" : "≈ ") + list.percent(share) + " %";
    find("meter").value = share;
  }

  function guess() {
    showShare(MaskGeometry.quickShare(model.masks, size), false);
    clearTimeout(state.timer);
    state.timer = setTimeout(measure, 350);
  }

  function measure() {
    if (state.asked) {
      state.asked.abort();
    }
    state.asked = new AbortController();
    server.post("/share", { version: state.version, masks: model.plain() }, state.asked.signal).then(
      function (told) {
        state.shares = told.each;
        state.stale = told.stale;
        showShare(told.together, true);
        find("fault").hidden = !told.fault;
        find("fault").textContent = told.fault || "";
        list.showShares();
        showState();
      },
      function (error) {
        if (error.name !== "AbortError") {
          find("fault").hidden = false;
          find("fault").textContent = error.message;
        }
      }
    );
  }

  model.listen(function (kind) {
    if (kind === "masks") {
      state.shares = null;
      keepDraft();
    }
    if (kind !== "choice") {
      guess();
    }
    showState();
  });

  /* --- what is not saved yet ----------------------------------------------------------------------------------------- */

  function keepDraft() {
    try {
      if (model.isDirty()) {
        sessionStorage.setItem(draftKey, JSON.stringify({ version: state.version, masks: model.plain() }));
      } else if (state.ready) {
        sessionStorage.removeItem(draftKey);
      }
    } catch (error) {
      return; /* a browser that keeps nothing: the warning on leaving is all there is then */
    }
  }

  function keptDraft() {
    try {
      return JSON.parse(sessionStorage.getItem(draftKey) || "null");
    } catch (error) {
      return null;
    }
  }

  window.addEventListener("beforeunload", function (event) {
    if (model.isDirty() && state.ready) {
      event.preventDefault();
      event.returnValue = "";
    }
  });

  /* keep: what is drawn stays on the way back. */
  function load(keep) {
    return server.get("/document").then(function (told) {
      state.version = told.version;
      state.ready = true;
      model.load(told.masks, keep);
      find("version").textContent = told.version_text;
      root.dataset.bad = String(told.bad_frames);
    });
  }

  /* --- false alarms -------------------------------------------------------------------------------------------------- */

  function showDensity() {
    const layer = svg.querySelector("[data-layer=density]");
    const wanted = find("density").checked;
    find("legend").hidden = !wanted;
    find("days").disabled = !wanted;
    if (layer.dataset.url) {
      URL.revokeObjectURL(layer.dataset.url);
      layer.dataset.url = "";
    }
    layer.removeAttribute("href");
    if (!wanted) {
      return;
    }
    const days = encodeURIComponent(find("days").value);
    find("counted").textContent = words("counting", {});
    Promise.all([server.get("/density?days=" + days), server.picture("/density.png?days=" + days)]).then(
      function (both) {
        layer.dataset.url = both[1];
        layer.setAttribute("href", both[1]);
        find("counted").textContent = both[0].text;
      },
      (error) => (find("counted").textContent = error.message)
    );
  }

  find("density").addEventListener("change", showDensity);
  find("days").addEventListener("change", showDensity);

  MaskImport.create(root, model, server, words, say);
  const kept = keptDraft();
  load(false).then(
    function () {
      if (kept && Array.isArray(kept.masks) && JSON.stringify(kept.masks) !== JSON.stringify(model.plain())) {
        saving.offer(kept);
      }
      editor.use("select");
    },
    (error) => say(error.message, true)
  );
})();
