"""Updates as a GPU replays them, on the CPU by a stand-in for CUDA graphs; and on a GPU where there is one."""

import numpy as np
import pytest
import torch

from network.rules import make_rule
from network.weights import Weights
from sim.engine import Settings, dropout_masks
from sim.gpu.engine import GraphTorchEngine
from sim.gpu.masks import Masks
from sim.torch_engine import TorchEngine
from sim.updates import Update
from tests.sim.conftest import engine_of, presentation
from tests.sim.recorder import Recorder
from validation.tolerances import TOLERANCES

NET = "Conv 8 5x5; Maxpool 3; Drop .8; Full 30; Drop .3; Output"
DEEPER = "Conv 6 3x3; Conv 6 3x3; SUM; Maxpool 3; Drop .5; Local 4 2x3; Avgpool 2/2; Full 20; Drop .7; Output"
SHAPE, IMAGES, SIZE = (3, 12, 12), 70, 16  # five updates an epoch, the last with fewer images

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (IMAGES, *SHAPE), dtype=np.uint8), rng.integers(0, 10, IMAGES)


def orders(epochs):
    return [np.random.default_rng(epoch).permutation(IMAGES) for epoch in range(epochs)]


def settings_of(rule, **options):
    return Settings(make_rule(rule), **{"dtype": "float64", "device": "cpu", "seed": 3, **options})


def by_batches(engine, epochs):
    """So many epochs, batch by batch; the numbers of wrong images."""
    images, labels = (engine.stage(part) for part in data())
    wrong, step = [], 0
    for order in orders(epochs):
        wrong.append(0)
        for first in range(0, IMAGES, SIZE):
            batch = engine.stage(order[first : first + SIZE])
            wrong[-1] += int(engine.learn(images[batch], labels[batch], step))
            step += 1
    return wrong


