"""What passes between layers with weights: pools, drops and SUMs, with activity going up and feedback coming down."""

from collections.abc import Mapping

import numpy as np

from network.layers import Avgpool, Drop, Maxpool, Pool, Sum
from network.semantics import Semantics
from network.spec import Node
from sim.event import kernels as event_kernels
from sim.event import pool_kernels as pools
from sim.event.full import Listed
from sim.event.space import Space
from sim.event.threads import share
from sim.fast import full_kernels


class Relays:
    """The layers without weights, in one presentation.

    Parameters
    ----------
    semantics : Semantics
    kept : mapping of str to numpy.ndarray of bool
        By name of the Drop layers, (N, C, H, W) or (N, units): synapses that are not silent in this presentation.
        Drops that are not in it let everything pass.
    space : Space
        Where their arrays are.
    """

    def __init__(self, semantics: Semantics, kept: Mapping[str, np.ndarray], space: Space) -> None:
        self._space = space
        self._semantics = semantics
        self._kept = kept
        self._codes: dict[str, np.ndarray] = {}
        self._listed: dict[str, Listed] = {}
        self._won: dict[str, tuple[np.ndarray, ...]] = {}  # what each Maxpool remembers of when activity went up

    def up(self, node: Node, sources: list[np.ndarray], remember: bool = False) -> np.ndarray:
        """What `node` puts out for what it reads; a Maxpool is to remember which pixels won, or those it does."""
        x = sources[0]
        match node.layer:
            case Sum():
                return add(x, sources[1], self._space.like("up", node.name, array=x))
            case Drop():
                return self._drop(node, x, "up")
            case Maxpool() as pool:
                pooled = self._maps(node, x)
                name = "winner" if remember else "this winner"
                winner = self._space.empty(name, node.name, shape=pooled.shape, dtype=np.int32)
                window = self._window(pool, node)
                share(lambda b, e: pools.max_pool(x[b:e], *window, pooled[b:e], winner[b:e]), len(x), x.size)
                if remember:
                    first = self._semantics.pool_ties == "first"
                    self._won[node.name] = (winner,) if first else (x.copy(), pooled.copy())
                return pooled
            case Avgpool() as pool:
                pooled = self._maps(node, x)
                window = self._window(pool, node)
                share(lambda b, e: pools.average_pool(x[b:e], *window, pooled[b:e]), len(x), x.size)
                return pooled
        raise AssertionError(node)

    def remembers(self, node: Node) -> bool:
        """Whether activity has gone up through a Maxpool, so that it knows where feedback goes."""
        return node.name in self._won

    def down(self, node: Node, feedback: np.ndarray) -> np.ndarray:
        """What a source of `node` receives of its `feedback`."""
        if isinstance(node.layer, Sum):
            return feedback  # both its sources are told the same
        if isinstance(node.layer, Drop):
            return self._drop(node, feedback, "down")
        channels, height, width = node.source_shapes[0]
        shape = len(feedback), height, width, channels
        received = self._space.empty("down", node.name, shape=shape, dtype=feedback.dtype)
        match node.layer:
            case Maxpool() if self._semantics.pool_ties == "first":
                (winner,) = self._won[node.name]
                pixels = received.reshape(len(received), -1, channels)
                size = received.size
                share(lambda b, e: pools.feedback_to_winner(feedback[b:e], winner[b:e], pixels[b:e]), len(pixels), size)
            case Maxpool() as pool:
                window = self._window(pool, node)
                x, pooled = self._won[node.name]
                pools.feedback_to_all_winners(feedback, x, pooled, *window, received)
            case Avgpool() as pool:
                window = self._window(pool, node)
                pools.feedback_of_average(feedback, *window, received)
        return received

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

    def listed(self, node: Node, x: np.ndarray | None = None) -> Listed | None:
        """The units of a Drop that are not silent, with their activity x; without x, as they were listed before.

        None where nothing is dropped, or nothing has been listed.
        """
        if x is not None and node.name in self._kept:
            code, flat = self._silent(node).reshape(-1), x.reshape(-1)
            index = self._space.empty("index", node.name, shape=(len(x), node.units), dtype=np.uint32)
            value = self._space.empty("value", node.name, shape=index.shape, dtype=x.dtype)
            counts, at = np.zeros(len(x), np.int64), (index.reshape(-1), value.reshape(-1))
            share(
                lambda b, e: full_kernels.list_kept(code, b, e, node.units, flat, node.units, *at, counts),
                len(x), x.size,
            )  # fmt: skip
            self._listed[node.name] = Listed(index, value, counts)
        return self._listed.get(node.name)

    def _drop(self, node: Node, value: np.ndarray, way: str) -> np.ndarray:
        if node.name not in self._kept:
            return value
        assert isinstance(node.layer, Drop)
        code, scale = self._silent(node).reshape(-1), value.dtype.type(1 / (1 - node.layer.fraction))
        out = self._space.like(way, node.name, array=value)
        x, to = value.reshape(-1), out.reshape(-1)
        share(lambda b, e: event_kernels.drop(x[b:e], code[b:e], scale, to[b:e]), x.size, x.size)
        return out

    def _silent(self, node: Node) -> np.ndarray:
        """Which synapses are silent, in the engine's order, as `sim.event.kernels.silence` has it."""
        if node.name not in self._codes:
            kept = self._kept[node.name]
            kept = kept.reshape(*kept.shape, *[1] * (4 - kept.ndim))
            n, c, h, w = kept.shape
            code = self._space.empty("silent", node.name, shape=(n, h, w, c), dtype=np.uint8)
            share(lambda b, e: event_kernels.silence(kept[b:e], code[b:e]), n, code.size)
            self._codes[node.name] = code
        return self._codes[node.name]

    def _window(self, pool: Pool, node: Node) -> tuple[int, int, int, int]:
        _, height, width = node.source_shapes[0]
        top, left = (pool.padding(self._semantics.pool_anchor, length)[0] for length in (height, width))
        return pool.size, pool.stride, top, left

    def _maps(self, node: Node, x: np.ndarray) -> np.ndarray:
        channels, height, width = node.shape
        return self._space.empty("up", node.name, shape=(len(x), height, width, channels), dtype=x.dtype)


def add(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
    """a + b, by image."""
    share(lambda begin, end: np.add(a[begin:end], b[begin:end], out=out[begin:end]), len(a), a.size)
    return out
