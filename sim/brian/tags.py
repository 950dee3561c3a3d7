"""The tags that Hebbian windows leave at synapses of Brian2, and how they become weights."""

from collections.abc import Mapping

import brian2
import numpy as np

from network.weights import Arrays, Weights
from sim.brian.slots import values
from sim.engine import Settings


class Tags:
    """The weights of one presentation, each in all synapses that share it.

    Parameters
    ----------
    weights : Weights
        Not changed. Without R where feedback goes through W.
    settings : Settings
    synapses : mapping of int to brian2.Synapses
        By layer, as `sim.brian.synapses.connect` makes them.
    images : int

    Attributes
    ----------
    weights : Weights
        As they are now.
    part : dict of int to float
        By layer, which share of its units have had their Hebbian window.
    """

    def __init__(
        self, weights: Weights, settings: Settings, synapses: Mapping[int, brian2.Synapses], images: int
    ) -> None:
        self.weights = weights.copy()
        self.part: dict[int, float] = {}
        self._before, self._settings, self._synapses, self._images = weights, settings, synapses, images
        for i in synapses:
            self._show(i)

    @property
    def passed(self) -> Arrays:
        """What feedback passes through."""
        return self.weights.W if self._settings.rule.symmetric else self.weights.R

    def increments(self, i: int) -> tuple[np.ndarray, np.ndarray | None]:
        """dW and dR of layer i: the mean over the images of what the synapses are tagged with, added up by weight."""
        settings, rule, before = self._settings, self._settings.rule, self._before
        shared, tags = values(self._synapses[i], "shared"), values(self._synapses[i], "tag")
        W = before.W[i]
        increment = np.bincount(shared, tags, W.size).reshape(W.shape) * (settings.eta / self._images)
        decay = rule.feedback_decay * self.part[i]
        dW = increment * before.mask_W.get(i, 1.0) - decay * W
        if rule.symmetric or i not in before.R:
            return dW, None
        return dW, rule.feedback_rate * increment * before.mask_R.get(i, 1.0) - decay * before.R[i]

    def consolidate(self, i: int) -> None:
        """Tags of layer i, where there are any, become weights, and all synapses get their new ones."""
        if i not in self.part:
            return
        dW, dR = self.increments(i)
        self.weights.W[i] = self.weights.W[i] + dW
        if dR is not None:
            self.weights.R[i] = self.weights.R[i] + dR
        self._show(i)

    def _show(self, i: int) -> None:
        shared = values(self._synapses[i], "shared")
        for letter, group in (("W", self.weights.W), ("R", self.weights.R)):
            if letter in self._synapses[i].variables:
                values(self._synapses[i], letter)[:] = group[i].ravel()[shared]
