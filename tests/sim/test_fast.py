"""The fast path of the torch engine against the reference and its own plain form, update by update."""

import os
import subprocess
import sys

import numpy as np
import pytest

from network.errors import BadInput
from network.rules import ORDERS, RULES, make_rule
from sim.engine import DROPOUT_MASKS
from sim.fast.input import InputSynapses
from sim.fast.local import LocalSynapses
from sim.fast.pooled import PooledSynapses
from sim.fast.sparse import SparseSynapses
from sim.fast.stages import Pooling
from sim.torch_engine import TorchEngine
from sim.torch_fast import FastTorchEngine
from tests.sim.conftest import engine_of, presentation
from validation.compare import compare
from validation.tolerances import TOLERANCES

SIMPLE = "Conv 16 5x5; Maxpool 3; Drop .8; Full 50; Drop .3; Output"
DEEPER = (
    "Conv 16 3x3; Conv 16 3x3; SUM; Maxpool 3; Drop .5; Conv 32 3x3; Maxpool 2/2; Conv 16 1x3; Maxpool 4/3; Drop .6; "
    "Full 30; Drop .7; Full 20; Output"
)
UNTIED = "Local 16 5x5; Maxpool 3; Drop .5; Local 48 3x2; Full 20; Output"
NETS = {"simple": SIMPLE, "deeper": DEEPER, "untied": UNTIED}


def batches(count, *, images=16, shape=(3, 12, 12), seed=0):
    rng = np.random.default_rng(seed)
    for step in range(count):
        yield step, rng.integers(0, 256, (images, *shape), dtype=np.uint8), rng.integers(0, 10, images)


def start(net, rule, **options):
    return presentation(net, rule, shape=(3, 12, 12), **options)[:2]


def apart(a, b):
    """The largest difference between two engines' weights, relative to the largest weight of the layer."""
    ours, theirs = a.weights(), b.weights()
    return max(
        float(np.abs(x[i] - y[i]).max() / np.abs(x[i]).max())
        for x, y in ((ours.W, theirs.W), (ours.R, theirs.R))
        for i in x
    )


def follow(engines, count, every=20):
    """Let both learn the same batches; the largest difference of their weights on the way."""
    worst = 0.0
    for step, images, labels in batches(count):
        wrong = [int(e.learn(e.stage(images), e.stage(labels), step)) for e in engines]
        assert wrong[0] == wrong[1]
        if step % every == every - 1:
            worst = max(worst, apart(*engines))
    return worst


def test_the_networks_of_these_tests_take_every_shortcut():
    kinds_of = {
        SIMPLE: {InputSynapses, SparseSynapses},
        DEEPER: {InputSynapses, SparseSynapses, Pooling, PooledSynapses},
        UNTIED: {LocalSynapses},
    }
    for net, kinds in kinds_of.items():
        engine = engine_of("torch", *start(net, "urfb"), "urfb", kernels="fast")
        assert isinstance(engine, FastTorchEngine)
        assert kinds <= {type(stage) for stage in engine._stages}


# The reference is slow with untied weights.
@pytest.mark.parametrize(("net", "updates"), [("simple", 200), ("deeper", 200), ("untied", 20)])
def test_200_updates_equal_the_references(net, updates):
    spec, weights = start(NETS[net], "urfb", scale=1.5)
    engines = [engine_of(name, spec, weights, "urfb", seed=3) for name in ("reference", "torch")]
    assert isinstance(engines[1], FastTorchEngine)
    assert follow(engines, updates) <= TOLERANCES["trained"].relative
    assert not np.array_equal(engines[1].weights().W[1], weights.W[1])


@pytest.mark.parametrize("dropout_mask", DROPOUT_MASKS)
@pytest.mark.parametrize("net", NETS)
def test_200_updates_equal_the_plain_forms(net, dropout_mask):
    spec, weights = start(NETS[net], "urfb", scale=1.5)
    options = {"seed": 3, "dropout_mask": dropout_mask}
    engines = [engine_of("torch", spec, weights, "urfb", kernels=kernels, **options) for kernels in ("plain", "fast")]
    assert type(engines[0]) is TorchEngine
    assert follow(engines, 200) <= TOLERANCES["trained"].relative


