"use strict";
/* Geometry of masks. Points are [x, y] in 0..1 of the reference's width and height; sizes are [width, height] in pixels.
   Pure: nothing here knows of the page. tests/web/masks holds it against numpy and OpenCV. */
var MaskGeometry = (function () {
  const TINY = 1e-9;

  function clamp(value) {
    return Math.min(1, Math.max(0, value));
  }

  function toPx(point, size) {
    return [point[0] * size[0], point[1] * size[1]];
  }

  function toUnit(point, size) {
    return [clamp(point[0] / size[0]), clamp(point[1] / size[1])];
  }

  /* Twice the signed area of a ring. */
  function twiceArea(points) {
    let sum = 0;
    for (let i = 0; i < points.length; i += 1) {
      const a = points[i];
      const b = points[(i + 1) % points.length];
      sum += a[0] * b[1] - b[0] * a[1];
    }
    return sum;
  }

  function area(points) {
    return Math.abs(twiceArea(points)) / 2;
  }

  /* Even-odd, as the station fills a mask. */
  function contains(points, point) {
    let inside = false;
    for (let i = 0, j = points.length - 1; i < points.length; j = i, i += 1) {
      const [x0, y0] = points[i];
      const [x1, y1] = points[j];
      if ((y0 > point[1]) !== (y1 > point[1]) && point[0] < ((x1 - x0) * (point[1] - y0)) / (y1 - y0) + x0) {
        inside = !inside;
      }
    }
    return inside;
  }

  function distance(a, b) {
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  }

  /* The point of the segment a-b that is nearest to p. */
  function nearestOn(a, b, p) {
    const way = [b[0] - a[0], b[1] - a[1]];
    const length = way[0] * way[0] + way[1] * way[1];
    if (length === 0) {
      return a.slice();
    }
    const share = clamp(((p[0] - a[0]) * way[0] + (p[1] - a[1]) * way[1]) / length);
    return [a[0] + share * way[0], a[1] + share * way[1]];
  }

  function nearestOf(points, p) {
    let best = { at: null, distance: Infinity, index: -1 };
    points.forEach(function (point, index) {
      const far = distance(point, p);
      if (far < best.distance) {
        best = { at: point, distance: far, index: index };
      }
    });
    return best;
  }

  /* The edge of a ring that is nearest to p: index of its first corner. */
  function nearestEdge(ring, p) {
    let best = { at: null, distance: Infinity, index: -1 };
    for (let i = 0; i < ring.length; i += 1) {
      const at = nearestOn(ring[i], ring[(i + 1) % ring.length], p);
      const far = distance(at, p);
      if (far < best.distance) {
        best = { at: at, distance: far, index: i };
      }
    }
    return best;
  }

  function border(size) {
    return [[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]];
  }

  /* Where p (pixels) goes when it is drawn to corners and edges of rings (pixels) within reach. Corners win over edges.
     What was snapped stays where it is: an edge may lead on to a corner, and nothing leads away from a corner. */
  function snap(p, rings, reach) {
    const corners = [].concat.apply([], rings);
    const corner = nearestOf(corners, p);
    if (corner.distance <= reach) {
      return corner.at.slice();
    }
    let edge = { at: null, distance: Infinity };
    rings.forEach(function (ring) {
      const found = nearestEdge(ring, p);
      if (found.distance < edge.distance) {
        edge = found;
      }
    });
    if (edge.distance > reach) {
      return p.slice();
    }
    if (edge.distance < TINY) {
      return p.slice();
    }
    const next = nearestOf(corners, edge.at);
    return next.distance <= reach ? next.at.slice() : edge.at.slice();
  }

  /* How far a whole ring (pixels) moves so that one of its corners snaps: the shortest way, [0, 0] where none does. */
  function snapMove(ring, rings, reach) {
    let best = [0, 0];
    let shortest = Infinity;
    ring.forEach(function (p) {
      const to = snap(p, rings, reach);
      const far = distance(p, to);
      if (far > 0 && far < shortest) {
        shortest = far;
        best = [to[0] - p[0], to[1] - p[1]];
      }
    });
    return best;
  }

  /* A ring moved by a way, as far as it stays inside of the picture (unit coordinates). */
  function moved(points, way) {
    const xs = points.map((p) => p[0]);
    const ys = points.map((p) => p[1]);
    const dx = Math.min(1 - Math.max.apply(null, xs), Math.max(-Math.min.apply(null, xs), way[0]));
    const dy = Math.min(1 - Math.max.apply(null, ys), Math.max(-Math.min.apply(null, ys), way[1]));
    return points.map((p) => [clamp(p[0] + dx), clamp(p[1] + dy)]);
  }

  /* A ring without corners that lie on the one before. */
  function tidy(points) {
    const kept = points.filter((p, i) => distance(p, points[(i + points.length - 1) % points.length]) > TINY);
    return kept;
  }

  /* The parts of a ring on both sides of the line through a and b; [points] where the line does not cut it. A corner on the
     line counts as right of it, so that crossings always come in pairs. Their areas add up to the ring's. */
  function split(points, a, b) {
    const way = [b[0] - a[0], b[1] - a[1]];
    const length = Math.hypot(way[0], way[1]);
    if (length < TINY) {
      return [points];
    }
    const side = (p) => way[0] * (p[1] - a[1]) - way[1] * (p[0] - a[0]) >= 0;
    const along = (p) => (p[0] - a[0]) * way[0] + (p[1] - a[1]) * way[1];
    const ring = [];
    points.forEach(function (p, i) {
      const q = points[(i + 1) % points.length];
      ring.push({ at: p, right: side(p), partner: -1 });
      if (side(p) !== side(q)) {
        const fp = way[0] * (p[1] - a[1]) - way[1] * (p[0] - a[0]);
        const fq = way[0] * (q[1] - a[1]) - way[1] * (q[0] - a[0]);
        const t = fp / (fp - fq);
        ring.push({ at: [p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])], cut: true, partner: -1 });
      }
    });
    const cuts = ring.map((_, i) => i).filter((i) => ring[i].cut);
    if (cuts.length < 2) {
      return [points];
    }
    cuts.sort((i, j) => along(ring[i].at) - along(ring[j].at));
    for (let k = 0; k + 1 < cuts.length; k += 2) {
      ring[cuts[k]].partner = cuts[k + 1];
      ring[cuts[k + 1]].partner = cuts[k];
    }
    return follow(ring).map(tidy).filter((part) => part.length > 2 && area(part) > TINY * TINY);
  }

  /* Rings of what lies between crossings: at a crossing go over to its partner. */
  function follow(ring) {
    const done = new Set();
    const parts = [];
    for (let start = 0; start < ring.length; start += 1) {
      if (ring[start].cut || done.has(start)) {
        continue;
      }
      const part = [];
      let i = start;
      while (!done.has(i)) {
        if (ring[i].cut) {
          part.push(ring[i].at);
          i = ring[i].partner;
          part.push(ring[i].at);
        } else {
          done.add(i);
          part.push(ring[i].at);
        }
        i = (i + 1) % ring.length;
      }
      parts.push(part);
    }
    return parts;
  }

  function turn(a, b, c) {
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  }

  /* True if two edges of the outline cross. Not asked of outlines with very many corners. */
  function crossesItself(points) {
    const n = points.length;
    if (n > 400) {
      return false;
    }
    for (let i = 0; i < n; i += 1) {
      for (let j = i + 2; j < n; j += 1) {
        if (i === 0 && j === n - 1) {
          continue;
        }
        const [a, b, c, d] = [points[i], points[i + 1], points[j], points[(j + 1) % n]];
        if (turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0) {
          return true;
        }
      }
    }
    return false;
  }

  /* The share of the picture under all enabled masks, counted on a small grid of pixel centres: near, and at once. */
  function quickShare(masks, size) {
    const scale = 160 / Math.max(size[0], size[1]);
    const width = Math.max(1, Math.round(size[0] * scale));
    const height = Math.max(1, Math.round(size[1] * scale));
    const taken = new Uint8Array(width * height);
    masks.filter((mask) => mask.enabled).forEach(function (mask) {
      fillRows(mask.points, width, height, function (at) {
        taken[at] = 1;
      });
    });
    let count = 0;
    for (let i = 0; i < taken.length; i += 1) {
      count += taken[i];
    }
    return count / taken.length;
  }

  function fillRows(points, width, height, mark) {
    for (let row = 0; row < height; row += 1) {
      const y = (row + 0.5) / height;
      const crossings = [];
      points.forEach(function (p, i) {
        const q = points[(i + 1) % points.length];
        if ((p[1] > y) !== (q[1] > y)) {
          crossings.push(p[0] + ((y - p[1]) * (q[0] - p[0])) / (q[1] - p[1]));
        }
      });
      crossings.sort((a, b) => a - b);
      for (let k = 0; k + 1 < crossings.length; k += 2) {
        const from = Math.max(0, Math.ceil(crossings[k] * width - 0.5));
        const to = Math.min(width - 1, Math.ceil(crossings[k + 1] * width - 0.5) - 1);
        for (let x = from; x <= to; x += 1) {
          mark(row * width + x);
        }
      }
    }
  }

  /* A name that no mask has: the wish, else the wish with a number. */
  function freeName(wish, masks) {
    const taken = new Set(masks.map((mask) => mask.name));
    let name = wish.slice(0, 80);
    for (let count = 2; taken.has(name); count += 1) {
      name = wish.slice(0, 74) + " " + count;
    }
    return name;
  }

  return {
    area: area, border: border, clamp: clamp, contains: contains, crossesItself: crossesItself, distance: distance,
    freeName: freeName, moved: moved, nearestEdge: nearestEdge, nearestOf: nearestOf, quickShare: quickShare, snap: snap,
    snapMove: snapMove, split: split, toPx: toPx, toUnit: toUnit
  };
})();
