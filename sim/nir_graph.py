"""A graph of the Neuromorphic Intermediate Representation (NIR) as it grows, and windows as NIR can pad them.

NIR knows affine maps, convolutions, sums over windows, thresholds, leaky integrators and delays; what arrives at a node
over several edges adds up. A value of the network is therefore a tuple of nodes: their sum.
"""

from typing import Any

import numpy as np

Value = tuple[str, ...]


class Graph:
    """Nodes by name, and the edges between them.

    Parameters
    ----------
    nir : module
        The package, imported where it is asked for.
    dtype : numpy.dtype
        Of all numbers.
    """

    def __init__(self, nir: Any, dtype: np.dtype) -> None:
        self.nir, self.dtype = nir, dtype
        self._nodes: dict[str, Any] = {}
        self._edges: list[tuple[str, str]] = []

    def add(self, name: str, node: Any, *sources: str) -> Value:
        """Put a node in, with an edge from each of `sources`."""
        self._nodes[name] = node
        self.connect(name, *sources)
        return (name,)

    def connect(self, name: str, *sources: str) -> None:
        """Edges to a node that is there, from others that may not be yet."""
        self._edges += [(source, name) for source in sources]

    def scale(self, name: str, factor: float, shape: tuple[int, ...], *sources: str) -> Value:
        """The sum of the sources, times a number."""
        return self.add(name, self.nir.Scale(scale=self.full(shape, factor)), *sources)

    def threshold(self, name: str, at: float, shape: tuple[int, ...], *sources: str) -> Value:
        """1 where the sum of the sources is above `at`, else 0."""
        return self.add(name, self.nir.Threshold(threshold=self.full(shape, at)), *sources)

    def leak(self, name: str, tau: float, shape: tuple[int, ...], *sources: str) -> Value:
        """τ p' = -p + the sum of the sources; τ in seconds."""
        node = self.nir.LI(tau=self.full(shape, tau), r=self.full(shape, 1.0), v_leak=self.full(shape, 0.0))
        return self.add(name, node, *sources)

    def full(self, shape: tuple[int, ...], value: float) -> np.ndarray:
        """An array of one number."""
        return np.full(shape, value, dtype=self.dtype)

    def finish(self, **about: str) -> Any:
        """The ``nir.NIRGraph``, its types inferred and checked; `about` goes into its metadata, which nothing needs."""
        return self.nir.NIRGraph(nodes=self._nodes, edges=self._edges, metadata=dict(about))


def fit(
    lengths: tuple[int, ...], outputs: tuple[int, ...], kernel: tuple[int, int], before: tuple[int, int], stride: int
) -> tuple[int, tuple[int, int], tuple[int, int]]:
    """Windows with other padding before than after, as windows with the same on both sides, which is what NIR has.

    A window may be made larger by rows and columns of zeros. It becomes square: nir 1.0.8 infers the width of what a
    convolution puts out from the height of its kernel.

    Parameters
    ----------
    lengths, outputs : (int, int)
        Of the sides of the maps that come in and go out.
    kernel, before : (int, int)
        Of the windows, and zeros before each side.
    stride : int

    Returns
    -------
    size : int
        Side of the square window.
    padding : (int, int)
        Zeros before and after each side.
    place : (int, int)
        Where in the square window the given one lies.
    """
    size = max(kernel)
    while True:
        paddings = [
            next((p for p in range(first, size - k + first + 1) if _counts(n, m, size, p, stride)), None)
            for n, m, k, first in zip(lengths, outputs, kernel, before, strict=True)
        ]
        rows, columns = paddings
        if rows is not None and columns is not None:
            return size, (rows, columns), (rows - before[0], columns - before[1])
        size += 1


def _counts(length: int, outputs: int, size: int, padding: int, stride: int) -> bool:
    """Whether there are as many windows as asked for."""
    return (length + 2 * padding - size) // stride + 1 == outputs
