"""Many scalar systems (15), each at several epsilon, followed at the same times and with the error's logarithm.

Times to converge differ by a factor of 10^6 between epsilon = 0 and 1, and as much between systems. What makes one
integration of thousands of them possible: all epsilon of a system share a time of its own, which runs slowly wherever
one of them changes, and the logarithm of the error is a variable, so that an error of e^-1000 still has its digits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from validation.theory.equations import Array, decay_rate, limit, speeds

RTOL = 1e-11
LAST_STEP = 2000.0  # in the systems' own time; only a system that does not converge gets there


@dataclass(frozen=True)
class Systems:
    """Scalar systems.

    Attributes
    ----------
    lambda_T : array of shape (systems,)
    lambda_R : array of shape (k - 1, systems)
        lambda_R,2 ... lambda_R,k, positive.
    """

    lambda_T: Array
    lambda_R: Array

    def __post_init__(self) -> None:
        if not (np.all(self.lambda_T > 0) and np.all(self.lambda_R > 0)):
            raise ValueError("lambda_T and lambda_R must be positive: elsewhere signs can be changed so that they are")

    def __len__(self) -> int:
        return len(self.lambda_T)

    def __getitem__(self, which: Any) -> "Systems":
        """Some of them, by slice, mask or list of indices."""
        return Systems(self.lambda_T[which], self.lambda_R[:, which])

    @property
    def k(self) -> int:
        return len(self.lambda_R) + 1


@dataclass(frozen=True)
class Ladder:
    """Systems at several epsilon, at times that all epsilon of a system share.

    Attributes
    ----------
    systems : Systems
    epsilon : array of shape (epsilons, systems)
        Increasing in the first axis.
    t : array of shape (times, systems)
    lam : array of shape (k, times, epsilons, systems)
    log_error : array of shape (times, epsilons, systems)
        ln(e / lambda_T).
    """

    systems: Systems
    epsilon: Array
    t: Array
    lam: Array
    log_error: Array

    @property
    def lambda_R(self) -> Array:
        """Of a shape that broadcasts against `lam`."""
        return self.systems.lambda_R[:, None, None, :]

    def rate(self) -> Array:
        """-d ln e / dt at every time, by equation (17); shape (times, epsilons, systems)."""
        return decay_rate(self.lam, self.lambda_R, self.epsilon)

    def product_defect(self) -> Array:
        """What integration has lost: lambda_1 ... lambda_k + e should be lambda_T; relative to it."""
        return np.abs(self.lam.prod(axis=0) / self.systems.lambda_T + np.exp(self.log_error) - 1)


def climb(systems: Systems, epsilon: Array, *, converged: float = 20.0, step: float = 1.0) -> Ladder:
    """Integrate every system at every epsilon from lambda = 0 until each error is e^-`converged` of what it was.

    Parameters
    ----------
    systems : Systems
    epsilon : array of shape (epsilons, systems) or (epsilons,)
    converged : float
    step : float
        Between samples, in the systems' own time, in which the slowest change of a system takes about 1.
    """
    D, k = len(systems), systems.k
    epsilon = np.broadcast_to(epsilon if np.ndim(epsilon) == 2 else np.asarray(epsilon)[:, None], (len(epsilon), D))
    lambda_R = systems.lambda_R[:, None, :]
    slowest = decay_rate(limit(systems.lambda_T, systems.lambda_R, 0.0), systems.lambda_R, 0.0)
    # lambda_i is counted in units of lambda_R,i, where the term with epsilon comes into play.
    unit = np.concatenate([lambda_R[:1], lambda_R])
    shape = (k, *epsilon.shape)
    ends = np.cumsum([k * epsilon.size, epsilon.size, D])

    def own_time(_: float, y: Array) -> Array:
        scaled, log_error = y[: ends[0]].reshape(shape), y[ends[0] : ends[1]].reshape(epsilon.shape)
        lam = scaled * unit
        change = systems.lambda_T * np.exp(log_error) * speeds(lam, lambda_R, epsilon) / unit
        rate = decay_rate(lam, lambda_R, epsilon)
        # Growth is resolved by its factor; decay by the factor of ln e, or every convergence would be a sharp bend.
        own = slowest + np.sum(np.abs(change) / (1 + np.abs(scaled)), axis=(0, 1))
        own += np.sum(2 * np.abs(rate) / (1 + np.abs(log_error)), axis=0)
        return np.concatenate([(change / own).ravel(), (-rate / own).ravel(), slowest / own])

    def unconverged(_: float, y: Array) -> float:
        return float(y[ends[0] : ends[1]].max()) + converged

    unconverged.terminal = True  # type: ignore[attr-defined]
    samples = np.arange(step / 2, LAST_STEP, step)
    # DOP853's dense output, of order 7, is as accurate as its steps here: `product_defect` shows what both lose.
    solution = solve_ivp(
        own_time, (0, LAST_STEP), np.zeros(ends[2]), "DOP853", samples, events=unconverged, rtol=RTOL, atol=RTOL / 1e20
    )
    y = solution.y.T
    S = len(y)
    lam = np.moveaxis(y[:, : ends[0]].reshape(S, *shape), 1, 0) * unit[:, None]
    return Ladder(systems, epsilon, y[:, ends[1] :] / slowest, lam, y[:, ends[0] : ends[1]].reshape(S, *epsilon.shape))