@pytest.mark.parametrize(
    "rule", ["urfb", "frfb", "bp", "bph", make_rule("urfb", 0.5, 0.01)], ids=["urfb", "frfb", "bp", "bph", "half rate"]
)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("connectivity", [1.0, 0.5])
@pytest.mark.parametrize("net", ["deeper", "untied"])
def test_every_rule_and_order_equals_the_plain_form(net, rule, order, connectivity):
    spec, weights = start(NETS[net], rule, connectivity=connectivity)
    options = {"order": order, "seed": 1, "eta": 0.05}
    engines = [engine_of("torch", spec, weights, rule, kernels=kernels, **options) for kernels in ("plain", "fast")]
    assert follow(engines, 3, every=1) <= TOLERANCES["trained"].relative


@pytest.mark.parametrize("net", NETS)
def test_in_float32_a_step_stays_near_the_plain_form_in_float64(net):
    spec, weights = start(NETS[net], "urfb", scale=1.5)
    dtypes = ("float64", "float32")
    engines = [
        engine_of("torch", spec, weights, "urfb", dtype=d, kernels=k)
        for d, k in zip(dtypes, ("plain", "fast"), strict=True)
    ]
    assert follow(engines, 2, every=1) <= TOLERANCES["float32"].relative


@pytest.mark.parametrize("net", NETS)
def test_a_presentation_is_traced_in_the_plain_layout(net):
    spec, weights = start(NETS[net], "urfb", scale=3.0)
    (_, images, labels), *_ = batches(1, images=5)
    ours, theirs = (engine_of(n, spec, weights, "urfb").present(images / 255, labels) for n in ("reference", "torch"))
    found = compare(ours, theirs)
    assert found.within(TOLERANCES["float64"]), found.worst


def test_outputs_and_saturation_are_the_plain_forms():
    spec, weights = start(DEEPER, "urfb", scale=3.0)
    plain, fast = (engine_of("torch", spec, weights, "urfb", kernels=kernels) for kernels in ("plain", "fast"))
    (_, images, _), *_ = batches(1)
    staged = plain.stage(images)
    scale = float(plain.outputs(staged).abs().max())
    assert float((plain.outputs(staged) - fast.outputs(staged)).abs().max()) <= TOLERANCES["float64"].relative * scale
    ours, theirs = fast.saturation(staged), plain.saturation(staged)
    assert ours == pytest.approx(theirs, abs=1e-3)
    assert max(ours.values()) > 0.05


def test_weights_that_are_not_numbers_are_seen():
    spec, weights = start(SIMPLE, "urfb")
    weights.W[1][3, 0, 0, 0] = np.nan
    engine = FastTorchEngine(spec, weights, engine_of("torch", *start(SIMPLE, "urfb"), "urfb").settings)
    (_, images, _), *_ = batches(1)
    assert np.isnan(engine.saturation(engine.stage(images))["conv1"])


def test_what_the_fast_path_does_not_know_runs_plain_or_says_why():
    for net, rule, options in (
        (SIMPLE, "usf", {}),
        (SIMPLE, "urfb", {"semantics": "code2018"}),
    ):
        spec, weights = start(net, rule, **options)
        assert type(engine_of("torch", spec, weights, rule)) is TorchEngine
        with pytest.raises(BadInput, match="kernels 'fast': they do not know"):
            engine_of("torch", spec, weights, rule, kernels="fast")


def test_every_rule_of_amits_takes_the_fast_path():
    for rule in ("bp", "bph", "frfb", "urfb"):
        assert rule in RULES
        assert isinstance(engine_of("torch", *start(SIMPLE, rule), rule), FastTorchEngine)


BITS = """
import hashlib, sys
import numpy as np, torch
from tests.sim.conftest import engine_of
from tests.sim.test_fast import NETS, batches, start
digest = hashlib.sha256()
torch.set_num_threads(int(sys.argv[1]))
spec, weights = start(NETS["simple"], "urfb")
engine = engine_of("torch", spec, weights, "urfb", dtype="float32", kernels="fast")
for step, images, labels in batches(3, images=80):
    engine.learn(engine.stage(images), engine.stage(labels), step)
for i, W in engine.weights().W.items():
    print(i, hashlib.sha256(W.tobytes()).hexdigest())
"""


def test_the_same_seed_gives_the_same_bits_for_any_number_of_threads():
    # Of "deeper" it does not: torch's threads share the sums of a convolution's increment.
    def bits(threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        command = [sys.executable, "-c", BITS, str(threads)]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert bits(1) == bits(2)
