"""A run that starts from the lowest layers of another: what is taken over, what is frozen, what is refused."""

import numpy as np
import pytest

from network import reference
from network.errors import BadInput
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.config import make_config
from sim.engine import Settings, open_engine
from sim.run_folder import ENVIRONMENT, METRICS, WEIGHTS, RunFolder, read_weights
from sim.train import resume, start
from sim.updates import Update
from tests.sim.conftest import engine_of, presentation

TIED = "Conv 16 3x3; Conv 16 3x3; SUM; Maxpool 2/2; Drop .5; Full 12; Output"
UNTIED = "Conv 16 3x3; Local 16 3x3; SUM; Maxpool 2/2; Drop .5; Full 12; Output"
SMALL = {"net": TIED, "epochs": 1, "batch_size": 400, "device": "cpu", "connectivity": 0.5}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return start(make_config(SMALL), tmp_path_factory.mktemp("runs") / "first", progress=False).folder


def second(first, **changes):
    return make_config(
        {**SMALL, "net": UNTIED, "start_from": str(first), "keep_layers": "1", "freeze": True, **changes}
    )


def test_a_frozen_layer_comes_from_the_first_run_and_stays_and_the_others_are_drawn_and_learn(first, tmp_path):
    config = second(first)
    run = start(config, tmp_path / "second", progress=False)
    theirs, (found, epoch) = read_weights(first / WEIGHTS)[0], read_weights(run.folder / WEIGHTS)
    drawn = Weights.draw(run.spec, config.seed, make_rule("urfb"), connectivity=0.5, dtype="float32")
    assert epoch == 1
    for group in ("W", "R", "mask_W", "mask_R"):
        assert np.array_equal(getattr(found, group)[1], getattr(theirs, group)[1])
        assert not np.array_equal(getattr(found, group)[1], getattr(drawn, group)[1]) or "mask" in group
    for i in (2, 3, 4):
        changed = found.W[i] != drawn.W[i]
        assert changed.any() and (np.abs(found.W[i] - drawn.W[i]).max() < 0.2)
    assert "start layers 1 to 1 from" in (run.folder / ENVIRONMENT).read_text()


def test_the_first_run_is_needed_no_more_when_the_second_goes_on(first, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in first.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    config = second(copy)
    start(config, tmp_path / "half", progress=False)
    whole = start(second(copy, epochs=2), tmp_path / "whole", progress=False)
    for path in copy.iterdir():
        path.unlink()
    resumed = resume(tmp_path / "half", {"epochs": 2}, progress=False)
    for name, value in whole.engine.weights().arrays().items():
        assert np.array_equal(value, resumed.engine.weights().arrays()[name])


def test_kept_layers_that_are_not_frozen_go_on_learning(first, tmp_path):
    run = start(second(first, freeze=None, net=TIED, keep_layers="4"), tmp_path / "all", progress=False)
    theirs, found = read_weights(first / WEIGHTS)[0], read_weights(run.folder / WEIGHTS)[0]
    assert all(not np.array_equal(found.W[i], theirs.W[i]) for i in found.W)
    assert RunFolder(run.folder).read_metrics()[0]["test_error"] <= RunFolder(first).read_metrics()[0]["test_error"]


@pytest.mark.parametrize("kernels", ["plain", "fast"])
@pytest.mark.parametrize("rule", ["bp", "bph", "urfb", "frfb"])
def test_engines_agree_on_frozen_layers(rule, kernels):
    """What is frozen does not change, and the others change as they would with all layers learning."""
    spec, weights, images, labels = presentation(UNTIED, rule, shape=(3, 8, 8), images=4)
    for frozen in (1, 2, 3):
        held = NetworkSpec(spec.layers, spec.input_shape, spec.classes, frozen=frozen)
        oracle = reference.present(held, weights, images, labels, make_rule(rule), eta=0.1)
        free = reference.present(spec, weights, images, labels, make_rule(rule), eta=0.1)
        assert sorted(oracle.dW) == sorted(oracle.delta) == list(range(frozen + 1, 5))
        assert sorted(oracle.h) == [1, 2, 3, 4]
        engine = engine_of("torch", held, weights, rule, kernels=kernels)
        trace = engine.present(images, labels)
        for i in oracle.dW:
            assert np.array_equal(oracle.dW[i], free.dW[i])
            np.testing.assert_allclose(trace.dW[i], oracle.dW[i], rtol=0, atol=1e-12)
        assert sorted(trace.dW) == sorted(oracle.dW)
        slow = engine_of("reference", held, weights, rule)
        for step in range(2):
            engine.learn(engine.stage(images), engine.stage(labels), step)
            slow.learn(images, labels, step)
        for name, value in slow.weights().arrays().items():
            np.testing.assert_allclose(engine.weights().arrays()[name], value, rtol=0, atol=1e-12)
            if int(name.split("/")[1]) <= frozen:
                assert np.array_equal(value, weights.arrays()[name])


@pytest.mark.parametrize("engine", ["torch", "reference"])
def test_feedback_from_signs_and_momentum_leave_frozen_layers_alone(engine):
    rule = make_rule("brsf")
    spec, weights, images, labels = presentation("Conv 4 3x3; Full 6; Output", rule, shape=(1, 6, 6))
    held = NetworkSpec(spec.layers, spec.input_shape, spec.classes, frozen=1)
    update = Update(momentum=0.9, weight_decay=0.1)
    made = open_engine(engine, held, weights, Settings(rule, dtype="float64", device="cpu", update=update))
    for step in range(2):
        made.learn(made.stage(images), made.stage(labels), step)
    after = made.weights()
    assert np.array_equal(after.W[1], weights.W[1]) and np.array_equal(after.R[1], weights.R[1])
    assert not np.array_equal(after.W[2], weights.W[2]) and not np.array_equal(after.R[2], weights.R[2])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"keep_layers": None}, "say how many"),
        ({"keep_layers": "9"}, "expected 1 to 4"),
        ({"keep_layers": "0"}, "expected 1 to 4"),
        ({"keep_layers": "conv2"}, "did you mean"),
        ({"keep_layers": "4", "freeze": None}, "layer 2 is 'Conv 16 3x3', not 'Local 16 3x3'"),
        ({"keep_layers": "output7", "net": TIED}, "the output has to learn"),
        ({"start_from": None}, "only with start-from"),
        ({"start_from": "nowhere"}, r"start-from nowhere: there is no config\.toml"),
        ({"net": TIED.replace("Conv 16 3x3; Conv", "Conv 16 5x5; Conv")}, "its layer 1 is 'Conv 16 3x3'"),
        ({"engine": "event"}, "engine 'event'"),
    ],
)
def test_what_does_not_fit_is_refused_before_a_folder_is_made(first, tmp_path, changes, says):
    with pytest.raises(BadInput, match=says) as caught:
        start(second(first, **changes), tmp_path / "second", progress=False)
    assert "\n" not in str(caught.value) and not (tmp_path / "second").exists()


def test_a_damaged_first_run_is_named(first, tmp_path):
    (tmp_path / "first").mkdir()
    for path in first.iterdir():
        (tmp_path / "first" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "first" / METRICS).write_text("{}\n")
    with pytest.raises(BadInput, match=METRICS):
        start(second(tmp_path / "first"), tmp_path / "second", progress=False)
