"""Matrix systems whose R(0) is not lined up with T, or whose W(0) is not 0: does a larger epsilon still win?

Appendix 2 starts from W = 0 and picks R_i(0) so that the matrix equations fall apart into scalar ones. Here R(0) is
normal and W(0) may be. A larger epsilon loses where, at some time, its error is larger than that of a smaller one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from validation.theory.equations import Array
from validation.theory.matrices import integrate
from validation.tolerances import THEORY

EPSILONS = (0.0, 0.25, 0.5, 1.0)
TIMES = np.concatenate([[0.0], np.geomspace(0.5, 100, 120)])
COMPARED = 1e-8  # of the error at the start: below, the error is a difference that has lost its digits
RTOL, CONFIRMING_RTOL = 1e-10, 1e-12


@dataclass(frozen=True)
class Start:
    """A network and where it starts; arrays may have a batch axis in front.

    Attributes
    ----------
    T : array of shape (..., n_k, n_0)
    R0 : tuple of array
        R_2(0) ... R_k(0), of shape (..., n_{i-1}, n_i).
    W0 : tuple of array, optional
        W_1(0) ... W_k(0), of shape (..., n_i, n_{i-1}); None for 0.
    """

    T: Array
    R0: tuple[Array, ...]
    W0: tuple[Array, ...] | None = None

    def one(self, which: int) -> "Start":
        """One of a batch."""
        W0 = None if self.W0 is None else tuple(W[which] for W in self.W0)
        return Start(self.T[which], tuple(R[which] for R in self.R0), W0)


@dataclass(frozen=True)
class Loss:
    """Where a larger epsilon is furthest behind.

    Attributes
    ----------
    behind : float
        ln e^2 of the larger epsilon minus that of the smaller; 0 or less where it never is behind.
    smaller, larger : float
        The two epsilon.
    t : float
    """

    behind: float
    smaller: float
    larger: float
    t: float


# k = 3, R(0) normal, rounded to one decimal: FRFB is ahead of every other epsilon for a while.
GENERAL_R0 = Start(
    T=np.array([[-0.2, -0.5], [0.5, 0.7]]),
    R0=(np.array([[0.5, -0.4], [-0.5, 1.1]]), np.array([[-0.9, -1.0], [-0.1, -0.5]])),
)
# k = 2, one unit a layer. R_2(0) = W_2(0), so that epsilon = 1 is back-propagation, and it runs into the saddle at 0.
NONZERO_W0 = Start(T=np.array([[1.0]]), R0=(np.array([[0.2]]),), W0=(np.array([[-0.2]]), np.array([[0.2]])))


def draw(rng: np.random.Generator, sizes: Sequence[int], count: int, W_scale: float = 0.0) -> Start:
    """Networks with n_0 ... n_k = `sizes`: T normal with spectral norm 1, R(0) normal with sd between 0.1 and 1.

    W(0) is normal with sd `W_scale` where that is not 0.
    """
    T = rng.normal(size=(count, sizes[-1], sizes[0]))
    T /= np.linalg.norm(T, 2, axis=(1, 2))[:, None, None]
    sd = np.exp(rng.uniform(np.log(0.1), 0, (count, 1, 1)))
    R0 = tuple(sd * rng.normal(size=(count, a, b)) for a, b in pairwise(sizes[1:]))
    if W_scale == 0:
        return Start(T, R0)
    return Start(T, R0, tuple(W_scale * rng.normal(size=(count, b, a)) for a, b in pairwise(sizes)))


def log_errors(start: Start, times: Array = TIMES, rtol: float = RTOL) -> Array:
    """ln of tr(E^t E) over what it is at time 0, for each of `EPSILONS`; shape (times, epsilons, ...)."""

    def for_each(array: Array) -> Array:
        return np.broadcast_to(array, (len(EPSILONS), *array.shape))

    batch = start.T.shape[:-2]
    epsilon = np.broadcast_to(np.reshape(EPSILONS, (-1, *(1 for _ in batch))), (len(EPSILONS), *batch))
    W0 = None if start.W0 is None else [for_each(W) for W in start.W0]
    path = integrate(for_each(start.T), [for_each(R) for R in start.R0], epsilon, times, rtol=rtol, W0=W0)
    return np.log(np.maximum(path.error / path.error[0], np.finfo(float).tiny))


def losses(log_error: Array, times: Array = TIMES) -> list[Loss]:
    """For every system of a batch, where a larger epsilon is furthest behind; `log_error` as from `log_errors`."""
    behind = np.diff(log_error, axis=1)
    compared = log_error > np.log(COMPARED)
    behind = np.where(compared[:, 1:] & compared[:, :-1], behind, -np.inf)
    behind[0] = -np.inf
    found = []
    for each in np.moveaxis(behind, -1, 0):
        when, pair = np.unravel_index(int(each.argmax()), each.shape)
        found.append(Loss(float(each.max()), EPSILONS[pair], EPSILONS[pair + 1], float(times[when])))
    return found


def confirmed(start: Start, loss: Loss) -> float:
    """The same loss by integrating that system alone, a hundred times more accurately; where `loss` says it is."""
    log_error = log_errors(start, np.array([0.0, loss.t]), CONFIRMING_RTOL)[-1]
    return float(log_error[EPSILONS.index(loss.larger)] - log_error[EPSILONS.index(loss.smaller)])


@dataclass(frozen=True)
class Search:
    """How often a larger epsilon loses among networks of some sizes.

    Attributes
    ----------
    sizes : tuple of int
        n_0 ... n_k.
    count, losing : int
        Networks drawn, and those in which a larger epsilon is behind by more than the tolerance at some time.
    worst : Loss
    confirmed : float
        `worst.behind`, integrated again on its own.
    start : Start
        The network with the worst loss.
    """

    sizes: tuple[int, ...]
    count: int
    losing: int
    worst: Loss
    confirmed: float
    start: Start


def search(rng: np.random.Generator, sizes: Sequence[int], count: int, W_scale: float = 0.0) -> Search:
    """Draw networks and look for losses of a larger epsilon."""
    start = draw(rng, sizes, count, W_scale)
    found = losses(log_errors(start))
    which = max(range(count), key=lambda i: found[i].behind)
    losing = sum(loss.behind > THEORY["ordering"].relative for loss in found)
    again = confirmed(start.one(which), found[which])
    return Search(tuple(sizes), count, losing, found[which], again, start.one(which))
