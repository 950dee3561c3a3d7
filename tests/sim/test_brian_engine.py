"""The Brian2 engine against the event engine with the same timing (claim: the same circuit, clock-driven)."""

import brian2
import numpy as np
import pytest

from network.errors import BadInput
from network.rules import ORDERS
from sim.brian.engine import BrianEngine
from sim.brian.size import Size
from sim.data.digits import load_digits
from sim.engine import DROPOUT_MASKS
from sim.event.engine import EventEngine
from sim.schedule import Event, Timing, canonical_order
from sim.schedule_plan import Schedule
from sim.schedule_run import Firing, Run
from sim.schedule_units import per_unit
from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.tolerances import TOLERANCES

NET = "Conv 3 3x3; Maxpool 3; Full 12; Output"
ALL_LAYERS = "Conv 3 4x4; Conv 3 1x2; SUM; Avgpool 3; Local 2 2x3; Maxpool 2/1; Drop .3; Full 8; Output"
TIMING = Timing.settled(6)
DT = 1e-3  # s; all times of TIMING are multiples of it


@pytest.fixture(autouse=True)
def _numpy_target():
    """Nothing is compiled: quick to start."""
    before, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    yield
    brian2.prefs.codegen.target = before


def brian(spec, weights, rule="urfb", **options) -> BrianEngine:
    made = engine_of("brian", spec, weights, rule, **{"timing": TIMING, "dt": DT, **options})
    assert isinstance(made, BrianEngine)
    return made


def event(spec, weights, rule="urfb", **options) -> EventEngine:
    made = engine_of("event", spec, weights, rule, **{"timing": TIMING, **options})
    assert isinstance(made, EventEngine)
    return made


def digits(net=NET, rule="urfb", images=4, **options):
    """A network for digits, weights three times those of training's start, and some digits."""
    options = {"shape": (1, 8, 8), "classes": 10, "scale": 3.0, **options}
    spec, weights, *_ = presentation(net, rule, images=images, **options)
    data = load_digits().train
    return spec, weights, data.images[:images] / 255, data.labels[:images]


def step_error(timing, dt):
    """How much nearer 0 an output can come that crosses its threshold within a time step, and is seen at its end."""
    return np.exp(-timing.loop / timing.tau) * -np.expm1(-dt / timing.tau)


def assert_agree(brian_trace, event_trace, timing=TIMING, dt=DT):
    found = compare(event_trace, brian_trace)
    assert {difference.quantity for difference in found.differences} >= {"h", "x", "delta", "dW"}
    for difference in found.differences:
        exact = difference.quantity in ("h", "x")
        allowed = TOLERANCES["float64"].relative if exact else TOLERANCES["clock"].relative * step_error(timing, dt)
        assert difference.relative <= allowed, difference
    assert brian_trace.ties == event_trace.ties


@pytest.mark.parametrize("rule", ["urfb", "frfb", "bph"])
@pytest.mark.parametrize("order", ORDERS)
def test_brian_equals_event_on_digits(rule, order):
    spec, weights, images, labels = digits(rule=rule)
    ours, theirs = (make(spec, weights, rule, order=order).present(images, labels) for make in (brian, event))
    assert_agree(ours, theirs)
    assert ours.meta["misjudged"] == theirs.meta["misjudged"]
    assert ours.meta["timing"] == theirs.meta["timing"] and ours.meta["dt"] == DT
    saturated = np.abs(ours.x[2]) == 1
    assert saturated.any() and not saturated.all()
    silent = np.abs(ours.delta[3]) < 0.01
    assert silent.any() and not silent.all()


@pytest.mark.parametrize("semantics", ["paper", "code2018"])
def test_brian_equals_event_with_all_layers(semantics):
    spec, weights, images, labels = digits(ALL_LAYERS, semantics=semantics, connectivity=0.5, images=2)
    ours, theirs = (make(spec, weights, mu=0.3, eta=0.7).present(images, labels) for make in (brian, event))
    assert_agree(ours, theirs)
    for letter, mask in (("dW", weights.mask_W), ("dR", weights.mask_R)):
        assert all(not getattr(ours, letter)[i][~mask[i]].any() for i in mask)


def test_brian_equals_event_on_a_network_of_cifar_size():
    spec, weights, images, labels = presentation("Conv 8 3x3; Maxpool 3; Full 20; Output", "urfb", images=2, scale=3.0)
    assert sum(node.units for node in spec.nodes) > 5000
    ours, theirs = (make(spec, weights).present(images, labels) for make in (brian, event))
    assert_agree(ours, theirs)


