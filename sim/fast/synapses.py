"""Layers with weights on the fast path. W and R are torch tensors in the layout that a layer's own products want."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from network.spec import NetworkSpec, Node
from sim import torch_ops
from sim.fast.stages import Batch, Routed, Stage, like_maps

SMALL = 1 << 23  # multiplications that one thread does in a fraction of a millisecond


class Synapses(Stage):
    """Any layer with weights, in its plain form: the layout is that of `network.layers`.

    Parameters
    ----------
    spec : NetworkSpec
    node : Node
    late : bool
        What it puts out is h: the pooling above saturates.
    """

    def __init__(self, spec: NetworkSpec, node: Node, late: bool = False) -> None:
        super().__init__(node, node)
        self.node = node
        self._gain, self._late = spec.gain, late
        self.h: Tensor | None = None
        self.x: Any = None

    def inside(self, weights: Tensor) -> Tensor:
        """W, R or a mask in this layer's layout."""
        return weights

    def outside(self, weights: Tensor) -> Tensor:
        """The way back."""
        return weights

    def mask(self, mask: Tensor) -> Tensor:
        """Which connections exist, as `learn` wants to be told."""
        return self.inside(mask)

    def up(self, sources: list[Tensor], batch: Batch, W: Tensor) -> Tensor:
        """Equation (1): what the units put out, or their h where something above saturates."""
        self._below = sources[0].to(W.dtype) if self.node.is_output else sources[0]
        return self._saturate(self._inputs(W), batch)

    def delta(self, feedback: Any) -> Tensor:
        """Equations (2) and (3): shut off where the unit is saturated."""
        if self.node.is_output:
            return feedback
        if isinstance(feedback, Routed):
            return feedback.dense(self._gain)
        delta = torch_ops.shut_off(like_maps(feedback.to(self.x.dtype)), self.x)
        return delta if self._gain == 1 else delta.mul_(self._gain)

    def back(self, R: Tensor, delta: Tensor) -> Tensor:
        """R' delta, for the layer below."""
        return torch_ops.feedback_to_source(self.node.synaptic, R.to(delta.dtype), delta, self.node.source_shapes[0])

    def learn(self, delta: Any, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        """Add `scale` times the Hebbian products to each of `targets`, where its mask, if any, has a connection."""
        add(torch_ops.hebbian(self.node.synaptic, delta, self._below, tuple(targets[0].shape)), scale, targets, masks)

    def _inputs(self, W: Tensor) -> Tensor:
        return torch_ops.input_of_units(self.node.synaptic, W.to(self._below.dtype), self._below)

    def _saturate(self, h: Tensor, batch: Batch) -> Tensor:
        self.h = h if batch.trace or self.node.is_output else None
        if self.node.is_output or self._late:
            self.x = h
        elif batch.trace:
            self.x = (self._gain * h).clamp_(-1, 1)
        else:
            self.x = (h if self._gain == 1 else h.mul_(self._gain)).clamp_(-1, 1)
        return self.x


class ConvSynapses(Synapses):
    """A convolution whose kernel has a middle: R' delta is a convolution too, of the filters turned around."""

    def back(self, R: Tensor, delta: Tensor) -> Tensor:
        turned = R.to(delta.dtype).flip(2, 3).transpose(0, 1).contiguous(memory_format=torch.channels_last)
        return conv2d(delta, turned, padding=((R.shape[2] - 1) // 2, (R.shape[3] - 1) // 2))


class FullSynapses(Synapses):
    """W is (units, in), maps below flattened in the order H, W, C."""

    def inside(self, weights: Tensor) -> Tensor:
        source = self.node.source_shapes[0]
        if len(source) == 3:
            weights = weights.view(len(weights), *source).permute(0, 2, 3, 1).reshape(len(weights), -1)
        return weights.contiguous()

    def outside(self, weights: Tensor) -> Tensor:
        source = self.node.source_shapes[0]
        if len(source) == 3:
            channels, height, width = source
            weights = weights.view(-1, height, width, channels).permute(0, 3, 1, 2).reshape(len(weights), -1)
        return weights.contiguous()

    def back(self, R: Tensor, delta: Tensor) -> Tensor:
        return self._like_source(product(delta, R.to(delta.dtype)))

    def learn(self, delta: Tensor, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
        add(product(delta.T, self._rows()), scale, targets, masks)

    def _inputs(self, W: Tensor) -> Tensor:
        return product(self._rows(), W.to(self._below.dtype).T)

    def _rows(self) -> Tensor:
        below = self._below
        return (below.permute(0, 2, 3, 1) if below.ndim == 4 else below).reshape(len(below), -1)

    def _like_source(self, received: Tensor) -> Tensor:
        source = self.node.source_shapes[0]
        if len(source) == 3:
            channels, height, width = source
            return received.view(-1, height, width, channels).permute(0, 3, 1, 2)
        return received


def add(products: Tensor, scale: float, targets: list[Tensor], masks: list[Tensor | None]) -> None:
    """Add `scale` times the same products to each of `targets`, where its mask, if any, has a connection."""
    for target, mask in zip(targets, masks, strict=True):
        target.add_(products if mask is None else products * mask, alpha=scale)


def product(a: Tensor, b: Tensor) -> Tensor:
    """A B; a small one on a single thread, since threads that share one sum leave other bits than one that makes it."""
    if a.shape[0] * a.shape[1] * b.shape[1] > SMALL:
        return a @ b
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return a @ b
    finally:
        torch.set_num_threads(threads)
