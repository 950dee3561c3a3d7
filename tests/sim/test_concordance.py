"""Angles and signs beside exact back-propagation: their definitions, restated plainly, and what a run records."""

import json
from dataclasses import replace
from math import acos, degrees, isnan

import numpy as np
import pytest

from network.reference import present
from network.rules import RULES
from sim.concordance import MEASURES, beside_backpropagation, concordance, exact_rule, looked_at, same_signs
from sim.config import make_config
from sim.data import Split, load_data
from sim.experiments.quantities import DEGREES_BELOW_90, DELTA_ANGLE, SIGN_CONCORDANCE
from sim.run_folder import METRICS, RunFolder
from sim.train import resume, start
from tests.sim.conftest import engine_of, presentation
from validation.tolerances import TOLERANCES

NET = "Conv 4 3x3; Maxpool 3; Local 3 3x3; Conv 3 1x1; SUM; Drop .3; Full 12; Output"
SMALL = {"net": "Full 12; Full 10; Output", "batch_size": 200, "device": "cpu"}


def beside(name, rule, weights_of=lambda weights: None, net=NET, **options):
    spec, weights, images, labels = presentation(net, rule, shape=(2, 8, 8), images=6, scale=2.0)
    weights_of(weights)
    engine = engine_of(name, spec, weights, rule, **options)
    return beside_backpropagation(name, engine, engine.weights(), Split(images, labels))


@pytest.mark.parametrize("rule", RULES)
def test_exact_is_the_symmetric_rule_of_the_same_loss(rule):
    found = exact_rule(RULES[rule])
    assert found.symmetric and found.loss == RULES[rule].loss


@pytest.mark.parametrize(("name", "dtype"), [("reference", "float64"), ("torch", "float64"), ("torch", "float32")])
@pytest.mark.parametrize("rule", ["bp", "bph"])
def test_back_propagation_agrees_with_itself(rule, name, dtype):
    found = beside(name, rule, dtype=dtype)
    assert found == {"delta_angle": [0.0] * 5, "increment_angle": [0.0] * 5, "sign_concordance": [1.0] * 5}


@pytest.mark.parametrize("name", ["reference", "torch"])
@pytest.mark.parametrize("rule", ["urfb", "rndf"])
def test_feedback_weights_that_are_multiples_of_w_send_the_direction_of_back_propagation(rule, name):
    def multiples(weights):
        weights.R = {i: (1.5 + i) * W for i, W in weights.W.items()}

    # No SUM: the two paths that it joins would come with factors of their own.
    found = beside(name, rule, multiples, "Conv 4 3x3; Maxpool 3; Local 3 3x3; Drop .3; Full 12; Output")
    assert max(found["delta_angle"] + found["increment_angle"]) < degrees(TOLERANCES["float64"].relative)
    assert found["sign_concordance"] == [1.0] * 4


def test_a_circuit_is_held_against_the_reference():
    pytest.importorskip("numba")
    found = beside("event", "bph")
    assert max(found["delta_angle"] + found["increment_angle"]) < degrees(TOLERANCES["float64"].relative)
    assert beside("event", "urfb")["delta_angle"][0] == pytest.approx(beside("reference", "urfb")["delta_angle"][0])


