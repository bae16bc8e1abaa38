"use strict";
/* What is seen of the reference and how masks are drawn on it: zoom, pan, layers. Changes nothing of the masks. */
var MaskView = (function () {
  const NS = "http://www.w3.org/2000/svg";
  const MAX_ZOOM = 40;
  const MOST_MIDDLES = 100;

  function make(name, attributes, parent) {
    const element = document.createElementNS(NS, name);
    Object.keys(attributes).forEach((key) => element.setAttribute(key, attributes[key]));
    parent.appendChild(element);
    return element;
  }

  /* svg: with its empty layers. zoomed: told the magnification. now: gives {tool, draft, hover, touch} of the editor. */
  function create(svg, model, zoomed, now) {
    const G = MaskGeometry;
    const [width, height] = model.size;
    const layers = {};
    ["masks", "marks", "draft", "handles"].forEach(function (name) {
      layers[name] = svg.querySelector("[data-layer=" + name + "]");
    });
    let view = { x: 0, y: 0, scale: 1 };

    function box() {
      return svg.getBoundingClientRect();
    }

    /* Picture pixels per screen pixel. */
    function grain() {
      const area = box();
      const fit = Math.max(width / Math.max(area.width, 1), height / Math.max(area.height, 1));
      return fit / view.scale;
    }

    function show() {
      const area = box();
      const g = grain();
      const [wide, high] = [area.width * g, area.height * g];
      view.x = wide >= width ? (width - wide) / 2 : Math.min(Math.max(view.x, 0), width - wide);
      view.y = high >= height ? (height - high) / 2 : Math.min(Math.max(view.y, 0), height - high);
      svg.setAttribute("viewBox", [view.x, view.y, Math.max(wide, 1), Math.max(high, 1)].join(" "));
      svg.classList.toggle("is-close", g < 0.25);
      draw();
      zoomed(view.scale);
    }

    function toPicture(event) {
      const area = box();
      const g = grain();
      return [view.x + (event.clientX - area.left) * g, view.y + (event.clientY - area.top) * g];
    }

    function zoom(factor, at) {
      const area = box();
      const before = grain();
      const spot = at || { clientX: area.left + area.width / 2, clientY: area.top + area.height / 2 };
      const fixed = toPicture(spot);
      view.scale = Math.min(MAX_ZOOM, Math.max(1, view.scale * factor));
      const after = grain();
      if (after !== before) {
        view.x = fixed[0] - (spot.clientX - area.left) * after;
        view.y = fixed[1] - (spot.clientY - area.top) * after;
      }
      show();
    }

    function fit() {
      view = { x: 0, y: 0, scale: 1 };
      show();
    }

    /* Bring a mask, or a box of unit coordinates, into sight. */
    function look(points) {
      const px = points.map((p) => G.toPx(p, model.size));
      const xs = px.map((p) => p[0]);
      const ys = px.map((p) => p[1]);
      const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      const area = box();
      view.scale = 1;
      const whole = grain();
      const part = Math.max((x1 - x0) / area.width, (y1 - y0) / area.height, 1 / MAX_ZOOM) * 2.5;
      view.scale = Math.min(MAX_ZOOM / 4, Math.max(1, whole / part));
      const g = grain();
      view.x = (x0 + x1) / 2 - (area.width * g) / 2;
      view.y = (y0 + y1) / 2 - (area.height * g) / 2;
      show();
    }

    /* --- drawing ----------------------------------------------------------------------------------------------------- */

    function path(points) {
      return points.map((p) => G.toPx(p, model.size).join(",")).join(" ");
    }

    function draw() {
      const g = grain();
      layers.masks.replaceChildren();
      model.masks.forEach(function (mask, index) {
        const chosen = mask.id === model.chosen;
        const names = ["mask", mask.enabled ? "is-on" : "is-off", chosen ? "is-chosen" : ""].join(" ").trim();
        make("polygon", { points: path(mask.points), class: names, "data-mask": index }, layers.masks);
      });
      drawHandles(g);
      drawDraft(g);
    }

    function drawHandles(g) {
      layers.handles.replaceChildren();
      const mask = model.current();
      if (!mask || now().tool !== "select") {
        return;
      }
      const size = (now().touch ? 9 : 7) * g;
      middles(mask).forEach(function (p) {
        const half = 3.5 * g;
        const way = "M" + (p[0] - half) + " " + p[1] + "h" + 2 * half + "M" + p[0] + " " + (p[1] - half) + "v" + 2 * half;
        make("circle", { cx: p[0], cy: p[1], r: size * 0.8, class: "middle" }, layers.handles);
        make("path", { d: way, class: "plus" }, layers.handles);
      });
      mask.points.forEach(function (point, index) {
        const p = G.toPx(point, model.size);
        const is = index === model.corner ? "corner is-chosen" : "corner";
        make("circle", { cx: p[0], cy: p[1], r: size, class: is, "data-corner": index }, layers.handles);
      });
    }

    function drawDraft(g) {
      const { tool, draft, hover } = now();
      layers.draft.replaceChildren();
      const points = draft.concat(hover && draft.length ? [hover] : []);
      if (tool === "split" && points.length === 2) {
        const way = [points[1][0] - points[0][0], points[1][1] - points[0][1]];
        const far = 4 / Math.max(Math.hypot(way[0], way[1]), 1e-6);
        const line = [-far, far].map((t) => [points[0][0] + t * way[0], points[0][1] + t * way[1]]);
        make("polyline", { points: path(line), class: "draft" }, layers.draft);
      } else if (tool === "box" && points.length === 2) {
        make("polygon", { points: path(corners(points[0], points[1])), class: "draft" }, layers.draft);
      } else if (points.length) {
        make("polyline", { points: path(points), class: "draft" }, layers.draft);
      }
      draft.forEach(function (point, index) {
        const p = G.toPx(point, model.size);
        const is = index === 0 && draft.length > 2 ? "corner is-chosen" : "corner";
        make("circle", { cx: p[0], cy: p[1], r: (now().touch ? 9 : 7) * g, class: is }, layers.draft);
      });
    }

    function corners(a, b) {
      return [[a[0], a[1]], [b[0], a[1]], [b[0], b[1]], [a[0], b[1]]];
    }

    /* Where corners can be put in: not shown on outlines with very many corners. */
    function middles(mask) {
      if (mask.points.length > MOST_MIDDLES) {
        return [];
      }
      const px = mask.points.map((p) => G.toPx(p, model.size));
      return px.map(function (p, i) {
        const q = px[(i + 1) % px.length];
        return [(p[0] + q[0]) / 2, (p[1] + q[1]) / 2];
      });
    }

    function pan(dx, dy) {
      const g = grain();
      view.x -= dx * g;
      view.y -= dy * g;
      show();
    }

    /* The middle of what is seen, and its half sizes within the picture. */
    function middle() {
      const area = box();
      const g = grain();
      const half = [Math.min(area.width * g, width) / 2, Math.min(area.height * g, height) / 2];
      return { at: [view.x + (area.width * g) / 2, view.y + (area.height * g) / 2], half: half };
    }

    function marks(boxes) {
      layers.marks.replaceChildren();
      boxes.forEach(function (b) {
        const at = { x: b[0] * width, y: b[1] * height, width: b[2] * width, height: b[3] * height, class: "mark" };
        make("rect", at, layers.marks);
      });
    }

    new ResizeObserver(show).observe(svg);

    return {
      corners: corners, draw: draw, drawDraft: () => drawDraft(grain()), fit: fit, grain: grain, look: look, marks: marks,
      middle: middle, middles: middles, pan: pan, toPicture: toPicture, zoom: zoom
    };
  }

  return { create: create };
})();
