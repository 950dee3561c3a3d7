"""What goes between layers with weights, through pools, drops and SUMs: activity up, feedback down."""

from collections.abc import Mapping

import numpy as np

from network.layers import Maxpool
from network.spec import INPUT, Node
from sim.event import kernels as event_kernels
from sim.event.circuit import Circuit
from sim.event.full import Listed
from sim.event.output import OutputUnits
from sim.event.pools import Relays, add
from sim.event.space import Space
from sim.event.tags import Tags
from sim.event.threads import share
from sim.event.units import HiddenUnits, inside_shape


class Paths:
    """The paths of one presentation. Relays have no membranes: they put out at once what their sources make them.

    Parameters
    ----------
    circuit : Circuit
    units : mapping of int to HiddenUnits or OutputUnits
        By layer.
    tags : Tags
        For the weights as they are now.
    pixels : numpy.ndarray, (N, H, W, C)
    relays : Relays
    space : Space
        Where its arrays are; what it returns is overwritten when the same is asked for again.

    Attributes
    ----------
    presented : bool
        Whether the pixels are there; zeros until then.
    """

    def __init__(
        self, circuit: Circuit, units: Mapping[int, HiddenUnits | OutputUnits], tags: Tags, pixels: np.ndarray,
        relays: Relays, space: Space,
    ) -> None:  # fmt: skip
        self.presented = False
        self._circuit, self._units, self._tags, self._relays = circuit, units, tags, relays
        self._pixels, self._space = pixels, space
        spec = circuit.spec
        self._node = {node.name: node for node in spec.nodes}
        self._readers: dict[str, list[Node]] = {}
        for node in spec.nodes:
            for source in node.sources:
                self._readers.setdefault(source, []).append(node)
        self._above: dict[str, frozenset[int]] = {}  # layers with weights that what is sent to a node comes from
        for node in reversed(spec.nodes):
            above = (self._above[reader.name] for reader in self._readers.get(node.name, ()))
            self._above[node.name] = frozenset([node.index]) if node.index else frozenset().union(*above)
        # Of pools, drops and SUMs: what they put out and what they have been told, and what that depends on.
        self._relayed: dict[str, tuple[object, np.ndarray]] = {}
        self._told: dict[str, tuple[object, np.ndarray, float]] = {}

    def put_out(self, name: str, time: float, remember: bool = False) -> np.ndarray:
        """The activity of a node at `time`, seconds; with `remember`, a Maxpool routes feedback by it from then on."""
        if name == INPUT:
            return self._pixels if self.presented else np.zeros_like(self._pixels)
        node = self._node[name]
        if node.index:
            return self._units[node.index].activity(time)
        since = self._stamps(name, time), remember
        if name not in self._relayed or self._relayed[name][0] not in (since, (since[0], True)):
            below = [self.put_out(source, time, remember) for source in node.sources]
            self._relayed[name] = since, self._relays.up(node, below, remember)
        return self._relayed[name][1]

    def listed(self, reader: Node, x: np.ndarray | None = None) -> Listed | None:
        """The synapses of a layer with weights that are not silent, where that wants to know; `x` is what it reads."""
        if not self._circuit.synapses[reader.index].by_lists:
            return None
        return self._relays.listed(self._node[reader.sources[0]], x)

    def largest(self, name: str) -> float:
        """A bound of what a node puts out, from the weights."""
        if name == INPUT:
            return float(np.abs(self._pixels).max(initial=0)) if self.presented else 0.0
        node = self._node[name]
        if node.index:
            return self._units[node.index].largest
        return self._relays.largest(node, [self.largest(source) for source in node.sources])

    def feedback(self, name: str, readers: frozenset[int], time: float) -> tuple[np.ndarray, float]:
        """What the units of a node are sent by those that read it, and a bound of that, infinite where none is asked.

        Parameters
        ----------
        name : str
        readers : frozenset of int
            The layers with weights that send now, through relays or not.
        time : float
            Seconds.
        """
        total, bound = None, 0.0
        for reader in reversed(self._readers[name]):
            if not readers & self._above[reader.name]:
                continue
            through = self._through_synapses if reader.index else self._through_relay
            part, most = through(reader, name, readers, time)
            bound += most
            if total is None:
                total = part
            else:
                total = add(total, part, self._space.like("both", name, reader.name, array=part))
        assert total is not None
        return total, bound

    def _through_synapses(self, reader: Node, name: str, _: frozenset[int], time: float) -> tuple[np.ndarray, float]:
        units, synapses, R = self._units[reader.index], self._circuit.synapses[reader.index], self._tags.passed
        delta = units.activity(time)
        shape = (len(delta), *inside_shape(self._node[name]))
        received = self._space.empty("R", reader.name, shape=shape, dtype=delta.dtype)
        synapses.backward(R[reader.index], delta, received, self.listed(reader))
        if not isinstance(self._circuit.settings.K, str):
            return received, np.inf
        # What has not settled may exceed the bound of what has.
        most = units.largest if self._circuit.settings.timing is None else max(units.largest, largest(delta))
        return received, synapses.backward_bound(R[reader.index]) * most

    def _through_relay(self, reader: Node, _: str, readers: frozenset[int], time: float) -> tuple[np.ndarray, float]:
        above = sorted(readers & self._above[reader.name])
        since = [(layer, self._units[layer].stamp(time), self._tags.changes[layer]) for layer in above]
        if reader.name not in self._told or self._told[reader.name][0] != since:  # once: a SUM tells both its sources
            self._told[reader.name] = since, *self.feedback(reader.name, readers, time)
        received, bound = self._told[reader.name][1:]
        if isinstance(reader.layer, Maxpool) and not self._relays.remembers(reader):
            self.put_out(reader.name, time, remember=True)  # feedback before anything went up
        return self._relays.down(reader, received), self._relays.largest_down(reader, bound)

    def _stamps(self, name: str, time: float) -> object:
        """What the activity of a node depends on."""
        if name == INPUT:
            return self.presented
        node = self._node[name]
        return self._units[node.index].stamp(time) if node.index else [self._stamps(s, time) for s in node.sources]


def largest(values: np.ndarray) -> float:
    """max |value| of an array; what is not a number is passed over."""
    flat = values.reshape(-1)
    return max(share(lambda b, e: event_kernels.largest(flat[b:e]), flat.size, flat.size), default=0.0)
