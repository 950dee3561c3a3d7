"""One seed, one independent stream of random numbers per purpose and per counter.

A stream is named, not continued: the batches of epoch 7 or the dropout mask of step 1200 follow from the seed alone.
So changing the learning rule never changes the order of the data, every engine draws the same masks, and a run that
is resumed needs no saved generator state to go on bit for bit.
"""

from math import prod

import numpy as np

# The position is part of the random stream: append, never reorder.
PURPOSES = ("weights", "feedback", "masks", "batches", "dropout", "folder", "timing", "magnitudes", "flips")


def stream(seed: int, purpose: str, *counter: int) -> np.random.Generator:
    """The generator for one purpose, independent of all others.

    Parameters
    ----------
    seed : int
        The run's seed, not negative.
    purpose : str
        One of `PURPOSES`.
    *counter : int
        What within the purpose: the layer, the epoch, the step.
    """
    key = (PURPOSES.index(purpose), *counter)
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))


def dropout_mask(seed: int, step: int, position: int, shape: tuple[int, ...], fraction: float) -> np.ndarray:
    """Which units ``Drop`` keeps in one training step; the same for every engine and device.

    Each unit of each image is silenced with probability `fraction`, rounded to a multiple of 2^-16 (16 random bits a
    unit: drawing them is otherwise the most expensive operation of a step).

    Parameters
    ----------
    seed, step, position : int
        The run's seed, the number of updates made so far, the layer's position in the network.
    shape : tuple of int
        (N, C, H, W) or (N, units).
    fraction : float
        The share p of units set to zero, 0 <= p < 1.

    Returns
    -------
    numpy.ndarray of bool, `shape`
        True where the unit stays.
    """
    return dropout_draws(seed, step, position, 0, prod(shape)).reshape(shape) >= dropout_threshold(fraction)


def dropout_draws(seed: int, step: int, position: int, begin: int, end: int) -> np.ndarray:
    """The 16 random bits of units `begin` to `end`, a part of the same draws wherever it begins; (units,) of uint16.

    A part can be drawn without what is before it, so that threads share the work.
    """
    generator = stream(seed, "dropout", step, position)
    first = begin // 4  # four units a word
    generator.bit_generator.advance(first)  # pyright: ignore[reportAttributeAccessIssue]
    words = generator.integers(0, 2**64, size=-(-end // 4) - first, dtype=np.uint64)
    return words.view(np.uint16)[begin - 4 * first : end - 4 * first]


def dropout_threshold(fraction: float) -> int:
    """Units whose draw is below this are dropped."""
    return round(fraction * 2**16)
