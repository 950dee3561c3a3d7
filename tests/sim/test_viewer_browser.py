"""The page of ``hebb view`` in a real browser: what it shows and draws at three moments, its controls, its widths."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from circuits.figures import BLUE
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.engine import Settings
from sim.event.engine import EventEngine
from sim.schedule import Timing
from sim.viewer.page import page
from sim.viewer.recording import record

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((path for path in map(shutil.which, NAMES) if path), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"needs a browser: one of {', '.join(NAMES)} on the path")
GROUND = 0xEC  # grey of a square without colour

# A page of its own, so that the viewer is looked at in frames of several widths; `drive` is the test's own script.
HARNESS = """<!doctype html><meta charset="utf-8"><pre id="found">nothing</pre><script>
const source = SOURCE, errors = [];
const frames = [1000, 375].map((width) => {
  const frame = document.createElement("iframe");
  frame.style.cssText = `width: ${width}px; height: 900px; border: 0`;
  frame.srcdoc = source;
  document.body.append(frame);
  return frame;
});
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
addEventListener("load", async () => {
  let found;
  try { found = await drive(...frames.map((frame) => frame.contentWindow)); } catch (error) { found = { error: `${error.stack}` }; }
  document.getElementById("found").textContent = JSON.stringify(found);
});
DRIVE
</script>"""  # noqa: E501

DRIVE = """
async function drive(view, phone) {
  const document = view.document, find = (id) => document.getElementById(id), slider = find("slider");
  const set = (id, value, kind) => { find(id).value = value; find(id).dispatchEvent(new view.Event(kind, { bubbles: true })); };
  const key = (name, shiftKey = false) =>
    document.body.dispatchEvent(new view.KeyboardEvent("keydown", { key: name, shiftKey, bubbles: true, cancelable: true }));
  const found = { moments: [], controls: {} };
  for (const moment of MOMENTS) {
    set("slider", moment, "input");
    set("unit-layer", 2, "change");
    const canvas = document.querySelector("#layer-2 .units canvas"), context = canvas.getContext("2d"), units = [];
    for (let unit = 0; unit < UNITS; unit++) {
      set("unit-number", unit, "input");
      const values = {};
      for (const row of find("unit-values").rows) values[row.cells[0].textContent] = row.cells[1].textContent;
      const other = unit ? 0 : 1; // a chosen unit has a frame; look at its colour when it is not
      units.push({ name: find("unit-name").textContent, values, colour: [], other });
    }
    for (let unit = 0; unit < UNITS; unit++) {
      set("unit-number", units[unit].other, "input");
      units[unit].colour = [...context.getImageData(16 * unit + 3, 3, 1, 1).data];
    }
    const chips = [...document.querySelectorAll(".layer")].map((l) => [...l.querySelectorAll(".chip")].map((c) => c.textContent));
    const playhead = Number(find("lanes").lastChild.getAttribute("x1"));
    found.moments.push({ clock: find("clock").textContent, now: find("now").textContent, units, chips, playhead });
  }
  const at = () => Number(slider.value), controls = found.controls;
  key("Home"); controls.home = at();
  key("ArrowRight"); controls.right = at();
  key("ArrowRight", true); controls.event = find("now").textContent;
  find("next").click(); controls.next = find("now").textContent;
  find("previous").click(); controls.previous = find("now").textContent;
  key("End"); controls.end = at();
  key("Home"); key(" "); controls.playing = find("play").textContent;
  for (let k = 0; k < 100 && at() === 0; k++) await pause(20);
  controls.played = at();
  find("play").click(); controls.paused = find("play").textContent;
  const kept = at();
  await pause(200);
  controls.stays = at() === kept;
  const canvas = document.querySelector("#layer-2 .units canvas"), box = canvas.getBoundingClientRect();
  const pointer = { clientX: box.left + 16 * 3 + 5, clientY: box.top + 5, bubbles: true };
  canvas.dispatchEvent(new view.PointerEvent("pointermove", pointer));
  controls.tip = find("tip").hidden ? "" : find("tip").textContent;
  canvas.dispatchEvent(new view.MouseEvent("click", pointer));
  controls.chosen = find("unit-name").textContent;
  const synapses = document.querySelector("#layer-2 .synapses canvas"), edge = synapses.getBoundingClientRect();
  synapses.dispatchEvent(new view.PointerEvent("pointermove", { clientX: edge.left + 2, clientY: edge.top + 2, bubbles: true }));
  controls.synapse = find("tip").textContent;
  const lanes = find("lanes"), left = lanes.getBoundingClientRect();
  lanes.dispatchEvent(new view.PointerEvent("pointerdown", { clientX: left.right - 11, clientY: left.top + 40, bubbles: true, pointerId: 1 }));
  controls.scrubbed = at();
  found.unlabelled = [...document.querySelectorAll("button, select, input, canvas, svg")]
    .filter((e) => !e.getAttribute("aria-label") && !e.textContent.trim() && !e.closest("label")).map((e) => e.outerHTML);
  found.widths = [view, phone].map((w) => [w.innerWidth, w.document.documentElement.scrollWidth]);
  return found;
}
"""  # noqa: E501


@pytest.fixture(scope="module")
def recording():
    spec = NetworkSpec.parse("Conv 3 3x3; Maxpool 3; Full 8; Output", (1, 6, 6), 4)
    weights = Weights.draw(spec, 1)
    for values in (*weights.W.values(), *weights.R.values()):
        values *= 1.3
    settings = Settings(make_rule("urfb"), dtype="float64", device="cpu", timing=Timing.settled(6))
    return record(EventEngine(spec, weights, settings), np.random.default_rng(1).random((1, 6, 6)), 2)


@pytest.fixture(scope="module")
def moments(recording):
    """Three of them: x has settled in layer 2; its gate is open; the end."""
    gate = next(step.time for step in recording.steps if (step.kind, step.layer) == ("gate", 2))
    settle = next(step.time for step in recording.steps if (step.kind, step.layer) == ("settle", 2))
    return [int(np.searchsorted(recording.times, time - 1e-9)) for time in (settle, gate, recording.times[-1])]


@pytest.fixture(scope="module")
def found(recording, moments, tmp_path_factory):
    """What the browser found on the page."""
    folder = tmp_path_factory.mktemp("browser")
    source = json.dumps(page(recording)).replace("<", "\\u003c")
    drive = DRIVE.replace("MOMENTS", json.dumps(moments)).replace("UNITS", "8")
    file = folder / "harness.html"
    file.write_text(HARNESS.replace("SOURCE", source).replace("DRIVE", drive), encoding="utf-8")
    assert BROWSER is not None
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    flags += ["--window-size=1400,1000", "--virtual-time-budget=20000", "--dump-dom"]
    dom = subprocess.run([BROWSER, *flags, file.as_uri()], capture_output=True, text=True, timeout=300).stdout
    text = re.search(r'<pre id="found">(.*?)</pre>', dom, re.S)
    assert text, dom[-2000:]
    result = json.loads(html.unescape(text[1]))
    assert "error" not in result, result["error"]
    return result


def number(text):
    return float(text.replace("−", "-"))


def test_numbers_on_the_page_are_those_of_the_engine_at_three_moments(recording, moments, found):
    trace = recording.trace
    for moment, shown in zip(moments, found["moments"], strict=True):
        assert shown["clock"] == f"{recording.times[moment] * 1e3:.1f} ms"
        layer = recording.layers[2]
        for unit, seen in enumerate(shown["units"]):
            values = seen["values"]
            assert seen["name"] == f"full3 unit {unit}"
            assert number(values["h (input, settled)"]) == pytest.approx(trace.h[2][0, unit], rel=1e-2, abs=1e-9)
            assert number(values["δ that the gate reads"]) == pytest.approx(trace.delta[2][0, unit], rel=1e-2, abs=1e-9)
            replaced = moment != moments[0]
            now = values["δ now" if replaced else "x now"]
            assert number(now) == pytest.approx(layer.activity[moment, unit], rel=1e-2, abs=1e-9)
            assert (values["δ now"] == "–") != replaced
            x = trace.x[2][0, unit]
            assert (values["u"], values["v"]) == (
                ("1" if x >= 1 else "0", "−1" if x <= -1 else "0") if replaced else ("0", "0")
            )
    x = [number(unit["values"]["x now"]) for unit in found["moments"][0]["units"]]
    assert x == pytest.approx(trace.x[2][0], rel=1e-2)


def test_squares_have_the_colour_of_their_activity(recording, moments, found):
    blue = np.array([int(BLUE[k : k + 2], 16) for k in (1, 3, 5)])
    for unit, seen in enumerate(found["moments"][0]["units"]):
        strength = min(1.0, abs(float(recording.layers[2].activity[moments[0], unit])))
        expected = GROUND + strength * (blue - GROUND)
        assert seen["colour"][:3] == pytest.approx(expected, abs=2)
    assert len({tuple(unit["colour"]) for unit in found["moments"][0]["units"]}) > 3


def test_gates_shutdown_and_weights_are_told(recording, found):
    settled, gate, end = (moment["chips"] for moment in found["moments"])
    at = {layer: 3 - layer for layer in (1, 2, 3)}  # the output is on top
    assert settled[at[2]] == ["x", "gate closed", "u, v at 0", "W as before"]
    assert gate[at[2]][:2] == ["δ", "gate open"] and gate[at[1]][0] == "x" and gate[at[3]][3] == "W changed"
    shut = int((np.abs(recording.trace.x[2]) == 1).sum())
    assert shut and gate[at[2]][2] == f"u, v shut off {shut}"
    assert [chips[0] for chips in end[:3]] == ["δ"] * 3 and [chips[3] for chips in end[:3]] == ["W changed"] * 3
    assert "The Hebbian gate of layer 2 opens" in found["moments"][1]["now"]
    heads = [moment["playhead"] for moment in found["moments"]]
    assert heads == sorted(heads) and heads[0] < heads[2]


def test_keys_buttons_and_the_pointer_work(recording, found):
    controls, last = found["controls"], recording.times.size - 1
    assert (controls["home"], controls["right"], controls["end"]) == (0, 1, last)
    assert controls["event"].startswith("2.0 ms: Activity reaches layer 1")
    assert "Layer 1 has settled" in controls["next"] and controls["previous"] == controls["event"]
    assert (controls["playing"], controls["paused"]) == ("Pause", "Play")
    assert 0 < controls["played"] < last and controls["stays"]
    assert controls["tip"].startswith("full3 unit 3\n") and controls["chosen"] == "full3 unit 3"
    assert "to full3 unit 0" in controls["synapse"] and "W/2 now" in controls["synapse"]
    assert controls["scrubbed"] >= last - 2


def test_it_fits_wide_and_narrow_and_everything_has_a_name(found):
    assert [width for width, _ in found["widths"]] == [1000, 375]
    assert all(needed <= width for width, needed in found["widths"])
    assert found["unlabelled"] == []
