"""Normalised networks: the torch engine against the reference, and the statistics that classify."""

import numpy as np
import pytest

from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.tolerances import TOLERANCES

NET = "Conv 4 3x3 BN ReLU; Maxpool 3; Drop .3; Local 3 3x3/2 BN-affine; Full 9 BN-affine ReLU; Full 8 BN; Output"
ENGINES = ("reference", "torch")


def case(rule, **options):
    spec, weights, images, labels = presentation(NET, rule, shape=(2, 8, 8), classes=5, images=7, **options)
    rng = np.random.default_rng(0)
    for group in (weights.gamma, weights.beta):
        for i in group:
            group[i] = group[i] + rng.uniform(-0.5, 0.5, group[i].shape)
    return spec, weights, images, labels


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rule", ["bph", "urfb", "usf", "rndf"])
def test_presentations_agree(rule, dtype):
    spec, weights, images, labels = case(rule, connectivity=0.5)
    reference = engine_of("reference", spec, weights, rule).present(images, labels)
    found = engine_of("torch", spec, weights, rule, dtype=dtype).present(images.astype(dtype), labels)
    assert reference.dgamma.keys() == found.dgamma.keys() == {2, 3}
    assert compare(reference, found).within(TOLERANCES[dtype]), compare(reference, found).worst


@pytest.mark.parametrize("rule", ["bp", "urfb", "brsf"])
def test_learning_and_classifying_agree(rule):
    spec, weights, images, _ = case(rule)
    rng = np.random.default_rng(1)
    engines = [engine_of(name, spec, weights, rule, eta=0.3, seed=2) for name in ENGINES]
    for step in range(4):
        pixels, labels = rng.integers(0, 256, (9, 2, 8, 8), dtype=np.uint8), rng.integers(0, 5, 9)
        for engine in engines:
            engine.learn(engine.stage(pixels), engine.stage(labels), step)
            engine.take_statistics(engine.stage(pixels), first=step == 0)
    ours, theirs = (engine.weights().arrays() for engine in engines)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert np.abs(value - theirs[name]).max() <= TOLERANCES["trained"].relative * np.abs(value).max()
    assert not np.array_equal(ours["gamma/3"], weights.gamma[3])
    outputs = [np.asarray(engine.outputs(engine.stage(images))) for engine in engines]
    assert np.abs(outputs[0] - outputs[1]).max() <= TOLERANCES["trained"].relative * np.abs(outputs[0]).max()
    shares = [engine.saturation(engine.stage(images)) for engine in engines]
    assert shares[0] == pytest.approx(shares[1])


@pytest.mark.parametrize("name", ENGINES)
def test_statistics_are_moving_averages_of_means_and_deviations(name):
    spec, weights, *_ = case("urfb")
    engine = engine_of(name, spec, weights, "urfb")
    rng, means, deviations = np.random.default_rng(3), [], []
    for batch in range(4):
        images = rng.random((6, 2, 8, 8)) * (batch + 1)
        h = engine_of("reference", spec, weights, "urfb").present(images, np.zeros(6, dtype=int)).h[1]
        means.append(h.mean(axis=(0, 2, 3)))
        deviations.append(np.sqrt(h.var(axis=(0, 2, 3)) + 1e-5))
        engine.take_statistics(engine.stage(images), first=batch == 0)
    for kept, values in ((engine.weights().mean[1], means), (engine.weights().deviation[1], deviations)):
        average = values[0]
        for value in values[1:]:
            average = 0.95 * average + 0.05 * value
        assert kept == pytest.approx(average, rel=TOLERANCES["float64"].relative)
