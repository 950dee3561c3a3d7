"""Small presentations, and engines to make them with."""

import numpy as np

from network.rules import Rule, make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.engine import Engine, Settings, open_engine


def presentation(
    net: str, rule: Rule | str, *, images: int = 3, shape=(3, 32, 32), classes=10, seed=0, connectivity=1.0,
    scale=1.0, semantics="paper", gain=None,
):  # fmt: skip
    """A network, weights `scale` times those of training's start, images in [0, 1] and labels."""
    rule = make_rule(rule) if isinstance(rule, str) else rule
    spec = NetworkSpec.parse(net, shape, classes, gain, semantics)
    weights = Weights.draw(spec, seed, rule, connectivity=connectivity)
    for values in (weights.W, weights.R):
        for i in values:
            values[i] = values[i] * scale
    rng = np.random.default_rng(seed)
    return spec, weights, rng.random((images, *shape)), rng.integers(0, classes, images)


def engine_of(name: str, spec: NetworkSpec, weights: Weights, rule: Rule | str, **options) -> Engine:
    rule = make_rule(rule) if isinstance(rule, str) else rule
    options = {"dtype": "float64", "device": "cpu", **options}
    return open_engine(name, spec, weights.astype(options["dtype"]), Settings(rule, **options))
