"""The equations of the paper, checked on what an engine did, synapse by synapse.

Each law takes what the equation takes from the engine's own trace, and asks whether what it gives is there too. So a
law that does not hold says which step went wrong, and no engine is trusted, not even the reference.
"""

from collections.abc import Callable

import numpy as np

from network.layers import Avgpool, Drop, Maxpool, Sum
from network.reference import MARGIN, default_mu
from network.rules import effective_order
from network.spec import INPUT, Node
from network.trace import StepTrace
from validation.ties import Presented
from validation.wiring import NOWHERE, Wiring, windows_of, wiring_of

Excess = float  # the largest |found - expected| over the largest |expected|, in any layer


class Laws:
    """The laws of one presentation.

    Parameters
    ----------
    case : Presented
        A network of up to a few million synapses; the hinge loss.
    trace : StepTrace
        What the engine did: all of h, x, delta, dW, and dR where the rule has an R.
    """

    def __init__(self, case: Presented, trace: StepTrace) -> None:
        self.case, self.trace = case, trace
        self.spec, self.rule = case.spec, case.rule
        self._after = effective_order(case.rule, case.order) == "after_update"
        self._wiring: dict[int, Wiring] = {node.index: wiring_of(node) for node in self.spec.weighted}
        self._windows = {
            node.name: windows_of(node, self.spec.semantics.pool_anchor)
            for node in self.spec.nodes
            if isinstance(node.layer, Maxpool | Avgpool)
        }
        self._x = self._put_out()
        self._received: dict[str, np.ndarray] = {}

    def activity(self) -> Excess:
        """Equation (1): h is the sum over all synapses of W x, and x = sigma(h); the output units are linear."""
        found = []
        for node in self.spec.weighted:
            h, x = (self._flat(arrays[node.index]) for arrays in (self.trace.h, self.trace.x))
            wire, W = self._wiring[node.index], self.case.weights.W[node.index].ravel()
            found.append(_excess(h, _gathered(wire.post, W[wire.weight] * self._x[node.sources[0]][:, wire.pre], h)))
            found.append(_excess(x, h if node.is_output else self._sigma(node, h)))
        return max(found)

    def output_error(self) -> Excess:
        """Equation (6), image by image and class by class."""
        top = len(self.spec.weighted)
        h, delta = self.trace.h[top], self.trace.delta[top]
        mu, strict = default_mu(self.spec, self.case.mu), self.spec.semantics.strict_margin
        expected = np.zeros_like(delta)
        for n, label in enumerate(self.case.labels):
            for unit in range(self.spec.classes):
                own = unit == label
                s = 1.0 if own else -1.0
                enough = s * h[n, unit] >= MARGIN if strict else s * h[n, unit] > MARGIN
                expected[n, unit] = 0.0 if enough else (1.0 if own else -mu)
        return _excess(delta, expected)

    def feedback(self) -> Excess:
        """Equation (2), where units are not saturated: delta is g times what the synapses above bring, R' delta."""
        return self._feedback(lambda shut_off: ~shut_off)

    def shutdown(self) -> Excess:
        """Equation (3): no feedback in a unit that is saturated, |g h| >= 1."""
        found = [
            float(np.abs(self._flat(self.trace.delta[node.index])[self._shut_off(node)]).max(initial=0))
            for node in self.spec.weighted[:-1]
        ]
        return max(found, default=0.0)

    def hebbian(self) -> Excess:
        """Section 3.1: dW of a synapse is eta times the mean of delta_i x_j over images (and places that share it)."""
        return self._increments(self.trace.dW, self.case.weights.W, self.case.weights.mask_W, 1.0)

    def feedback_hebbian(self) -> Excess:
        """dR is the same increment, times the feedback rate: 1 under URFB, 0 under FRFB."""
        return self._increments(self.trace.dR, self.case.weights.R, self.case.weights.mask_R, self.rule.feedback_rate)

    def connections(self) -> Excess:
        """No connection, no change: the largest change of a weight that has none."""
        weights = self.case.weights
        pairs = ((self.trace.dW, weights.mask_W), (self.trace.dR, weights.mask_R))
        changes = [np.abs(dW[i][~masks[i]]).max(initial=0) for dW, masks in pairs for i in dW if i in masks]
        return float(max(changes, default=0.0))

    def same_increment(self) -> Excess:
        """Under URFB dR equals dW to the last bit, wherever W and R both have the synapse (and nothing decays)."""
        weights, found = self.case.weights, [0.0]
        for i, dR in self.trace.dR.items():
            both = weights.mask_W.get(i, np.bool_(True)) & weights.mask_R.get(i, np.bool_(True))
            found.append(float(np.abs(np.where(both, dR - self.trace.dW[i], 0.0)).max(initial=0)))
        return max(found)

    def self_excitation(self) -> Excess:
        """after_update only: R' delta with (eta/N) sum_m (delta^n . delta^m) x^m on top, for fully connected layers.

        The Gram matrix of delta says how much each image's feedback is mixed with the activity of every other, and it
        is never negative on the diagonal: a unit that is active receives its own activity back.
        """
        found = [0.0]
        for below, node in zip(self.spec.weighted, self.spec.weighted[1:], strict=False):
            delta, x = self._flat(self.trace.delta[node.index]), self._flat(self.trace.x[below.index])
            own = delta @ self.case.weights.R[node.index]
            extra = self.case.eta / len(x) * (delta @ delta.T) @ x
            passes = ~self._shut_off(below)
            found.append(_excess(self._flat(self.trace.delta[below.index]), self.spec.gain * passes * (own + extra)))
        return max(found)

    def _feedback(self, where: Callable[[np.ndarray], np.ndarray]) -> Excess:
        found = [0.0]
        for node in self.spec.weighted[:-1]:
            chosen = where(self._shut_off(node))
            delta = self._flat(self.trace.delta[node.index])
            expected = self.spec.gain * self._feedback_to(node.name)
            found.append(_excess(np.where(chosen, delta, 0.0), np.where(chosen, expected, 0.0)))
        return max(found)

    def _increments(self, found, weights, masks, rate: float) -> Excess:
        excess = [0.0]
        for node in self.spec.weighted:
            i = node.index
            if i not in found:
                continue
            wire = self._wiring[i]
            delta, x = self._flat(self.trace.delta[i]), self._x[node.sources[0]]
            pairs = (delta[:, wire.post] * x[:, wire.pre]).sum(axis=0)
            expected = np.bincount(wire.weight, pairs, minlength=weights[i].size).reshape(weights[i].shape)
            expected = rate * self.case.eta / len(x) * expected * masks.get(i, 1)
            excess.append(_excess(found[i], expected - self.rule.feedback_decay * weights[i]))
        return max(excess)

    def _put_out(self) -> dict[str, np.ndarray]:
        """What every node puts out, (N, units), from the x of the layers with weights."""
        x = {INPUT: self._flat(self.case.images)}
        for node in self.spec.nodes:
            below = x[node.sources[0]]
            match node.layer:
                case Sum():
                    x[node.name] = below + x[node.sources[1]]
                case Drop():
                    x[node.name] = below
                case Maxpool():
                    x[node.name] = self._seen(node.name, below).max(axis=2)
                case Avgpool():
                    x[node.name] = self._seen(node.name, below).mean(axis=2)
                case _:
                    x[node.name] = self._flat(self.trace.x[node.index])
        return x

    def _seen(self, name: str, x: np.ndarray) -> np.ndarray:
        """The pixels of every window, (N, units, K * K), zeros for the padding."""
        return np.concatenate([x, np.zeros((len(x), 1))], axis=1)[:, self._windows[name]]

    def _feedback_to(self, name: str) -> np.ndarray:
        """What the units of a node receive, (N, units): from every layer that reads it."""
        if name not in self._received:
            parts = [self._from(node, name) for node in self.spec.nodes if name in node.sources]
            self._received[name] = np.sum(parts, axis=0)
        return self._received[name]

    def _from(self, node: Node, name: str) -> np.ndarray:
        x = self._x[name]
        match node.layer:
            case Sum() | Drop():
                return self._feedback_to(node.name)
            case Avgpool() | Maxpool() as pool:
                feedback, windows = self._feedback_to(node.name), self._windows[node.name]
                pixels = self._seen(node.name, x)
                if isinstance(pool, Avgpool):
                    share = np.full(pixels.shape, 1 / pool.size**2)
                elif self.spec.semantics.pool_ties == "all":
                    share = pixels == pixels.max(axis=2, keepdims=True)
                else:
                    share = np.arange(pool.size**2) == pixels.argmax(axis=2)[..., None]
                parts = (feedback[..., None] * share).reshape(len(x), -1)
                to = np.where(windows == NOWHERE, x.shape[1], windows).ravel()
                return _gathered(to, parts, np.empty((len(x), x.shape[1] + 1)))[:, :-1]
            case _:
                wire, R = self._wiring[node.index], self._carries(node.index).ravel()
                delta = self._flat(self.trace.delta[node.index])
                return _gathered(wire.pre, R[wire.weight] * delta[:, wire.post], x)

    def _carries(self, i: int) -> np.ndarray:
        """The weights that the feedback of layer i passes through."""
        if self.rule.symmetric:
            return self.case.weights.W[i]
        R = self.case.weights.R[i]
        return R + self.trace.dR[i] if self._after else R

    def _sigma(self, node: Node, h: np.ndarray) -> np.ndarray:
        lowest, highest = (0.0, np.inf) if node.synaptic.activation == "relu" else (-1.0, 1.0)
        return np.minimum(highest, np.maximum(lowest, self.spec.gain * h))

    def _shut_off(self, node: Node) -> np.ndarray:
        """Units that are saturated, and rectified ones that are silent."""
        h = self._flat(self.trace.h[node.index])
        return h <= 0 if node.synaptic.activation == "relu" else np.abs(self.spec.gain * h) >= 1

    @staticmethod
    def _flat(values: np.ndarray) -> np.ndarray:
        return values.reshape(len(values), -1).astype(np.float64)


def _gathered(to: np.ndarray, parts: np.ndarray, like: np.ndarray) -> np.ndarray:
    """`parts` (N, synapses) added up at the units `to`; (N, units) as `like`."""
    return np.stack([np.bincount(to, row, minlength=like.shape[1]) for row in parts])


def _excess(found: np.ndarray, expected: np.ndarray) -> Excess:
    with np.errstate(invalid="ignore"):
        gap = np.abs(found - expected)
    largest = float(np.where(np.isnan(gap), np.inf, gap).max(initial=0))
    scale = float(np.abs(expected).max(initial=0))
    return 0.0 if largest == 0 else largest / scale if scale > 0 else float("inf")
