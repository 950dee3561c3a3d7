"""How near a rule comes to exact back-propagation: angles and signs of what both make at the same weights.

Neither paper shows it; figures 10 and 11 compare W with R, and this what they do. Exact is the rule of the same loss
that feeds back through W itself, before any update: -dL/dh and -dL/dW of the same images, nothing dropped.
"""

from dataclasses import replace

import numpy as np

from network.randomness import stream
from network.rules import RULES, Rule
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from sim.alignment import angle
from sim.data import Split
from sim.engine import CIRCUITS, Engine, open_engine

IMAGES = (
    100  # at most, of a batch that is looked at: what two more presentations of them cost is seen in small runs only
)

# What a row of ``metrics.jsonl`` says of it; a list each, one entry a layer with weights, from the input up.
MEASURES = ("delta_angle", "increment_angle", "sign_concordance")


def exact_rule(rule: Rule) -> Rule:
    """Back-propagation with the loss of `rule`."""
    return next(each for each in RULES.values() if each.symmetric and each.loss == rule.loss)


def concordance(spec: NetworkSpec, found: StepTrace, exact: StepTrace) -> dict[str, list[float]]:
    """How far a presentation's feedback and increments agree with those of back-propagation.

    Parameters
    ----------
    spec : NetworkSpec
    found, exact : StepTrace
        Of the same images.

    Returns
    -------
    dict
        ``delta_angle``: between delta of a layer, of all images and units as one vector, and the exact one, in degrees.
        90 is what random vectors have. ``increment_angle``: likewise of dW, all that is added to W.
        ``sign_concordance``: of the units whose exact delta is not 0, image by image, the share whose delta has its
        sign; chance is 1/2. All are NaN in a layer that does not learn, or where there is nothing to compare.
    """
    row: dict[str, list[float]] = {name: [] for name in MEASURES}
    for node in spec.weighted:
        i = node.index
        pairs = [(group.get(i), other.get(i)) for group, other in ((found.delta, exact.delta), (found.dW, exact.dW))]
        for name, (ours, right) in zip(MEASURES[:2], pairs, strict=True):
            row[name].append(angle(ours, right) if ours is not None and right is not None else float("nan"))
        row[MEASURES[2]].append(same_signs(*pairs[0]))
    return row


def same_signs(found: np.ndarray | None, exact: np.ndarray | None) -> float:
    """Share of the entries of `exact` other than 0 that have the same sign in `found`; NaN where there is none."""
    if found is None or exact is None or not exact.any():
        return float("nan")
    counted = exact != 0
    return float(np.mean(np.sign(found[counted]) == np.sign(exact[counted])))


def looked_at(train: Split, seed: int, batch_size: int) -> Split:
    """The training images that a run looks at after each epoch: the same ones each time, no more than a batch."""
    count = min(IMAGES, batch_size, len(train))
    return train[np.sort(stream(seed, "batches", 0).permutation(len(train))[:count])]


def beside_backpropagation(name: str, engine: Engine, weights: Weights, images: Split) -> dict[str, list[float]]:
    """`concordance` of an engine as it is now.

    Parameters
    ----------
    name : str
        Of the engine. What is exact comes from the same engine by another rule; beside a circuit from the reference, so
        that what the circuit lacks shows.
    engine : Engine
    weights : Weights
        The engine's.
    images : Split
    """
    spec, settings = engine.spec, replace(engine.settings, rule=exact_rule(engine.settings.rule))
    if name in CIRCUITS:
        name, settings = "reference", replace(settings, dtype="float64")
    without_R = replace(weights, R={}, mask_R={}, tau={})
    exact = open_engine(name, spec, without_R, settings).present(images.images, images.labels)
    return concordance(spec, engine.present(images.images, images.labels), exact)
