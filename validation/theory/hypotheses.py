"""When Theorems 1 and 2 speak: their hypotheses as predicates, and random systems within and outside them."""

import numpy as np

from validation.theory.equations import Array, H
from validation.theory.ladder import Systems

# The paper's "<<": at most so much of. Part of what is tested, and shown with it.
MUCH_LESS = 0.1
SMALLEST = 1e-3  # of lambda_T: how small a lambda_R is drawn
TARGETS = (1e-2, 1.0)  # between which lambda_T is drawn


def theorem_1(systems: Systems) -> Array:
    """Which systems meet Theorem 1: k = 2, 0 < lambda_T <= 1, 0 < lambda_R << lambda_T; shape (systems,).

    lambda_1(0) = lambda_2(0) = 0 is where every integration starts.
    """
    target, feedback = systems.lambda_T, systems.lambda_R
    return (systems.k == 2) & (target <= 1) & (feedback.max(axis=0) <= MUCH_LESS * target)


def ratio_bound(epsilon: Array | float) -> Array:
    """(1 + sqrt(1 + epsilon)) / 2: Theorem 2 wants lambda_R,2 / lambda_R,3 above it."""
    return (1 + np.sqrt(1 + np.asarray(epsilon))) / 2


def theorem_2(systems: Systems, epsilon: Array | float) -> Array:
    """Which systems meet Theorem 2: k = 3, both lambda_R << lambda_T < 1, and their ratio above its bound.

    `epsilon` is the largest of those compared: the bound grows with it.
    """
    target, feedback = systems.lambda_T, systems.lambda_R
    small = (systems.k == 3) & (target < 1) & (feedback.max(axis=0) <= MUCH_LESS * target)
    return small & (feedback[0] > ratio_bound(epsilon) * feedback[-1])


def explicit_bound(systems: Systems, epsilon: Array | float) -> Array:
    """Theorem 2 with one condition in the place of "<<": lambda_R,3^2 H(lambda_R,3, lambda_R,2, epsilon) <= lambda_T.

    It is derived in the head of this package, and does not change with the scale of the system. The ratio's bound
    stays. `epsilon` is the largest compared.
    """
    two, three = systems.lambda_R
    return (two > ratio_bound(epsilon) * three) & (three**2 * H(three, two, epsilon) <= systems.lambda_T)


def _between(rng: np.random.Generator, low: float, high: float, count: int) -> Array:
    """Numbers whose logarithm is uniform."""
    return np.exp(rng.uniform(np.log(low), np.log(high), count))


def draw_theorem_1(rng: np.random.Generator, count: int) -> Systems:
    """Systems that meet Theorem 1: lambda_T in `TARGETS`, lambda_R in [`SMALLEST`, `MUCH_LESS`] of it."""
    target = _between(rng, *TARGETS, count)
    return Systems(target, (target * _between(rng, SMALLEST, MUCH_LESS, count))[None])


def draw_theorem_2(rng: np.random.Generator, count: int) -> Systems:
    """Systems that meet Theorem 2: as for Theorem 1, with lambda_R,3 between a hundredth of its bound and the bound."""
    target = _between(rng, *TARGETS, count)
    two = target * _between(rng, SMALLEST, MUCH_LESS, count)
    return Systems(target, np.stack([two, two / ratio_bound(1.0) * _between(rng, 0.01, 1 - 1e-9, count)]))


def draw_explicit(rng: np.random.Generator, count: int) -> Systems:
    """Systems that meet `explicit_bound`, up to lambda_R,2 = 10 lambda_T^(1/3); half of them near the bound."""
    target = _between(rng, *TARGETS, count)
    two = np.cbrt(target) * _between(rng, 0.01, 10, count)
    three = two / ratio_bound(1.0) * _between(rng, 0.01, 1 - 1e-9, count)
    # lambda_R,3^2 H <= lambda_T, made so by the largest lambda_R,3 or one within a factor of ten below it.
    low, high = np.zeros(count), three
    for _ in range(60):
        middle = (low + high) / 2
        low, high = np.where(middle**2 * H(middle, two, 1.0) <= target, (middle, high), (low, middle))
    near = low * np.where(rng.random(count) < 0.5, 1, _between(rng, 0.1, 1, count))
    return Systems(target, np.stack([two, near]))


def draw_any(rng: np.random.Generator, count: int, k: int) -> Systems:
    """Systems that meet nothing: lambda_T in [0.01, 30], every lambda_R in [0.01, 10] lambda_T^(1/k), in any ratio.

    Scaled by the k-th root, as the equations are.
    """
    target = _between(rng, 1e-2, 30, count)
    return Systems(target, np.stack([target ** (1 / k) * _between(rng, 0.01, 10, count) for _ in range(k - 1)]))


def draw_epsilons(rng: np.random.Generator, count: int) -> Array:
    """Four epsilon for every system: 0, two drawn between 0.05 and 0.95 and at least 0.05 apart, and 1; (4, count)."""
    inner = np.sort(rng.uniform(0.05, 0.9, (2, count)), axis=0) + np.array([[0.0], [0.05]])
    return np.concatenate([np.zeros((1, count)), inner, np.ones((1, count))])
