"""A full layer above a ``Drop`` of most units, by lists of those it kept."""

from math import prod

import numpy as np
import torch
from torch import Tensor

from network.spec import NetworkSpec, Node
from sim.event.space import Space
from sim.event.threads import share
from sim.fast import full_kernels as kernels
from sim.fast.pool_kernels import DROPPED
from sim.fast.simd import lanes
from sim.fast.stages import Batch, Dropping, Pooling, flat
from sim.fast.synapses import FullSynapses, add


class SparseSynapses(FullSynapses):
    """A full layer above a ``Drop`` of most units: those it kept are listed, and only they are gone through.

    Where all images of a batch drop the same units, the products are dense ones of the rows that are left. W is
    transposed and padded, see `sim.fast.full_kernels`. `below` is the stage that drops.
    """

    def __init__(self, spec: NetworkSpec, node: Node, below: Dropping | Pooling, space: Space) -> None:
        super().__init__(spec, node)
        self._dropping, self._space = below, space
        self._units, self._above = prod(node.source_shapes[0]), node.units
        self._listed: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._shared: Tensor | None = None

    def inside(self, weights: Tensor) -> Tensor:
        turned = super().inside(weights).T
        vector = lanes(weights.element_size())
        padded = torch.zeros(self._units, -(-self._above // vector) * vector, dtype=weights.dtype)
        padded[:, : self._above] = turned
        return padded

    def outside(self, weights: Tensor) -> Tensor:
        return super().outside(weights[:, : self._above].T.contiguous())

    def up(self, sources: list[Tensor], batch: Batch, W: Tensor) -> Tensor:
        self._dense, self._shared = batch.step is None, None
        if batch.one_mask and not self._dense:
            assert self._dropping.code is not None
            of_first = self._dropping.code.reshape(batch.count, -1)[0]
            self._shared = torch.from_numpy(np.flatnonzero(of_first != DROPPED))
        return super().up(sources, batch, W)

    def _inputs(self, W: Tensor) -> Tensor:
        if self._dense:
            return self._rows() @ W[:, : self._above]
        if self._shared is not None:
            self._kept = self._rows()[:, self._shared]
            return (self._kept @ W[self._shared])[:, : self._above].contiguous()
        below, (units, width) = flat(self._below), W.shape
        code, images = self._dropping.code, len(self._below)
        assert code is not None
        code = code.reshape(-1)
        index = self._space.empty("index", self.name, shape=(images * units,), dtype=np.uint32)
        value = self._space.empty("value", self.name, shape=(images * units,), dtype=below.dtype)
        counts, h = np.zeros(images, np.int64), torch.zeros(images, width, dtype=W.dtype)
        weights, h_, vector = flat(W), flat(h), lanes(W.element_size())

        def part(begin: int, end: int) -> None:
            kernels.list_kept(code, begin, end, units, below, units, index, value, counts)
            mine, here = slice(begin * units, end * units), slice(begin * width, end * width)
            kernels.input_of_units(
                index[mine], value[mine], units, counts[begin:end], units, weights, width, vector, h_[here]
            )

        share(part, images, W.numel())
        self._listed = index, value, counts
        return h[:, : self._above].contiguous()

    def back(self, R: Tensor, delta: Tensor) -> Tensor:
        if self._dense:
            return self._like_source(delta @ R[:, : self._above].T)
        if self._shared is not None:
            sent = torch.zeros(len(delta), self._units, dtype=delta.dtype)
            sent[:, self._shared] = delta @ R[self._shared, : self._above].T
            return self._like_source(sent)
        assert self._listed is not None
        (index, _, counts), (units, width) = self._listed, R.shape
        delta_, weights, vector = self._padded(delta, width), flat(R), lanes(R.element_size())
        received = self._space.empty("feedback", self.name, shape=(len(delta), units), dtype=delta_.dtype)

        def part(begin: int, end: int) -> None:
            mine, here = slice(begin * units, end * units), slice(begin * width, end * width)
            kernels.feedback_to_source(
                index[mine], units, counts[begin:end], delta_[here], units, weights, width, vector,
                received[begin:end].reshape(-1),
            )  # fmt: skip

        share(part, len(delta), R.numel())
        return self._like_source(torch.from_numpy(received))

    def learn(self, delta: Tensor, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        if self._dense or any(mask is not None for mask in masks):
            products = torch.zeros_like(targets[0])
            products[:, : self._above] = self._rows().T @ delta
            add(products, scale, targets, masks)
            return
        if self._shared is not None:
            products = self._kept.T @ delta
            for target in targets:
                target[:, : self._above].index_add_(0, self._shared, products, alpha=scale)
            return
        assert self._listed is not None
        (index, value, counts), (units, width) = self._listed, targets[0].shape
        delta_, first, last = self._padded(delta, width), flat(targets[0]), flat(targets[-1])
        vector, both = lanes(delta.element_size()), len(targets) == 2
        eta = value.dtype.type(scale)

        def part(begin: int, end: int) -> None:
            kernels.hebbian(index, value, units, counts, begin, end, delta_, width, vector, eta, first, last, both)

        share(part, units, targets[0].numel())

    def _padded(self, delta: Tensor, width: int) -> np.ndarray:
        return flat(torch.nn.functional.pad(delta, (0, width - self._above)))