def test_the_only_error_is_that_of_crossings_and_is_of_first_order_in_dt():
    """A threshold is seen to be crossed at the end of a step; everything else is exact where dt divides all times."""
    timing = Timing.settled(2)
    spec, weights, images, labels = digits("Full 10; Output", images=8)
    exact = event(spec, weights, timing=timing).present(images, labels)
    largest = {}
    for dt in (2e-3, 1e-3, 5e-4, 2.5e-4):
        found = brian(spec, weights, timing=timing, dt=dt).present(images, labels)
        for i in (1, 2):
            np.testing.assert_allclose(found.h[i], exact.h[i], rtol=0, atol=TOLERANCES["float64"].relative)
        nearer = np.abs(exact.delta[2]) - np.abs(found.delta[2])
        assert nearer.min() > -TOLERANCES["float64"].relative
        assert nearer.max() <= step_error(timing, dt)
        silent = np.abs(exact.delta[2]) < 0.2  # e^-2 and 1/9 e^-2
        np.testing.assert_allclose(
            found.delta[2][~silent], exact.delta[2][~silent], rtol=TOLERANCES["float64"].relative
        )
        assert_agree(found, exact, timing, dt)
        largest[dt] = nearer.max()
    assert largest[2e-3] > 2 * largest[2.5e-4] > 0


def test_times_that_are_no_multiples_of_dt_are_rounded():
    spec, weights, images, labels = digits("Full 10; Output")
    timing = Timing.settled(3)
    exact = event(spec, weights, timing=timing).present(images, labels)
    apart = []
    for dt in (7e-4, 7e-5):
        found = compare(exact, brian(spec, weights, timing=timing, dt=dt).present(images, labels))
        apart.append(found.worst.relative)
        # Every time is off by up to half a step, so every rest e^{-T/tau} by that share of tau.
        assert apart[-1] <= TOLERANCES["clock"].relative * np.exp(-3) * dt / timing.tau
    assert apart[1] < apart[0] / 3


def test_units_with_clocks_of_their_own_do_what_those_of_the_event_engine_do():
    spec, weights, images, labels = digits()
    run = per_unit(Schedule(spec, timing=TIMING).run(), spec, dict.fromkeys(("latch", "replace", "gate"), 4e-3), 4, 0)
    ours, theirs = (make(spec, weights).present(images, labels, run) for make in (brian, event))
    assert_agree(ours, theirs)
    assert ours.meta["misjudged"] == theirs.meta["misjudged"]


def test_what_is_late_is_late():
    spec, weights, images, labels = digits("Conv 3 3x3; Conv 3 3x3; SUM; Output")
    schedule = Schedule(spec, timing=TIMING)
    seconds = {"feedback arrived": 0.02, "latched": 0.015, "gate closed": 0.03}
    late = {r: seconds[r.name] for r in schedule.requirements if r.name in seconds and r.effect.kind == "replace"}
    lost = next(r for r in late if str(r) == "replace(1) needs teach: feedback arrived")
    run = schedule.run("record", late={**late, lost: np.inf})
    ours, theirs = (make(spec, weights, unchecked=True).present(images, labels, run) for make in (brian, event))
    assert_agree(ours, theirs)


@pytest.mark.parametrize("seed", range(4))
def test_events_in_any_order_do_what_they_do_in_the_event_engine(seed):
    net = ("Full 6; Full 5; Output", "Conv 2 3x3; Maxpool 2; Conv 2 2x2; Conv 2 3x3; SUM; Output")[seed % 2]
    spec, weights, images, labels = digits(net, images=3)
    events = list(canonical_order(spec))
    np.random.default_rng(seed).shuffle(events)
    firings = tuple(Firing(Event(*one), n * 0.03, (), ()) for n, one in enumerate(events))
    run = Run(Schedule(spec, timing=TIMING), firings, ())
    ours, theirs = (make(spec, weights, unchecked=True).present(images, labels, run) for make in (brian, event))
    found = compare(theirs, ours)
    for difference in found.differences:
        assert difference.relative <= TOLERANCES["clock"].relative * DT / TIMING.tau, difference
    assert {q: set(a) for q, a in ours.arrays().items()} == {q: set(a) for q, a in theirs.arrays().items()}


