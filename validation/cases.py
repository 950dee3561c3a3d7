"""What a certificate presents: networks, images, weights at several points of training, rules, orders, masks, seeds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from network.errors import BadInput
from network.randomness import stream
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.data import Dataset
from sim.engine import Settings, open_engine
from validation.ties import Presented

# Small enough for every synapse to be checked by name. The last one is for training.
SMALL = {
    "all kinds of layers": "Conv 5 4x3; Avgpool 3; Local 4 2x3; Conv 4 1x1; SUM; Maxpool 3; Drop .3; Full 12; Output",
    "fully connected": "Full 12; Full 10; Output",
    "small convolutional": "Conv 16 3x3; Maxpool 3; Drop .2; Full 60; Output",
}
POINTS = ("start", "middle", "trained")
MU = 0.4  # not 1/(C-1): where mu is left out by mistake, it shows
RULES = ("urfb", "frfb", "bph")
ETA = 0.1
# Where the weights of deep convolutional networks change at the gate, self-excitation is squared from layer to layer:
# at the eta of the paper the first presentation overflows float32.
SMALLER_ETA = 1e-3


@dataclass(frozen=True)
class Case:
    """One presentation, with the words that tell it from others.

    Attributes
    ----------
    net, data, point : str
        ``point`` says how far training has come: one of `POINTS`, or ``"enlarged"``: the start's weights times 2.5, so
        that units saturate and outputs pass their margins without any training.
    seed : int
        Of weights and masks.
    connectivity : float
    presented : Presented
    """

    net: str
    data: str
    point: str
    seed: int
    connectivity: float
    presented: Presented

    @property
    def words(self) -> dict[str, Any]:
        """What the case is, for tables."""
        case = self.presented
        return {
            "net": self.net, "data": self.data, "point": self.point, "seed": self.seed,
            "connectivity": self.connectivity, "rule": case.rule.name, "order": case.order, "eta": case.eta,
            "gain": case.spec.gain,
            "feedback_rate": case.rule.feedback_rate, "feedback_decay": case.rule.feedback_decay,
        }  # fmt: skip

    def __str__(self) -> str:
        case, masks = self.presented, f", {self.connectivity:.0%} of the connections" if self.connectivity < 1 else ""
        decay = f", feedback rate {case.rule.feedback_rate:g} and decay {case.rule.feedback_decay:g}"
        return (
            f"{self.net}, {self.data}, {self.point}, {case.rule.name}, {case.order}{masks}"
            f"{decay if case.rule.feedback_decay else ''}, seed {self.seed}"
        )


def images_of(data: Dataset, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` test images as floating point numbers in [0, 1], and their labels.

    Raises
    ------
    BadInput
        Where there are not so many.
    """
    if not 1 <= count <= len(data.test):
        raise BadInput(f"--images {count}: {data.name} has {len(data.test)} test images; expected 1 or more of them")
    chosen = data.test[np.sort(stream(seed, "batches", 0).permutation(len(data.test))[:count])]
    images = chosen.images / 255 if chosen.images.dtype == np.uint8 else chosen.images.astype(np.float64)
    return images, chosen.labels


def enlarged(weights: Weights, factor: float = 2.5) -> Weights:
    """The same weights times `factor`: units saturate, and outputs pass their margins."""
    larger = weights.copy()
    for values in (larger.W, larger.R):
        for i in values:
            values[i] = values[i] * factor
    return larger


def _eta(net: str, order: str) -> float:
    return SMALLER_ETA if order == "after_update" and net not in SMALL else ETA


def cases(
    net: str, data: Dataset, *, images: int, seeds: Sequence[int], gain: float | None = None, decays: bool = False
) -> Iterator[Case]:
    """Every rule in every order, with all connections and with half of them, at enlarged weights.

    Parameters
    ----------
    net : str
        Preset, notation, or a key of `SMALL`.
    data : Dataset
    images : int
        How many to present at once.
    seeds : sequence of int
    gain : float, optional
    decays : bool
        Whether to add a rule whose feedback weights learn at another rate and decay (equation 7, Kolen and Pollack).
    """
    spec = NetworkSpec.parse(SMALL.get(net, net), data.image_shape, data.classes, gain)
    rules = [make_rule(rule) for rule in RULES] + ([make_rule("urfb", 0.5, 0.1)] if decays else [])
    for seed in seeds:
        pixels, labels = images_of(data, images, seed)
        for rule in rules:
            for order in ("before_update",) if rule.symmetric else ("before_update", "after_update"):
                for connectivity in (1.0, 0.5):
                    weights = Weights.draw(spec, seed, rule, connectivity=connectivity)
                    eta = _eta(net, order)
                    case = Presented(spec, enlarged(weights), pixels, labels, rule, eta, MU, order)
                    yield Case(net, data.name, "enlarged", seed, connectivity, case)


def trained_cases(
    net: str, data: Dataset, *, images: int, seed: int, updates: int, batch: int, engine: str
) -> Iterator[tuple[Case, float]]:
    """Three points of one training run by URFB, presented by every rule in both orders.

    Parameters
    ----------
    net, data, images, seed
        As for `cases`.
    updates, batch : int
        How long the run is, and how many images an update takes. The middle is half way.
    engine : str
        What trains, in float32 or, where it is the reference, in float64.

    Yields
    ------
    Case, and the test error (of up to 1,000 images) that the network has reached.
    """
    spec = NetworkSpec.parse(SMALL.get(net, net), data.image_shape, data.classes)
    dtype = "float64" if engine == "reference" else "float32"
    settings = Settings(make_rule("urfb"), dtype=dtype, device="cpu", seed=seed)
    trainer = open_engine(engine, spec, Weights.draw(spec, seed, dtype=dtype), settings)
    staged, labels = (trainer.stage(part) for part in (data.train.images, data.train.labels))
    test = data.test[: min(1000, len(data.test))]
    test_images, test_labels = trainer.stage(test.images), trainer.stage(test.labels)
    pixels, classes = images_of(data, images, seed)
    done = 0
    for point, until in zip(POINTS, (0, updates // 2, updates), strict=True):
        while done < until:
            chosen = stream(seed, "batches", 1, done).permutation(len(data.train))[:batch]
            at = trainer.stage(chosen)
            trainer.learn(staged[at], labels[at], done)
            done += 1
        if any(node.synaptic.norm for node in spec.weighted):  # by which the test images are classified
            some = trainer.stage(np.arange(min(batch, len(data.train))))
            trainer.take_statistics(staged[some], first=True)
        error = int((trainer.outputs(test_images).argmax(1) != test_labels).sum()) / len(test)
        weights = trainer.weights().astype("float64")
        for name in RULES:
            rule = make_rule(name)
            for order in ("before_update",) if rule.symmetric else ("before_update", "after_update"):
                case = Presented(spec, weights, pixels, classes, rule, _eta(net, order), None, order)
                yield Case(net, data.name, point, seed, 1.0, case), error
