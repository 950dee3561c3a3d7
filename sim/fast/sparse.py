"""A full layer above a ``Drop`` of most units, by lists of those it kept."""

from math import prod

import numpy as np
import torch
from torch import Tensor

from network.spec import NetworkSpec, Node
from sim.event.space import Space
from sim.event.threads import share
from sim.fast import full_kernels as kernels
from sim.fast.bfloat16_kernels import narrow_blocks
from sim.fast.pool_kernels import DROPPED
from sim.fast.simd_bfloat16 import BLOCK
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
        padded = torch.zeros(self._units, -(-self._above // BLOCK) * BLOCK, dtype=weights.dtype)
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
            return self._rows() @ W[:, : self._above].to(self._below.dtype)
        if self._shared is not None:
            self._kept = self._rows()[:, self._shared]
            return (self._kept @ W[self._shared].to(self._below.dtype))[:, : self._above].contiguous()
        below, (units, width) = flat(self._below), W.shape
        code, images = self._dropping.code, len(self._below)
        assert code is not None
        code = code.reshape(-1)
        index = self._space.empty("index", self.name, shape=(images * units,), dtype=np.uint32)
        value = self._space.empty("value", self.name, shape=(images * units,), dtype=below.dtype)
        counts, h = np.zeros(images, np.int64), torch.zeros(images, width, dtype=W.dtype)
        weights, h_ = self._rows_of("W", W), flat(h)

        def part(begin: int, end: int) -> None:
            kernels.list_kept(code, begin, end, units, below, units, index, value, counts)
            mine, here = slice(begin * units, end * units), slice(begin * width, end * width)
            kernels.input_of_units(index[mine], value[mine], units, counts[begin:end], units, weights, width, h_[here])

        share(part, images, W.numel())
        self._listed = index, value, counts
        return h[:, : self._above].contiguous()

    def back(self, R: Tensor, delta: Tensor) -> Tensor:
        if self._dense:
            return self._like_source(delta @ R[:, : self._above].to(delta.dtype).T)
        if self._shared is not None:
            sent = torch.zeros(len(delta), self._units, dtype=delta.dtype)
            sent[:, self._shared] = delta @ R[self._shared, : self._above].to(delta.dtype).T
            return self._like_source(sent)
        assert self._listed is not None
        (index, _, counts), (units, width) = self._listed, R.shape
        delta_, weights = self._padded(delta, width), self._rows_of("R", R)
        received = self._space.empty("feedback", self.name, shape=(len(delta), units), dtype=flat(R[:1]).dtype)

        def part(begin: int, end: int) -> None:
            mine, here = slice(begin * units, end * units), slice(begin * width, end * width)
            kernels.feedback_to_source(
                index[mine], units, counts[begin:end], delta_[here], units, weights, width,
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
            products = (self._kept.T @ delta).to(targets[0].dtype)
            for target in targets:
                target[:, : self._above].index_add_(0, self._shared, products, alpha=scale)
            return
        assert self._listed is not None
        (index, value, counts), (units, width) = self._listed, targets[0].shape
        delta_, first, last = self._padded(delta, width), flat(targets[0]), flat(targets[-1])
        both, eta = len(targets) == 2, first.dtype.type(scale)

        def part(begin: int, end: int) -> None:
            kernels.hebbian(index, value, units, counts, begin, end, delta_, width, eta, first, last, both)

        share(part, units, targets[0].numel())

    def _padded(self, delta: Tensor, width: int) -> np.ndarray:
        padded = torch.nn.functional.pad(delta, (0, width - self._above))
        return self._rows_of("delta", padded.float()) if delta.dtype == torch.bfloat16 else flat(padded)

    def _rows_of(self, name: str, matrix: Tensor) -> np.ndarray:
        """Rows as the kernels read them: rounded, where the activity is."""
        rows = flat(matrix)
        if self._below.dtype != torch.bfloat16:
            return rows
        stored = self._space.empty(name, self.name, shape=rows.shape, dtype=np.uint16)
        share(lambda b, e: narrow_blocks(rows[b * BLOCK : e * BLOCK], stored[b * BLOCK : e * BLOCK]),
              len(rows) // BLOCK, len(rows))  # fmt: skip
        return stored

    def _saturate(self, h: Tensor, batch: Batch) -> Tensor:
        self.x = super()._saturate(h, batch).to(self._below.dtype)
        return self.x
