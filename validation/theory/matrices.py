"""The matrix equations of section 5: (7), (8), (9) and back-propagation, integrated by scipy.

Matrices may have batch axes in front: W_i is (..., n_i, n_{i-1}), R_i is (..., n_{i-1}, n_i), T is (..., n_k, n_0).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import solve_ivp

from validation.theory.equations import Array


def transposed(matrix: Array) -> Array:
    """The transpose of the last two axes."""
    return np.swapaxes(matrix, -1, -2)


def product(W: Sequence[Array]) -> Array:
    """W_k ... W_1, what the network computes."""
    result = W[0]
    for each in W[1:]:
        result = each @ result
    return result


def weight_speeds(W: Sequence[Array], R: Sequence[Array], T: Array) -> list[Array]:
    """dW_i / dt of equation (7), and of (9) for deeper networks, with the feedback R_2 ... R_k as it is now.

    With R_i = W_i^t this is back-propagation; with R_i = R_i(0) + epsilon W_i^t it is (8) and (9).
    """
    below = [W[0]]  # W_i ... W_1
    for each in W[1:]:
        below.append(each @ below[-1])
    error = T - below[-1]
    speed = []
    for i in range(len(W) - 1, 0, -1):
        speed.insert(0, error @ transposed(below[i - 1]))
        error = R[i - 1] @ error
    return [error, *speed]


def squared_error(W: Sequence[Array], T: Array) -> Array:
    """tr(E^t E), E = T - W_k ... W_1."""
    return np.sum((T - product(W)) ** 2, axis=(-1, -2))


@dataclass(frozen=True)
class MatrixPath:
    """A network's weights in time.

    Attributes
    ----------
    times : array of shape (times,)
    W : tuple of array
        W_i, of shape (times, ..., n_i, n_{i-1}).
    R : tuple of array
        R_2 ... R_k, of shape (times, ..., n_{i-1}, n_i).
    error : array of shape (times, ...)
        tr(E^t E).
    """

    times: Array
    W: tuple[Array, ...]
    R: tuple[Array, ...]
    error: Array


def integrate(
    T: Array,
    R0: Sequence[Array],
    epsilon: Array | float,
    times: Array,
    *,
    rtol: float,
    feedback: str = "eliminated",
    W0: Sequence[Array] | None = None,
) -> MatrixPath:
    """Integrate a network, or a batch of them.

    Parameters
    ----------
    T : array of shape (..., n_k, n_0)
    R0 : sequence of array
        R_2(0) ... R_k(0), of shape (..., n_{i-1}, n_i).
    epsilon : float or array of shape (...)
    times : array
        Increasing, from 0 on.
    rtol : float
        Of scipy's DOP853, whose steps bound the root mean square over the whole batch; atol is a hundredth of it.
    feedback : {"eliminated", "explicit", "bp"}
        Equations (8) and (9); or (7), with R integrated too; or back-propagation.
    W0 : sequence of array, optional
        Start from here, and not from W = 0.
    """
    shapes = [(R0[0].shape[-2], T.shape[-1]), *((R.shape[-1], R.shape[-2]) for R in R0)]
    batch = T.shape[:-2]
    k, counts = len(shapes), [int(np.prod(batch, dtype=int)) * a * b for a, b in shapes]
    if feedback == "explicit":
        shapes, counts = shapes + [(b, a) for a, b in shapes[1:]], counts + counts[1:]
    ends = np.cumsum([0, *counts])
    rate = np.asarray(epsilon, dtype=float)[..., None, None]

    def parts(y: Array) -> list[Array]:
        spans = zip(pairwise(ends), shapes, strict=True)
        return [y[..., a:b].reshape(*y.shape[:-1], *batch, *shape) for (a, b), shape in spans]

    def feedback_of(found: list[Array]) -> list[Array]:
        if feedback == "explicit":
            return found[k:]
        if feedback == "bp":
            return [transposed(W) for W in found[1:k]]
        return [R + rate * transposed(W) for R, W in zip(constant, found[1:k], strict=True)]

    def speed(_: float, y: Array) -> Array:
        found = parts(y)
        speeds = weight_speeds(found[:k], feedback_of(found), T)
        if feedback == "explicit":
            speeds += [rate * transposed(each) for each in speeds[1:]]
        return np.concatenate([each.ravel() for each in speeds])

    start = [np.zeros(shape) for shape in shapes[:k]] if W0 is None else list(W0)
    # R and epsilon W^t change by the same: their difference stays what it was at the start.
    constant = [R - rate * transposed(W) for R, W in zip(R0, start[1:], strict=True)]
    if feedback == "explicit":
        start += R0
    y0 = np.concatenate([np.broadcast_to(s, (*batch, *shape)).ravel() for s, shape in zip(start, shapes, strict=True)])
    solution = solve_ivp(speed, (0, times[-1]), y0, "DOP853", t_eval=times, rtol=rtol, atol=rtol / 100)
    found = parts(solution.y.T)
    W = tuple(found[:k])
    return MatrixPath(times, W, tuple(feedback_of(found)), squared_error(W, T))
