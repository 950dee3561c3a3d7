"""What the order of update does to learning: the same network, images and seed, in either order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from network.randomness import stream
from network.reference import present
from network.rules import ORDERS, make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.data import Dataset
from sim.engine import Settings, open_engine
from validation.cases import SMALL
from validation.claims import Claim


@dataclass(frozen=True)
class Learned:
    """One run: its order and seed, the test error it ends at, and the share of hidden units that are saturated."""

    order: str
    seed: int
    error: float
    saturated: float


def learn_in_both_orders(
    net: str, data: Dataset, *, updates: int, batch: int, seeds: Sequence[int], engine: str, eta: float = 0.1
) -> list[Learned]:
    """Train by URFB, without dropout, in both orders.

    Parameters
    ----------
    net : str
        Preset, notation, or a key of `validation.cases.SMALL`.
    data : Dataset
    updates, batch : int
    seeds : sequence of int
    engine : str
    eta : float
    """
    notation = "; ".join(part for part in SMALL.get(net, net).split("; ") if not part.startswith("Drop"))
    spec = NetworkSpec.parse(notation, data.image_shape, data.classes)
    dtype = "float64" if engine == "reference" else "float32"
    found = []
    for seed in seeds:
        for order in ORDERS:
            settings = Settings(make_rule("urfb"), eta, None, order, dtype=dtype, device="cpu", seed=seed)
            trainer = open_engine(engine, spec, Weights.draw(spec, seed, dtype=dtype), settings)
            images, labels = trainer.stage(data.train.images), trainer.stage(data.train.labels)
            for update in range(updates):
                at = trainer.stage(stream(seed, "batches", 1, update).permutation(len(data.train))[:batch])
                trainer.learn(images[at], labels[at], update)
            test = data.test[: min(1000, len(data.test))]
            wrong = trainer.outputs(trainer.stage(test.images)).argmax(1) != trainer.stage(test.labels)
            shares = list(trainer.saturation(trainer.stage(test.images[:200])).values())[:-1]
            found.append(Learned(order, seed, int(wrong.sum()) / len(test), float(np.mean(shares))))
    return found


def learning_claim(found: Sequence[Learned], what: str) -> Claim:
    """Reported, not judged: a single number of updates shows a tendency."""
    errors = {order: [run.error for run in found if run.order == order] for order in ORDERS}
    shares = {order: np.mean([run.saturated for run in found if run.order == order]) for order in ORDERS}
    mean = {order: float(np.mean(values)) for order, values in errors.items()}
    spread = {order: f"{min(values):.3f} to {max(values):.3f}" for order, values in errors.items()}
    before, after = ORDERS
    return Claim(
        "after-update-learning",
        "What the self-excitation does to learning: test errors with weights that change after the feedback, and at "
        "the gate.",
        "Remark 1, the order it leaves open",
        f"{mean[before]:.3f} against {mean[after]:.3f}",
        "",
        None,
        f"{what}; {before} {spread[before]}, {after} {spread[after]}; hidden units saturated at the end: "
        f"{shares[before]:.0%} against {shares[after]:.0%}",
    )


def check_depth(nets: Mapping[str, str], eta: float = 0.1, images: int = 2) -> Claim:
    """The feedback that reaches the first layer of untrained networks, in either order: a number for each."""
    rng = np.random.default_rng(0)
    pixels, labels = rng.random((images, 3, 32, 32)), rng.integers(0, 10, images)
    told, largest = [], 0.0
    for name, net in nets.items():
        spec = NetworkSpec.parse(net, (3, 32, 32), 10)
        weights, found = Weights.draw(spec, 0), []
        for order in ORDERS:
            trace = present(spec, weights, pixels, labels, make_rule("urfb"), eta=eta, order=order)
            found.append(float(np.abs(trace.delta[1]).max()))
        told.append(f"{name} {found[0]:.1e} and {found[1]:.1e}")
        largest = max(largest, found[1] / found[0])
    return Claim(
        "after-update-depth",
        "What it does to the feedback of the first layer, before any training: how many times larger it becomes with "
        "weights that change at the gate.",
        "Remark 1, the order it leaves open",
        largest,
        "",
        None,
        f"largest |delta_1| before_update and after_update, eta {eta:g}, {images} random images: {'; '.join(told)}",
    )
