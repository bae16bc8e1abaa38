"use strict";
/* The masks that are being edited: what there is, what is chosen, and the way back. Knows neither the page nor the server. */
var MaskModel = (function () {
  const LONGEST_WAY_BACK = 200;
  const MAX_CORNERS = 2000;
  const MAX_MASKS = 500;

  function copy(masks) {
    return masks.map((mask) => ({
      id: mask.id,
      name: mask.name,
      enabled: mask.enabled,
      points: mask.points.map((p) => p.slice())
    }));
  }

  /* What counts as a difference: not which number a mask got on this page. */
  function content(masks) {
    return JSON.stringify(masks.map((mask) => [mask.name, mask.enabled, mask.points]));
  }

  function create(size) {
    let nextId = 1;
    let base = content([]);
    let pending = null;
    const undone = [];
    const past = [];
    const heard = [];
    const model = { size: size, masks: [], chosen: null, corner: null };

    function tell(kind) {
      heard.forEach((listener) => listener(kind));
    }

    /* Keep what is now, before it is changed; many small steps of one movement share one entry (begin .. end). */
    function remember() {
      past.push(copy(model.masks));
      if (past.length > LONGEST_WAY_BACK) {
        past.shift();
      }
      undone.length = 0;
    }

    function numbered(masks) {
      return masks.map(function (mask) {
        nextId += 1;
        return {
          id: nextId,
          name: String(mask.name),
          enabled: mask.enabled !== false,
          points: mask.points.map((p) => [Number(p[0]), Number(p[1])])
        };
      });
    }

    model.listen = function (listener) {
      heard.push(listener);
    };

    /* The masks of a saved version. keep: what was drawn stays on the way back. */
    model.load = function (masks, keep) {
      if (keep) {
        remember();
      } else {
        past.length = 0;
        undone.length = 0;
      }
      model.masks = numbered(masks);
      base = content(model.masks);
      model.choose(null);
      tell("masks");
    };

    /* What is drawn now is what was saved. */
    model.saved = function (masks) {
      base = content(masks || model.masks);
      tell("masks");
    };

    /* What is drawn now is not what is saved, whatever that is. */
    model.unsaved = function () {
      base = "";
      tell("masks");
    };

    model.isDirty = () => content(model.masks) !== base;
    model.canUndo = () => past.length > 0;
    model.canRedo = () => undone.length > 0;
    model.find = (id) => model.masks.find((mask) => mask.id === id) || null;
    model.current = () => model.find(model.chosen);
    model.plain = () => model.masks.map((mask) => ({ name: mask.name, points: mask.points, enabled: mask.enabled }));

    model.choose = function (id, corner) {
      model.chosen = id;
      model.corner = corner === undefined ? null : corner;
      tell("choice");
    };

    /* One change, one step back. */
    model.change = function (work) {
      remember();
      work(model.masks);
      tell("masks");
    };

    model.begin = function () {
      pending = copy(model.masks);
    };

    model.during = function (work) {
      work(model.masks);
      tell("moving");
    };

    /* keep false: as if nothing had been touched. */
    model.end = function (keep) {
      if (pending === null) {
        return;
      }
      const before = pending;
      pending = null;
      if (!keep) {
        model.masks = before;
      } else if (content(before) !== content(model.masks)) {
        past.push(before);
        if (past.length > LONGEST_WAY_BACK) {
          past.shift();
        }
        undone.length = 0;
      }
      tell("masks");
    };

    function step(from, to) {
      if (from.length === 0) {
        return;
      }
      model.end(false);
      to.push(copy(model.masks));
      model.masks = from.pop();
      if (!model.current()) {
        model.chosen = null;
      }
      model.corner = null;
      tell("masks");
    }

    model.undo = () => step(past, undone);
    model.redo = () => step(undone, past);

    model.add = function (points, name) {
      if (model.masks.length >= MAX_MASKS) {
        return null;
      }
      const made = numbered([{ name: MaskGeometry.freeName(name, model.masks), points: points, enabled: true }])[0];
      model.change((masks) => masks.push(made));
      model.choose(made.id);
      return made;
    };

    model.addAll = function (found) {
      const room = found.slice(0, MAX_MASKS - model.masks.length);
      model.change(function (masks) {
        room.forEach(function (one) {
          const name = MaskGeometry.freeName(one.name, masks);
          masks.push(numbered([{ name: name, points: one.points, enabled: one.enabled }])[0]);
        });
      });
      return room.length;
    };

    model.remove = function (id) {
      model.change(function (masks) {
        model.masks = masks.filter((mask) => mask.id !== id);
      });
      if (model.chosen === id) {
        model.choose(null);
      }
    };

    model.insertCorner = function (id, after, point) {
      const mask = model.find(id);
      if (!mask || mask.points.length >= MAX_CORNERS) {
        return false;
      }
      model.change(() => mask.points.splice(after + 1, 0, point));
      model.choose(id, after + 1);
      return true;
    };

    /* A mask keeps at least three corners. */
    model.removeCorner = function (id, at) {
      const mask = model.find(id);
      if (!mask || mask.points.length <= 3) {
        return false;
      }
      model.change(() => mask.points.splice(at, 1));
      model.choose(id, null);
      return true;
    };

    /* Cut a mask along the line through a and b; how many parts came of it. */
    model.split = function (id, a, b) {
      const mask = model.find(id);
      const parts = mask ? MaskGeometry.split(mask.points, a, b) : [];
      if (parts.length < 2 || model.masks.length + parts.length - 1 > MAX_MASKS) {
        return 0;
      }
      model.change(function (masks) {
        const at = masks.indexOf(mask);
        mask.points = parts[0];
        parts.slice(1).forEach(function (part, number) {
          const name = MaskGeometry.freeName(mask.name, masks);
          const made = numbered([{ name: name, points: part, enabled: mask.enabled }])[0];
          masks.splice(at + 1 + number, 0, made);
        });
      });
      return parts.length;
    };

    return model;
  }

  return { create: create, MAX_CORNERS: MAX_CORNERS };
})();