@pytest.mark.parametrize("name", ["reference", "torch"])
@pytest.mark.parametrize("rule", ["urfb", "dfa"])
def test_angles_and_signs_are_those_of_a_plain_restatement(rule, name):
    net, images, classes = "Full 9; Full 7; Output", 5, 4
    spec, weights, pixels, labels = presentation(net, rule, shape=(1, 3, 4), images=images, classes=classes, scale=1.3)
    found = beside_backpropagation(
        name, engine := engine_of(name, spec, weights, rule), engine.weights(), Split(pixels, labels)
    )
    W, R, sizes = weights.W, weights.R, {0: 12, 1: 9, 2: 7, 3: 4}
    deltas = {"found": {i: [] for i in (1, 2, 3)}, "exact": {i: [] for i in (1, 2, 3)}}
    increments = {kind: {i: np.zeros((sizes[i], sizes[i - 1])) for i in (1, 2, 3)} for kind in deltas}
    for image, label in zip(pixels, labels, strict=True):
        x, h = {0: image.ravel()}, {}
        for i in (1, 2, 3):
            h[i] = W[i] @ x[i - 1]
            x[i] = np.clip(h[i], -1, 1) if i < 3 else h[i]
        if rule == "dfa":
            error = (np.arange(classes) == label) - np.exp(h[3]) / np.exp(h[3]).sum()
        else:
            error = np.array([(y <= 1) * 1.0 if c == label else (y >= -1) * -1 / 3 for c, y in enumerate(h[3])])
        for kind in deltas:
            delta = {3: error}
            for i in (2, 1):
                if kind == "exact":
                    sent = W[i + 1].T @ delta[i + 1]
                else:
                    sent = R[i].T @ error if rule == "dfa" else R[i + 1].T @ delta[i + 1]
                delta[i] = (np.abs(h[i]) < 1) * sent
            for i in (1, 2, 3):
                deltas[kind][i] += list(delta[i])
                increments[kind][i] += np.outer(delta[i], x[i - 1])
    for i in (1, 2):
        a, b = np.array(deltas["found"][i]), np.array(deltas["exact"][i])
        assert found["delta_angle"][i - 1] == pytest.approx(plain_angle(a, b), rel=1e-9)
        dW = increments["found"][i].ravel(), increments["exact"][i].ravel()
        assert found["increment_angle"][i - 1] == pytest.approx(plain_angle(*dW), rel=1e-9)
        counted = [(u > 0) == (v > 0) for u, v in zip(a, b, strict=True) if v != 0]
        assert 10 < len(counted) < len(b)
        assert found["sign_concordance"][i - 1] == pytest.approx(sum(counted) / len(counted), rel=1e-12)
    assert all(10 < angle < 170 for angle in found["delta_angle"][:2])
    assert found["delta_angle"][2] == 0 and found["sign_concordance"][2] == 1


def plain_angle(a, b):
    return degrees(acos(sum(a * b) / np.sqrt(sum(a * a) * sum(b * b))))


def test_signs_are_counted_where_back_propagation_sends_something():
    exact = np.array([1.0, -2.0, 0.0, 3.0, -4.0])
    assert same_signs(np.array([5.0, 1.0, 9.0, 0.0, -1.0]), exact) == 1 / 2
    assert isnan(same_signs(exact, np.zeros(5))) and isnan(same_signs(None, exact))


def test_a_layer_that_does_not_learn_has_no_angle():
    spec, weights, images, labels = presentation(SMALL["net"], "urfb", shape=(1, 3, 3))
    spec = replace(spec, frozen=1)
    traces = [present(spec, weights, images, labels, RULES[rule], eta=1.0) for rule in ("urfb", "bph")]
    found = concordance(spec, *traces)
    for name in MEASURES:
        assert [isnan(value) for value in found[name]] == [True, False, False]


def test_the_same_images_are_looked_at_each_time_and_no_more_than_a_batch():
    train = load_data("digits", None).train
    first, again, other = (looked_at(train, seed, 500) for seed in (1, 1, 2))
    assert len(first) == 100 and np.array_equal(first.images, again.images)
    assert not np.array_equal(first.labels, other.labels)
    assert len(looked_at(train, 1, 7)) == 7


def test_a_run_records_it_and_is_the_same_run_without(tmp_path):
    config = make_config({**SMALL, "rule": "urfb", "epochs": 2, "concordance": True})
    measured = start(config, tmp_path / "a", progress=False)
    start(make_config({**SMALL, "rule": "urfb", "epochs": 1}), tmp_path / "b", progress=False)
    resumed = resume(tmp_path / "b", {"epochs": 2, "concordance": True}, progress=False)
    ours, theirs = (RunFolder(run.folder).read_epoch()[1].arrays() for run in (measured, resumed))
    assert all(np.array_equal(value, theirs[name]) for name, value in ours.items())
    rows = [json.loads(line) for line in (resumed.folder / METRICS).read_text().splitlines()]
    assert [MEASURES[0] in row for row in rows] == [False, True]
    for name in MEASURES:
        assert rows[1][name] == measured.rows[1][name]
        assert len(rows[1][name]) == 3
    assert rows[1]["delta_angle"][2] == 0 and 0 < rows[1]["delta_angle"][0] < 180
    assert (resumed.folder / "concordance.svg").exists()
    assert DELTA_ANGLE.of(rows) == pytest.approx(np.mean(rows[1]["delta_angle"][:2]))
    assert DEGREES_BELOW_90.of(rows) == pytest.approx(90 - np.mean(rows[1]["delta_angle"][:2]))
    assert SIGN_CONCORDANCE.of(rows) == pytest.approx(np.mean(rows[1]["sign_concordance"][:2]))
    assert DELTA_ANGLE.of(rows[:1]) is DEGREES_BELOW_90.of(rows[:1]) is None
