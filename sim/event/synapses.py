"""The synapses of the event engine, of which each kind has its own way to add up what comes over many of them.

Inside the engine the channels of maps come last, (N, H, W, C), so that a convolution's output needs no rearranging;
every kind of synapse brings W and R into the layout that its products want, and back.
"""

from typing import Protocol

import numpy as np

from network.layers import Conv, Local
from network.spec import Node
from sim.event.full import FullSynapses, Listed, ListedSynapses, is_listed
from sim.event.windows import ConvSynapses, LocalSynapses


class Synapses(Protocol):
    """All connections between a layer with weights and what it reads.

    Attributes
    ----------
    by_lists : bool
        Whether it wants to be told which of them are not silent: it then goes through those only. `backward` leaves
        what silent synapses would carry as it is.
    """

    by_lists: bool

    def inside(self, weights: np.ndarray) -> np.ndarray:
        """W, R or a mask in the engine's layout, from that of `network.weights`; shares no memory with it."""
        ...

    def outside(self, weights: np.ndarray) -> np.ndarray:
        """The way back."""
        ...

    def forward(self, W: np.ndarray, x: np.ndarray, h: np.ndarray, listed: Listed | None = None, /) -> None:
        """h = W x, equation (1)."""
        ...

    def backward(self, R: np.ndarray, delta: np.ndarray, received: np.ndarray, listed: Listed | None = None, /) -> None:
        """received = R' delta, what reaches the layer below (equation 2)."""
        ...

    def products(
        self, delta: np.ndarray, x: np.ndarray, increment: np.ndarray, listed: Listed | None = None, /
    ) -> None:
        """increment = the sum over the batch of delta_i x_j for every connection."""
        ...

    def forward_bound(self, W: np.ndarray) -> float:
        """How many times larger than max|x| any h can be: the largest sum of |W| into one unit."""
        ...

    def backward_bound(self, R: np.ndarray) -> float:
        """How many times larger than max|delta| any feedback can be: the largest sum of |R| to one unit."""
        ...


def synapses_of(node: Node, source: Node | None) -> Synapses:
    """The kind of synapses that `node` has with `source`, which is None for the input."""
    if isinstance(node.layer, Local):
        return LocalSynapses(node, node.layer)
    if isinstance(node.layer, Conv):
        return ConvSynapses(node, node.layer)
    return ListedSynapses(node) if source and is_listed(source) else FullSynapses(node)
