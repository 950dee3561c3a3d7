"""Which stages a network becomes on the fast path, and which networks it is for."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import fields
from math import prod
from typing import Any

from network.layers import Avgpool, Conv, Drop, Full, Layer, Local, Maxpool, Output, Sum
from network.rules import Rule
from network.spec import INPUT, NetworkSpec, Node
from sim.engine import Settings
from sim.event.space import Space
from sim.fast.input import InputSynapses
from sim.fast.local import LocalSynapses
from sim.fast.pooled import FEW, VERY_FEW, PooledSynapses, share_with_feedback
from sim.fast.rounded import RoundedInput, RoundedPooling
from sim.fast.sparse import SparseSynapses
from sim.fast.stages import Adding, Averaging, Dropping, PlainPooling, Pooling, Stage
from sim.fast.synapses import ConvSynapses, FullSynapses, Synapses

GROUP = 16  # channels come in groups of as many as the codes that kernels look at together
MOSTLY = 0.5  # share of dropped units from which on a list of the others is worth making
LONGEST = 64  # numbers in one row of a kernel over the images, up to which the layer's own convolution is faster

# Layers as the notation of Amit's paper can write them. What others can have besides makes them unequal to these.
PLAIN: dict[type, Callable[[Any], Layer]] = {
    Conv: lambda layer: Conv(layer.filters, layer.kernel),
    Local: lambda layer: Local(layer.filters, layer.kernel),
    Full: lambda layer: Full(layer.units),
    Output: lambda layer: Output(layer.units),
    Maxpool: lambda layer: Maxpool(layer.size, layer.stride),
    Avgpool: lambda layer: Avgpool(layer.size, layer.stride),
    Drop: lambda layer: Drop(layer.fraction),
    Sum: lambda layer: Sum(),
}
# Settings that this path heeds, and those that are for circuits only.
KNOWN = {"rule", "eta", "mu", "order", "dtype", "device", "seed", "kernels", "dropout_mask", "compute_dtype"} | {
    "epsilon", "M", "K", "gate_phase", "unchecked", "timing", "dt",
}  # fmt: skip


def why_not(spec: NetworkSpec, settings: Settings) -> str:
    """What is in the way of the fast path; empty where nothing is. It knows the layers and rules of Amit's paper."""
    for layer in spec.layers:
        if type(layer) not in PLAIN or PLAIN[type(layer)](layer) != layer:
            return f"layer '{layer}'"
    rule = settings.rule
    if rule != Rule(rule.name, rule.loss, rule.symmetric, rule.feedback_rate, rule.feedback_decay, rule.deviation):
        return f"rule '{rule.name}'"
    for each in fields(settings):
        if each.name not in KNOWN and getattr(settings, each.name) != each.default:
            return f"setting '{each.name}'"
    if settings.compute_dtype and any(isinstance(layer, Local) for layer in spec.layers):
        return f"untied layers in {settings.compute_dtype}"
    if spec.semantics.pool_ties != "first":
        return f"semantics '{spec.semantics.name}'"
    return ""


def plan(spec: NetworkSpec, space: Space, *, rounded: bool = False) -> list[Stage]:
    """The stages from the input up; with maps of bfloat16 where they are `rounded`."""
    make_input, make_pooling = (RoundedInput, RoundedPooling) if rounded else (InputSynapses, Pooling)
    readers = Counter(name for node in spec.nodes for name in node.sources)
    coming, stages = deque(spec.nodes), list[Stage]()

    def take(node: Node, fits: Callable[[Node], bool]) -> Node | None:
        """The next node, where it fits and is the only one that reads `node`."""
        if coming and fits(coming[0]) and coming[0].sources == (node.name,) and readers[node.name] == 1:
            return coming.popleft()
        return None

    while coming:
        node = coming.popleft()
        if node.index:
            pool = take(node, _is_pooled_in_groups)
            pooling = make_pooling(spec, pool, take(pool, _is_drop), True, space) if pool else None
            if _convolves_images(node):
                stages.append(make_input(spec, node, pooling, space))
            else:
                below = stages[-1] if stages and readers[node.sources[0]] == 1 else None
                if share_with_feedback(spec, node) <= (VERY_FEW if rounded else FEW):
                    synapses = PooledSynapses(spec, node, pooling is not None, space)
                else:
                    synapses = _synapses(spec, node, below, pooling, space)
                stages.append(synapses)
                stages.extend([pooling] if pooling and synapses.name != pooling.name else [])
        elif _is_pooled_in_groups(node):
            stages.append(make_pooling(spec, node, take(node, _is_drop), False, space))
        else:
            stages.append(_without_weights(spec, node))
    return stages


def _synapses(
    spec: NetworkSpec, node: Node, below: Stage | None, pooling: Pooling | None, space: Space
) -> Synapses:  # fmt: skip
    layer, late = node.synaptic, pooling is not None
    below = below.pooling if isinstance(below, InputSynapses | LocalSynapses) else below
    if isinstance(layer, Full):
        if isinstance(below, Dropping | Pooling) and below.name == node.sources[0] and below.dropped >= MOSTLY:
            if prod(node.source_shapes[0]) % GROUP == 0:
                return SparseSynapses(spec, node, below, space)
        return FullSynapses(spec, node)
    if isinstance(layer, Local):
        whole = layer.filters % GROUP == 0
        return LocalSynapses(spec, node, pooling, space) if whole else Synapses(spec, node, late)
    if isinstance(layer, Conv) and all(k % 2 for k in layer.kernel):
        return ConvSynapses(spec, node, late)
    return Synapses(spec, node, late)


def _without_weights(spec: NetworkSpec, node: Node) -> Stage:
    anchor = spec.semantics.pool_anchor
    match node.layer:
        case Sum():
            return Adding(node, node)
        case Drop() as drop:
            return Dropping(node, drop, spec.nodes.index(node))
        case Maxpool() as pool:
            return PlainPooling(node, pool, anchor)
        case Avgpool() as pool:
            return Averaging(node, pool, anchor)
    raise AssertionError(node)


def _is_drop(node: Node) -> bool:
    return isinstance(node.layer, Drop)


def _is_pooled_in_groups(node: Node) -> bool:
    return isinstance(node.layer, Maxpool) and node.shape[0] % GROUP == 0 and node.layer.size < GROUP


def _convolves_images(node: Node) -> bool:
    layer = node.layer
    if not isinstance(layer, Conv) or isinstance(layer, Local) or node.sources != (INPUT,):
        return False
    return layer.filters % GROUP == 0 and layer.kernel[1] * node.source_shapes[0][0] <= LONGEST
