"""Batch normalisation on torch tensors: `network.normalisation`, with what a network keeps of it.

torch's own kernels compute it, each in one pass over memory; their derivative is linear in what comes down, so that
-dL/dz goes in and -dL/dh comes out.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from network.normalisation import AVERAGING, EPSILON
from network.spec import Node
from network.weights import Weights


class Normalised(NamedTuple):
    """One layer in one batch: its inputs h, and the mean and 1 / deviation of each feature."""

    h: Tensor
    mean: Tensor
    inverse: Tensor


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
        gamma, beta = self.gamma.get(node.index), self.beta.get(node.index)
        drive, *statistics = torch.native_batch_norm(h, gamma, beta, None, None, True, 0.0, EPSILON)
        return drive, Normalised(h, *statistics)

    def drive_by_statistics(self, node: Node, h: Tensor) -> Tensor:
        """What sigma is taken of where images are classified: by the statistics that are kept."""
        i = node.index
        slope, offset = 1 / self.deviation[i], -self.mean[i] / self.deviation[i]
        if node.is_affine:
            slope, offset = self.gamma[i] * slope, self.gamma[i] * offset + self.beta[i]
        shape = (1, -1, *[1] * (h.ndim - 2))
        return h * slope.reshape(shape) + offset.reshape(shape)

    def feedback(self, node: Node, delta: Tensor, normalised: Normalised) -> tuple[Tensor, dict[str, Tensor]]:
        """-dL/dh from -dL/d(drive), and the sums over the batch that slope and offset learn from, where they do."""
        h, mean, inverse = normalised
        gamma = self.gamma.get(node.index)
        wanted = [True, node.is_affine, node.is_affine]
        below, of_gamma, of_beta = torch.ops.aten.native_batch_norm_backward(
            delta, h, gamma, None, None, mean, inverse, True, EPSILON, wanted
        )
        return below, {"gamma": of_gamma, "beta": of_beta} if node.is_affine else {}

    def take_statistics(self, i: int, normalised: Normalised, *, first: bool) -> None:
        """As `sim.engine.Engine.take_statistics`, for layer i in one batch."""
        share = 1.0 if first else AVERAGING
        for average, new in ((self.mean[i], normalised.mean), (self.deviation[i], 1 / normalised.inverse)):
            average += share * (new - average)
