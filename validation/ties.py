"""Decisions that rounding turns, and what should follow from them.

The algorithm is discontinuous in three places: an output is on one side of its margin (6), a unit is saturated or not
(3), a pixel wins its window. Activity passes all of them smoothly, feedback does not: two engines whose h differ by a
rounding error may feed back to different units. On photographs this is common, because flat patches make equal maxima.

So an engine's h and x are held against the reference, and its feedback against what the reference makes of that
engine's own h and x. Whatever it decided otherwise than the reference then lay within rounding, and is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from network import reference
from network.layers import Maxpool
from network.reference_layers import hebbian, slope, windows, winners
from network.rules import Rule
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights


@dataclass(frozen=True)
class Presented:
    """One presentation, as far as it is the same for all engines.

    Attributes
    ----------
    spec : NetworkSpec
    weights : Weights
    images, labels : numpy.ndarray
        (N, C, H, W) floating point, and (N,).
    rule : Rule
    eta : float
    mu : float or None
    order : str
    """

    spec: NetworkSpec
    weights: Weights
    images: np.ndarray
    labels: np.ndarray
    rule: Rule
    eta: float = 0.1
    mu: float | None = None
    order: str = "before_update"

    def by_reference(self, seen: StepTrace | None = None) -> StepTrace:
        """What the reference makes of it; with `seen`, from that trace's h and x on."""
        return reference.present(
            self.spec, self.weights, self.images, self.labels, self.rule, eta=self.eta, mu=self.mu, order=self.order,
            seen=seen,
        )  # fmt: skip


@dataclass(frozen=True)
class Ties:
    """How many decisions two presentations took differently.

    Attributes
    ----------
    outputs, units, windows : int
        Outputs on different sides of their margin or reported as ties, units saturated in one only, pooling windows
        with different winners.
    """

    outputs: int = 0
    units: int = 0
    windows: int = 0

    def __str__(self) -> str:
        return f"{self.outputs} outputs, {self.units} units, {self.windows} windows"


def expected_of(
    case: Presented, found: StepTrace, rounding: float, exact: StepTrace | None = None, *, own_delta: bool = False
) -> StepTrace:
    """The trace that an engine should have made: h and x by equation (1), the rest from its own h and x.

    Parameters
    ----------
    case : Presented
    found : StepTrace
        With h, x and delta of every layer; where a foreign one lacks some, the reference decides alone.
    rounding : float
        How far h may lie off, as a share of the largest |h| of its layer. Outputs this near to their margin, and units
        this near to saturation, are taken as the engine took them: its threshold may be off by as much.
    exact : StepTrace, optional
        The reference's own trace, where it is there already.
    own_delta : bool
        Hold the increments against the engine's own delta as well: of engines that take time, whose silenced outputs
        are only nearly silent, so that a little feedback comes from all of them.
    """
    exact = exact or case.by_reference()
    if not _whole(case, found):
        return exact
    own = StepTrace(h=dict(found.h), x=dict(found.x))
    mu = reference.default_mu(case.spec, case.mu)
    for node in case.spec.weighted:
        i = node.index
        h, delta, room = own.h[i], found.delta[i], rounding * float(np.abs(exact.h[i]).max(initial=0))
        if node.is_output:
            if case.rule.loss == "hinge":
                own.h[i] = _outputs_as_decided(h, delta, case.labels, mu, room)
        else:
            edge, passing, stopped = 1 / case.spec.gain, 0.0, np.sign(h) * 2 / case.spec.gain
            if node.synaptic.activation == "relu":
                edge, passing, stopped = 0.0, 1.0, -1.0
            near = np.abs(np.abs(h) - edge) <= room
            own.h[i] = np.where(near, np.where(delta != 0, passing, stopped), h)
    seen = case.by_reference(own)
    if own_delta:
        _add_increments(case, own, {i: found.delta[i] - delta for i, delta in seen.delta.items()}, seen)
    return replace(seen, h=exact.h, x=exact.x, ties=exact.ties)


def _add_increments(case: Presented, own: StepTrace, more: Mapping[int, np.ndarray], to: StepTrace) -> None:
    """What `more` delta adds to the increments of a trace."""
    _, x = reference.forward(case.spec, case.weights, case.images, seen=own)
    for node in case.spec.weighted:
        i = node.index
        increment = case.eta / len(case.images) * hebbian(node.synaptic, more[i], x[node.sources[0]])
        to.dW[i] = to.dW[i] + increment * case.weights.mask_W.get(i, 1)
        if i in to.dR:
            to.dR[i] = to.dR[i] + case.rule.feedback_rate * increment * case.weights.mask_R.get(i, 1)


def ties_between(case: Presented, a: StepTrace, b: StepTrace) -> Ties:
    """The decisions that differ between two traces of one presentation."""
    if not (_whole(case, a) and _whole(case, b)):
        return Ties(outputs=max(a.ties, b.ties))
    nodes = [reference.forward(case.spec, case.weights, case.images, seen=trace)[1] for trace in (a, b)]
    outputs = units = wins = 0
    for node in case.spec.nodes:
        if node.is_output:
            mu = reference.default_mu(case.spec, case.mu)
            reported = [_updated(case.labels, trace.delta[node.index], mu) for trace in (a, b)]
            outputs = int(np.count_nonzero(reported[0] != reported[1])) if case.rule.loss == "hinge" else 0
        elif node.index:
            passes = [slope(node.synaptic, trace.h[node.index], case.spec.gain) > 0 for trace in (a, b)]
            units += int(np.count_nonzero(passes[0] != passes[1]))
        elif isinstance(node.layer, Maxpool):
            semantics = case.spec.semantics
            won = [
                winners(windows(node.layer, semantics.pool_anchor, x[node.sources[0]]), semantics.pool_ties)
                for x in nodes
            ]
            wins += int(np.count_nonzero((won[0] != won[1]).any(axis=0)))
    return Ties(max(outputs, a.ties, b.ties), units, wins)


def _outputs_as_decided(h: np.ndarray, delta: np.ndarray, labels: np.ndarray, mu: float, room: float) -> np.ndarray:
    """h of the outputs, moved off the margin to the side on which `delta` says that they were taken to be."""
    s = np.where(np.arange(h.shape[1]) == labels[:, None], 1.0, -1.0)
    near = np.abs(h - s * reference.MARGIN) <= room
    return np.where(near, s * reference.MARGIN + np.where(_updated(labels, delta, mu), -s, s), h)


def _updated(labels: np.ndarray, delta: np.ndarray, mu: float) -> np.ndarray:
    """Outputs more than halfway to the level of (6): in finite time a silenced one is only nearly 0."""
    return np.abs(delta) > np.where(np.arange(delta.shape[1]) == labels[:, None], 1.0, mu) / 2


def _whole(case: Presented, trace: StepTrace) -> bool:
    """Whether a trace has h, x and delta of all layers, in their shapes, all of them numbers."""
    for node in case.spec.weighted:
        for arrays in (trace.h, trace.x, trace.delta):
            values = arrays.get(node.index)
            if values is None or values.shape != (len(case.images), *node.shape) or not np.isfinite(values).all():
                return False
    return True
