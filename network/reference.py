"""The algorithm once, slowly, in float64: the oracle of every test, and the file to open first.

Equation numbers are those of Amit, "Deep learning with asymmetric connections and Hebbian updates". The code below is
section 3 in its own order: activity goes up (1), the output makes its error (6), feedback comes down and replaces the
activity (2, 3), and at every layer on the way each synapse changes by the product of the two activities it connects.
"""

from collections.abc import Mapping

import numpy as np

from network.layers import Avgpool, Drop, Maxpool, Sum
from network.normalisation import batch_statistics, by_feature, feedback_of_normalised, normalise, sum_by_feature
from network.reference_layers import (
    activity,
    feedback_to_source,
    from_windows,
    hebbian,
    input_of_units,
    slope,
    windows,
    winners,
)
from network.rules import Rule, effective_order
from network.spec import INPUT, NetworkSpec, Node
from network.trace import StepTrace, count_ties
from network.weights import Weights

MARGIN = 1.0  # S of Appendix 1: how far an output must be on its side to count as sufficiently correct


def present(
    spec: NetworkSpec,
    weights: Weights,
    images: np.ndarray,
    labels: np.ndarray,
    rule: Rule,
    *,
    eta: float,
    mu: float | None = None,
    order: str = "before_update",
    kept: Mapping[str, np.ndarray] | None = None,
    seen: StepTrace | None = None,
) -> StepTrace:
    """Present one batch; return what happened, without changing `weights`.

    Parameters
    ----------
    spec : NetworkSpec
    weights : Weights
        As `Weights.draw` makes them; `rule.symmetric` needs no R. Where R is made from the signs of W, it is R as it is
        in this presentation, and the trace has no dR: the next R follows from the next W, not from an increment. Nor
        has it any where feedback comes straight from the output.
    images : numpy.ndarray, (N, C, H, W)
    labels : numpy.ndarray of int, (N,)
    rule : Rule
    eta : float
        Time step of the updates.
    mu : float, optional
        Weight of the wrong classes in (4); 1 / (classes - 1) where not given.
    order : {"before_update", "after_update"}
        Whether the feedback passes through R_{l+1} as it was before the Hebbian gate above l opened, or as it is after.
    kept : mapping of str to numpy.ndarray of bool, optional
        In training: which units each Drop layer keeps, by node name, (N, ...). Without it nothing is dropped.
    seen : StepTrace, optional
        Another engine's h and x, taken instead of what equation (1) gives: the feedback that should follow from them.

    Returns
    -------
    StepTrace
    """
    order = effective_order(rule, order)
    h, x = forward(spec, weights, images, kept, seen)
    top = spec.nodes[-1]
    outputs = h[top.index]
    trace = StepTrace(ties=count_ties(outputs, labels, MARGIN, "float64") if rule.loss == "hinge" else 0)
    for node in spec.weighted:
        trace.h[node.index], trace.x[node.index] = h[node.index], x[node.name]

    error = output_error(outputs, labels, rule.loss, default_mu(spec, mu), spec.semantics.strict_margin)
    direct = rule.feedback_from == "output"
    received = {top.name: error}  # the feedback that has reached each layer's output, summed over those that read it

    def send(name: str, feedback: np.ndarray) -> None:
        received[name] = received.get(name, 0) + feedback

    for node in reversed(spec.nodes):
        if node.name not in spec.learns_below:
            continue  # nothing at or below this layer learns, and the input takes no feedback
        if direct and not node.index:
            continue  # feedback passes over it
        if direct and not node.is_output:
            send(node.name, feedback_to_source(top.synaptic, weights.R[node.index], error, node.shape))
        source, feedback = node.sources[0], received[node.name]
        match node.layer:
            case Sum():
                for name in node.sources:
                    send(name, feedback)
            case Drop(fraction):
                send(source, _drop(feedback, fraction, kept, node.name))
            case Maxpool() as pool:
                pixels = windows(pool, spec.semantics.pool_anchor, x[source])
                parts = winners(pixels, spec.semantics.pool_ties) * feedback
                send(source, from_windows(pool, spec.semantics.pool_anchor, parts, node.source_shapes[0]))
            case Avgpool() as pool:
                parts = np.stack([feedback / pool.size**2] * pool.size**2)
                send(source, from_windows(pool, spec.semantics.pool_anchor, parts, node.source_shapes[0]))
            case _:
                i, layer = node.index, node.synaptic
                if node.is_output:
                    delta = feedback
                else:  # (2), with (3): a saturated unit is shut off
                    delta = slope(layer, drive_of_units(node, weights, h[i]), spec.gain) * feedback
                if layer.norm:
                    mean, deviation = batch_statistics(h[i])
                    z = normalise(h[i], mean, deviation)
                    if node.is_affine:
                        trace.dgamma[i] = eta / len(images) * sum_by_feature(delta * z)
                        trace.dbeta[i] = eta / len(images) * sum_by_feature(delta)
                        delta = by_feature(weights.gamma[i], z) * delta
                    delta = feedback_of_normalised(delta, z, deviation)
                # The Hebbian gate: delta has replaced x in this layer, the layer below is still in its feedforward
                # state. Both pathways between the two see the same pair of activities (section 3.1).
                increment = eta / len(images) * hebbian(layer, delta, x[source])
                dW = _masked(increment, weights.mask_W, i) - rule.feedback_decay * weights.W[i]
                trace.delta[i], trace.dW[i] = delta, dW
                if rule.R_takes_increments and i in weights.R:
                    dR = _masked(rule.feedback_rate * increment, weights.mask_R, i)
                    trace.dR[i] = dR - rule.feedback_decay * weights.R[i]
                if source in spec.learns_below and not direct:  # then delta travels on through R (Remark 1)
                    R = weights.W[i] if rule.symmetric else weights.R[i]
                    if order == "after_update":
                        R = R + trace.dR[i]
                    send(source, feedback_to_source(layer, R, delta, node.source_shapes[0]))
    return trace


