"""``hebb view``: what a page holds is what the event engine did; what is drawn of large networks; what is refused."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from network.errors import BadInput
from sim.cli import main
from sim.event.engine import EventEngine
from sim.schedule import Event, Timing
from sim.schedule_plan import Schedule
from sim.viewer.page import BOUND, page
from sim.viewer.recording import LOWER, REPLACED, UPPER, record
from sim.viewer.sample import FRAMES, NUMBERS, drawn_units, moments, shared_out
from tests.sim.conftest import engine_of, presentation
from tests.sim.steps import refused, step_file

NET = "Conv 3 3x3; Maxpool 3; Full 8; Output"
TIMING = Timing.settled(8)


def recorded(net=NET, *, scale=2.0, run=None, rule="urfb", shape=(2, 6, 6), **options):
    spec, weights, images, labels = presentation(net, rule, images=1, shape=shape, classes=4, scale=scale)
    engine = engine_of("event", spec, weights, rule, **{"timing": TIMING, **options})
    assert isinstance(engine, EventEngine)
    return record(engine, images[0], int(labels[0]), run), engine, images, labels, weights


@pytest.fixture(scope="module")
def small():
    return recorded()


def embedded(html):
    """The data that a page hands to its script."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.S)
    assert found
    return json.loads(found[1])


def unpacked(text, kind="<f4"):
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def at(data, kind, layer):
    """The moment of an event, by its number, and the event."""
    step = next(step for step in data["steps"] if (step["kind"], step["layer"]) == (kind, layer))
    return data["times"].index(pytest.approx(step["ms"], abs=1e-9)), step


def of_layer(data, layer, quantity, kind="<f4"):
    node = data["layers"][layer - 1]
    return unpacked(node[quantity], kind).reshape(len(data["times"]), len(node["drawn"])), node["drawn"]


def test_the_page_holds_the_trace_where_layers_settle_gates_close_and_weights_change(small):
    recording, engine, images, labels, weights = small
    data = embedded(page(recording))
    alone = engine.present(images, labels)  # nobody looking on
    for trace, equal in (
        (recording.trace, np.testing.assert_array_equal),
        (alone, lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-7, atol=1e-12)),  # looking on rounds otherwise
    ):
        for layer in (1, 2, 3):
            potential, drawn = of_layer(data, layer, "potential")
            activity, _ = of_layer(data, layer, "activity")
            state, _ = of_layer(data, layer, "state", "u1")
            settled, _ = at(data, "settle", layer)
            equal(potential[settled], trace.h[layer].reshape(-1)[drawn].astype("f4"))
            if layer < 3:  # the output is taught as soon as it has settled
                assert not (state[settled] & REPLACED).any()
                equal(activity[settled], trace.x[layer].reshape(-1)[drawn].astype("f4"))
            closed, _ = at(data, "close", layer)
            assert (state[closed] & REPLACED).all()
            equal(activity[closed], trace.delta[layer].reshape(-1)[drawn].astype("f4"))
            changed, _ = at(data, "consolidate", layer)
            synapses = data["synapses"][layer - 1]
            now = [version for version in synapses["versions"] if version["moment"] <= changed][-1]
            rows, columns = np.ix_(synapses["rows"], synapses["columns"])
            for name, before, increments in (("W", weights.W, trace.dW), ("R", weights.R, trace.dR)):
                if layer in increments:
                    after = (before[layer] + increments[layer]).reshape(len(before[layer]), -1)[rows, columns]
                    equal(unpacked(now[name]).reshape(after.shape), after.astype("f4"))
            made = trace.dW[layer].reshape(len(trace.dW[layer]), -1)[rows, columns]
            equal(unpacked(synapses["dW"]).reshape(made.shape), made.astype("f4"))
    assert {i: (np.abs(d) > 0).any() for i, d in recording.trace.delta.items()} == dict.fromkeys((1, 2, 3), True)


