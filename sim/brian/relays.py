"""Pools, drops and SUMs of the clock-driven circuit: what they pass on at an instant, up and down.

No membrane is theirs, and the maximum of many inputs is nothing that synapses can say: these are functions of what the
sources send at that instant. A Maxpool remembers which pixel won when activity went up, to route the feedback back.
"""

from collections.abc import Mapping

import numpy as np

from network.layers import Avgpool, Drop, Maxpool, Sum
from network.reference_layers import from_windows, windows, winners
from network.semantics import Semantics
from network.spec import Node


class Relays:
    """The layers without weights, in one presentation. All arrays are (N, C, H, W) or (N, units).

    Parameters
    ----------
    semantics : Semantics
    kept : mapping of str to numpy.ndarray of bool
        By name of the Drop layers: synapses that are not silent. Drops that are not in it let everything pass.

    Attributes
    ----------
    won : dict of str to numpy.ndarray of bool
        By name of the Maxpools that have seen activity go up: which pixels of each window won, (K * K, N, C, H, W).
    """

    def __init__(self, semantics: Semantics, kept: Mapping[str, np.ndarray]) -> None:
        self._semantics = semantics
        self._kept = kept
        self.won: dict[str, np.ndarray] = {}

    def up(self, node: Node, sources: list[np.ndarray], remember: bool) -> np.ndarray:
        """What `node` puts out for what it reads; `remember` the winners where activity goes up."""
        x = sources[0]
        match node.layer:
            case Sum():
                return x + sources[1]
            case Drop():
                return self._drop(node, x)
            case Maxpool() as pool:
                pixels = windows(pool, self._semantics.pool_anchor, x)
                if remember:
                    self.won[node.name] = winners(pixels, self._semantics.pool_ties)
                return pixels.max(axis=0)
            case Avgpool() as pool:
                return windows(pool, self._semantics.pool_anchor, x).mean(axis=0)
        raise AssertionError(node)

    def remembers(self, node: Node) -> bool:
        """Whether nothing has to go up through `node` before feedback can come down."""
        return not isinstance(node.layer, Maxpool) or node.name in self.won

    def down(self, node: Node, feedback: np.ndarray) -> np.ndarray:
        """What each source of `node` receives of its `feedback`."""
        match node.layer:
            case Drop():
                return self._drop(node, feedback)
            case Maxpool() as pool:
                parts = self.won[node.name] * feedback
            case Avgpool() as pool:
                parts = np.stack([feedback / pool.size**2] * pool.size**2)
            case _:
                return feedback  # both sources of a SUM are told the same
        return from_windows(pool, self._semantics.pool_anchor, parts, node.source_shapes[0])

    def _drop(self, node: Node, value: np.ndarray) -> np.ndarray:
        assert isinstance(node.layer, Drop)
        return value * self._kept[node.name] / (1 - node.layer.fraction) if node.name in self._kept else value
