"""Batch Manhattan, momentum, weight decay, schedules and clamped layers: plain restatements, in both engines."""

import numpy as np
import pytest

from network.errors import BadInput
from network.rules import make_rule
from sim.updates import Update, Updater
from tests.sim.conftest import engine_of, presentation
from validation.tolerances import TOLERANCES

EXACT = TOLERANCES["float64"].relative
NET = "Conv 4 3x3 ReLU; Maxpool 2 valid; Full 12 BN-affine ReLU; Full 10; Output"
ENGINES = ("reference", "torch")


def sign(values):
    """-1, 0 or 1, entry by entry."""
    return np.array([float(v > 0) - float(v < 0) for v in values.ravel()]).reshape(values.shape)


def batches(count, size=6):
    rng = np.random.default_rng(4)
    for _ in range(count):
        yield rng.integers(0, 256, (size, 2, 8, 8), dtype=np.uint8), rng.integers(0, 5, size)


def started(engine, rule, update, eta=0.05, **options):
    spec, weights, *_ = presentation(NET, rule, shape=(2, 8, 8), classes=5, **options)
    return engine_of(engine, spec, weights, rule, eta=eta, update=update)


def restated(setting, w, gradients, eta, m, d):
    """Section 3 of Liao, Leibo and Poggio for one weight array; `gradients` are dE/dw, summed over each batch."""
    tau, kappa = np.zeros_like(w), np.zeros_like(w)
    for gradient in gradients:
        if setting == 0:
            tau = -gradient + m * tau - d * w
        elif setting == 1:
            tau = -sign(gradient) + m * tau - d * w
        elif setting == 2:
            tau = sign(-sign(gradient) + m * tau - d * w)
        else:
            kappa = -sign(gradient) + m * kappa - d * w
            tau = sign(kappa)
        w = w + eta * tau
    return w


@pytest.mark.parametrize("over_batch", ["mean", "sum"])
@pytest.mark.parametrize("setting", [0, 1, 2, 3])
def test_the_settings_of_section_3(setting, over_batch):
    rng = np.random.default_rng(setting)
    eta, m, d, count = 0.01, 0.9, 0.002, 7
    start = rng.standard_normal((5, 6))
    gradients = rng.standard_normal((12, 5, 6))
    gradients[:, 0] = 0.0  # units that are silent throughout
    updater, w = Updater(Update(setting, m, d, over_batch), eta), start
    for step, gradient in enumerate(gradients):
        shown = -eta * gradient / (count if over_batch == "sum" else 1)  # the increment is a mean over the batch
        w = w + updater.change("W/1", shown, w, step, count)
    expected = restated(setting, start, gradients, eta, m, d)
    assert np.abs(w - expected).max() <= EXACT * np.abs(expected).max()


def test_settings_differ():
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal((4, 4)), rng.standard_normal((9, 4, 4))
    found = [restated(setting, start, gradients, 0.1, 0.9, 0.01) for setting in range(4)]
    assert all(np.abs(a - b).max() > 0.01 for i, a in enumerate(found) for b in found[:i])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("setting", [0, 1, 2, 3])
def test_an_engine_applies_its_settings_to_its_own_increments(setting, engine):
    # Two updates by the engine; the increments of each from a presentation to the same weights.
    eta, m, d = 0.05, 0.9, 0.01
    runner = started(engine, "frfb", Update(setting, m, d), eta)
    start, gradients = runner.weights(), []
    for step, (images, labels) in enumerate(batches(2)):
        traced = engine_of(engine, runner.spec, runner.weights(), "frfb", eta=eta).present(images / 255, labels)
        gradients.append({letter: dict(group) for letter, group in traced.increments().items()})
        runner.learn(runner.stage(images), runner.stage(labels), step)
    after = runner.weights()
    for letter in ("W", "gamma", "beta"):
        for i, w in getattr(start, letter).items():
            expected = restated(setting, w, [-g[letter][i] / eta for g in gradients], eta, m, d)
            assert np.abs(getattr(after, letter)[i] - expected).max() <= EXACT * max(1, np.abs(expected).max())
    assert all(np.array_equal(after.R[i], start.R[i]) for i in start.R)  # fixed feedback does not decay


@pytest.mark.parametrize("rule", ["bp", "urfb", "usf", "brsf", "rndf"])
@pytest.mark.parametrize(
    "update", [Update(0, 0.9, 1e-3, "sum"), Update(1, 0.9, 1e-3), Update(3, 0.5, schedule=((2, 0.1),))]
)
def test_engines_agree_on_updates(rule, update):
    runners = [started(engine, rule, update, 0.01, connectivity=0.5) for engine in ENGINES]
    for runner in runners:
        for step, (images, labels) in enumerate(batches(5)):
            runner.learn(runner.stage(images), runner.stage(labels), step)
    ours, theirs = (runner.weights().arrays() for runner in runners)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        if name.startswith("mask"):
            continue
        assert np.abs(value - theirs[name]).max() <= TOLERANCES["trained"].relative * np.abs(value).max()
    assert any(name.startswith("tau/W") for name in ours)


