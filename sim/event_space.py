"""Memory of the event engine: arrays that one presentation leaves are used by the next.

Large arrays are otherwise given back to the system and fetched again in every update, which costs more time than
most of what is written to them.
"""

from math import prod
from typing import Any

import numpy as np


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
            return np.empty(shape, dtype)
        size = prod(shape)
        held = self._held.get(name)
        if held is None or held.size < size:
            held = self._held[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)

    def like(self, *name: object, array: np.ndarray) -> np.ndarray:
        """An array of the shape and dtype of `array`."""
        return self.empty(*name, shape=array.shape, dtype=array.dtype)
