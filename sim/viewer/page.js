// The page: which moment is shown, and what everything says about it. Nothing is computed that was not recorded; a
// moment stands for the time until the next.

const element = (id) => document.getElementById(id);
const page = { moment: 0, layer: data.layers.length, unit: 0, playing: false, lanes: null };

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
      const below = event.clientY + 18, fits = below + tip.offsetHeight <= innerHeight;
      tip.style.left = Math.max(8, Math.min(event.clientX + 14, width - tip.offsetWidth - 8)) + "px";
      tip.style.top = Math.max(8, fits ? below : event.clientY - tip.offsetHeight - 10) + "px";
    });
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("click", (event) => {
      const k = layout().at(event.offsetX, event.offsetY);
      if (click && k >= 0) choose(layer.index, k);
    });
  };
  const unitWords = (k) => [nameOf(layer, k), ...valuesOf(layer, k, page.moment).map((row) => row.join(" "))].join("\n");
  listen(layer.parts.canvas, () => layer.layout, unitWords, true);
  const synapsesWords = (k) => synapseWords(layer, synapses, k, page.moment);
  listen(layer.parts.synapseCanvas, () => synapses.layout, synapsesWords, false);
}

/** Lay everything out for the width there is. */
function resize() {
  const room = element("layers").clientWidth;
  for (const layer of data.layers) {
    const synapses = data.synapses[layer.index - 1], wide = room > 560;
    const rows = synapses.rows.length, columns = synapses.columns.length;
    layer.layout = layOut(layer.maps, layer.rows, layer.columns, layer.drawn.length, wide ? room * 0.58 : room);
    layer.context = prepare(layer.parts.canvas, layer.layout);
    synapses.layout = layOut(1, rows, columns, rows * columns, Math.min(260, wide ? room * 0.36 : room));
    synapses.context = prepare(layer.parts.synapseCanvas, synapses.layout);
  }
  page.lanes = drawLanes(element("lanes"), data, element("lanes").clientWidth);
  show(page.moment);
}

function chip(part, text, look) {
  part.textContent = text;
  part.className = part.className.split(" ").slice(0, 2).join(" ") + (look ? ` ${look}` : "");
}

/** The |δ| of full colour: the largest of the layer; at the output the level of a unit that is not silenced. */
function fullDelta(layer, k) {
  if (layer.output) return layer.drawn[k] === data.label ? 1 : data.mu || 1;
  return Math.max(layer.largestDelta, 1e-30);
}

function showLayer(layer, moment) {
  const { parts, arrays, layout } = layer, count = layer.drawn.length, from = moment * count, ms = data.times[moment];
  const replaced = layer.turn >= 0 && moment >= layer.turn;
  const within = (gate) => gate.begin <= ms + 1e-6 && ms < gate.end - 1e-6;
  const open = data.gates.some((gate) => gate.layer === layer.index && within(gate));
  chip(parts.mode, replaced ? "δ" : "x", replaced ? "delta" : "x");
  chip(parts.hebb, open ? "gate open" : "gate closed", open ? "gate" : "");
  const shut = arrays.shut[moment], all = layer.shape.reduce((a, b) => a * b);
  if (layer.output) chip(parts.off, moment >= layer.turn && layer.turn >= 0 ? "taught by s, tc" : "not taught yet", "");
  else chip(parts.off, shut ? `u, v shut off ${shut}` : "u, v at 0", shut ? "shut" : "");
  drawSquares(layer.context, layout, (k) => {
    const unit = arrays.state[from + k];
    const { red, blue } = data.colours;
    const [full, colour] = unit & REPLACED ? [fullDelta(layer, k), red] : [layer.largestX, blue];
    return [arrays.activity[from + k] / full, colour, unit & (UPPER | LOWER)];
  }, page.layer === layer.index ? page.unit : -1);
  const drawn = count < all ? `${count} of ${all} units` : `${all} units`;
  const delta = layer.output ? `1 of the class, ${short(data.mu)} of others` : short(layer.largestDelta);
  parts.unitsTitle.textContent = `${drawn}; full colour: |x| ${short(layer.largestX)}, |δ| ${delta}`;
  const seen = `${replaced ? "δ" : "x"}, mean absolute activity ${short(arrays.mean[moment])}`;
  parts.canvas.setAttribute("aria-label", `layer ${layer.index}, ${drawn}, ${seen}`);
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
  const title = layer.output ? "from the target on" : "δ, enlarged, cut";
  if (layer.turn >= 0) drawCurve(delta, data, layer, k, 1.5 * fullDelta(layer, k), layer.turn, page.moment, title);
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
    // A page that was hidden for a while goes on where it was.
    if (before !== null) ms += Math.min(now - before, 100) * Number(element("speed").value);
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
  const lanes = element("lanes"), left = () => lanes.getBoundingClientRect().left;
  const scrub = (event) => go(momentAt(page.lanes.time(event.clientX - left())));
  lanes.addEventListener("pointerdown", (event) => {
    lanes.setPointerCapture(event.pointerId);
    scrub(event);
  });
  lanes.addEventListener("pointermove", (event) => {
    if (event.buttons) scrub(event);
  });
  document.addEventListener("keydown", (event) => {
    const theirs = event.key === " " ? "select, input[type=number], button" : "select, input[type=number]";
    const own = event.target instanceof HTMLElement && event.target.matches(theirs);
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
