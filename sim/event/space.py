"""Memory of engines: arrays that one presentation leaves are used by the next.

Large arrays are otherwise given back to the system and fetched again in every update, which costs more time than
most of what is written to them.
"""

from math import prod
from typing import Any

import numpy as np

LINE = 64  # bytes in a line of the cache, and in the longest vectors


def aligned(size: int, dtype: Any) -> np.ndarray:
    """A new array, (size,), that begins with a line of the cache: no vector in it then lies in two of them."""
    bytes_ = np.empty(size * np.dtype(dtype).itemsize + LINE, np.uint8)
    first = -bytes_.ctypes.data % LINE
    return bytes_[first : first + size * np.dtype(dtype).itemsize].view(dtype)


class Space:
    """Arrays by name. What a name held is overwritten when the name is asked for again.

    Parameters
    ----------
    keep : bool
        If not, every array is a new one.
    """

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._held: dict[tuple[object, ...], np.ndarray] = {}

    def empty(self, *name: object, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """An array with anything in it."""
        if not self._keep:
            return aligned(prod(shape), dtype).reshape(shape)
        size = prod(shape)
        held = self._held.get(name)
        if held is None or held.size < size:
            held = self._held[name] = aligned(size, dtype)
        return held[:size].reshape(shape)

    def like(self, *name: object, array: np.ndarray) -> np.ndarray:
        """An array of the shape and dtype of `array`."""
        return self.empty(*name, shape=array.shape, dtype=array.dtype)
