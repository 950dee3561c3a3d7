// What was recorded, unpacked, and in words: names of units, their values at a moment, synapses.

const data = JSON.parse(document.getElementById("data").textContent);
const [REPLACED, UPPER, LOWER] = [1, 2, 4];

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
    const states = (moment) => layer.arrays.state.subarray(moment * count, (moment + 1) * count);
    layer.turn = data.times.findIndex((_, moment) => states(moment).some((state) => state & REPLACED));
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

/** A number among maps of rows and columns: which of each it is. */
function unravel(number, [rows, columns]) {
  return [Math.floor(number / (rows * columns)), Math.floor(number / columns) % rows, number % columns];
}

/** The unit with this number among all of a node, in words. */
function unitName(name, shape, number) {
  if (shape.length === 1 || shape[1] * shape[2] === 1) return `${name} unit ${number}`;
  const [map, row, column] = unravel(number, shape.slice(1));
  return `${name} map ${map}, row ${row}, column ${column}`;
}

function nameOf(layer, k) {
  const number = layer.drawn[k];
  const name = unitName(layer.name, layer.shape, number);
  return layer.output ? `${name}, class ${data.classNames[number]}` : name;
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
  const { rows, columns, shape, source, sourceShape } = synapses;
  const row = rows[Math.floor(k / columns.length)], column = columns[k % columns.length];
  // Of convolutions W has a row for each map, and a window's maps, rows and columns in it.
  const [map, y, x] = unravel(column, shape.slice(-2));
  const window = `${source} map ${map}, window row ${y}, column ${x}`;
  const from = shape.length === 2 ? unitName(source, sourceShape, column) : window;
  const to = shape.length === 4 ? `${layer.name} map ${row}` : unitName(layer.name, layer.shape, row);
  const version = versionOf(synapses, moment);
  const lines = [`from ${from}`, `to ${to}`, `W/${synapses.index} now ${short(version.W[k])}`];
  if (version.R) lines.push(`R/${synapses.index} now ${short(version.R[k])}`);
  const state = version.tagged ? "tag" : hasChanged(synapses, moment) ? "has changed by" : "";
  if (state && synapses.dW) lines.push(`W ${state} ${short(synapses.dW[k])}`);
  if (state && synapses.dR && version.R) lines.push(`R ${state} ${short(synapses.dR[k])}`);
  return lines.join("\n");
}
