"""Batch normalisation on torch tensors: `network.normalisation`, with what a network keeps of it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from network.normalisation import AVERAGING, EPSILON
from network.spec import Node
from network.weights import Weights


class Normalised(NamedTuple):
    """One layer in one batch: z = (h - mean) / deviation, and the deviation of each feature."""

    z: Tensor
    deviation: Tensor


class Normalisation:
    """Slopes, offsets and statistics of all normalised layers, by i.

    Parameters
    ----------
    weights : Weights
    own : callable
        Brings an array to the engine's device and dtype.
    """

    def __init__(self, weights: Weights, own: Callable[[np.ndarray], Tensor]) -> None:
        groups = (weights.gamma, weights.beta, weights.mean, weights.deviation)
        self.gamma, self.beta, self.mean, self.deviation = (
            {i: own(values) for i, values in group.items()} for group in groups
        )

    def drive(self, node: Node, h: Tensor) -> tuple[Tensor, Normalised]:
        """What sigma is taken of in a batch that is learned from, and what its feedback will need."""
        deviation, mean = torch.var_mean(h, _places(h), correction=0)
        deviation = (deviation + EPSILON).sqrt()
        normalised = Normalised(_normalise(h, mean, deviation), deviation)
        return self._affine(node, normalised.z), normalised

    def drive_by_statistics(self, node: Node, h: Tensor) -> Tensor:
        """What sigma is taken of where images are classified: by the statistics that are kept."""
        return self._affine(node, _normalise(h, self.mean[node.index], self.deviation[node.index]))

    def feedback(self, node: Node, delta: Tensor, normalised: Normalised) -> tuple[Tensor, dict[str, Tensor]]:
        """-dL/dh from -dL/d(drive), and the sums over the batch that slope and offset learn from, where they do."""
        z, deviation = normalised
        sums: dict[str, Tensor] = {}
        if node.is_affine:
            sums = {"gamma": (delta * z).sum(_places(z)), "beta": delta.sum(_places(z))}
            delta = _by_feature(self.gamma[node.index], z) * delta
        moves, stretches = delta.mean(_places(z), keepdim=True), (delta * z).mean(_places(z), keepdim=True)
        return (delta - moves - z * stretches) / _by_feature(deviation, z), sums

    def take_statistics(self, i: int, h: Tensor, *, first: bool) -> None:
        """As `sim.engine.Engine.take_statistics`, for the inputs h of layer i."""
        variance, mean = torch.var_mean(h, _places(h), correction=0)
        share = 1.0 if first else AVERAGING
        for average, new in ((self.mean[i], mean), (self.deviation[i], (variance + EPSILON).sqrt())):
            average += share * (new - average)

    def _affine(self, node: Node, z: Tensor) -> Tensor:
        if not node.is_affine:
            return z
        return _by_feature(self.gamma[node.index], z) * z + _by_feature(self.beta[node.index], z)


def _places(h: Tensor) -> list[int]:
    """The dimensions of images and places: all but that of the features."""
    return [0, *range(2, h.ndim)]


def _normalise(h: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    return (h - _by_feature(mean, h)) / _by_feature(deviation, h)


def _by_feature(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(1, -1, *[1] * (like.ndim - 2))
