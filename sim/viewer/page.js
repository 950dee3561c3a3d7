// The page: which moment is shown, and what everything says about it. Nothing is computed that was not recorded; a
// moment stands for the time until the next.

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const [REPLACED, UPPER, LOWER] = [1, 2, 4];
const page = { moment: 0, layer: data.layers.length, unit: 0, playing: false, lanes: null };

/** Numbers from base64 text of little-endian bytes. */
function numbers(text, Kind) {
  return new Kind(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
}

/** The last entry of ascending `list` that is not above `value`; -1 where all are. */
function lastUpTo(list, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

const momentAt = (ms) => Math.max(0, lastUpTo(data.times, ms + 1e-6));

function unpack() {
  for (const layer of data.layers) {
    layer.arrays = { state: numbers(layer.state, Uint8Array), shut: numbers(layer.shut, Int32Array) };
    for (const name of ["potential", "activity", "mean", "h", "x", "delta"])
      layer.arrays[name] = layer[name] ? numbers(layer[name], Float32Array) : new Float32Array(0);
    layer.arrays.control = layer.output ? numbers(layer.control, Int8Array) : null;
    const count = layer.drawn.length;
    layer.turn = data.times.findIndex((_, f) => layer.arrays.state.subarray(f * count, (f + 1) * count).some((s) => s & REPLACED));
  }
  for (const synapses of data.synapses) {
    for (const name of ["dW", "dR"]) synapses[name] = synapses[name] ? numbers(synapses[name], Float32Array) : null;
    for (const version of synapses.versions)
      for (const name of ["W", "R"]) version[name] = version[name] ? numbers(version[name], Float32Array) : null;
    synapses.largest = synapses.dW ? synapses.dW.reduce((most, each) => Math.max(most, Math.abs(each)), 1e-30) : 1;
  }
  // A gate is two steps of one firing.
  data.gates = data.steps.filter((step) => step.kind === "gate").map((step) => {
    const end = data.steps.find((other) => other.kind === "close" && other.firing === step.firing);
    return { layer: step.layer, begin: step.ms, end: end.ms };
  });
  data.events = [...new Set(data.steps.map((step) => momentAt(step.ms)))].sort((a, b) => a - b);
}

const nodeOf = (layer) => data.layers[layer - 1];

/** The unit with this number among all of a node, in words. */
function unitName(name, shape, number) {
  if (shape.length === 1 || shape[1] * shape[2] === 1) return `${name} unit ${number}`;
  const [, rows, columns] = shape, rest = number % (rows * columns);
  return `${name} map ${Math.floor(number / (rows * columns))}, row ${Math.floor(rest / columns)}, column ${rest % columns}`;
}

function nameOf(layer, k) {
  const number = layer.drawn[k];
  return layer.output ? `${layer.name} unit ${number}, class ${data.classNames[number]}` : unitName(layer.name, layer.shape, number);
}

/** What a unit has now: rows of a table. */
function valuesOf(layer, k, moment) {
  const at = moment * layer.drawn.length + k, { state, activity, potential, control, h, x, delta } = layer.arrays;
  const replaced = state[at] & REPLACED;
  const rows = [
    ["h (input, settled)", short(h[k])],
    [layer.output ? "h now" : "membrane now", short(potential[at])],
    [replaced ? "x (before δ)" : "x now", short(replaced ? x[k] : activity[at])],
    ["δ now", replaced ? short(activity[at]) : "–"],
    ["δ that the gate reads", short(delta[k])],
  ];
  if (layer.output) rows.push(["s", layer.drawn[k] === data.label ? "1" : "−1"], ["tc now", short(control[at])]);
  else rows.push(["u", state[at] & UPPER ? "1" : "0"], ["v", state[at] & LOWER ? "−1" : "0"]);
  return rows;
}

/** The version of a layer's synapses at a moment. */
function versionOf(synapses, moment) {
  return synapses.versions[lastUpTo(synapses.versions.map((v) => v.moment), moment)];
}

const hasChanged = (synapses, moment) => {
  const step = data.steps.find((s) => s.kind === "consolidate" && s.layer === synapses.index);
  return Boolean(step) && momentAt(step.ms) <= moment;
};

function synapseWords(layer, synapses, k, moment) {
  const row = synapses.rows[Math.floor(k / synapses.columns.length)], column = synapses.columns[k % synapses.columns.length];
  const shape = synapses.shape, full = shape.length === 2, kernel = shape.slice(-2);
  const from = full
    ? unitName(synapses.source, synapses.sourceShape, column)
    : `${synapses.source} map ${Math.floor(column / (kernel[0] * kernel[1]))}, window row ${Math.floor(column / kernel[1]) % kernel[0]}, column ${column % kernel[1]}`;
  const to = full ? unitName(layer.name, layer.shape, row) : shape.length === 6 ? unitName(layer.name, layer.shape, row) : `${layer.name} map ${row}`;
  const version = versionOf(synapses, moment);
  const lines = [`from ${from}`, `to ${to}`, `W/${synapses.index} now ${short(version.W[k])}`];
  if (version.R) lines.push(`R/${synapses.index} now ${short(version.R[k])}`);
  const state = version.tagged ? "tag" : hasChanged(synapses, moment) ? "has changed by" : "";
  if (state && synapses.dW) lines.push(`W ${state} ${short(synapses.dW[k])}`);
  if (state && synapses.dR && version.R) lines.push(`R ${state} ${short(synapses.dR[k])}`);
  return lines.join("\n");
}

/** One section a layer, the output on top, the image at the bottom. */
function build() {
  for (const layer of [...data.layers].reverse()) {
    const section = document.createElement("section");
    section.className = "layer";
    section.id = `layer-${layer.index}`;
    section.innerHTML = `<header><h2></h2><small></small><span class="chip mode"></span><span class="chip hebb"></span>
      <span class="chip off"></span><span class="chip changes"></span></header>
      <div class="pair"><div class="units"><h3></h3><canvas role="img"></canvas></div>
      <div class="synapses"><h3></h3><canvas role="img"></canvas></div></div>`;
    const find = (selector) => section.querySelector(selector);
    find("h2").textContent = `Layer ${layer.index}: ${layer.name}`;
    find("small").textContent = layer.shape.length > 1 ? `${layer.layer}: ${layer.shape.join(" × ")}` : layer.layer;
    layer.parts = {
      mode: find(".mode"), hebb: find(".hebb"), off: find(".off"), changes: find(".changes"),
      units: find(".units"), canvas: find(".units canvas"), unitsTitle: find(".units h3"),
      synapses: find(".synapses"), synapseCanvas: find(".synapses canvas"), synapsesTitle: find(".synapses h3"),
    };
    watchPointer(layer);
    element("layers").append(section);
    element("unit-layer").append(new Option(`${layer.index}: ${layer.name}`, layer.index));
  }
  const section = document.createElement("section");
  section.className = "layer";
  section.innerHTML = `<header><h2>Input</h2><small></small></header><canvas role="img"></canvas>`;
  section.querySelector("small").textContent = `${data.image.shape.join(" × ")}, there all the time`;
  section.querySelector("canvas").setAttribute("aria-label", `the image, class ${data.classNames[data.label]}`);
  drawImage(section.querySelector("canvas"), data.image, numbers(data.image.values, Float32Array));
  element("layers").append(section);
}

/** Point at a unit or synapse for its values; click a unit to keep it. */
function watchPointer(layer) {
  const tip = element("tip"), synapses = data.synapses[layer.index - 1];
  const listen = (canvas, layout, words, click) => {
    canvas.addEventListener("pointermove", (event) => {
      const k = layout().at(event.offsetX, event.offsetY);
      tip.hidden = k < 0;
      if (k < 0) return;
      tip.textContent = words(k);
      const width = document.documentElement.clientWidth;
      tip.style.left = Math.max(8, Math.min(event.clientX + 14, width - tip.offsetWidth - 8)) + "px";
      tip.style.top = Math.max(8, event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18) + "px";
    });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("click", (event) => {
      const k = layout().at(event.offsetX, event.offsetY);
      if (click && k >= 0) choose(layer.index, k);
    });
  };
  const unitWords = (k) => [nameOf(layer, k), ...valuesOf(layer, k, page.moment).map((row) => row.join(" "))].join("\n");
  listen(layer.parts.canvas, () => layer.layout, unitWords, true);
  listen(layer.parts.synapseCanvas, () => synapses.layout, (k) => synapseWords(layer, synapses, k, page.moment), false);
}

/** Lay everything out for the width there is. */
function resize() {
  const room = element("layers").clientWidth;
  for (const layer of data.layers) {
    const synapses = data.synapses[layer.index - 1];
    const wide = room > 560;
    layer.layout = layOut(layer.maps, layer.rows, layer.columns, layer.drawn.length, wide ? room * 0.58 : room);
    layer.context = prepare(layer.parts.canvas, layer.layout);
    synapses.layout = layOut(1, synapses.rows.length, synapses.columns.length, synapses.rows.length * synapses.columns.length, Math.min(260, wide ? room * 0.36 : room));
    synapses.context = prepare(layer.parts.synapseCanvas, synapses.layout);
  }
  page.lanes = drawLanes(element("lanes"), data, element("lanes").clientWidth);
  show(page.moment);
}

function chip(part, text, look) {
  part.textContent = text;
  part.className = part.className.split(" ").slice(0, 2).join(" ") + (look ? ` ${look}` : "");
}

/** The |δ| of full colour: the largest of the layer; at the output the level at which a unit stays that is not silenced. */
function fullDelta(layer, k) {
  if (layer.output) return layer.drawn[k] === data.label ? 1 : data.mu || 1;
  return Math.max(layer.largestDelta, 1e-30);
}

function showLayer(layer, moment) {
  const { parts, arrays, layout } = layer, count = layer.drawn.length, from = moment * count, ms = data.times[moment];
  const replaced = layer.turn >= 0 && moment >= layer.turn;
  const open = data.gates.some((gate) => gate.layer === layer.index && gate.begin <= ms + 1e-6 && ms < gate.end - 1e-6);
  chip(parts.mode, replaced ? "δ" : "x", replaced ? "delta" : "x");
  chip(parts.hebb, open ? "gate open" : "gate closed", open ? "gate" : "");
  const shut = arrays.shut[moment], all = layer.shape.reduce((a, b) => a * b);
  if (layer.output) chip(parts.off, moment >= layer.turn && layer.turn >= 0 ? "taught by s, tc" : "not taught yet", "");
  else chip(parts.off, shut ? `u, v shut off ${shut}` : "u, v at 0", shut ? "shut" : "");
  drawSquares(layer.context, layout, (k) => {
    const unit = arrays.state[from + k];
    const full = unit & REPLACED ? fullDelta(layer, k) : layer.largestX;
    return [arrays.activity[from + k] / full, unit & REPLACED ? data.colours.red : data.colours.blue, unit & (UPPER | LOWER)];
  }, page.layer === layer.index ? page.unit : -1);
  const drawn = count < all ? `${count} of ${all} units` : `${all} units`;
  const delta = layer.output ? `1 of the class, ${short(data.mu)} of others` : short(layer.largestDelta);
  parts.unitsTitle.textContent = `${drawn}; full colour: |x| ${short(layer.largestX)}, |δ| ${delta}`;
  parts.canvas.setAttribute("aria-label", `layer ${layer.index}, ${drawn}, ${replaced ? "δ" : "x"}, mean absolute activity ${short(arrays.mean[moment])}`);
  showSynapses(layer, data.synapses[layer.index - 1], moment);
}

function showSynapses(layer, synapses, moment) {
  const version = versionOf(synapses, moment), changed = hasChanged(synapses, moment);
  const words = version.tagged ? "W tagged" : changed ? "W changed" : "W as before";
  chip(layer.parts.changes, words, version.tagged || changed ? "tag" : "");
  const colour = version.tagged ? data.colours.green : data.colours.pink;
  const seen = (version.tagged || changed) && synapses.dW;
  drawSquares(synapses.context, synapses.layout, (k) => [seen ? synapses.dW[k] / synapses.largest : 0, colour, false]);
  const size = `${synapses.rows.length} × ${synapses.columns.length}`;
  layer.parts.synapsesTitle.textContent = `ΔW/${synapses.index}, ${size}; full colour: ${short(synapses.largest)}`;
  layer.parts.synapseCanvas.setAttribute("aria-label", `synapses to layer ${synapses.index}: ${words}`);
}

function showUnit() {
  const layer = nodeOf(page.layer), k = page.unit;
  element("unit-name").textContent = nameOf(layer, k);
  element("unit-layer").value = page.layer;
  if (document.activeElement !== element("unit-number")) element("unit-number").value = layer.drawn[k];
  element("unit-values").replaceChildren(...valuesOf(layer, k, page.moment).map(([name, value]) => {
    const row = document.createElement("tr"), head = document.createElement("th"), cell = document.createElement("td");
    head.scope = "row";
    head.textContent = name;
    cell.textContent = value;
    row.append(head, cell);
    return row;
  }));
  const count = layer.drawn.length, own = layer.arrays.activity.filter((_, at) => at % count === k);
  const largest = own.reduce((most, each) => Math.max(most, Math.abs(each)), layer.output ? 1 : layer.largestX);
  drawCurve(element("unit-whole"), data, layer, k, largest, 0, page.moment, "activity: x, then δ");
  const delta = element("unit-delta");
  delta.style.display = layer.turn < 0 ? "none" : "block";
  if (layer.turn >= 0) drawCurve(delta, data, layer, k, 1.5 * fullDelta(layer, k), layer.turn, page.moment, layer.output ? "from the target on" : "δ, enlarged, cut");
}

/** Show a moment. */
function show(moment) {
  page.moment = Math.max(0, Math.min(data.times.length - 1, moment));
  const ms = data.times[page.moment];
  element("slider").value = page.moment;
  element("slider").setAttribute("aria-valuetext", `${ms.toFixed(1)} milliseconds`);
  element("clock").textContent = `${ms.toFixed(1)} ms`;
  const before = data.events[lastUpTo(data.events, page.moment)];
  const happened = data.steps.filter((step) => momentAt(step.ms) === before);
  element("now").textContent = `${data.times[before].toFixed(1)} ms: ${happened.map((step) => step.text).join(" ")}`;
  const at = page.lanes.x(ms);
  page.lanes.playhead.setAttribute("x1", at);
  page.lanes.playhead.setAttribute("x2", at);
  for (const layer of data.layers) showLayer(layer, page.moment);
  showUnit();
}

function choose(layer, unit) {
  page.layer = layer;
  page.unit = unit;
  show(page.moment);
}

function play(on) {
  page.playing = on;
  element("play").textContent = on ? "Pause" : "Play";
  element("now").setAttribute("aria-live", on ? "off" : "polite"); // a screen reader is not to be flooded
  if (!on) return;
  const last = data.times.length - 1;
  if (page.moment === last) show(0);
  let ms = data.times[page.moment], before = null;
  requestAnimationFrame(function tick(now) {
    if (!page.playing) return;
    if (before !== null) ms += (now - before) * Number(element("speed").value);
    before = now;
    if (momentAt(ms) !== page.moment) show(momentAt(ms));
    if (page.moment >= last) play(false);
    else requestAnimationFrame(tick);
  });
}

function go(moment) {
  play(false);
  show(moment);
}

const nextEvent = () => go(data.events.find((moment) => moment > page.moment) ?? data.times.length - 1);
const previousEvent = () => go(data.events[lastUpTo(data.events, page.moment - 1)] ?? 0);

function listen() {
  element("play").addEventListener("click", () => play(!page.playing));
  element("next").addEventListener("click", nextEvent);
  element("previous").addEventListener("click", previousEvent);
  element("slider").addEventListener("input", () => go(Number(element("slider").value)));
  element("unit-layer").addEventListener("change", () => choose(Number(element("unit-layer").value), 0));
  element("unit-number").addEventListener("input", () => {
    const { drawn } = nodeOf(page.layer), wanted = Number(element("unit-number").value), below = lastUpTo(drawn, wanted);
    // Going up, what is not drawn is passed over.
    const unit = drawn[below] === wanted || wanted < drawn[page.unit] ? below : below + 1;
    choose(page.layer, Math.max(0, Math.min(drawn.length - 1, unit)));
  });
  element("unit-number").addEventListener("blur", showUnit);
  const lanes = element("lanes");
  const scrub = (event) => go(momentAt(page.lanes.time(event.clientX - lanes.getBoundingClientRect().left)));
  lanes.addEventListener("pointerdown", (event) => {
    lanes.setPointerCapture(event.pointerId);
    scrub(event);
  });
  lanes.addEventListener("pointermove", (event) => {
    if (event.buttons) scrub(event);
  });
  document.addEventListener("keydown", (event) => {
    const own = event.target instanceof HTMLElement && (event.target.matches("select, input[type=number]") || (event.key === " " && event.target.matches("button")));
    if (own || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      " ": () => play(!page.playing),
      ArrowRight: () => (event.shiftKey ? nextEvent() : go(page.moment + 1)),
      ArrowLeft: () => (event.shiftKey ? previousEvent() : go(page.moment - 1)),
      Home: () => go(0),
      End: () => go(data.times.length - 1),
    };
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  window.addEventListener("resize", resize);
}

unpack();
page.unit = Math.max(0, nodeOf(page.layer).drawn.indexOf(data.label));
build();
element("slider").max = data.times.length - 1;
page.moment = momentAt(Number(new URLSearchParams(location.hash.slice(1)).get("ms") ?? 0));
listen();
resize();
