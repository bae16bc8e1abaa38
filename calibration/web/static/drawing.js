/* Drawing what is bad on a picture: brush, eraser, polygon, box; by mouse, pen and touch; two fingers zoom and move.
   Shapes are kept in pixels of the frame, counted from its corner, and go into the form's field `drawn`. */
"use strict";
(() => {
  const root = document.querySelector("[data-drawing]");
  if (!root) {
    return;
  }
  const stage = root.querySelector("[data-stage]");
  const layers = root.querySelector("[data-layers]");
  const canvas = root.querySelector("[data-canvas]");
  const bar = root.querySelector("[data-bar]");
  const tip = root.querySelector("[data-tip]");
  const status = root.querySelector("[data-status]");
  const form = root.closest("form");
  const field = form.querySelector("#drawn");
  const width = Number(root.dataset.width);
  const height = Number(root.dataset.height);
  const maxPoints = Number(root.dataset.maxPoints);
  const maxShapes = Number(root.dataset.maxShapes);
  const MAX_CANVAS = 2048;
  const MAX_ZOOM = 12;
  const CLOSE_PX = 18;
  const scale = Math.min(1, MAX_CANVAS / Math.max(width, height));
  const pen = canvas.getContext("2d");

  let shapes = [];
  let undone = [];
  let current = null; // what is being drawn
  let tool = "brush";
  let zoom = 1;
  let left = 0;
  let top = 0;
  let changed = false;
  const fingers = new Map();
  let pinch = null;

  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  try {
    shapes = JSON.parse(field.value || "[]");
  } catch (error) {
    shapes = [];
  }

  const tipWidth = () => {
    const share = Number(bar.querySelector('[data-do="size"]').value) / 100;
    return Math.max(2, share * share * 0.25 * Math.max(width, height));
  };
  const round = (value) => Math.round(value * 10) / 10;
  const pointCount = () => shapes.reduce((sum, shape) => sum + shape.points.length, current ? current.points.length : 0);

  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    const y = ((event.clientY - box.top) / box.height) * height;
    return [round(Math.min(width, Math.max(0, x))), round(Math.min(height, Math.max(0, y)))];
  };
  const screenPx = () => canvas.getBoundingClientRect().width / width;

  /* painting */
  const trace = (points, closed) => {
    pen.beginPath();
    points.forEach(([x, y], index) => (index ? pen.lineTo(x * scale, y * scale) : pen.moveTo(x * scale, y * scale)));
    if (closed) {
      pen.closePath();
    }
  };
  const corners = ([[x0, y0], [x1, y1]]) => [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  const paint = (shape) => {
    pen.globalCompositeOperation = shape.kind === "erase" ? "destination-out" : "source-over";
    pen.fillStyle = pen.strokeStyle = "rgb(204, 121, 167)";
    if (shape.kind === "brush" || shape.kind === "erase") {
      pen.lineWidth = Math.max(1, shape.width * scale);
      pen.lineCap = pen.lineJoin = "round";
      if (shape.points.length === 1) {
        pen.beginPath();
        pen.arc(shape.points[0][0] * scale, shape.points[0][1] * scale, Math.max(0.5, (shape.width / 2) * scale), 0, 2 * Math.PI);
        pen.fill();
      } else {
        trace(shape.points, false);
        pen.stroke();
      }
    } else if (shape.points.length > 1) {
      trace(shape.kind === "box" ? corners(shape.points) : shape.points, true);
      pen.fill("evenodd");
    }
    pen.globalCompositeOperation = "source-over";
  };
  const sketch = () => {
    /* a polygon that is not closed yet: its line and corners, so thick that fingers see them */
    const unit = scale / screenPx();
    trace(current.points, false);
    for (const [colour, thickness] of [["#000", 5], ["#fff", 2.5]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = thickness * unit;
      pen.stroke();
    }
    for (const [x, y] of current.points) {
      pen.beginPath();
      pen.arc(x * scale, y * scale, 6 * unit, 0, 2 * Math.PI);
      pen.fillStyle = "#fff";
      pen.fill();
      pen.lineWidth = 2 * unit;
      pen.strokeStyle = "#000";
      pen.stroke();
    }
  };
  let waiting = false;
  const redraw = () => {
    if (waiting) {
      return;
    }
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      pen.clearRect(0, 0, canvas.width, canvas.height);
      shapes.forEach(paint);
      if (current && current.kind === "polygon") {
        sketch();
      } else if (current) {
        paint(current);
      }
    });
  };

  /* state */
  const tell = () => {
    const count = shapes.length;
    const isFull = pointCount() >= maxPoints || count >= maxShapes;
    status.textContent = isFull ? root.dataset.wordFull : count ? root.dataset.wordShapes.replace("{count}", String(count)) : root.dataset.wordNone;
    button("undo").disabled = !count && !current;
    button("redo").disabled = !undone.length;
    button("clear").disabled = !count && !current;
    button("close").disabled = !(current && current.kind === "polygon" && current.points.length >= 3);
  };
  const button = (name) => bar.querySelector(`[data-do="${name}"]`);
  const keep = () => {
    field.value = JSON.stringify(shapes);
    tell();
    redraw();
  };
  const choose = () => {
    const drawn = form.querySelector('input[name="says"][value="drawn"]');
    if (drawn && shapes.length) {
      drawn.checked = true;
    }
  };
  const add = (shape) => {
    shapes.push(shape);
    undone = [];
    changed = true;
    choose();
    keep();
  };
  const finishPolygon = () => {
    if (current && current.kind === "polygon") {
      const done = current;
      current = null;
      if (done.points.length >= 3) {
        add(done);
      } else {
        keep();
      }
    }
  };
  const undo = () => {
    if (current && current.kind === "polygon") {
      current.points.pop();
      if (!current.points.length) {
        current = null;
      }
    } else if (shapes.length) {
      undone.push(shapes.pop());
      changed = true;
    }
    keep();
  };
  const redo = () => {
    if (undone.length) {
      shapes.push(undone.pop());
      changed = true;
      choose();
      keep();
    }
  };

  /* zoom */
  const show = () => {
    const box = stage.getBoundingClientRect();
    const base = stage.clientWidth;
    const tall = (base * height) / width;
    left = Math.min(0, Math.max(left, box.width - base * zoom));
    top = Math.min(0, Math.max(top, stage.clientHeight - tall * zoom));
    layers.style.transform = `translate(${left}px, ${top}px) scale(${zoom})`;
    stage.classList.toggle("zoomed", screenPx() > 2);
    root.querySelector("[data-zoom]").textContent = `${Math.round(zoom * 100)} %`;
    if (current && current.kind === "polygon") {
      redraw();
    }
  };
  const zoomTo = (wanted, x, y) => {
    const next = Math.min(MAX_ZOOM, Math.max(1, wanted));
    left = x - ((x - left) / zoom) * next;
    top = y - ((y - top) / zoom) * next;
    zoom = next;
    show();
  };
  const inStage = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left - stage.clientLeft, event.clientY - box.top - stage.clientTop];
  };
  const middle = () => [stage.clientWidth / 2, stage.clientHeight / 2];

  /* pointers */
  const spread = () => {
    const [a, b] = [...fingers.values()];
    return { distance: Math.hypot(a[0] - b[0], a[1] - b[1]), x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2 };
  };
  const down = (event) => {
    if (event.button > 0 && event.button !== 1) {
      return;
    }
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, inStage(event));
    if (fingers.size === 2) {
      if (current && current.kind !== "polygon") {
        current = null; // the first finger did not mean to draw
        redraw();
      }
      pinch = { ...spread(), zoom };
      return;
    }
    if (fingers.size > 2) {
      return;
    }
    event.preventDefault();
    if (tool === "move" || event.button === 1) {
      return;
    }
    if (pointCount() >= maxPoints || shapes.length >= maxShapes) {
      tell();
      return;
    }
    const place = placeOf(event);
    if (tool === "polygon") {
      corner(place);
    } else if (tool === "box") {
      current = { kind: "box", points: [place, place] };
    } else {
      current = { kind: tool, points: [place], width: round(tipWidth()) };
    }
    redraw();
  };
  const corner = (place) => {
    if (current && current.kind === "polygon") {
      const [x, y] = current.points[0];
      if (current.points.length >= 3 && Math.hypot(place[0] - x, place[1] - y) * screenPx() < CLOSE_PX) {
        finishPolygon();
        return;
      }
      const last = current.points[current.points.length - 1];
      if (last[0] !== place[0] || last[1] !== place[1]) {
        current.points.push(place);
      }
    } else {
      current = { kind: "polygon", points: [place] };
    }
    tell();
  };
  const move = (event) => {
    showTip(event);
    if (!fingers.has(event.pointerId)) {
      return;
    }
    const before = fingers.get(event.pointerId);
    const now = inStage(event);
    fingers.set(event.pointerId, now);
    if (fingers.size === 2 && pinch) {
      const is = spread();
      left += is.x - pinch.x;
      top += is.y - pinch.y;
      zoomTo(pinch.zoom * (is.distance / Math.max(1, pinch.distance)), is.x, is.y);
      pinch = { ...is, zoom };
      return;
    }
    if (fingers.size > 1) {
      return;
    }
    if (tool === "move" || (event.buttons & 4)) {
      left += now[0] - before[0];
      top += now[1] - before[1];
      show();
      return;
    }
    if (!current || current.kind === "polygon") {
      return;
    }
    if (current.kind === "box") {
      current.points[1] = placeOf(event);
    } else {
      const steps = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
      for (const step of steps.length ? steps : [event]) {
        const place = placeOf(step);
        const last = current.points[current.points.length - 1];
        if (Math.hypot(place[0] - last[0], place[1] - last[1]) * screenPx() >= 1.5 && pointCount() < maxPoints) {
          current.points.push(place);
        }
      }
    }
    redraw();
  };
  const up = (event) => {
    if (!fingers.delete(event.pointerId)) {
      return;
    }
    if (fingers.size < 2) {
      pinch = null;
    }
    if (current && current.kind !== "polygon") {
      const done = current;
      current = null;
      const [first, second] = done.points;
      const isDot = done.kind === "box" && (Math.abs(first[0] - second[0]) < 1 || Math.abs(first[1] - second[1]) < 1);
      if (event.type === "pointercancel" || isDot || (done.kind === "erase" && !shapes.length)) {
        redraw();
      } else {
        add(done);
      }
    }
  };
  const showTip = (event) => {
    const isTip = (tool === "brush" || tool === "erase") && event.pointerType !== "touch";
    tip.hidden = !isTip;
    if (isTip) {
      const [x, y] = inStage(event);
      const size = tipWidth() * screenPx();
      tip.style.width = tip.style.height = `${size}px`;
      tip.style.transform = `translate(${x - size / 2}px, ${y - size / 2}px)`;
    }
  };

  stage.addEventListener("pointerdown", down);
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", up);
  stage.addEventListener("pointercancel", up);
  stage.addEventListener("pointerleave", () => { tip.hidden = true; });
  stage.addEventListener("dblclick", finishPolygon);
  stage.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey || zoom > 1) {
      event.preventDefault();
      zoomTo(zoom * Math.exp(-event.deltaY * 0.002), ...inStage(event));
    }
  }, { passive: false });

  /* buttons and keys */
  const setTool = (name) => {
    finishPolygon();
    tool = name;
    for (const each of bar.querySelectorAll("[data-tool]")) {
      const isIt = each.dataset.tool === name;
      each.setAttribute("aria-checked", String(isIt));
      each.tabIndex = isIt ? 0 : -1;
    }
    stage.classList.toggle("moving", name === "move");
  };
  bar.addEventListener("click", (event) => {
    const pressed = event.target.closest("button");
    if (!pressed) {
      return;
    }
    if (pressed.dataset.tool) {
      setTool(pressed.dataset.tool);
    }
    const what = pressed.dataset.do;
    if (what === "undo") {
      undo();
    } else if (what === "redo") {
      redo();
    } else if (what === "clear") {
      undone = [...undone, ...shapes.reverse()];
      shapes = [];
      current = null;
      changed = true;
      keep();
    } else if (what === "close") {
      finishPolygon();
    } else if (what === "in") {
      zoomTo(zoom * 1.5, ...middle());
    } else if (what === "out") {
      zoomTo(zoom / 1.5, ...middle());
    } else if (what === "fit") {
      zoomTo(1, 0, 0);
    }
  });
  bar.addEventListener("keydown", (event) => {
    const tools = [...bar.querySelectorAll("[data-tool]")];
    const at = tools.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (at >= 0 && step) {
      event.preventDefault();
      const next = tools[(at + step + tools.length) % tools.length];
      setTool(next.dataset.tool);
      next.focus();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("textarea, input:not([type=range]):not([type=radio])")) {
      return;
    }
    const key = event.key.toLowerCase();
    if ((event.ctrlKey || event.metaKey) && key === "z") {
      event.preventDefault();
      if (event.shiftKey) {
        redo();
      } else {
        undo();
      }
    } else if ((event.ctrlKey || event.metaKey) && key === "y") {
      event.preventDefault();
      redo();
    } else if (key === "escape" && current) {
      current = null;
      keep();
    } else if (key === "enter" && current && current.kind === "polygon") {
      event.preventDefault();
      finishPolygon();
    }
  });
  form.addEventListener("submit", () => {
    finishPolygon();
    changed = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (changed) {
      event.preventDefault();
    }
  });
  window.addEventListener("resize", show);
  root.querySelector(".draw-frame").addEventListener("error", () => { status.textContent = root.dataset.wordLost; });

  bar.hidden = false;
  for (const each of form.querySelectorAll("[data-needs-script]")) {
    each.hidden = false;
  }
  setTool("brush");
  keep();
  show();
})();
