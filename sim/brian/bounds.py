"""Bounds of what can arrive at a unit, from the weights: automatic M and K, the same as the event engine's."""

from collections.abc import Callable, Mapping

import numpy as np

from network.spec import INPUT, NetworkSpec, Node
from network.weights import Arrays
from sim.event.pools import Relays
from sim.event.space import Space
from sim.event.synapses import synapses_of


class Bounds:
    """Bounds of the inputs of a network's units.

    Parameters
    ----------
    spec : NetworkSpec
    kept : mapping of str to numpy.ndarray of bool
        By name of the Drop layers, where something is dropped.
    pixels : callable
        To the largest |activity| of the input.
    """

    def __init__(self, spec: NetworkSpec, kept: Mapping[str, np.ndarray], pixels: Callable[[], float]) -> None:
        self._node = {node.name: node for node in spec.nodes}
        self._readers = readers_of(spec)
        self._relays = Relays(spec.semantics, kept, Space(keep=False))
        self._synapses = {node.index: synapses_of(node, None) for node in spec.weighted}
        self._pixels = pixels

    def forward(self, node: Node, W: Arrays) -> float:
        """What |h| of a layer cannot exceed, with activity below it that has not been replaced."""
        synapses = self._synapses[node.index]
        return synapses.forward_bound(synapses.inside(W[node.index])) * self._largest(node.sources[0])

    def feedback(self, name: str, largest: Mapping[int, float], R: Arrays) -> float:
        """What the feedback to a node cannot exceed.

        Parameters
        ----------
        name : str
        largest : mapping of int to float
            The largest activity of the layers that send.
        R : dict of int to numpy.ndarray
            What it passes through.
        """
        bound = 0.0
        for reader in self._readers.get(name, ()):
            if not reader.index:
                bound += self._relays.largest_down(reader, self.feedback(reader.name, largest, R))
            elif reader.index in largest:
                synapses = self._synapses[reader.index]
                bound += synapses.backward_bound(synapses.inside(R[reader.index])) * largest[reader.index]
        return bound

    def _largest(self, name: str) -> float:
        if name == INPUT:
            return self._pixels()
        node = self._node[name]
        if node.index:
            return 1.0
        return self._relays.largest(node, [self._largest(source) for source in node.sources])


def readers_of(spec: NetworkSpec) -> dict[str, list[Node]]:
    """The nodes that read each node, by name."""
    readers: dict[str, list[Node]] = {}
    for node in spec.nodes:
        for source in node.sources:
            readers.setdefault(source, []).append(node)
    return readers
