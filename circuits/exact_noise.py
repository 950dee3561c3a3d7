"""Noise that is a function of (seed, unit, interval), not of the order in which anything is computed."""

from dataclasses import dataclass

import numpy as np

from circuits.compiled import compiled
from circuits.errors import OutOfBounds

# SplitMix64 (Steele, Lea and Flood 2014): an increment and a mixing function on 64 bits.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_UNIFORM = 2.0**-53


@dataclass(frozen=True)
class Noise:
    """Noise on the control unit's input: a normal value drawn anew every `interval` and held in between.

    Held noise keeps the circuit piecewise exponential, so that crossings stay exact, and a clock-driven simulation can
    be given the very same noise (`samples` as a TimedArray).

    Attributes
    ----------
    sd : float
        Standard deviation, in units of δ.
    interval : float
        How long a value holds, seconds.
    seed : int
        Together with the unit's index and the interval's it determines the value.
    """

    sd: float
    interval: float = 1e-3
    seed: int = 0

    def __post_init__(self):
        if not (np.isfinite(self.sd) and self.sd >= 0):
            raise OutOfBounds(f"noise sd = {self.sd:g} is negative or not a number; use 0 or more", None, self.sd, 0.0)
        if not (np.isfinite(self.interval) and self.interval > 0):
            message = f"noise interval = {self.interval:g} s is not a positive number"
            raise OutOfBounds(message, None, self.interval, 0.0)
        if not 0 <= self.seed < 2**63:
            raise OutOfBounds(f"noise seed = {self.seed}: use 0 to 2^63 - 1", None, float(self.seed), 0.0)

    def samples(self, units: int, duration: float) -> np.ndarray:
        """The noise that the exact solution sees, shape (intervals, units): row k holds from k to k + 1 intervals."""
        return self.sd * _normals(self.seed, units, int(np.ceil(duration / self.interval)) + 1)


@compiled
def _mixed(z):
    z = (z ^ (z >> _30)) * _MIX_1
    z = (z ^ (z >> _27)) * _MIX_2
    return z ^ (z >> _31)


@compiled
def normal(seed, unit, interval):
    """A standard normal value (Box and Muller) for three integers that are not negative."""
    key = _mixed(np.uint64(seed) + _STEP)
    key = _mixed(key ^ (np.uint64(unit) + _STEP))
    key = _mixed(key ^ (np.uint64(interval) + _STEP))
    first = np.float64(key >> _11) * _UNIFORM
    second = np.float64(_mixed(key + _STEP) >> _11) * _UNIFORM
    return np.sqrt(-2.0 * np.log(1.0 - first)) * np.cos(2.0 * np.pi * second)


@compiled
def _normals(seed, units, intervals):
    values = np.empty((intervals, units))
    for interval in range(intervals):
        for unit in range(units):
            values[interval, unit] = normal(seed, unit, interval)
    return values
