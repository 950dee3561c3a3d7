"""Which units, synapses and moments of a presentation are drawn, so that a page stays small whatever the network."""

from collections.abc import Sequence
from math import isqrt, prod
from typing import NamedTuple

import numpy as np

from network.errors import BadInput
from network.layers import Shape

FRAMES = 400  # moments in a page; more where more happens, with fewer units
NUMBERS = 240_000  # units drawn times moments
SYNAPSES = 12_000  # drawn, of all layers together
ROWS, COLUMNS = 12, 32  # of synapses drawn of one layer, at most
PIXELS = 64  # of the image drawn, a side
MOST_MAPS = 4  # of a layer that are wanted before their pixels are


class Drawn(NamedTuple):
    """Units that are drawn, in rows and columns, map by map.

    Attributes
    ----------
    units : numpy.ndarray of int
        Numbers of the units among all of the layer, flattened C, H, W.
    maps, rows, columns : int
        Where they lie on the page; units that are no maps fill one of them, the last row perhaps not to its end.
    """

    units: np.ndarray
    maps: int
    rows: int
    columns: int


def moments(events: Sequence[float], end: float, resolution: float) -> np.ndarray:
    """The times that are looked at, seconds: whatever happens, and evenly in between, `FRAMES` of them or more.

    Parameters
    ----------
    events : sequence of float
        When something happens; of times that differ by less than `resolution` the last counts.
    end : float
        The last moment.
    resolution : float
    """
    happens = np.unique([*events, end])
    happens = happens[np.append(np.diff(happens) > resolution, True)]
    between = np.linspace(0.0, end, max(2, FRAMES - happens.size))
    nearest = np.abs(between[:, None] - happens).min(1)
    return np.sort(np.concatenate([happens, between[nearest > 1e-3 * end / FRAMES]]))


def shared_out(sizes: Sequence[int], frames: int) -> list[int]:
    """How many units of each layer are drawn: all of small layers, the rest in equal shares.

    Raises
    ------
    BadInput
        For more layers than a page has room for.
    """
    room, limits = NUMBERS // frames, [0] * len(sizes)
    if room < len(sizes):
        raise BadInput(
            f"{len(sizes)} layers with weights and {frames} moments: a page has room for {NUMBERS:,} values of each "
            f"quantity; view a network of fewer layers"
        )
    for done, layer in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        limits[layer] = min(sizes[layer], room // (len(sizes) - done))
        room -= limits[layer]
    return limits


def drawn_units(shape: Shape, limit: int) -> Drawn:
    """At most `limit` units of a layer, evenly spaced; of maps, the same pixels of some of them."""
    if prod(shape[1:]) == 1:
        index = evenly(shape[0], limit)
        columns = index.size if index.size <= 20 else min(40, -(-index.size // max(1, isqrt(index.size) // 2)))
        return Drawn(index, 1, -(-index.size // columns), columns)
    channels, height, width = shape
    side = max(1, isqrt(limit // min(channels, MOST_MAPS, limit)))
    rows, columns = evenly(height, side), evenly(width, side)
    maps = evenly(channels, max(1, limit // (rows.size * columns.size)))
    index = (maps[:, None, None] * height + rows[:, None]) * width + columns
    return Drawn(index.reshape(-1), maps.size, rows.size, columns.size)


def drawn_synapses(shape: Shape, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (units that receive) and columns (what each of them reads, flattened) of W that are drawn.

    Of ``Local`` layers, whose rows are maps and pixels, a row is one unit, too.
    """
    count = receiving(shape)
    rows = evenly(count, min(ROWS, max(1, isqrt(SYNAPSES // layers))))
    return rows, evenly(prod(shape) // count, min(COLUMNS, max(1, SYNAPSES // layers // rows.size)))


def receiving(shape: Shape) -> int:
    """How many rows W has where each is what one unit, or one map, receives by."""
    return prod(shape[:3]) if len(shape) == 6 else shape[0]


def of_drawn(weights: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The drawn ones among weights, (rows, columns)."""
    return weights.reshape(receiving(weights.shape), -1)[np.ix_(rows, columns)]


def evenly(count: int, limit: int) -> np.ndarray:
    """At most `limit` of the numbers from 0 to count - 1, all where there are no more."""
    return np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(int))
