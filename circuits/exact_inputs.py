"""Inputs of the exact solutions, one column per unit, and the threads that share the units."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

import numpy as np
from numpy.typing import ArrayLike

from circuits.errors import CircuitError, OutOfBounds

_UNITS_PER_THREAD = 4096  # below that a thread costs more than it saves


def thread_count(wanted: int | None, units: int) -> int:
    """How many threads pay, at most `wanted` and at most as many as there are processors."""
    available = cpu_count() or 1
    return max(1, min(available, wanted or available, units // _UNITS_PER_THREAD))


def share(part: Callable[[int, int], None], units: int, threads: int) -> None:
    """Call ``part(begin, end)`` for all units, on `threads` threads; compiled code needs no interpreter lock."""
    if threads == 1:
        part(0, units)
        return
    bounds = np.linspace(0, units, 4 * threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, bounds[:-1].tolist(), bounds[1:].tolist()))


def segments(names: tuple[str, str], values: tuple[ArrayLike, ArrayLike], switches: np.ndarray) -> list[np.ndarray]:
    """Both inputs as contiguous (segments, units)."""
    rows = switches.size + 1
    arrays = [np.atleast_1d(np.asarray(value, dtype=float)) for value in values]
    units = max(array.shape[-1] for array in arrays)
    for name, array in zip(names, arrays, strict=True):
        if array.ndim > 2 or array.shape[-1] not in (1, units) or (array.ndim == 2 and array.shape[0] != rows):
            shape = " x ".join(map(str, array.shape))
            raise CircuitError(f"{name} has shape {shape}; use ({units},) or ({rows}, {units}): segments, units")
    return [np.ascontiguousarray(np.broadcast_to(array, (rows, units))) for array in arrays]


def per_unit(name: str, value: ArrayLike, units: int) -> np.ndarray:
    """A number for all or one for each unit, as (units,), finite and not negative."""
    array = np.asarray(value, dtype=float)
    if array.shape not in ((), (1,), (units,)):
        shape = " x ".join(map(str, array.shape))
        raise CircuitError(f"{name} has shape {shape}; use one number, or ({units},): units")
    array = np.ascontiguousarray(np.broadcast_to(array, (units,)))
    if (wrong := ~(np.isfinite(array) & (array >= 0))).any():
        unit = int(wrong.argmax())
        raise OutOfBounds(
            f"unit {unit}: {name} = {array[unit]:g} s is negative or not a number", unit, array[unit], 0.0
        )
    return array


def positive(name: str, seconds: float) -> float:
    """`seconds` as a positive number."""
    if not (np.isfinite(seconds) and seconds > 0):
        raise OutOfBounds(f"{name} = {seconds:g} s is not a positive number", None, seconds, 0.0)
    return float(seconds)
