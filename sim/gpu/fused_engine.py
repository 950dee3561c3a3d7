"""The torch engine on a GPU with kernels of its own for what lies between the products: `sim.gpu.kernels`.

The same equations as `sim.torch_engine`, its plain form. Saturation, pooling and dropout read h once and write what the
next layer reads; on the way back delta is written once, or not at all where it is only needed for the increment of the
first layer; and one pass over memory adds an increment to W and R.
"""

from collections import Counter, deque
from typing import Any, NamedTuple

import torch
from torch import Tensor

from network.layers import Avgpool, Conv, Drop, Full, Local, Maxpool, Sum
from network.rules import effective_order
from network.spec import INPUT, NetworkSpec, Node
from network.weights import Weights
from sim import torch_ops, torch_units
from sim.engine import Settings
from sim.gpu import fused
from sim.gpu.engine import GraphTorchEngine
from sim.gpu.graph import CudaGraph, Recording


class Group(NamedTuple):
    """Layers that are gone through together: one alone, or a convolution or map with its Maxpool and the Drop of that.

    `flat` says whether only full layers read it.
    """

    node: Node
    pool: Node | None
    drop: Node | None
    flat: bool

    @property
    def name(self) -> str:
        return (self.drop or self.pool or self.node).name


class FusedTorchEngine(GraphTorchEngine):
    """As `GraphTorchEngine`, for what `why_not` has nothing against."""

    def __init__(
        self, spec: NetworkSpec, weights: Weights, settings: Settings, recording: Recording | None = CudaGraph
    ) -> None:
        super().__init__(spec, weights, settings, recording)
        self._masks = fused.TritonMasks(spec, settings, self.device)
        self._groups = groups_of(spec)
        self._exact = settings.compute_dtype is None
        for node in spec.weighted:  # the layout of the maps: no copy to turn a kernel or its increment around
            if isinstance(node.layer, Conv) and not isinstance(node.layer, Local):
                for group in (self._W, self._R, self._mask_W, self._mask_R):
                    if node.index in group:
                        group[node.index] = group[node.index].contiguous(memory_format=torch.channels_last)

    def _learn(self, images: Tensor, labels: Tensor, step: int) -> Tensor:
        x, pooled, kept = self._up(self._pixels(images), step)
        outputs = x[self._groups[-1].name]
        self._down(x, pooled, kept, self._error(outputs, labels))
        return (outputs.argmax(1) != labels).sum()

    def _up(self, pixels: Tensor, step: int) -> tuple[dict[str, Tensor], dict[str, fused.Pooled], dict[str, Tensor]]:
        """Equation (1) from the input up: x and pooled windows by group, kept units by Drop."""
        x, pooled, kept = {INPUT: pixels}, dict[str, fused.Pooled](), self._dropout(step, len(pixels))
        for group in self._groups:
            node, below = group.node, x[group.node.sources[0]]
            match node.layer:
                case Sum():
                    x[group.name] = below + x[node.sources[1]]
                case Drop(fraction):
                    kept[node.name] = kept[node.name].to(self._compute_dtype).div_(1 - fraction)
                    x[group.name] = below * kept[node.name]
                case Avgpool() as pool:
                    x[group.name] = torch_ops.average_pool(pool, self.spec.semantics.pool_anchor, below)
                case Maxpool():
                    pooled[group.name] = self._pool(group._replace(pool=node), below, kept)
                    x[group.name] = pooled[group.name].x
                case _:
                    dtype = self._precision(node)
                    h = torch_ops.input_of_units(node.synaptic, self._W[node.index].to(dtype), below.to(dtype))
                    if group.pool:
                        pooled[group.name] = self._pool(group, h, kept)
                        x[group.name] = pooled[group.name].x
                    else:
                        x[group.name] = torch_units.activity(node, h, self.spec.gain)
        return x, pooled, kept

    def _pool(self, group: Group, h: Tensor, kept: dict[str, Tensor]) -> fused.Pooled:
        pool, drop = group.pool, group.drop
        assert pool and isinstance(pool.layer, Maxpool)
        windows = fused.Windows.of(
            pool.layer, self.spec.semantics.pool_anchor, pool.source_shapes[0], pool.shape,
            saturates=pool is not group.node, gain=self.spec.gain,
        )  # fmt: skip
        if not drop:
            return fused.pool(h, windows, None, 1.0, group.flat)
        assert isinstance(drop.layer, Drop)
        mask = kept[drop.name].expand(len(h), *drop.shape).contiguous()
        return fused.pool(h, windows, mask, 1 / (1 - drop.layer.fraction), group.flat)

    def _down(
        self, x: dict[str, Tensor], pooled: dict[str, fused.Pooled], kept: dict[str, Tensor], error: Tensor
    ) -> None:
        """Equations (2) and (3) from the output down; each layer learns once its feedback has passed."""
        spec = self.spec
        received: dict[str, Tensor] = {self._groups[-1].name: error}

        def send(name: str, feedback: Tensor) -> None:
            received[name] = received[name] + feedback if name in received else feedback

        for group in reversed(self._groups):
            node, source = group.node, group.node.sources[0]
            if node.name not in spec.learns_below:
                continue
            feedback = received.pop(group.name)
            match node.layer:
                case Sum():
                    for name in node.sources:
                        send(name, feedback)
                case Drop():
                    send(source, feedback * kept[node.name])
                case Avgpool() as pool:
                    send(source, torch_ops.average_pool_feedback(pool, spec.semantics.pool_anchor, feedback, x[source]))
                case Maxpool():
                    send(source, fused.send_back(feedback, pooled[group.name]))
                case Conv() as layer if group.pool and source == INPUT and _is_tied(layer):
                    # Nothing is sent to the images, so that nothing but the increment needs delta.
                    images = x[INPUT]
                    self._grow(
                        node,
                        fused.increment_of_winners(layer, images, feedback, pooled[group.name], self._exact),
                        len(images),
                    )
                case _:
                    self._precision(node)
                    if group.pool:
                        delta = fused.send_back(feedback, pooled[group.name])
                    else:
                        delta = torch_units.through_units(node, feedback, x[group.name], spec.gain)
                    if source in spec.learns_below:
                        R = self._W[node.index] if self.settings.rule.symmetric else self._R[node.index]
                        sent = torch_ops.feedback_to_source(
                            node.synaptic, R.to(delta.dtype), delta, node.source_shapes[0]
                        )
                        send(source, sent.to(self._compute_dtype))
                    seen = x[source].to(delta.dtype)
                    shape = tuple(self._W[node.index].shape)
                    self._grow(node, torch_ops.hebbian(node.synaptic, delta, seen, shape), len(delta))

    def _grow(self, node: Node, products: Tensor, count: int) -> None:
        """Section 3.1: W, and R where it learns, get the same increment."""
        i, rule, eta = node.index, self.settings.rule, self.settings.eta / count
        targets, rates, masks = [self._W[i]], [eta], [self._mask_W.get(i)]
        if i in self._R and rule.feedback_rate > 0:
            targets.append(self._R[i])
            rates.append(eta * rule.feedback_rate)
            masks.append(self._mask_R.get(i))
        fused.grow(targets, products, rates, masks)


