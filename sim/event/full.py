"""The synapses of full layers. Above a ``Drop`` of most units, those that are not silent are listed and gone through.

A silent synapse carries no packet, up or down, and its Hebbian window finds no activity to tag it with.
"""

from dataclasses import dataclass

import numpy as np

from network.layers import Drop
from network.spec import Node
from sim.event import kernels as event_kernels
from sim.event.threads import share
from sim.fast import full_kernels as kernels
from sim.fast.simd import lanes
from sim.fast.simd_active import GROUP

MOSTLY = 0.5  # share of dropped units from which on a list of the others is worth making


@dataclass(frozen=True)
class Listed:
    """The units of every image whose synapses are not silent, with their activity.

    Attributes
    ----------
    index : numpy.ndarray of uint32, (N, units)
        Their numbers in increasing order, from the beginning of each row.
    value : numpy.ndarray, (N, units)
        Their activity, likewise.
    counts : numpy.ndarray of int64, (N,)
        How many there are.
    """

    index: np.ndarray
    value: np.ndarray
    counts: np.ndarray


def is_listed(node: Node) -> bool:
    """Whether a layer silences so many synapses that the others are worth a list."""
    return isinstance(node.layer, Drop) and node.layer.fraction >= MOSTLY and node.units % GROUP == 0


class FullSynapses:
    """W is (units, in), flattened maps in the order H, W, C."""

    by_lists = False

    def __init__(self, node: Node) -> None:
        self._source = node.source_shapes[0]

    def inside(self, weights: np.ndarray) -> np.ndarray:
        if len(self._source) == 3:
            weights = weights.reshape(-1, *self._source).transpose(0, 2, 3, 1).reshape(len(weights), -1)
        return np.array(weights, order="C")

    def outside(self, weights: np.ndarray) -> np.ndarray:
        if len(self._source) == 3:
            channels, height, width = self._source
            maps = weights.reshape(-1, height, width, channels)
            weights = maps.transpose(0, 3, 1, 2).reshape(len(weights), -1)
        return np.array(weights, order="C")

    def forward(self, W: np.ndarray, x: np.ndarray, h: np.ndarray, listed: Listed | None = None) -> None:
        flat = x.reshape(len(x), -1)
        share(lambda b, e: np.matmul(flat[b:e], W.T, out=h[b:e]), len(x), W.size)

    def backward(self, R: np.ndarray, delta: np.ndarray, received: np.ndarray, listed: Listed | None = None) -> None:
        flat = received.reshape(len(delta), -1)
        share(lambda b, e: np.matmul(delta[b:e], R, out=flat[b:e]), len(delta), R.size)

    def products(self, delta: np.ndarray, x: np.ndarray, increment: np.ndarray, listed: Listed | None = None) -> None:
        flat = x.reshape(len(x), -1)
        share(lambda b, e: np.matmul(delta[:, b:e].T, flat, out=increment[b:e]), len(increment), increment.size)

    def forward_bound(self, W: np.ndarray) -> float:
        return float(event_kernels.largest_row_sum(W))

    def backward_bound(self, R: np.ndarray) -> float:
        return float(event_kernels.largest_column_sum(R))


class ListedSynapses(FullSynapses):
    """W is transposed and padded, see `sim.fast.full_kernels`: (units below in the order H, W, C, whole vectors).

    Where nothing is dropped all units are multiplied, as in any full layer.
    """

    by_lists = True

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self._above = node.units

    def inside(self, weights: np.ndarray) -> np.ndarray:
        turned, vector = super().inside(weights).T, lanes(weights.itemsize)
        padded = np.zeros((len(turned), -(-self._above // vector) * vector), weights.dtype)
        padded[:, : self._above] = turned
        return padded

    def outside(self, weights: np.ndarray) -> np.ndarray:
        return super().outside(weights[:, : self._above].T)

    def forward(self, W: np.ndarray, x: np.ndarray, h: np.ndarray, listed: Listed | None = None) -> None:
        if listed is None:
            flat, weights = x.reshape(len(x), -1), W[:, : self._above]
            share(lambda b, e: np.matmul(flat[b:e], weights, out=h[b:e]), len(x), W.size)
            return
        units, width = W.shape

        def part(begin: int, end: int) -> None:
            sums = np.zeros((end - begin, width), W.dtype)
            kernels.input_of_units(
                listed.index[begin:end].reshape(-1), listed.value[begin:end].reshape(-1), units,
                listed.counts[begin:end], units, W.reshape(-1), width, sums.reshape(-1),
            )  # fmt: skip
            h[begin:end] = sums[:, : self._above]

        share(part, len(x), W.size)

    def backward(self, R: np.ndarray, delta: np.ndarray, received: np.ndarray, listed: Listed | None = None) -> None:
        flat = received.reshape(len(delta), -1)
        if listed is None:
            weights = R[:, : self._above].T
            share(lambda b, e: np.matmul(delta[b:e], weights, out=flat[b:e]), len(delta), R.size)
            return
        (units, width), padded = R.shape, self._padded(delta, R.shape[1])

        def part(begin: int, end: int) -> None:
            kernels.feedback_to_source(
                listed.index[begin:end].reshape(-1), units, listed.counts[begin:end], padded[begin:end].reshape(-1),
                units, R.reshape(-1), width, flat[begin:end].reshape(-1),
            )  # fmt: skip

        share(part, len(delta), R.size)

    def products(self, delta: np.ndarray, x: np.ndarray, increment: np.ndarray, listed: Listed | None = None) -> None:
        increment[:] = 0
        if listed is None:
            flat, made = x.reshape(len(x), -1), increment[:, : self._above]
            share(lambda b, e: np.matmul(flat[:, b:e].T, delta, out=made[b:e]), len(made), increment.size)
            return
        (units, width), to = increment.shape, increment.reshape(-1)
        index, value = listed.index.reshape(-1), listed.value.reshape(-1)
        padded = self._padded(delta, width).reshape(-1)

        def part(begin: int, end: int) -> None:
            one = increment.dtype.type(1)
            kernels.hebbian(index, value, units, listed.counts, begin, end, padded, width, one, to, to, False)

        share(part, units, increment.size)

    def forward_bound(self, W: np.ndarray) -> float:
        return float(event_kernels.largest_column_sum(W))

    def backward_bound(self, R: np.ndarray) -> float:
        return float(event_kernels.largest_row_sum(R))

    def _padded(self, delta: np.ndarray, width: int) -> np.ndarray:
        padded = np.zeros((len(delta), width), delta.dtype)
        padded[:, : self._above] = delta
        return padded
