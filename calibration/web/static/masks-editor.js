"use strict";
/* The drawing area: an SVG over the reference. Mouse, touch and keys become changes of the model. */
var MaskEditor = (function () {
  const TOUCH_REACH = 22;
  const MOUSE_REACH = 12;
  const SNAP_REACH = 12;
  const STILL = 6;

  /* options: say(key, values) shows a line; named() gives the name of a new mask; used(tool), drawing(corners) and
     zoomed(magnification) are told. */
  function create(svg, model, options) {
    const G = MaskGeometry;
    const [width, height] = model.size;
    const pointers = new Map();
    let drag = null;
    let pinch = null;
    let tool = "select";
    let draft = [];
    let hover = null;
    let snapping = true;
    let touch = false;
    const view = MaskView.create(svg, model, options.zoomed, () => ({ tool: tool, draft: draft, hover: hover, touch: touch }));
    const draw = view.draw;

    /* --- what lies where --------------------------------------------------------------------------------------------- */

    /* Every hit area is 44 px wide for a finger; where several lie under it, the nearest counts, corners before middles. */
    function hit(p) {
      const reach = (touch ? TOUCH_REACH : MOUSE_REACH) * view.grain();
      const mask = model.current();
      if (mask) {
        const corner = G.nearestOf(mask.points.map((q) => G.toPx(q, model.size)), p);
        const middle = G.nearestOf(view.middles(mask), p);
        if (corner.distance <= reach) {
          if (corner.distance <= middle.distance || middle.distance > reach) {
            return { kind: "corner", id: mask.id, index: corner.index };
          }
        }
        if (middle.distance <= reach) {
          return { kind: "middle", id: mask.id, index: middle.index };
        }
      }
      const unit = [p[0] / width, p[1] / height];
      if (mask && G.contains(mask.points, unit)) {
        return { kind: "mask", id: mask.id };
      }
      const under = model.masks.filter((one) => G.contains(one.points, unit));
      if (!under.length) {
        return { kind: "ground" };
      }
      under.sort((a, b) => G.area(a.points) - G.area(b.points));
      return { kind: "other", id: under[0].id };
    }

    function rings(without) {
      const others = model.masks.filter((mask) => mask.id !== without);
      return others.map((mask) => mask.points.map((p) => G.toPx(p, model.size))).concat([G.border(model.size)]);
    }

    function snapped(p, without, free) {
      const to = snapping && !free ? G.snap(p, rings(without), SNAP_REACH * view.grain()) : p;
      return G.toUnit(to, model.size);
    }

    /* --- fingers and mouse ------------------------------------------------------------------------------------------- */

    function down(event) {
      if (event.button > 1) {
        return;
      }
      svg.focus({ preventScroll: true });
      touch = event.pointerType === "touch";
      pointers.set(event.pointerId, event);
      svg.setPointerCapture(event.pointerId);
      if (pointers.size === 2) {
        startPinch();
        return;
      }
      if (pointers.size > 2) {
        return;
      }
      const p = view.toPicture(event);
      drag = { id: event.pointerId, from: p, start: event, last: event, what: { kind: "ground" }, went: false };
      if (event.button === 1 || event.altKey) {
        drag.what = { kind: "pan" };
      } else if (tool === "select") {
        drag.what = hit(p);
        grab();
      } else if (tool === "box" || tool === "split") {
        drag.what = { kind: tool };
        draft = [snapped(p, null, event.ctrlKey || tool === "split")];
        hover = null;
      } else {
        drag.what = { kind: "corner-of-draft" };
      }
      event.preventDefault();
    }

    function grab() {
      const what = drag.what;
      if (what.kind === "corner") {
        model.choose(what.id, what.index);
      }
      if (what.kind === "corner" || what.kind === "mask" || what.kind === "middle") {
        model.begin();
        drag.points = model.find(what.id).points.map((p) => p.slice());
      }
    }

    function move(event) {
      if (!pointers.has(event.pointerId)) {
        hovering(event);
        return;
      }
      pointers.set(event.pointerId, event);
      if (pinch) {
        movePinch();
        return;
      }
      if (!drag || drag.id !== event.pointerId) {
        return;
      }
      const far = Math.hypot(event.clientX - drag.start.clientX, event.clientY - drag.start.clientY);
      if (!drag.went && far < STILL) {
        return;
      }
      drag.went = true;
      dragged(event, view.toPicture(event));
      drag.last = event;
    }

    function hovering(event) {
      if (tool !== "select" && draft.length) {
        hover = snapped(view.toPicture(event), null, event.ctrlKey);
        view.drawDraft();
      }
    }

    function dragged(event, p) {
      const what = drag.what;
      const free = event.ctrlKey;
      if (what.kind === "middle") {
        const mask = model.find(what.id);
        if (mask.points.length >= MaskModel.MAX_CORNERS) {
          return;
        }
        mask.points.splice(what.index + 1, 0, G.toUnit(p, model.size));
        drag.what = { kind: "corner", id: what.id, index: what.index + 1 };
        model.choose(what.id, what.index + 1);
      }
      if (drag.what.kind === "corner") {
        const at = snapped(p, what.id, free);
        model.during(() => model.find(what.id).points.splice(drag.what.index, 1, at));
      } else if (what.kind === "mask") {
        moveWhole(what.id, p, free);
      } else if (what.kind === "box" || what.kind === "split") {
        hover = snapped(p, null, free || what.kind === "split");
        view.drawDraft();
      } else {
        view.pan(event.clientX - drag.last.clientX, event.clientY - drag.last.clientY);
      }
    }

    function moveWhole(id, p, free) {
      const way = [p[0] - drag.from[0], p[1] - drag.from[1]];
      const ring = drag.points.map((q) => G.toPx(q, model.size)).map((q) => [q[0] + way[0], q[1] + way[1]]);
      const more = snapping && !free ? G.snapMove(ring, rings(id), SNAP_REACH * view.grain()) : [0, 0];
      const unit = [(way[0] + more[0]) / width, (way[1] + more[1]) / height];
      model.during(function () {
        model.find(id).points = G.moved(drag.points, unit);
      });
    }

    function up(event) {
      if (!pointers.delete(event.pointerId)) {
        return;
      }
      if (pinch) {
        pinch = pointers.size >= 2 ? pinch : null;
        drag = null;
        return;
      }
      if (!drag || drag.id !== event.pointerId) {
        return;
      }
      const done = drag;
      drag = null;
      if (event.type === "pointercancel") {
        model.end(false);
        draft = tool === "draw" ? draft : [];
        draw();
        return;
      }
      model.end(true);
      finish(done, event);
    }

    function finish(done, event) {
      const p = view.toPicture(event);
      if (done.what.kind === "box" || done.what.kind === "split") {
        finishTwo(done, p, event.ctrlKey);
      } else if (done.went) {
        draw();
      } else if (done.what.kind === "other") {
        model.choose(done.what.id);
      } else if (done.what.kind === "ground" && tool === "select") {
        model.choose(null);
      } else if (done.what.kind === "middle") {
        const at = view.middles(model.find(done.what.id))[done.what.index];
        model.insertCorner(done.what.id, done.what.index, G.toUnit(at, model.size));
      } else if (done.what.kind === "corner-of-draft") {
        tap(p, event.ctrlKey);
      }
    }

    function finishTwo(done, p, free) {
      const [a, b] = [draft[0], done.went ? snapped(p, null, free || done.what.kind === "split") : null];
      draft = [];
      hover = null;
      if (!b) {
        draw();
        return;
      }
      if (done.what.kind === "box") {
        const made = view.corners(a, b);
        if (Math.abs(a[0] - b[0]) * width >= 1 && Math.abs(a[1] - b[1]) * height >= 1) {
          model.add(made, options.named());
        }
      } else {
        cut(a, b);
      }
      use("select");
    }

    function cut(a, b) {
      const parts = model.chosen === null ? 0 : model.split(model.chosen, a, b);
      options.say(parts > 1 ? "split_done" : "split_none", { parts: parts });
    }

    function tap(p, free) {
      const reach = (touch ? TOUCH_REACH : MOUSE_REACH) * view.grain();
      if (draft.length > 2 && G.distance(G.toPx(draft[0], model.size), p) <= reach) {
        close();
        return;
      }
      const at = snapped(p, null, free);
      const last = draft[draft.length - 1];
      if (last && G.distance(G.toPx(last, model.size), G.toPx(at, model.size)) < 0.5) {
        return;
      }
      if (draft.length < MaskModel.MAX_CORNERS) {
        draft.push(at);
      }
      hover = null;
      draw();
      options.drawing(draft.length);
    }

    /* The outline that is being drawn becomes a mask. */
    function close() {
      if (draft.length > 2 && G.area(draft) * width * height >= 1) {
        model.add(draft, options.named());
      }
      use("select");
    }

    function startPinch() {
      model.end(false);
      drag = null;
      if (tool === "box" || tool === "split") {
        draft = [];
      }
      const [a, b] = Array.from(pointers.values());
      pinch = { far: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY), at: centre(a, b) };
    }

    function centre(a, b) {
      return { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
    }

    function movePinch() {
      const [a, b] = Array.from(pointers.values());
      const far = Math.max(10, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY));
      const at = centre(a, b);
      view.pan(at.clientX - pinch.at.clientX, at.clientY - pinch.at.clientY);
      view.zoom(far / Math.max(10, pinch.far), at);
      pinch = { far: far, at: at };
    }

    function wheel(event) {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 20 : 1;
      view.zoom(Math.exp(-Math.max(-200, Math.min(200, event.deltaY * lines)) / 400), event);
    }

    /* --- tools ------------------------------------------------------------------------------------------------------- */

    function use(name) {
      tool = name;
      draft = [];
      hover = null;
      svg.setAttribute("data-tool", name);
      draw();
      options.used(name);
      options.drawing(0);
    }

    /* One step of the keys: the chosen corner, else the whole mask; in pixels of the picture. */
    function nudge(dx, dy) {
      const mask = model.current();
      if (!mask) {
        return false;
      }
      const way = [dx / width, dy / height];
      if (model.corner === null) {
        model.change(() => (mask.points = G.moved(mask.points, way)));
      } else {
        const p = mask.points[model.corner];
        model.change(() => mask.points.splice(model.corner, 1, [G.clamp(p[0] + way[0]), G.clamp(p[1] + way[1])]));
      }
      return true;
    }

    /* A rectangle in the middle of what is seen, for those who do not draw. */
    function addInMiddle() {
      const { at, half } = view.middle();
      const a = G.toUnit([at[0] - half[0] / 4, at[1] - half[1] / 4], model.size);
      const b = G.toUnit([at[0] + half[0] / 4, at[1] + half[1] / 4], model.size);
      return model.add(view.corners(a, b), options.named());
    }

    svg.addEventListener("pointerdown", down);
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerup", up);
    svg.addEventListener("pointercancel", up);
    svg.addEventListener("wheel", wheel, { passive: false });
    svg.addEventListener("dblclick", function (event) {
      event.preventDefault();
      if (tool === "draw" && draft.length > 2) {
        close();
      }
    });
    model.listen(draw);

    return {
      addInMiddle: addInMiddle, close: close, nudge: nudge, use: use, view: view,
      tool: () => tool,
      drawn: () => draft.length,
      takeBack: function () {
        draft.pop();
        draw();
        options.drawing(draft.length);
      },
      snap: function (on) {
        snapping = on;
      }
    };
  }

  return { create: create };
})();
