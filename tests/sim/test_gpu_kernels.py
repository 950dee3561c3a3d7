"""The kernels of a GPU against the plain form, by Triton's interpreter on the CPU or, where there is one, on a GPU."""

import importlib
import os

import numpy as np
import pytest
import torch

from network.errors import BadInput
from network.layers import Conv, Maxpool
from network.spec import NetworkSpec
from sim import torch_ops
from sim.gpu.engine import GraphTorchEngine
from sim.gpu.masks import Masks
from tests.sim.conftest import presentation
from tests.sim.test_gpu_engine import settings_of
from validation.tolerances import TOLERANCES

GPU = torch.cuda.is_available()
if not GPU:
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read where kernels are defined, below
pytest.importorskip("triton", reason="Triton is not installed: pip install triton")
fused = importlib.import_module("sim.gpu.fused")
fused_engine = importlib.import_module("sim.gpu.fused_engine")

SHAPE = (3, 8, 8)
DEVICE = "cuda" if GPU else "cpu"
ALLOWED = TOLERANCES["float32"].relative
WINDOWS = {  # ragged: channels that fill no block, maps that windows do not fit
    "3": ("Maxpool 3", (5, 9, 11)),
    "2/2": ("Maxpool 2/2", (16, 8, 7)),
    "4/3": ("Maxpool 4/3", (7, 10, 5)),
}
SIMPLE = "Conv 8 5x5; Maxpool 3; Drop .8; Full 30; Drop .3; Output"
DEEPER = (
    "Conv 6 3x3; Conv 6 3x3; SUM; Maxpool 3; Drop .5; Conv 5 3x3; Maxpool 2/2; Conv 4 1x3; Full 20; Drop .7; Output"
)