def why_not(spec: NetworkSpec, settings: Settings) -> str:
    """What these kernels do not know; empty where they know all."""
    rule = settings.rule
    if settings.dtype != "float32":
        return f"dtype '{settings.dtype}'"
    if not (rule.symmetric or rule.R_takes_increments) or rule.feedback_decay:
        return f"rule '{rule.name}' with feedback that is not drawn once or changed by increments"
    if effective_order(rule, settings.order) != "before_update":
        return f"order '{settings.order}'"
    if not settings.update.is_plain:
        return "updates with momentum, decay, signs or a schedule"
    if spec.semantics.pool_ties != "first":
        return f"semantics '{spec.semantics.name}'"
    for node in spec.weighted:
        if node.synaptic.norm or node.synaptic.activation == "relu":
            return f"layer '{node.layer}'"
    return ""


def groups_of(spec: NetworkSpec) -> list[Group]:
    """The layers from the input up, those together that one kernel can go through."""
    readers = Counter(name for node in spec.nodes for name in node.sources)
    coming, groups = deque(spec.nodes), list[Group]()

    def take(node: Node | None, kind: Any) -> Node | None:
        """The next layer, where it is of that kind and alone reads `node`."""
        alone = node and coming and coming[0].sources == (node.name,) and readers[node.name] == 1
        return coming.popleft() if alone and isinstance(coming[0].layer, kind) else None

    while coming:
        node = coming.popleft()
        pool = take(node, Maxpool) if isinstance(node.layer, Conv) else None
        drop = take(pool or node, Drop) if pool or isinstance(node.layer, Maxpool) else None
        last = (drop or pool or node).name
        above = [other.layer for other in spec.nodes if last in other.sources]
        groups.append(Group(node, pool, drop, all(isinstance(layer, Full) for layer in above)))
    return groups


def _is_tied(layer: Conv) -> bool:
    """A convolution as Amit's are: tied weights, stride 1, zeros around."""
    return not isinstance(layer, Local) and layer.is_plain
