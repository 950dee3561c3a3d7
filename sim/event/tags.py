"""Synaptic tags: what Hebbian windows have left at the synapses, until it becomes weights."""

import numpy as np

from network.trace import StepTrace
from network.weights import Arrays
from sim.event.circuit import Circuit


class Tags:
    """The tags of one presentation, and the weights that they change.

    Parameters
    ----------
    circuit : Circuit
    keep : bool
        Whether the circuit's own weights change. If not, they change for this presentation only.
    trace : StepTrace or None
        Increments are added up in it, where given.

    Attributes
    ----------
    W, R : dict of int to numpy.ndarray
        The weights as they are now, in the engine's layouts.
    changes : dict of int to int
        How often the weights of each layer have changed.
    """

    def __init__(self, circuit: Circuit, keep: bool, trace: StepTrace | None) -> None:
        self.W, self.R = (circuit.W, circuit.R) if keep else (dict(circuit.W), dict(circuit.R))
        self.changes = dict.fromkeys(circuit.W, 0)
        self._circuit, self._keep, self._trace = circuit, keep, trace
        self._waiting: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}

    def add(self, layer: int, increment: np.ndarray, share: float) -> None:
        """Tag the synapses of a layer.

        Parameters
        ----------
        layer : int
        increment : numpy.ndarray
            The mean over the batch of eta times the products of the two activities; shape of W.
        share : float
            Of the layer's units, which have had their window: synapses lose that share of what they lose.
        """
        circuit, rule = self._circuit, self._circuit.settings.rule
        decay = rule.feedback_decay * share
        dW = increment * circuit.mask_W[layer] if layer in circuit.mask_W else increment
        dR = None
        if layer in self.R:
            dR = increment if rule.feedback_rate == 1 else rule.feedback_rate * increment
            dR = dR * circuit.mask_R[layer] if layer in circuit.mask_R else dR
            if decay:
                dR = dR - decay * self.R[layer]
        if decay:
            dW = dW - decay * self.W[layer]
        if self._trace is not None:
            self._note(self._trace.dW, layer, dW)
            if dR is not None:
                self._note(self._trace.dR, layer, dR)
        if layer in self._waiting:
            before, before_R = self._waiting[layer]
            dW, dR = before + dW, None if dR is None or before_R is None else before_R + dR
        elif share < 1:  # the array of the increment is used again by the layer's next window
            dW, dR = dW.copy(), None if dR is None else dR.copy()
        self._waiting[layer] = dW, dR

    @property
    def passed(self) -> Arrays:
        """The weights that feedback passes."""
        return self.W if self._circuit.settings.rule.symmetric else self.R

    def seen(self, layer: int) -> tuple[np.ndarray | None, ...]:
        """W, R, and the tags of both, as they are now; where nothing has changed these are the same arrays.

        In the engine's layout, see `outside`. None for what is not there.
        """
        return self.W[layer], self.R.get(layer), *self._waiting.get(layer, (None, None))

    def outside(self, layer: int, values: np.ndarray) -> np.ndarray:
        """Weights or tags of a layer in the layout of `network.weights.Weights`."""
        return self._circuit.synapses[layer].outside(values)

    def consolidate(self, layer: int) -> None:
        """Tags, where there are any, become weights."""
        if layer not in self._waiting:
            return
        dW, dR = self._waiting.pop(layer)
        self.changes[layer] += 1
        learns = dR is not None and self._circuit.settings.rule.feedback_rate > 0
        if self._keep:
            self.W[layer] += dW
            if learns:
                self.R[layer] += dR
        else:
            self.W[layer] = self.W[layer] + dW
            if learns:
                self.R[layer] = self.R[layer] + dR

    def _note(self, increments: Arrays, layer: int, increment: np.ndarray) -> None:
        made = self.outside(layer, increment)
        increments[layer] = increments[layer] + made if layer in increments else made