def draw(*shape, seed=0):
    """Normal numbers; others for another seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)


def apart(ours, theirs):
    return float((ours - theirs).abs().max() / theirs.abs().max())


def pooling(windows, saturates, gain=1.5):
    text, shape = WINDOWS[windows]
    spec = NetworkSpec.parse(f"Conv {shape[0]} 3x3; {text}; Output", (1, *shape[1:]), 4)
    pool, anchor = spec.nodes[1], spec.semantics.pool_anchor
    assert isinstance(pool.layer, Maxpool)
    geometry = fused.Windows.of(pool.layer, anchor, shape, pool.shape, saturates, gain if saturates else 1.0)
    return pool, anchor, geometry


def plain(pool, anchor, geometry, h, feedback, kept, scale):
    """Activity and what units below receive, as `sim.torch_engine` has them."""
    x = (geometry.gain * h).clamp(-1, 1) if geometry.saturates else h
    pooled, winner = torch_ops.max_pool(pool.layer, anchor, x)
    factor = 1 if kept is None else kept * scale
    received = torch_ops.max_pool_feedback(pool.layer, anchor, "first", feedback * factor, x, pooled, winner)
    if geometry.saturates:
        received = geometry.gain * torch_ops.shut_off(received.contiguous(), x.contiguous())
    return pooled * factor, received


def test_masks_are_numpys():
    spec = presentation("Conv 5 5x3; Drop .8; Full 51; Drop .3; Output", "urfb", shape=SHAPE)[0]
    settings = settings_of("urfb")
    plain, ours = Masks(spec, settings, "cpu"), fused.TritonMasks(spec, settings, DEVICE)
    streams = plain.streams(1_000_003, 1)[0]
    theirs = plain.kept(streams, 17)
    for name, mask in ours.kept(streams.to(DEVICE), 17).items():
        assert torch.equal(mask.cpu(), theirs[name])


@pytest.mark.parametrize(("saturates", "drops", "flat"), [
    (True, True, True), (True, True, False), (True, False, True), (False, True, False), (False, False, True),
])  # fmt: skip
@pytest.mark.parametrize("windows", WINDOWS)
def test_pooling_and_its_way_back_equal_the_plain_form(windows, saturates, drops, flat):
    pool, anchor, geometry = pooling(windows, saturates)
    h, feedback = draw(6, *geometry.shape), draw(6, *geometry.pooled, seed=1)
    h = h.to(memory_format=torch.channels_last)
    kept = draw(6, *geometry.pooled, seed=2) < -0.3 if drops else None
    x, received = plain(pool, anchor, geometry, h, feedback, kept, 2.5)
    pooled = fused.pool(h, geometry, kept, 2.5, flat)
    assert pooled.x.is_contiguous() or not flat
    assert torch.equal(pooled.x, x)
    assert apart(fused.send_back(feedback, pooled), received) <= ALLOWED


def test_what_is_not_a_number_stays_so():
    _, _, geometry = pooling("3", True)
    h = draw(2, *geometry.shape)
    h[1, 3, 4, 5] = float("nan")
    x = fused.pool(h, geometry, None, 1.0, False).x
    assert not torch.isnan(x[0]).any()
    assert torch.isnan(x[1, 3]).sum() == 2  # the windows whose middle rows and columns meet there


@pytest.mark.parametrize(("windows", "kernel"), [("3", (5, 5)), ("2/2", (3, 1))])
def test_the_first_layers_increment_equals_the_plain_form(windows, kernel):
    pool, anchor, geometry = pooling(windows, True)
    images = draw(3, 3, *geometry.shape[1:], seed=3)
    h, feedback = draw(3, *geometry.shape), draw(3, *geometry.pooled, seed=1)
    kept = draw(3, *geometry.pooled, seed=2) < 0
    _, delta = plain(pool, anchor, geometry, h, feedback, kept, 2.0)
    layer = Conv(geometry.shape[0], kernel)
    ours = fused.increment_of_winners(layer, images, feedback, fused.pool(h, geometry, kept, 2.0, False), exact=True)
    theirs = torch_ops.hebbian(layer, delta, images, (geometry.shape[0], 3, *kernel))
    assert apart(ours, theirs) <= ALLOWED


@pytest.mark.parametrize("count", [1, 1000, 1025])
def test_w_and_r_grow_by_one_increment(count):
    W, R, products = draw(count), draw(count, seed=1), draw(count, seed=2)
    mask = (draw(count, seed=3) < 0).float()
    ours = [W.clone(), R.clone()]
    fused.grow(ours, products, [0.1, 0.05], [mask, None])
    assert apart(ours[0], W + 0.1 * products * mask) <= ALLOWED
    assert apart(ours[1], R + 0.05 * products) <= ALLOWED
    alone = [W.clone()]
    fused.grow(alone, products, [0.1], [None])
    assert apart(alone[0], W + 0.1 * products) <= ALLOWED


def test_what_an_index_cannot_count_is_refused():
    _, _, geometry = pooling("3", True)
    images = -(-(2**31) // int(np.prod(geometry.shape)))
    many = torch.empty((images, *geometry.shape), device="meta")  # takes no memory
    with pytest.raises(BadInput, match="a smaller --batch-size has fewer, or take --kernels plain"):
        fused.pool(many, geometry, None, 1.0, False)
    weights = torch.empty(2**31, device="meta")
    with pytest.raises(BadInput, match="2,147,483,648 values"):
        fused.grow([weights], weights, [0.1], [None])
    masks = fused.TritonMasks(presentation(SIMPLE, "urfb", shape=SHAPE)[0], settings_of("urfb"), "cpu")
    with pytest.raises(BadInput, match="values"):
        masks.draw(torch.empty(4, device="meta"), 2**31, 1)


def test_the_layers_of_these_tests_are_grouped():
    spec = presentation(DEEPER, "urfb", shape=SHAPE)[0]
    kinds = [(type(g.node.layer).__name__, bool(g.pool), bool(g.drop)) for g in fused_engine.groups_of(spec)]
    assert ("Maxpool", False, True) in kinds  # after SUM, nothing saturates there
    assert ("Conv", True, False) in kinds


@pytest.mark.parametrize(
    ("net", "rule", "options"),
    [
        (SIMPLE, "urfb", {}),
        (SIMPLE, "bp", {"dropout_mask": "per-batch"}),
        (DEEPER, "urfb", {}),
        (DEEPER, "frfb", {}),
    ],
)
def test_an_epoch_is_that_of_the_form_without_kernels(net, rule, options):
    spec, weights, *_ = presentation(net, rule, shape=SHAPE, scale=1.5, connectivity=0.7)
    settings = settings_of(rule, dtype="float32", device=DEVICE, **options)
    assert not fused_engine.why_not(spec, settings)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (5, *SHAPE), dtype=np.uint8), rng.integers(0, 10, 5)
    order, found = rng.permutation(5), []
    for kind in (fused_engine.FusedTorchEngine, GraphTorchEngine):
        engine = kind(spec, weights.astype("float32"), settings, *([] if GPU else [None]))
        wrong = engine.learn_epoch(engine.stage(images), engine.stage(labels), engine.stage(order), 3, 0)
        found.append((int(wrong), engine.weights().arrays()))
    assert found[0][0] == found[1][0]
    for name, ours in found[0][1].items():
        ours, theirs = ours.astype(float), found[1][1][name].astype(float)
        assert np.abs(ours - theirs).max() <= ALLOWED * np.abs(theirs).max(), name
    assert not np.array_equal(found[0][1]["W/1"], weights.W[1].astype("float32"))