def test_activity_approaches_exponentially_and_saturated_units_are_shut_off(small):
    recording, *_ = small
    layer, times = recording.layers[1], recording.times
    arrive, settle = (
        next(s.time for s in recording.steps if (s.kind, s.layer) == (k, 1)) for k in ("arrive", "settle")
    )
    up = (times >= arrive) & (times <= settle)
    h = layer.potential[up][-1] / -np.expm1(-(settle - arrive) / TIMING.tau)
    expected = -np.expm1(-(times[up, None] - arrive) / TIMING.tau) * h
    assert layer.potential[up] == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert np.array_equal(layer.activity[up], np.clip(layer.potential[up], -1, 1))
    x, delta = (arrays[1].reshape(-1)[layer.drawn.units] for arrays in (recording.trace.x, recording.trace.delta))
    assert np.array_equal(layer.state[-1] & UPPER > 0, x >= 1)
    assert np.array_equal(layer.state[-1] & LOWER > 0, x <= -1)
    assert (np.abs(x) == 1).any() and not delta[np.abs(x) == 1].any()
    assert layer.shut[-1] == np.count_nonzero(np.abs(recording.trace.x[1]) == 1)


def test_a_tag_is_there_from_its_gate_to_its_consolidation(small):
    data = embedded(page(small[0]))
    for layer in (2, 3):
        tags = [(version["moment"], version["tagged"]) for version in data["synapses"][layer - 1]["versions"]]
        assert tags == [(0, False), (at(data, "close", layer)[0], True), (at(data, "consolidate", layer)[0], False)]


def test_silenced_outputs_oscillate_until_the_gate_has_read_them():
    spec, weights, _, labels = presentation("Output", "bph", images=1, shape=(1, 1, 1), classes=4)
    weights.W[1][:] = -3.0  # beyond the margin, on the right side but for the class
    engine = engine_of("event", spec, weights, "bph", timing=TIMING)
    assert isinstance(engine, EventEngine)
    recording = record(engine, np.ones((1, 1, 1)), int(labels[0]))
    layer, mu = recording.layers[1], 1 / 3
    others = np.arange(4) != labels[0]
    taught, closed = (next(s.time for s in recording.steps if s.kind == kind) for kind in ("teach", "close"))
    running = (recording.times > taught) & (recording.times < closed)
    assert layer.activity[running][:, others].min() < -mu  # it overshoots, is silenced, and comes back
    assert set(np.unique(layer.control[running][:, others])) == {-1, 0}
    assert layer.activity[-1, ~others] == pytest.approx(1, abs=1e-3)
    assert np.abs(layer.activity[-1, others]).max() < 0.01 * mu


def test_what_happens_without_what_it_needs_is_on_the_page():
    spec = recorded()[1].spec
    run = Schedule(spec, timing=TIMING).shift({Event("replace", 1): -0.2}).run("record")
    recording = recorded(run=run, unchecked=True)[0]
    assert run.violations
    html = page(recording)
    assert [each["text"] for each in embedded(html)["violations"]] == list(map(str, run.violations))
    assert "Happened without what it needs: replace(1) at" in html


class _Tags(HTMLParser):
    """Every address in a page."""

    def __init__(self):
        super().__init__()
        self.addresses, self.scripts = [], 0

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href", "data", "action")]
        self.scripts += tag == "script"


def test_the_page_is_one_file_and_takes_no_text_for_a_tag(small):
    html = page(small[0], image="</script><b>", weights="<i>", class_names=["</script><script>alert(1)", "b", "c", "d"])
    found = _Tags()
    found.feed(html)
    assert (found.addresses, found.scripts) == ([], 2)
    assert "&lt;i&gt;" in html and "<i>" not in html.replace("<i style", "")
    assert embedded(html)["classNames"][0] == "</script><script>alert(1)"
    assert "default-src 'none'" in html
    assert re.findall(r"https?://[^\"]+", html) == ["http://www.w3.org/2000/svg"]  # a name, not an address


