"use strict";
/* The masks as a list of forms: everything that can be drawn can be typed here. */
var MaskList = (function () {
  const LONGEST = 300;

  function make(name, attributes, children) {
    const element = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) {
      if (key === "text") {
        element.textContent = attributes.text;
      } else if (key in element && typeof attributes[key] === "boolean") {
        element[key] = attributes[key];
      } else {
        element.setAttribute(key, attributes[key]);
      }
    });
    (children || []).forEach((child) => element.appendChild(child));
    return element;
  }

  /* place: the <ul>. words: (key, values) -> text. look: shows a mask. shares: () -> share of each mask or null. */
  function create(place, model, words, look, shares) {
    const G = MaskGeometry;
    const open = new Set();

    function shown(value) {
      return String(Math.round(value * 10) / 10);
    }

    function on(element, kind, work) {
      element.addEventListener(kind, work);
      return element;
    }

    function field(mask, index, axis) {
      const side = model.size[axis];
      const key = mask.id + ":" + index + ":" + axis;
      const label = words(axis === 0 ? "corner_x" : "corner_y", { number: index + 1 });
      const input = make("input", {
        type: "number", min: "0", max: String(side), step: "any", inputmode: "decimal", "aria-label": label,
        value: shown(mask.points[index][axis] * side), "data-field": key, class: "mask-number"
      });
      on(input, "focus", () => model.choose(mask.id, index));
      return on(input, "change", function () {
        const value = Number(input.value);
        if (input.value.trim() === "" || !Number.isFinite(value)) {
          input.value = shown(mask.points[index][axis] * side);
          return;
        }
        model.change(function () {
          model.find(mask.id).points[index][axis] = G.clamp(value / side);
        });
      });
    }

    function button(text, label, key, work, more) {
      const names = "button mask-small" + (more ? " " + more : "");
      return on(make("button", { type: "button", class: names, text: text, "aria-label": label, title: label, "data-field": key }), "click", work);
    }

    function cornerRow(mask, index) {
      const key = mask.id + ":" + index;
      const next = mask.points[(index + 1) % mask.points.length];
      const middle = [0, 1].map((axis) => (mask.points[index][axis] + next[axis]) / 2);
      const number = { number: index + 1 };
      return make("tr", { class: model.chosen === mask.id && model.corner === index ? "is-chosen" : "" }, [
        make("th", { scope: "row", text: String(index + 1) }),
        make("td", {}, [field(mask, index, 0)]),
        make("td", {}, [field(mask, index, 1)]),
        make("td", { class: "mask-actions" }, [
          button("+", words("insert_corner", number), key + ":add", () => model.insertCorner(mask.id, index, middle)),
          button("×", words("delete_corner", number), key + ":drop", () => model.removeCorner(mask.id, index))
        ])
      ]);
    }

    function choice(mask, key, at) {
      const select = make("select", { "data-field": mask.id + ":" + key, "aria-label": words(key, {}) });
      mask.points.slice(0, LONGEST).forEach(function (_, index) {
        select.appendChild(make("option", { value: String(index), text: words("corner", { number: index + 1 }), selected: index === at }));
      });
      return select;
    }

    function cutRow(mask) {
      const from = choice(mask, "cut_from", 0);
      const to = choice(mask, "cut_to", Math.floor(mask.points.length / 2));
      const cut = make("button", { type: "button", class: "button", text: words("cut", {}), "data-field": mask.id + ":cut" });
      on(cut, "click", function () {
        const [a, b] = [Number(from.value), Number(to.value)];
        if (a === b || model.split(mask.id, mask.points[a], mask.points[b]) < 2) {
          look(null, "split_none");
        } else {
          look(null, "split_done");
        }
      });
      return make("div", { class: "mask-cut" }, [from, to, cut]);
    }

    function details(mask) {
      const body = make("div", { class: "mask-details" });
      if (!open.has(mask.id)) {
        return body;
      }
      const rows = mask.points.slice(0, LONGEST).map((_, index) => cornerRow(mask, index));
      const head = make("tr", {}, ["corner_number", "x_px", "y_px"].map((key) => make("th", { scope: "col", text: words(key, {}) })));
      head.appendChild(make("td", {}));
      body.appendChild(make("table", { class: "mask-corners" }, [make("thead", {}, [head]), make("tbody", {}, rows)]));
      if (mask.points.length > LONGEST) {
        body.appendChild(make("p", { text: words("more_corners", { shown: LONGEST, corners: mask.points.length }) }));
      }
      body.appendChild(cutRow(mask));
      return body;
    }

    function row(mask, index, share) {
      const name = make("input", { type: "text", maxlength: "80", value: mask.name, "aria-label": words("name", {}), "data-field": mask.id + ":name", class: "mask-name" });
      on(name, "change", function () {
        const wish = name.value.trim() || mask.name;
        const others = model.masks.filter((one) => one.id !== mask.id);
        model.change(() => (model.find(mask.id).name = G.freeName(wish, others)));
      });
      on(name, "focus", () => model.chosen === mask.id || model.choose(mask.id));
      const toggle = make("input", { type: "checkbox", checked: mask.enabled, "data-field": mask.id + ":on" });
      on(toggle, "change", () => model.change(() => (model.find(mask.id).enabled = toggle.checked)));
      const more = make("button", {
        type: "button", class: "button mask-small", text: words(open.has(mask.id) ? "less" : "corners", { corners: mask.points.length }),
        "aria-expanded": String(open.has(mask.id)), "data-field": mask.id + ":more"
      });
      on(more, "click", function () {
        if (!open.delete(mask.id)) {
          open.add(mask.id);
        }
        model.choose(mask.id);
        render();
      });
      const told = share === null || share === undefined ? "" : words("share_one", { percent: percent(share) });
      const crossing = G.crossesItself(mask.points) ? [make("p", { class: "mask-note", text: words("crosses", {}) })] : [];
      return make("li", { class: "mask-row" + (mask.id === model.chosen ? " is-chosen" : "") + (mask.enabled ? "" : " is-off") }, [
        make("div", { class: "mask-head" }, [
          button(String(index + 1), words("show", { name: mask.name }), mask.id + ":show", () => look(mask), "mask-show"),
          name,
          make("label", { class: "mask-switch" }, [toggle, make("span", { text: words(mask.enabled ? "is_on" : "is_off", {}) })])
        ]),
        make("div", { class: "mask-foot" }, [
          make("span", { class: "mask-share", text: told }),
          more,
          button(words("delete", {}), words("delete_mask", { name: mask.name }), mask.id + ":delete", () => model.remove(mask.id), "danger-quiet")
        ]),
        ...crossing,
        details(mask)
      ]);
    }

    function percent(share) {
      const value = share * 100;
      return value > 0 && value < 0.1 ? "< 0.1" : value.toFixed(1);
    }

    /* Shares come a while after a change: nothing is built anew, as somebody may be typing. */
    function showShares() {
      const each = shares();
      Array.from(place.querySelectorAll(".mask-share")).forEach(function (told, index) {
        told.textContent = each && index < each.length ? words("share_one", { percent: percent(each[index]) }) : "";
      });
    }

    /* Whoever types goes on typing in the same field. */
    function render() {
      const held = document.activeElement && place.contains(document.activeElement) ? document.activeElement.dataset.field : null;
      const each = shares();
      const rows = model.masks.map((mask, index) => row(mask, index, each ? each[index] : null));
      place.replaceChildren(...(rows.length ? rows : [make("li", { class: "mask-none", text: words("none", {}) })]));
      if (held) {
        const field = place.querySelector('[data-field="' + CSS.escape(held) + '"]');
        if (field) {
          field.focus({ preventScroll: true });
        }
      }
    }

    let choosing = false;
    model.listen(function (kind) {
      if (kind === "masks") {
        render();
      } else if (kind === "choice" && !choosing) {
        choosing = true;
        mark();
        choosing = false;
      }
    });

    /* Another mask or corner is chosen: nothing is built anew, so that a click on a button still reaches it. */
    function mark() {
      Array.from(place.children).forEach(function (item, index) {
        const mask = model.masks[index];
        item.classList.toggle("is-chosen", Boolean(mask) && mask.id === model.chosen);
        Array.from(item.querySelectorAll("tbody tr")).forEach(function (line, at) {
          line.classList.toggle("is-chosen", Boolean(mask) && mask.id === model.chosen && at === model.corner);
        });
      });
    }

    return { percent: percent, showShares: showShares };
  }

  return { create: create, make: make };
})();