def by_epochs(engine, epochs):
    images, labels = (engine.stage(part) for part in data())
    updates = -(-IMAGES // SIZE)
    return [
        int(engine.learn_epoch(images, labels, engine.stage(order), SIZE, epoch * updates))
        for epoch, order in enumerate(orders(epochs))
    ]


def arrays(engine):
    return engine.weights().arrays()


def addresses(engine):
    state = [place for group in engine._state() for place in group.values()]
    return [place.data_ptr() for place in (*state, engine._update, engine._wrong, engine._order, engine._streams)]


@pytest.mark.parametrize("per", ["per-image", "per-batch"])
@pytest.mark.parametrize("step", [0, 1_000_003])
def test_masks_are_those_of_every_engine(per, step):
    spec = presentation(NET, "urfb", shape=SHAPE)[0]
    settings = settings_of("urfb", dropout_mask=per)
    masks = Masks(spec, settings, "cpu")
    for update, streams in enumerate(masks.streams(step, 2)):
        drawn = masks.kept(streams, 33)
        for name, mask in dropout_masks(spec, settings, step + update, 33).items():
            assert np.array_equal(np.broadcast_to(drawn[name].numpy(), mask.shape), mask)


def test_masks_of_many_blocks_are_numpys():
    spec = presentation("Full 3000; Drop .37; Output", "urfb", shape=SHAPE)[0]
    settings = settings_of("urfb")
    masks = Masks(spec, settings, "cpu")
    (drawn,) = masks.kept(masks.streams(7, 1)[0], 37).values()  # 27 whole blocks and a part of one
    assert np.array_equal(drawn.numpy(), next(iter(dropout_masks(spec, settings, 7, 37).values())))


CASES = {
    "urfb": ("urfb", {}),
    "bp": ("bp", {}),
    "after_update": ("urfb", {"order": "after_update"}),
    "signs": ("usf", {}),
    "fixed signs": ("frsf", {}),
    "momentum": ("rndf", {"update": Update(manhattan=1, momentum=0.9, weight_decay=0.01, schedule=((7, 0.1),))}),
    "one mask a batch": ("urfb", {"dropout_mask": "per-batch"}),
    "bfloat16": ("urfb", {"dtype": "float32", "compute_dtype": "bfloat16"}),
}


@pytest.mark.parametrize(("rule", "options"), CASES.values(), ids=CASES)
def test_replayed_updates_are_the_plain_forms_to_the_bit(rule, options):
    net = DEEPER if options else NET
    spec, weights, *_ = presentation(net, rule, shape=SHAPE, scale=1.5, connectivity=0.7)
    settings = settings_of(rule, **options)
    weights = weights.astype(settings.dtype)
    plain, replayed = TorchEngine(spec, weights, settings), GraphTorchEngine(spec, weights, settings, Recorder)
    assert by_epochs(replayed, 4) == by_batches(plain, 4)  # 20 updates
    assert not replayed.why_no_graph and replayed.graphs.made
    ours, theirs = arrays(replayed), arrays(plain)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert np.array_equal(ours[name], theirs[name]), name
    assert not np.array_equal(ours["W/1"], weights.W[1])


def test_normalised_networks_are_replayed_too():
    spec = presentation(NET, "bp", shape=SHAPE)[0].normalised("affine")
    weights = Weights.draw(spec, 0, make_rule("bp"), dtype="float64")
    settings = settings_of("bp")
    plain, replayed = TorchEngine(spec, weights, settings), GraphTorchEngine(spec, weights, settings, Recorder)
    assert by_epochs(replayed, 2) == by_batches(plain, 2)
    ours, theirs = arrays(replayed), arrays(plain)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_nothing_moves_between_replays():
    spec, weights, *_ = presentation(NET, "rndf", shape=SHAPE)
    engine = GraphTorchEngine(spec, weights, settings_of("rndf", update=Update(momentum=0.9)), Recorder)
    by_epochs(engine, 1)
    before, graphs = addresses(engine), dict(engine.graphs.made)
    assert len(graphs) == 2  # of whole batches, and of the last one
    images, labels = (engine.stage(part) for part in data())
    engine.learn_epoch(images, labels, engine.stage(orders(2)[1]), SIZE, 5)
    weights_then = arrays(engine)
    engine.learn_epoch(images, labels, engine.stage(orders(3)[2]), SIZE, 10)
    assert addresses(engine) == before
    assert not np.array_equal(weights_then["W/1"], arrays(engine)["W/1"])


def test_single_batches_are_learned_as_by_the_plain_form():
    spec, weights, *_ = presentation(NET, "urfb", shape=SHAPE)
    engines = (
        TorchEngine(spec, weights, settings_of("urfb")),
        GraphTorchEngine(spec, weights, settings_of("urfb"), Recorder),
    )
    assert by_batches(engines[0], 2) == by_batches(engines[1], 2)
    assert all(np.array_equal(a, b) for a, b in zip(*(arrays(e).values() for e in engines), strict=True))


@pytest.mark.parametrize("before", [0, 2])
def test_what_cannot_be_recorded_is_done_without_a_graph_and_says_why(before):
    def refuses(step, restore):
        for _ in range(before):  # updates that are made to warm up
            step()
        raise RuntimeError("operation not permitted when stream is capturing\nmore of it")

    spec, weights, *_ = presentation(NET, "urfb", shape=SHAPE)
    plain, engine = (
        TorchEngine(spec, weights, settings_of("urfb")),
        GraphTorchEngine(spec, weights, settings_of("urfb"), refuses),
    )
    with pytest.warns(RuntimeWarning, match="no CUDA graph, training is slower: operation not permitted"):
        wrong = by_epochs(engine, 1)
    assert wrong == by_batches(plain, 1)
    assert all(np.array_equal(a, b) for a, b in zip(arrays(engine).values(), arrays(plain).values(), strict=True))


def test_feedback_drawn_on_the_host_is_not_recorded():
    spec, weights, *_ = presentation(NET, "brsf", shape=SHAPE)
    plain, engine = (
        TorchEngine(spec, weights, settings_of("brsf")),
        GraphTorchEngine(spec, weights, settings_of("brsf"), Recorder),
    )
    assert by_epochs(engine, 2) == by_batches(plain, 2)
    assert "anew on the host" in engine.why_no_graph and not engine.graphs.made


def test_the_recorder_refuses_a_step_that_the_host_waits_for():
    number = torch.ones(1)
    with pytest.raises(RuntimeError, match="the host reads a number"):
        Recorder(lambda: print(number.item()), lambda: None)


def test_the_recorder_sees_a_step_that_leaves_its_result_elsewhere():
    state = {"w": torch.ones(1)}

    def step():
        state["w"] = state["w"] * 2  # the mistake

    recorder = Recorder(step, lambda: state.update(w=torch.ones(1)))
    recorder.replay()
    recorder.replay()
    assert float(state["w"]) != 4


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("net", [NET, DEEPER], ids=["simple", "deeper"])
@pytest.mark.parametrize("kernels", ["plain", "auto"])  # Triton's are for float32
def test_on_a_gpu_updates_are_those_on_the_cpu(net, dtype, kernels):
    spec, weights, *_ = presentation(net, "urfb", shape=SHAPE, scale=1.5, connectivity=0.7)
    options = {"dtype": dtype, "seed": 3, "kernels": kernels}
    gpu = engine_of("torch", spec, weights, "urfb", device="cuda", **options)
    cpu = engine_of("torch", spec, weights, "urfb", device="cpu", **{**options, "kernels": "plain"})
    # A few updates: in float32 a unit that rounding puts on the other side of a threshold takes everything with it.
    wrong = [by_batches(engine, 1 if dtype == "float32" else 4) for engine in (gpu, cpu)]
    assert wrong[0] == wrong[1]
    for ours, theirs in zip(arrays(gpu).values(), arrays(cpu).values(), strict=True):
        allowed = TOLERANCES["trained" if dtype == "float64" else "float32"].relative
        assert np.abs(ours.astype(float) - theirs).max() <= allowed * np.abs(theirs).max()
