"""How the feedback weights of a rule are made: drawn once, or from the signs of W anew after each update.

Liao, Leibo and Poggio write V for what is R here, in W's layout; Nokland writes B for the R of direct feedback.
"""

from dataclasses import replace
from math import prod, sqrt

import numpy as np

from network.layers import Conv, Shape, Weighted
from network.randomness import stream
from network.rules import Rule, Signs
from network.spec import NetworkSpec, Node


def synapses_of_R(spec: NetworkSpec, node: Node, rule: Rule | None) -> Node | None:
    """The layer whose synapses R/<i> stands beside, for layer i; None where the rule has no R/<i>.

    Where feedback comes from above, that is layer i itself: R/<i> leads from it to the layer that it reads, and has W's
    layout. Where feedback comes from the output, it is the output layer as if it read layer i alone: R/<i> is (classes,
    units of i in C, H, W order), leads from the output's error to the units of i, and the output layer has none. It
    lands on these units themselves, and pools, Drop and SUM layers above them have no part in it: a unit that no pool
    chose, or that was dropped, is sent its share as any other, and two layers that are added up have an R each. Only
    sigma' of the units themselves, and their batch normalisation, come between what they are sent and their delta.
    """
    if rule is None or rule.feedback_from == "above":
        return None if rule and rule.symmetric else node
    if node.is_output:
        return None
    return replace(spec.nodes[-1], sources=(node.name,), source_shapes=(node.shape,), index=node.index)


def draw_feedback(node: Node, rule: Rule | None, seed: int) -> np.ndarray:
    """R of one layer as a run starts, independent of W: for rules whose R does not come from the signs of W.

    Parameters
    ----------
    node : Node
        Of `synapses_of_R`.
    rule : Rule or None
    seed : int

    Returns
    -------
    numpy.ndarray, in the layout of the weights of `node`
        Glorot uniform (Amit, section 4), or normal with `Rule.deviation` (RndF).
    """
    rng = stream(seed, "feedback", node.index)
    if rule is not None and rule.deviation is not None:
        return rng.normal(0.0, rule.deviation, size=node.weight_shape)
    return glorot_uniform(node, rng)


def glorot_uniform(node: Node, rng: np.random.Generator) -> np.ndarray:
    """Uniform in [-b, b] with b of Glorot and Bengio, in W's layout."""
    bound = node.synaptic.glorot_bound(node.source_shapes[0], node.shape)
    return rng.uniform(-bound, bound, size=node.weight_shape)


def sign_factors(node: Node, signs: Signs, seed: int, update: int) -> np.ndarray:
    """c M o S_p: what the signs of W are multiplied by.

    Parameters
    ----------
    node : Node
        A layer with weights.
    signs : Signs
    seed : int
        The run's seed.
    update : int
        Updates of W made so far. M and S_p that are drawn once are those of update 0.

    Returns
    -------
    numpy.ndarray
        In W's layout, or a single number where M is all ones.
    """
    scale = scale_of(node, signs)
    if signs.magnitudes == "one":
        return np.asarray(scale)
    update = update if signs.magnitudes == "batch" else 0
    factors = scale * stream(seed, "magnitudes", node.index, update).random(node.weight_shape)
    if signs.flip_probability:
        flips = stream(seed, "flips", node.index, update).random(node.weight_shape) < signs.flip_probability
        factors[flips] *= -1
    return factors


def with_signs_of(W: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """factors o sign(W), where sign(0) is 1."""
    return np.where(W < 0, -factors, factors).astype(W.dtype)


def scale_of(node: Node, signs: Signs) -> float:
    """c of R = c M o sign(W) o S_p, for a layer of a network."""
    return scale_of_layer(node.synaptic, node.source_shapes[0], node.shape, signs)


def scale_of_layer(layer: Weighted, source: Shape, shape: Shape, signs: Signs) -> float:
    """c of R = c M o sign(W) o S_p, for a layer that makes `shape` of `source`.

    ``"none"`` and ``"inputs"`` (NuSF) are Liao, Leibo and Poggio's. The others keep feedback from exploding in codes
    that others published. ``"biotorch"``, as the layers of BioTorch scale it: R has the deviation of W at the start,
    sqrt(2 / (fan in + fan out)), for uniform magnitudes, and M is at most Glorot's bound for random ones.
    ``"sign-symmetry"``, as the code of Xiao, Chen, Liao and Poggio (2018): sqrt(2 / (k^2 C_out)) for convolutions,
    1 / sqrt(fan in) for full layers.
    """
    bound = layer.glorot_bound(source, shape)
    match signs.scale:
        case "inputs":
            return 1 / layer.inputs_of_a_unit(source)
        case "biotorch":
            return bound / sqrt(3) if signs.magnitudes == "one" else bound
        case "sign-symmetry" if isinstance(layer, Conv):
            return sqrt(2 / (prod(layer.kernel) * layer.filters))
        case "sign-symmetry":
            return 1 / sqrt(layer.inputs_of_a_unit(source))
    return 1.0
