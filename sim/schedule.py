"""One presentation as events, in the order that Remark 1 asks for.

Layers are named by the i of W/<i>. Pools, drops and SUMs have no events of their own: they pass on what the layers with
weights put out, so that a layer may read several layers (a SUM between) and be read by several.
"""

from typing import NamedTuple

from network.errors import unknown
from network.rules import ORDERS
from network.spec import INPUT, NetworkSpec


class Event(NamedTuple):
    """Something that happens once in a presentation.

    Attributes
    ----------
    kind : str
        ``present``, ``arrive``, ``settle``, ``teach``, ``gate``, ``latch``, ``replace`` or ``consolidate``.
    layer : int
        i of W/<i>, from 1; 0 for ``present`` and ``teach``.
    """

    kind: str
    layer: int = 0

    def __str__(self) -> str:
        return f"{self.kind}({self.layer})" if self.layer else self.kind


def sources_of(spec: NetworkSpec) -> dict[int, tuple[int, ...]]:
    """The layers whose activity each layer with weights reads, through pools, drops and SUMs; 0 is the input.

    Two of them where a SUM lies between, as in deepernet: ``{1: (0,), 2: (1,), 3: (1, 2), ...}``.
    """
    read: dict[str, set[int]] = {INPUT: {0}}
    sources: dict[int, tuple[int, ...]] = {}
    for node in spec.nodes:
        below = set().union(*(read[name] for name in node.sources))
        read[node.name] = {node.index} if node.index else below
        if node.index:
            sources[node.index] = tuple(sorted(below))
    return sources


def canonical_order(spec: NetworkSpec, order: str = "before_update") -> tuple[Event, ...]:
    """The order of firing where nothing takes time.

    Going down, a layer is reached when every layer that reads it has passed its gate: its feedback is then complete,
    whichever of the readers it comes from.

    Parameters
    ----------
    spec : NetworkSpec
    order : {"before_update", "after_update"}
        When tags become weights: when the feedback has passed through R_l to all the layers that l reads, or at the
        gate of l, before it passes.

    Returns
    -------
    tuple of Event
        ``latch`` and ``replace`` for the hidden layers, ``arrive``, ``settle``, ``gate`` and ``consolidate`` for all.

    Raises
    ------
    BadInput
        For an unknown order.
    """
    if order not in ORDERS:
        raise unknown("order", order, ORDERS)
    sources = sources_of(spec)
    top = len(sources)
    events = [Event("present")]
    for layer in sources:
        events += [Event("arrive", layer), Event("settle", layer)]
    events.append(Event("teach"))
    tagged: list[int] = []  # layers whose increments wait to become weights
    for layer in range(top, 0, -1):
        if layer < top:
            events += [Event("latch", layer), Event("replace", layer)]
            tagged = _consolidate(tagged, layer, sources, events)
        events.append(Event("gate", layer))
        tagged = _consolidate([*tagged, layer], 0 if order == "after_update" else layer, sources, events)
    return tuple(events)


def _consolidate(
    tagged: list[int], replaced: int, sources: dict[int, tuple[int, ...]], events: list[Event]
) -> list[int]:
    """Consolidate the layers that need not wait for a layer below `replaced`; return the others."""
    waiting = []
    for layer in tagged:
        hidden = [source for source in sources[layer] if source]
        if replaced and hidden and min(hidden) < replaced:
            waiting.append(layer)
        else:
            events.append(Event("consolidate", layer))
    return waiting
