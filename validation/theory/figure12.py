"""Figure 12: a linear network of four layers learns T by back-propagation and by (7) with four epsilon.

The paper gives the sizes, sd = .2 of the matrices whose product is T, and 1000 iterations. It leaves open how W(0)
(back-propagation only) and R(0) are drawn, and the step: `Settings` has a default for each. sd = .2 for all matrices
and a step of .001 bring all five to a negligible error within the 1000 iterations, as the paper reports.

R_1 carries nothing, as the input takes no feedback, but figure 12 has a row for it; here it is drawn like the others
and gets its increments.
"""

from dataclasses import dataclass

import numpy as np

from network.errors import BadInput
from validation.theory.equations import Array
from validation.theory.matrices import integrate, product, squared_error, transposed, weight_speeds

BP = "BP"


@dataclass(frozen=True)
class Settings:
    """What figure 12 is made with.

    Attributes
    ----------
    sizes : tuple of int
        n_0 ... n_k.
    target_sd : float
        Of the entries of W*_1 ... W*_k, whose product is T.
    weight_sd : float
        Of W(0) of back-propagation; the others start from W = 0.
    feedback_sd : float
        Of R(0).
    step : float
        eta: each iteration is a step of Euler's method.
    iterations : int
    epsilons : tuple of float
        Increasing.
    """

    sizes: tuple[int, ...] = (40, 100, 100, 10)
    target_sd: float = 0.2
    weight_sd: float = 0.2
    feedback_sd: float = 0.2
    step: float = 1e-3
    iterations: int = 1000
    epsilons: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0)

    @property
    def labels(self) -> tuple[str, ...]:
        return (BP, *(f"{epsilon:g}" for epsilon in self.epsilons))


@dataclass(frozen=True)
class Run:
    """One run of figure 12.

    Attributes
    ----------
    settings : Settings
    seed : int
    log_error : array of shape (1 + epsilons, iterations + 1)
        log10 of tr(E^t E); back-propagation first.
    correlation : array of shape (epsilons, k, iterations + 1)
        Pearson's, of W_l and R_l^t; nan while W_l is 0.
    """

    settings: Settings
    seed: int
    log_error: Array
    correlation: Array


def draw(settings: Settings, seed: int) -> tuple[Array, list[Array], list[Array]]:
    """T, W_1(0) ... W_k(0) of back-propagation, and R_1(0) ... R_k(0), all normal."""
    rng = np.random.default_rng(seed)
    pairs = list(zip(settings.sizes[:-1], settings.sizes[1:], strict=True))
    target = [rng.normal(0, settings.target_sd, (b, a)) for a, b in pairs]
    weights = [rng.normal(0, settings.weight_sd, (b, a)) for a, b in pairs]
    feedback = [rng.normal(0, settings.feedback_sd, (a, b)) for a, b in pairs]
    return product(target), weights, feedback


def simulate(settings: Settings, seed: int) -> Run:
    """Run back-propagation and every epsilon from the same T and R(0).

    Raises
    ------
    BadInput
        Where the error grows beyond bounds.
    """
    T, weights, feedback = draw(settings, seed)
    learned = [_learn(settings, T, weights, None, 1.0)]
    silent = [np.zeros_like(W) for W in weights]
    learned += [_learn(settings, T, silent, feedback, epsilon) for epsilon in settings.epsilons]
    return Run(settings, seed, np.stack([log for log, _ in learned]), np.stack([corr for _, corr in learned[1:]]))


def _learn(
    settings: Settings, T: Array, weights: list[Array], feedback: list[Array] | None, epsilon: float
) -> tuple[Array, Array]:
    """Log-errors and correlations of one network; `feedback` None is back-propagation."""
    W, R = [each.copy() for each in weights], [each.copy() for each in feedback or ()]
    errors, correlations = np.empty(settings.iterations + 1), np.full((len(W), settings.iterations + 1), np.nan)
    for iteration in range(settings.iterations + 1):
        errors[iteration] = squared_error(W, T)
        if not errors[iteration] < 1e6 * errors[0]:
            raise BadInput(
                f"figure 12 with step {settings.step:g}: the error has grown a million-fold by iteration {iteration}; "
                f"use a smaller step"
            )
        if feedback is not None:
            correlations[:, iteration] = [_correlation(w, transposed(r)) for w, r in zip(W, R, strict=True)]
        speeds = weight_speeds(W, R[1:] or [transposed(w) for w in W[1:]], T)
        for w, speed in zip(W, speeds, strict=True):
            w += settings.step * speed
        for r, speed in zip(R, speeds, strict=False):  # back-propagation has no R
            r += settings.step * epsilon * transposed(speed)
    return np.log10(errors), correlations


def _correlation(a: Array, b: Array) -> float:
    """Pearson's correlation of the entries; nan where one does not vary."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt(np.sum(a**2) * np.sum(b**2))
    return float(np.sum(a * b) / scale) if scale > 0 else np.nan


def continuous(settings: Settings, seed: int, rtol: float = 1e-10, points: int = 101) -> tuple[Array, Array]:
    """The differential equations (9) that the iterations stand for, by scipy.

    Returns
    -------
    iterations : array of shape (points,)
    log_error : array of shape (epsilons, points)
        log10 of tr(E^t E).
    """
    T, _, feedback = draw(settings, seed)
    iterations = np.linspace(0, settings.iterations, points)
    paths = [
        integrate(T, feedback[1:], epsilon, iterations * settings.step, rtol=rtol) for epsilon in settings.epsilons
    ]
    return iterations, np.stack([np.log10(path.error) for path in paths])