@pytest.mark.parametrize(
    ("net", "shape"),
    [("Conv 40 3x3; Maxpool 3; Full 500; Output", (3, 40, 40)), ("; ".join(["Full 300"] * 40) + "; Output", (1, 2, 2))],
)
def test_a_page_of_any_network_is_bounded_and_says_what_is_left_out(net, shape):
    recording = recorded(net, shape=shape, scale=1.0)[0]
    html = page(recording)
    assert len(html.encode()) < BOUND
    data = embedded(html)
    assert len(data["times"]) * sum(len(layer["drawn"]) for layer in data["layers"]) <= NUMBERS
    assert len(data["times"]) >= FRAMES * 0.9
    for layer, node in zip(data["layers"], recording.spec.weighted, strict=True):
        if len(layer["drawn"]) < node.units:
            assert f"{len(layer['drawn']):,} of {node.units:,} units are drawn" in html
            assert len(set(layer["drawn"])) == len(layer["drawn"]) and max(layer["drawn"]) < node.units
    assert {step.time * 1e3 for step in recording.steps} <= {
        time for time in data["times"] for step in recording.steps if abs(step.time * 1e3 - time) < 1e-9
    } | set(data["times"])


def test_units_are_shared_out_and_evenly_spaced():
    assert shared_out([10, 60, 5000], 400) == [10, 60, NUMBERS // 400 - 70]
    with pytest.raises(BadInput, match="700 layers with weights"):
        shared_out([10] * 700, 400)
    assert drawn_units((60,), 60).units.tolist() == list(range(60))
    some = drawn_units((32, 16, 16), 100)
    assert (some.maps * some.rows * some.columns, len(some.units)) == (100, 100)
    assert drawn_units((500, 1, 1), 3).units.tolist() == [0, 250, 499]
    times = moments([0.0, 0.1, 0.1 + 1e-13], 0.2, 1e-12)
    assert (np.diff(times) > 1e-12).all() and {0.0, 0.1 + 1e-13, 0.2} <= set(times)


def view(tmp_path, *flags):
    return main(["view", "--out", str(tmp_path / "page.html"), *map(str, flags)])


def test_the_command_draws_a_run_a_file_and_what_training_begins_with(tmp_path, capsys):
    run = tmp_path / "run"
    main(["train", "--net", "Full 6; Output", "--epochs", "1", "--engine", "reference", "--dtype", "float64",
          "--out", str(run), "--quiet"])  # fmt: skip
    capsys.readouterr()
    assert view(tmp_path, "--run", run, "--image", 2, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["drawn"], result["units"]) == (16, 16)
    html = (tmp_path / "page.html").read_text()
    assert result["bytes"] == len(html.encode())
    assert f"{run}, after epoch 1" in html and "test image 2 of digits" in html
    step_file(tmp_path / "in.npz", net=NET)
    assert view(tmp_path, "--net", NET, "--in", tmp_path / "in.npz", "--image", 1, "--order", "after_update") == 0
    assert "after_update" in (tmp_path / "page.html").read_text()
    assert view(tmp_path, "--net", "Full 5; Output", "--rule", "bph", "--timing", 4, "--seed", 3) == 0
    assert "as training begins, seed 3" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--image", 400], ["--image 400", "359 test images", "0 to 358"]),
        (["--timing", 0], ["timing 0"]),
        (["--rule", "usf"], ["rule 'usf'", "draws circuits only"]),
        (["--net", "Full 5 ReLU; Output"], ["Full 5 ReLU", "draws circuits only"]),
        (["--run", "x", "--net", "Output"], ["--net with --run", "leave one of them away"]),
        (["--run", "x", "--in", "y"], ["--run with --in"]),
        (["--in", "y"], ["without --net"]),
        (["--in", "y", "--seed", 1], ["--seed with --in"]),
        (["--run", "nowhere"], ["--run nowhere", "no config.toml"]),
    ],
)
def test_the_command_refuses_in_a_line(tmp_path, capsys, flags, words):
    refused(capsys, view(tmp_path, *flags), *words)
    assert not (tmp_path / "page.html").exists()


def test_ideal_timing_has_nothing_to_show():
    with pytest.raises(BadInput, match="everything happens at once"):
        recorded(timing=None)