def forward(
    spec: NetworkSpec,
    weights: Weights,
    images: np.ndarray,
    kept: Mapping[str, np.ndarray] | None = None,
    seen: StepTrace | None = None,
    *,
    classify: bool = False,
) -> tuple[dict[int, np.ndarray], dict[str, np.ndarray]]:
    """The feedforward phase, equation (1); with `seen`, only what pools, drops and SUMs make of its x.

    To `classify`, normalised layers take the statistics that `weights` keep instead of those of this batch.

    Returns
    -------
    h : dict of int to numpy.ndarray
        Input of the units of every weighted layer; of the output layer, its activity too.
    x : dict of str to numpy.ndarray
        What every node puts out.
    """
    h: dict[int, np.ndarray] = {}
    x: dict[str, np.ndarray] = {INPUT: np.asarray(images, dtype=np.float64)}
    for node in spec.nodes:
        below = x[node.sources[0]]
        match node.layer:
            case Sum():
                x[node.name] = below + x[node.sources[1]]
            case Drop(fraction):
                x[node.name] = _drop(below, fraction, kept, node.name)
            case Maxpool() as pool:
                x[node.name] = windows(pool, spec.semantics.pool_anchor, below).max(axis=0)
            case Avgpool() as pool:
                x[node.name] = windows(pool, spec.semantics.pool_anchor, below).mean(axis=0)
            case _ if seen:
                h[node.index], x[node.name] = seen.h[node.index], seen.x[node.index]
            case _:
                h[node.index] = input_of_units(node.synaptic, weights.W[node.index], below)
                drive = drive_of_units(node, weights, h[node.index], classify=classify)
                x[node.name] = drive if node.is_output else activity(node.synaptic, drive, spec.gain)
    return h, x


def drive_of_units(node: Node, weights: Weights, h: np.ndarray, *, classify: bool = False) -> np.ndarray:
    """What sigma is taken of: h itself, or h normalised, times the slope and plus the offset that were learned."""
    if not node.synaptic.norm:
        return h
    i = node.index
    mean, deviation = (weights.mean[i], weights.deviation[i]) if classify else batch_statistics(h)
    z = normalise(h, mean, deviation)
    return by_feature(weights.gamma[i], z) * z + by_feature(weights.beta[i], z) if node.is_affine else z


def output_error(outputs: np.ndarray, labels: np.ndarray, loss: str, mu: float, strict_margin: bool) -> np.ndarray:
    """delta_L, (N, classes): equation (6) for the hinge loss, y - softmax(x) for the other.

    At the margin itself (6) still updates (<=, >=); with `strict_margin` it does not.
    """
    target = np.arange(outputs.shape[1]) == labels[:, None]
    if loss == "softmax":
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return target - powers / powers.sum(axis=1, keepdims=True)
    beyond = np.less if strict_margin else np.less_equal
    to_raise = target & beyond(outputs, MARGIN)
    to_lower = ~target & beyond(-MARGIN, outputs)
    return to_raise - mu * to_lower


def default_mu(spec: NetworkSpec, mu: float | None) -> float:
    """mu of (4): 1 / (classes - 1) where not given, so that the wrong classes together weigh as much as the right."""
    return 1 / (spec.classes - 1) if mu is None else mu


def _drop(value: np.ndarray, fraction: float, kept: Mapping[str, np.ndarray] | None, name: str) -> np.ndarray:
    """Silence what is not kept and scale the rest, activity going up and feedback coming down alike."""
    return value if kept is None else value * kept[name] / (1 - fraction)


def _masked(increment: np.ndarray, masks: Mapping[int, np.ndarray], i: int) -> np.ndarray:
    """No connection, no change."""
    return increment * masks[i] if i in masks else increment
