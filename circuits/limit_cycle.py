"""The oscillation of a sufficiently correct output in closed form."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from circuits.parameters import OutputError


@dataclass(frozen=True)
class ClosedForm:
    """The limit cycle of a unit that is sufficiently correct, see `limit_cycle`; arrays as its arguments broadcast.

    Attributes
    ----------
    period, first_crossing : numpy.ndarray
        Seconds; the latter is when δ, starting at 0, first crosses the threshold, which is where the cycle begins.
    nearest_zero, furthest, mean : numpy.ndarray
        Of δ, with its sign.
    duty, quiet_phase : numpy.ndarray
        Share of the cycle with tc = 0, and the phase at which δ is nearest 0.
    """

    period: np.ndarray
    first_crossing: np.ndarray
    nearest_zero: np.ndarray
    furthest: np.ndarray
    mean: np.ndarray
    duty: np.ndarray
    quiet_phase: np.ndarray


def limit_cycle(
    parameters: OutputError, s: ArrayLike = 1, tau: ArrayLike | None = None, delay: ArrayLike | None = None
) -> ClosedForm:
    """The oscillation of a sufficiently correct output, s h > S, in closed form.

    Take s = 1; for s = -1 all values change sign. Let A = 1 + epsilon be the level that σ_δ drives δ to while tc = 0
    (mu + epsilon for s = -1), and θ the threshold of σ_t (1, or mu; with midpoints epsilon/2 more), 0 < θ < A. While
    tc = 1 that level is 0. δ relaxes toward either with time constant τ. What it does at its threshold acts D later:

    1. δ crosses θ upward. For D more it rises toward A, up to furthest = A - (A - θ) e^{-D/τ}.
    2. tc = 1: δ falls as furthest · e^{-t/τ}, and passes θ after τ ln(furthest/θ).
    3. For D more it falls, down to nearest zero = θ e^{-D/τ}: with the paper's threshold and s = 1, e^{-D/τ}.
    4. tc = 0: A - δ falls as (A - nearest) e^{-t/τ}, and δ crosses θ again after τ ln((A - nearest)/(A - θ)).

    So the period is 2 D + τ ln(furthest/θ) + τ ln((A - nearest)/(A - θ)). The first rise, from δ = 0, differs from
    step 4 only in where it starts, so the cycle begins at the first crossing, τ ln(A/(A - θ)).

    Integrating τ δ' = -δ + target over a period, in which δ returns, shows that the mean of δ is that of its target: A
    times the share of the time with tc = 0, which is steps 4 and 1. It tends to A/2 as D/τ grows, not to 0.

    With D = 0 all of it contracts to δ = θ: the sliding state, whose mean tc is 1 - θ/A.

    Parameters
    ----------
    parameters : OutputError
    s : array_like
        Supervision, ±1.
    tau, delay : array_like, optional
        Seconds, where they differ from those of `parameters`.

    Returns
    -------
    ClosedForm
    """
    tau = np.asarray(parameters.tau if tau is None else tau, dtype=float)
    delay = np.asarray(parameters.delay if delay is None else delay, dtype=float)
    own = np.asarray(s) > 0
    level = np.where(own, 1 + parameters.epsilon, parameters.mu + parameters.epsilon)
    threshold = np.where(own, parameters.t_upper, -parameters.t_lower)
    decay = np.exp(-delay / tau)
    furthest, nearest = level - (level - threshold) * decay, threshold * decay
    falling = tau * np.log(furthest / threshold)
    rising = tau * np.log((level - nearest) / (level - threshold))
    period = 2 * delay + falling + rising
    with np.errstate(invalid="ignore"):  # 0/0 without delay
        duty = np.where(period > 0, (rising + delay) / period, threshold / level)
        quiet = np.where(period > 0, (2 * delay + falling) / period, np.nan)
    sign = np.where(own, 1.0, -1.0)
    first = tau * np.log(level / (level - threshold)) + 0 * delay
    return ClosedForm(period, first, sign * nearest, sign * furthest, sign * level * duty, duty, quiet)
