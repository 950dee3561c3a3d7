"""The scalar equations of Appendix 2: (10) to (19), each as a function.

A system has k layers, so k values lambda_1 ... lambda_k in the first axis of `lam`, and the feedback values
lambda_R,2 ... lambda_R,k in the first axis of `lambda_R`. All other axes are systems; they broadcast.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def _factors(lam: Array, lambda_R: Array, epsilon: Array | float) -> tuple[list[Array], list[Array], list[Array]]:
    """For each layer: the product of lambda below it; of R above it; of lambda above it."""
    below, back, above = [np.ones_like(lam[0])], [np.ones_like(lam[0])], [np.ones_like(lam[0])]
    for i in range(1, len(lam)):
        below.append(below[-1] * lam[i - 1])
    for i in range(len(lam) - 1, 0, -1):
        back.insert(0, back[0] * (lambda_R[i - 1] + epsilon * lam[i]))
        above.insert(0, above[0] * lam[i])
    return below, back, above


def speeds(lam: Array, lambda_R: Array, epsilon: Array | float) -> Array:
    """Equation (15) without its factor e: d lambda_i / dt = e times this; with k = 2, equation (10).

    Parameters
    ----------
    lam : array of shape (k, ...)
    lambda_R : array of shape (k - 1, ...)
        lambda_R,2 ... lambda_R,k, the feedback at time 0.
    epsilon : float or array
        0 is FRFB, 1 URFB.

    Returns
    -------
    array of shape (k, ...)
    """
    below, back, _ = _factors(lam, lambda_R, epsilon)
    return np.stack([b * r for b, r in zip(below, back, strict=True)])


def decay_rate(lam: Array, lambda_R: Array, epsilon: Array | float) -> Array:
    """-d ln e / dt by the first form of equation (17), which does not rest on the invariant (16)."""
    below, back, above = _factors(lam, lambda_R, epsilon)
    return np.sum([b**2 * r * a for b, r, a in zip(below, back, above, strict=True)], axis=0)


def decay_rate_from_invariant(lam: Array, epsilon: Array | float) -> Array:
    """-d ln e / dt by the last form of (17), where (16) has replaced lambda_R; k = 2 is (11), k = 3 is (18)."""
    k = len(lam)
    total = np.zeros_like(lam[0])
    for i in range(k):
        term = np.ones_like(lam[0])
        for j in range(i):
            term = term * lam[j] ** 2
        for j in range(i + 1, k):
            term = term * (epsilon * lam[j] ** 2 + lam[j - 1] ** 2) / 2
        total = total + term
    return total


def decay_rate_two(lam: Array, epsilon: Array | float) -> Array:
    """Equation (11), k = 2: -d ln e / dt."""
    return lam[0] ** 2 + lam[0] ** 2 / 2 + epsilon * lam[1] ** 2 / 2


def decay_rate_three(lam: Array, epsilon: Array | float) -> Array:
    """Equation (18), k = 3: -d ln e / dt."""
    one, two, three = lam**2
    return (epsilon * two / 2 + 3 * one / 2) * (epsilon * three / 2 + two / 2) + one * two


def invariant_defect(lam: Array, lambda_R: Array, epsilon: Array | float) -> Array:
    """How far equation (16) is from holding, for i = 2 ... k, relative to its right side.

    Equation (16) holds for systems that start from lambda = 0. Where its right side is 0 the defect is not relative.
    """
    left = lambda_R * lam[1:] + epsilon * lam[1:] ** 2 / 2
    right = lam[:-1] ** 2 / 2
    return np.abs(left - right) / np.where(right > 0, right, 1)


def F(x: Array | float, lambda_R: Array | float, epsilon: Array | float) -> Array:
    """Equation (13): lambda_R + epsilon lambda_i, as a function of x = lambda_{i-1}."""
    return np.sqrt(np.square(lambda_R) + epsilon * np.square(x))


def G(x: Array | float, lambda_R: Array | float, epsilon: Array | float) -> Array:
    """Equation (13): lambda_i as a function of x = lambda_{i-1}; the form that needs no epsilon > 0."""
    return np.square(x) / (F(x, lambda_R, epsilon) + lambda_R)


def H(x: Array | float, lambda_R: Array | float, epsilon: Array | float) -> Array:
    """Equation (13): lambda_{i-1} as a function of x = lambda_i."""
    return np.sqrt(2 * np.asarray(lambda_R) * x + epsilon * np.square(x))


def by_first(lambda_1: Array, lambda_R: Array, epsilon: Array | float) -> Array:
    """All of lambda from lambda_1 by equation (12); shape (k, ...)."""
    found = [np.asarray(lambda_1, dtype=float)]
    for each in lambda_R:
        found.append(G(found[-1], each, epsilon))
    return np.stack(np.broadcast_arrays(*found))


def speed_of_first(lambda_1: Array, lambda_T: Array | float, lambda_R: Array, epsilon: Array | float) -> Array:
    """Equations (14) and, for k = 3, the second of (19): d lambda_1 / dt with all other variables eliminated."""
    lam = by_first(lambda_1, lambda_R, epsilon)
    carried = np.prod([F(lam[i], lambda_R[i], epsilon) for i in range(len(lambda_R))], axis=0)
    return carried * (lambda_T - lam.prod(axis=0))


def speed_of_second(lambda_2: Array, lambda_T: Array | float, lambda_R: Array, epsilon: Array | float) -> Array:
    """The first of (19), k = 3: d lambda_2 / dt; 0 at 0, where lambda_2 of the system (15) starts but does not stay."""
    first, third = H(lambda_2, lambda_R[0], epsilon), G(lambda_2, lambda_R[1], epsilon)
    return F(lambda_2, lambda_R[1], epsilon) * (lambda_T - third * lambda_2 * first) * first


def limit(lambda_T: Array, lambda_R: Array, epsilon: Array | float) -> Array:
    """lambda as t goes to infinity: by (12) the only positive values with product lambda_T; shape (k, ...).

    Found by bisection of ln lambda_1 to rounding.
    """
    scale = np.broadcast_arrays(lambda_T, lambda_R[0], np.asarray(epsilon, dtype=float))[0]
    low, high = np.full(scale.shape, -80.0), np.full(scale.shape, 80.0)
    with np.errstate(over="ignore"):
        for _ in range(64):
            middle = (low + high) / 2
            too_high = by_first(np.exp(middle), lambda_R, epsilon).prod(axis=0) > lambda_T
            low, high = np.where(too_high, low, middle), np.where(too_high, middle, high)
    return by_first(np.exp((low + high) / 2), lambda_R, epsilon)