@pytest.mark.parametrize("dropout_mask", DROPOUT_MASKS)
def test_learning_with_dropout_is_that_of_the_event_engine(dropout_mask):
    spec, weights, images, labels = digits("Drop .2; Conv 3 3x3; Maxpool 3; Drop .5; Full 8; Output")
    options = {"order": "after_update", "seed": 5, "dropout_mask": dropout_mask}
    made = [make(spec, weights, **options) for make in (brian, event)]
    wrong = [[int(one.learn(images, labels, step)) for step in range(2)] for one in made]
    assert wrong[0] == wrong[1]
    ours, theirs = (one.weights() for one in made)
    for a, b in ((ours.W, theirs.W), (ours.R, theirs.R)):
        for i in a:
            assert np.abs(a[i] - b[i]).max() <= TOLERANCES["clock"].relative * step_error(TIMING, DT)
    assert not np.array_equal(ours.W[1], weights.W[1])


def test_outputs_and_saturation_are_those_of_the_event_engine():
    spec, weights, images, _ = digits()
    pixels = (images * 255).astype(np.uint8)
    ours, theirs = brian(spec, weights), event(spec, weights)
    np.testing.assert_allclose(ours.outputs(pixels), theirs.outputs(pixels), rtol=TOLERANCES["float64"].relative * 10)
    assert ours.saturation(pixels) == pytest.approx(theirs.saturation(pixels))


def test_presenting_changes_no_weights():
    spec, weights, images, labels = digits("Full 8; Output", connectivity=0.5)
    engine = brian(spec, weights, order="after_update")
    engine.present(images, labels)
    after = engine.weights()
    assert all(np.array_equal(weights.W[i], after.W[i]) and np.array_equal(weights.R[i], after.R[i]) for i in weights.W)


def test_objects_have_names_and_go_with_those_of_the_user():
    spec, weights, images, labels = digits("Conv 2 3x3; Maxpool 3; Output", images=2)
    engine = brian(spec, weights)
    expected = engine.present(images, labels)
    network = engine.network(images, labels, name="mine")
    assert {"input", "conv1", "maxpool2", "output3", "to_conv1", "to_output3", "control"} <= set(network)
    assert all(network[key].name == f"mine_{key}" for key in network)
    assert len(network["to_output3"]) == 2 * spec.weighted[1].synaptic.synapses((2, 4, 4), (10,))
    other = brian2.NeuronGroup(1, "dy/dt = -y / (10*ms) : 1", method="exact", name="mine_own")
    own = brian2.Network(other)
    own.run(5 * brian2.ms, namespace={})
    monitor = brian2.StateMonitor(network["conv1"], ["p", "activity"], record=[7], clock=network.clock)
    own.add(network, monitor)
    own.run(network.duration, namespace={})
    found = network.trace()
    assert compare(expected, found).within(TOLERANCES["float64"])
    # The unit charges from 0 toward h, and what it puts out is δ in the end.
    p, put_out = np.asarray(monitor.p)[0], np.asarray(monitor.activity)[0]
    assert p[0] == 0 and np.abs(p).max() >= np.abs(found.h[1].ravel()[7])
    assert put_out[-1] == pytest.approx(found.delta[1].ravel()[7], abs=2 * np.exp(-6))


def test_nothing_global_changes():
    target, dt = brian2.prefs.codegen.target, float(brian2.defaultclock.dt / brian2.second)
    spec, weights, images, labels = digits("Output", images=1)
    brian(spec, weights).present(images, labels)
    assert brian2.prefs.codegen.target == target
    assert float(brian2.defaultclock.dt / brian2.second) == dt


def test_a_network_too_large_is_refused_with_an_estimate():
    spec, weights, images, labels = presentation("Conv 32 5x5; Output", "urfb", images=50)
    with pytest.raises(
        BadInput, match=r"[\d,]+ units and 130,[\d,]+ synapses would take about [\d.]+ GB .*--unchecked"
    ):
        brian(spec, weights).present(images, labels)
    Size.of(spec, 50, 1000).check(unchecked=True)
    with pytest.raises(BadInput, match="minutes"):
        Size.of(NET_SPEC, 1, 10_000_000).check(unchecked=False)


NET_SPEC = digits()[0]


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("bp", {}, "bph"),
        ("bph", {"dtype": "float32"}, "--dtype float64"),
        ("bph", {"device": "cuda"}, "--device cpu"),
        ("bph", {"dt": 0.02}, "half of the time constant"),
    ],
)
def test_what_it_does_not_run_is_refused(rule, options, message):
    spec, weights, _, _ = presentation("Full 5; Output", rule, shape=(1, 3, 3))
    with pytest.raises(BadInput, match=message):
        brian(spec, weights, rule, **options)
