"use strict";
// What draws: squares of units and synapses on a canvas, lanes and curves in SVG. It knows of no moment but the one it
// is given; `page.js` calls it.

const SVG = "http://www.w3.org/2000/svg";

/** An SVG element with attributes, put into `parent`. */
function svg(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

/** Where the squares of a grid lie that is `width` pixels wide: maps side by side, in as many lines as it takes. */
function layOut(maps, rows, columns, count, width) {
  const gap = maps > 1 ? 6 : 0;
  const all = maps * (columns + 1);
  const size = Math.max(4, Math.min(16, Math.floor(width / Math.min(all, Math.max(columns, 44)))));
  const across = Math.max(1, Math.min(maps, Math.floor((width + gap) / (columns * size + gap))));
  const place = (k) => {
    const map = Math.floor(k / (rows * columns)), rest = k % (rows * columns);
    return [
      (map % across) * (columns * size + gap) + (rest % columns) * size,
      Math.floor(map / across) * (rows * size + gap) + Math.floor(rest / columns) * size,
    ];
  };
  const lines = Math.ceil(maps / across);
  return {
    size, count, place, width: across * (columns * size + gap) - gap, height: lines * (rows * size + gap) - gap,
    at(x, y) {
      for (let k = 0; k < count; k++) {
        const [left, top] = place(k);
        if (x >= left && x < left + size && y >= top && y < top + size) return k;
      }
      return -1;
    },
  };
}

/** Give a canvas the size of a layout, sharp on any screen; the context to draw with. */
function prepare(canvas, layout) {
  const sharp = window.devicePixelRatio || 1;
  canvas.width = Math.round(layout.width * sharp);
  canvas.height = Math.round(layout.height * sharp);
  canvas.style.width = layout.width + "px";
  canvas.style.height = layout.height + "px";
  const context = canvas.getContext("2d");
  context.setTransform(sharp, 0, 0, sharp, 0, 0);
  return context;
}

/** All squares. `look(k)` is [value in units of full colour, colour, whether framed]. */
function drawSquares(context, layout, look, chosen = -1) {
  const side = layout.size - 1;
  context.clearRect(0, 0, layout.width, layout.height);
  for (let k = 0; k < layout.count; k++) {
    const [x, y] = layout.place(k), [value, colour, framed] = look(k);
    const strength = Math.min(1, Math.abs(value));
    context.fillStyle = "#ececec";
    context.fillRect(x, y, side, side);
    context.globalAlpha = strength;
    context.fillStyle = colour;
    context.fillRect(x, y, side, side);
    context.globalAlpha = 1;
    if (value < 0 && strength > 0.04) {
      const hole = Math.max(1, Math.round(side * 0.4)), edge = (side - hole) / 2;
      context.fillStyle = "#fff";
      context.fillRect(x + edge, y + edge, hole, hole);
    }
    if (framed || k === chosen) {
      context.strokeStyle = "#000";
      context.lineWidth = k === chosen ? 2 : 1;
      context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
    }
  }
}

/** The image: each pixel its own colour, grey where it has one channel. */
function drawImage(canvas, image, values) {
  const size = Math.max(2, Math.min(10, Math.floor(160 / Math.max(image.rows, image.columns))));
  const layout = { width: image.columns * size, height: image.rows * size };
  const context = prepare(canvas, layout);
  const level = (c, k) =>
    Math.round((255 * (values[Math.min(c, image.channels - 1) * image.rows * image.columns + k] - image.low)) /
      (image.high - image.low));
  for (let k = 0; k < image.rows * image.columns; k++) {
    const [r, g, b] = image.channels === 3 ? [0, 1, 2] : [0, 0, 0];
    context.fillStyle = `rgb(${level(r, k)},${level(g, k)},${level(b, k)})`;
    context.fillRect((k % image.columns) * size, Math.floor(k / image.columns) * size, size, size);
  }
}

/** The area under a curve from moment `first` to before `end`; heights are shares of `tall`, cut at 1. */
function area(times, heights, first, end, x, bottom, tall) {
  const points = [`${x(times[first])},${bottom}`];
  let y = bottom;
  for (let f = first; f < end; f++) {
    y = (bottom - tall * Math.min(1, heights(f))).toFixed(1);
    points.push(`${x(times[f]).toFixed(1)},${y}`);
  }
  const last = x(times[Math.min(end, times.length - 1)]).toFixed(1);
  return [...points, `${last},${y}`, `${last},${bottom}`].join(" ");
}

/** Lanes of all layers over time, with what happens; returns where a time lies, the playhead, and where lanes begin. */
function drawLanes(root, data, width) {
  const colours = data.colours, times = data.times, last = times[times.length - 1];
  const left = width < 560 ? 76 : 124, lane = 34, tall = 24, head = 16;
  const x = (ms) => left + ((width - left - 10) * ms) / last;
  const top = (layer) => head + (data.layers.length - layer) * lane; // the output is the topmost, the input layer 0
  const foot = top(0) + lane;
  root.replaceChildren();
  root.setAttribute("viewBox", `0 0 ${width} ${foot + 34}`);
  root.setAttribute("height", foot + 34);
  const label = (text, at, y, anchor = "end", weight = 400) => {
    svg("text", { x: at, y, "text-anchor": anchor, "font-weight": weight }, root).textContent = text;
  };
  const rect = (begin, end, y, height, look) =>
    svg("rect", { x: x(begin), y, width: Math.max(1, x(end) - x(begin)), height, ...look }, root);
  const polygon = (points, fill) => svg("polygon", { points, fill }, root);

  rect(0, last, top(0) + lane - tall, tall, { fill: colours.blue, opacity: 0.35 });
  label("input", left - 8, top(0) + lane - 8);
  for (const layer of data.layers) {
    const bottom = top(layer.index) + lane, mean = layer.arrays.mean;
    rect(0, last, bottom - tall, tall, { fill: "#f1f1f1" });
    const turn = layer.turn < 0 ? times.length : layer.turn;
    const largest = Math.max(...mean.slice(0, turn), 1e-30);
    const settled = Math.max(...mean.slice(Math.floor((turn + times.length) / 2)), 1e-30);
    polygon(area(times, (f) => mean[f] / largest, 0, turn, x, bottom, tall), colours.blue);
    if (turn < times.length) {
      const full = layer.output ? Math.max(...mean.slice(turn)) : 1.25 * settled;
      polygon(area(times, (f) => mean[f] / full, turn, times.length, x, bottom, tall), colours.red);
    }
    label(width < 560 ? layer.name : `${layer.index} · ${layer.name}`, left - 8, bottom - 8);
  }
  for (const gate of data.gates) {
    const above = data.layers[gate.layer - 1], lowest = Math.min(...above.sources);
    const y = top(gate.layer) + lane - tall - 3, height = top(lowest) + lane + 3 - y;
    rect(gate.begin, gate.end, y, height, {
      fill: colours.green, "fill-opacity": 0.16, stroke: colours.green, "stroke-width": 1.5,
    });
  }
  for (const step of data.steps.filter((each) => each.kind === "latch"))
    svg("rect", {
      x: x(step.ms) - 2, y: top(step.layer) + lane - tall, width: 4, height: tall + 6, fill: colours.orange,
    }, root);
  for (const violation of data.violations) {
    label("×", x(violation.ms), top(violation.layer || data.layers.length) + lane - 6, "middle", 700);
    svg("title", {}, root.lastChild).textContent = violation.text;
  }
  for (const step of data.steps) {
    if (step.kind === "consolidate") {
      const at = x(step.ms), y = top(step.layer) + lane + 4;
      polygon(`${at},${y - 6} ${at + 6},${y} ${at},${y + 6} ${at - 6},${y}`, colours.pink);
    }
    if (step.kind === "teach") {
      const at = x(step.ms);
      polygon(`${at},${head + 8} ${at - 4},${head} ${at + 4},${head}`, "#000");
      label("target", at, 12, "middle");
    }
  }
  const step = [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((ms) => x(ms) - x(0) > 46) || 10000;
  for (let ms = 0; ms <= last; ms += step) {
    svg("line", { x1: x(ms), x2: x(ms), y1: foot + 2, y2: foot + 7, stroke: "#555" }, root);
    label(ms, x(ms), foot + 19, "middle");
  }
  label("time (ms)", width - 10, foot + 32);
  const playhead = svg("line", { y1: head - 2, y2: foot + 7, stroke: "#000", "stroke-width": 1.5 }, root);
  return { x, time: (pixel) => ((pixel - left) * last) / (width - left - 10), playhead };
}

/** One unit's activity over time, blue as x and red as δ, `full` up and down; a line where we are. */
function drawCurve(root, data, layer, unit, full, from, frame, title) {
  const width = root.clientWidth || 270, height = 84, times = data.times, count = layer.drawn.length;
  const begin = times[from], x = (ms) => ((width - 2) * (ms - begin)) / (times[times.length - 1] - begin) + 1;
  const y = (value) => height - 8 - (height - 24) * (0.5 + Math.max(-0.5, Math.min(0.5, value / (2 * full))));
  root.replaceChildren();
  root.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg("line", { x1: 0, x2: width, y1: y(0), y2: y(0), stroke: "#c8c8c8" }, root);
  for (const replaced of [0, 1]) {
    const points = [];
    for (let f = from; f < times.length; f++)
      if ((layer.arrays.state[f * count + unit] & 1) === replaced)
        points.push(`${x(times[f]).toFixed(1)},${y(layer.arrays.activity[f * count + unit]).toFixed(1)}`);
    const stroke = replaced ? data.colours.red : data.colours.blue;
    svg("polyline", { points: points.join(" "), fill: "none", stroke, "stroke-width": 1.6 }, root);
  }
  const here = x(times[Math.max(frame, from)]);
  if (frame >= from) svg("line", { x1: here, x2: here, y1: 14, y2: height, stroke: "#000" }, root);
  const text = svg("text", { x: 0, y: 11, "font-size": 11.5, fill: "#1a1a1a" }, root);
  text.textContent = `${title}, ±${short(full)}`;
}

/** A number as people read it. */
function short(value) {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const plain = size >= 1e-3 && size < 1e4;
  const text = plain ? value.toPrecision(4).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "") : value.toExponential(2);
  return text.replace("-", "−");
}