@pytest.mark.parametrize("update", [Update(1, 0.9, 1e-3), Update(learns="top"), Update(schedule=((1, 0.1),))])
def test_networks_that_have_a_fast_form_heed_the_update_too(update):
    spec, weights, *_ = presentation(
        "Conv 8 3x3; Maxpool 3; Drop .2; Full 20; Output", "urfb", shape=(2, 8, 8), classes=5
    )
    runners = [engine_of(engine, spec, weights, "urfb", eta=0.05, update=update) for engine in ENGINES]
    for runner in runners:
        for step, (images, labels) in enumerate(batches(3)):
            runner.learn(runner.stage(images), runner.stage(labels), step)
    ours, theirs = (runner.weights().arrays() for runner in runners)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert np.abs(value - theirs[name]).max() <= TOLERANCES["trained"].relative * np.abs(value).max()


@pytest.mark.parametrize("engine", ENGINES)
def test_urfb_keeps_the_difference_of_w_and_r_under_batch_manhattan(engine):
    runner = started(engine, "urfb", Update(1, 0.9))
    before = runner.weights()
    for step, (images, labels) in enumerate(batches(4)):
        runner.learn(runner.stage(images), runner.stage(labels), step)
    after = runner.weights()
    for i, R in after.R.items():
        change = np.abs((after.W[i] - R) - (before.W[i] - before.R[i])).max()
        assert change <= EXACT * np.abs(R).max()
        assert not np.array_equal(R, before.R[i])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("learns", "changed"), [("bottom", {1, 2, 3}), ("top", {4}), ("all", {1, 2, 3, 4})])
def test_clamped_layers_stay(engine, learns, changed):
    runner = started(engine, "urfb", Update(learns=learns))
    before = runner.weights()
    for step, (images, labels) in enumerate(batches(2)):
        runner.learn(runner.stage(images), runner.stage(labels), step)
    after = runner.weights()
    for group in ("W", "R", "gamma", "beta"):
        old, new = getattr(before, group), getattr(after, group)
        assert {i for i in old if not np.array_equal(old[i], new[i])} == changed & old.keys()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_schedule_scales_eta_from_its_update_on(engine):
    scheduled = started(engine, "bp", Update(schedule=((1, 0.25), (2, 0.5))), eta=0.4)
    for step, ((images, labels), eta) in enumerate(zip(batches(3), (0.4, 0.1, 0.2), strict=True)):
        before = scheduled.weights()
        plain = engine_of(engine, scheduled.spec, before, "bp", eta=eta)
        for runner in (plain, scheduled):
            runner.learn(runner.stage(images), runner.stage(labels), step)
        for i, W in plain.weights().W.items():
            assert np.abs(W - scheduled.weights().W[i]).max() <= EXACT * np.abs(W).max()


@pytest.mark.parametrize("engine", ENGINES)
def test_momentum_is_kept_with_the_weights(engine):
    update = Update(1, 0.9, 1e-3)
    whole, first = (started(engine, "brsf", update) for _ in range(2))
    steps = list(batches(4))
    for step, (images, labels) in enumerate(steps):
        whole.learn(whole.stage(images), whole.stage(labels), step)
    runner = first
    for step, (images, labels) in enumerate(steps):
        if step == 2:
            runner = engine_of(engine, first.spec, first.weights(), "brsf", eta=0.05, update=update)
        runner.learn(runner.stage(images), runner.stage(labels), step)
    ours, theirs = whole.weights().arrays(), runner.weights().arrays()
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(value, theirs[name]) for name, value in ours.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"manhattan": 4}, "Manhattan setting 4"),
        ({"momentum": 1.0}, "momentum 1"),
        ({"weight_decay": -1.0}, "weight decay -1"),
        ({"over_batch": "summ"}, "did you mean 'sum'"),
        ({"learns": "botom"}, "did you mean 'bottom'"),
        ({"schedule": ((5, 0.1), (5, 0.01))}, "updates that grow"),
        ({"schedule": ((5, 0.0),)}, "positive factors"),
    ],
)
def test_what_makes_no_sense_is_refused(options, message):
    with pytest.raises(BadInput, match=message):
        Update(**options)


def test_updates_that_a_rule_or_an_engine_cannot_do_are_refused_by_name():
    spec, weights, *_ = presentation("Full 4; Output", "urfb", shape=(1, 3, 3))
    with pytest.raises(BadInput, match="'after_update' adds the increment itself"):
        engine_of("torch", spec, weights, "urfb", order="after_update", update=Update(momentum=0.9))
    with pytest.raises(BadInput, match="feedback decay"):
        engine_of("torch", spec, weights, make_rule("urfb", None, 0.1), update=Update(momentum=0.9))
    with pytest.raises(BadInput, match="engine 'event': its synapses change by their increments alone"):
        engine_of("event", spec, weights, "urfb", update=Update(manhattan=1))
