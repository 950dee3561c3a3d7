"""Batch normalisation (Ioffe and Szegedy, 2015) of the inputs h of a layer, slowly and plainly, in NumPy.

Means and deviations are of one batch, one a feature map or full unit: over the images, and over the places of a map.
Liao, Leibo and Poggio leave out the slope and offset that learn (``BN``), except in two of their columns
(``BN-affine``).
"""

import numpy as np

EPSILON = 1e-5  # added to variances, so that a feature which never varies does no harm; the paper does not say its own
AVERAGING = 0.05  # alpha of the moving averages that classify, over so many batches after each epoch:
AVERAGED_BATCHES = 20


def batch_statistics(h: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of every feature of h, (N, C, H, W) or (N, units); both (C,) or (units,)."""
    axes = (0, *range(2, h.ndim))
    return h.mean(axis=axes), np.sqrt(h.var(axis=axes) + EPSILON)


def normalise(h: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """z = (h - mean) / deviation."""
    return (h - by_feature(mean, h)) / by_feature(deviation, h)


def feedback_of_normalised(delta: np.ndarray, z: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """-dL/dh from delta = -dL/dz, where z was normalised by the statistics of its own batch.

    What would only move a feature's mean, or stretch its deviation, is taken out: the normalisation would undo it.
    """
    axes = (0, *range(2, z.ndim))
    moves = by_feature(delta.mean(axis=axes), z)
    stretches = by_feature((delta * z).mean(axis=axes), z)
    return (delta - moves - z * stretches) / by_feature(deviation, z)


def sum_by_feature(values: np.ndarray) -> np.ndarray:
    """Sums over images and places."""
    return values.sum(axis=(0, *range(2, values.ndim)))


def by_feature(values: np.ndarray, like: np.ndarray) -> np.ndarray:
    """One value a feature, shaped so that it meets (N, C, H, W) or (N, units)."""
    return values.reshape(1, -1, *[1] * (like.ndim - 2))
