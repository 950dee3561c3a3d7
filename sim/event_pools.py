"""What passes between layers with weights: pools, drops and SUMs, with activity going up and feedback coming down."""

from collections.abc import Mapping

import numpy as np

from network.layers import Avgpool, Drop, Maxpool, Pool, Sum
from network.semantics import Semantics
from network.spec import Node
from sim import event_kernels
from sim import event_pool_kernels as pools


class Relays:
    """The layers without weights, in one presentation.

    Parameters
    ----------
    semantics : Semantics
    kept : mapping of str to numpy.ndarray of bool
        By name of the Drop layers, (N, C, H, W) or (N, units): synapses that are not silent in this presentation.
        Drops that are not in it let everything pass.
    """

    def __init__(self, semantics: Semantics, kept: Mapping[str, np.ndarray]) -> None:
        self._semantics = semantics
        self._kept = kept
        self._winner: dict[str, np.ndarray] = {}

    def up(self, node: Node, sources: list[np.ndarray]) -> np.ndarray:
        """What `node` puts out for what it reads."""
        x = sources[0]
        match node.layer:
            case Sum():
                return x + sources[1]
            case Drop():
                return self._drop(node, x)
            case Maxpool() as pool:
                pooled = _maps(node, x)
                winner = self._winner[node.name] = np.empty(pooled.shape, dtype=np.uint16)
                pools.max_pool(x, *self._window(pool, node), pooled, winner)
                return pooled
            case Avgpool() as pool:
                pooled = _maps(node, x)
                pools.average_pool(x, *self._window(pool, node), pooled)
                return pooled
        raise AssertionError(node)

    def down(self, node: Node, feedback: np.ndarray, x: np.ndarray, put_out: np.ndarray) -> np.ndarray:
        """What a source of `node` receives of its `feedback`; `x` is that source's activity, `put_out` node's own."""
        match node.layer:
            case Drop():
                return self._drop(node, feedback)
            case Maxpool() as pool:
                received = np.empty_like(x)
                if self._semantics.pool_ties == "first":
                    pools.feedback_to_winner(feedback, self._winner[node.name], *self._window(pool, node), received)
                else:
                    pools.feedback_to_all_winners(feedback, x, put_out, *self._window(pool, node), received)
                return received
            case Avgpool() as pool:
                received = np.empty_like(x)
                pools.feedback_of_average(feedback, *self._window(pool, node), received)
                return received
        return feedback  # a SUM tells both its sources the same

    def largest(self, node: Node, sources: list[float]) -> float:
        """A bound of what `node` puts out, given those of its sources."""
        match node.layer:
            case Sum():
                return sum(sources)
            case Drop(fraction) if node.name in self._kept:
                return sources[0] / (1 - fraction)
        return sources[0]

    def largest_down(self, node: Node, bound: float) -> float:
        """A bound of what `down` returns, given that of the feedback."""
        match node.layer:
            case Drop(fraction) if node.name in self._kept:
                return bound / (1 - fraction)
            case Pool() as pool:  # a pixel lies in so many windows
                windows = (-(-pool.size // pool.stride)) ** 2
                return bound * (windows if isinstance(pool, Maxpool) else windows / pool.size**2)
        return bound

    def _drop(self, node: Node, value: np.ndarray) -> np.ndarray:
        if node.name not in self._kept:
            return value
        assert isinstance(node.layer, Drop)
        kept, out = self._kept[node.name], np.empty_like(value)
        as_maps = value.reshape(len(value), 1, 1, -1) if value.ndim == 2 else value
        event_kernels.drop(
            as_maps, kept.reshape(*kept.shape, *[1] * (4 - kept.ndim)), 1 / (1 - node.layer.fraction),
            out.reshape(as_maps.shape),
        )  # fmt: skip
        return out

    def _window(self, pool: Pool, node: Node) -> tuple[int, int, int, int]:
        _, height, width = node.source_shapes[0]
        top, left = (pool.padding(self._semantics.pool_anchor, length)[0] for length in (height, width))
        return pool.size, pool.stride, top, left


def _maps(node: Node, x: np.ndarray) -> np.ndarray:
    channels, height, width = node.shape
    return np.empty((len(x), height, width, channels), dtype=x.dtype)
