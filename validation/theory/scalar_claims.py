"""Claims about the equations themselves: closed forms and invariants against what scipy integrates."""

from collections.abc import Callable

import numpy as np
from scipy.integrate import quad, solve_ivp

from validation.claims import Claim
from validation.theory.equations import (
    Array,
    F,
    G,
    H,
    by_first,
    decay_rate_from_invariant,
    decay_rate_three,
    decay_rate_two,
    invariant_defect,
    speed_of_first,
    speed_of_second,
    speeds,
)
from validation.theory.hypotheses import draw_any, draw_epsilons, draw_theorem_1, draw_theorem_2
from validation.theory.ladder import Ladder, climb
from validation.theory.matrices import integrate, transposed
from validation.tolerances import THEORY, Tolerance

RTOL = 1e-11  # of systems that are integrated one at a time
SIZES = (2, 9)  # between which the sizes of matrices are drawn, the upper one not included


def agrees(name: str, statement: str, source: str, measured: float, tolerance: Tolerance, note: str = "") -> Claim:
    """The claim that a relative difference is within a tolerance."""
    passed = bool(measured <= tolerance.relative)  # nan is no agreement
    return Claim(name, statement, source, measured, f"<= {tolerance.relative:g}", passed, note)


def relative(a: Array, b: Array) -> float:
    """The largest difference over the largest value."""
    return float(np.max(np.abs(a - b)) / np.max(np.abs(b)))


def follow(lambda_T: float, lambda_R: Array, epsilon: float, times: Array) -> Array:
    """One scalar system (15) from 0, in plain time; shape (k, times)."""

    def speed(_: float, lam: Array) -> Array:
        return (lambda_T - lam.prod()) * speeds(lam, lambda_R, epsilon)

    start = np.zeros(len(lambda_R) + 1)
    return solve_ivp(speed, (0, times[-1]), start, "DOP853", times, rtol=RTOL, atol=RTOL / 100).y


def scalar_claims(seed: int = 0, draws: int = 200) -> list[Claim]:
    """All claims about equations (7) to (17)."""
    rng = np.random.default_rng(seed)
    ladders = []
    for k, drawn in ((2, draw_theorem_1), (3, draw_theorem_2)):
        for systems in (drawn(rng, draws), draw_any(rng, draws, k)):
            ladders.append(climb(systems, draw_epsilons(rng, draws)))
    few = max(1, draws // 10)
    return [
        *_along(ladders, f"{draws} systems within the theorems and {draws} outside, for k = 2 and 3, 4 epsilon each."),
        _exact(ladders[0], few),
        _first_alone(rng, few),
        *_second_alone(),
        *_matrices(rng, few),
    ]


def _along(ladders: list[Ladder], note: str) -> list[Claim]:
    """What must hold at every time of every integration."""
    tolerance = THEORY["integration"]
    invariant = max(float(invariant_defect(ladder.lam, ladder.lambda_R, ladder.epsilon).max()) for ladder in ladders)

    def worst(difference: Callable[[Ladder, int], Array]) -> float:
        found = [difference(ladder, i) for ladder in ladders for i in range(ladder.systems.k - 1)]
        return max(float(np.max(each)) for each in found)

    upward = worst(
        lambda ladder, i: np.abs(G(ladder.lam[i], ladder.lambda_R[i], ladder.epsilon) / ladder.lam[i + 1] - 1)
    )
    downward = worst(
        lambda ladder, i: np.abs(H(ladder.lam[i + 1], ladder.lambda_R[i], ladder.epsilon) / ladder.lam[i] - 1)
    )
    feedback = worst(
        lambda ladder, i: np.abs(
            F(ladder.lam[i], ladder.lambda_R[i], ladder.epsilon)
            / (ladder.lambda_R[i] + ladder.epsilon * ladder.lam[i + 1])
            - 1
        )
    )
    special = {2: decay_rate_two, 3: decay_rate_three}
    forms = [decay_rate_from_invariant(ladder.lam, ladder.epsilon) for ladder in ladders]
    rates = max(float(np.abs(form / ladder.rate() - 1).max()) for form, ladder in zip(forms, ladders, strict=True))
    same = max(
        float(np.abs(special[ladder.systems.k](ladder.lam, ladder.epsilon) / form - 1).max())
        for form, ladder in zip(forms, ladders, strict=True)
    )
    product = max(float(ladder.product_defect().max()) for ladder in ladders)
    return [
        agrees(
            "invariant",
            "lambda_R,i lambda_i + epsilon lambda_i^2 / 2 = lambda_{i-1}^2 / 2 along every path.",
            "equation (16)",
            invariant,
            tolerance,
            note,
        ),
        agrees(
            "closed forms",
            "lambda_i = G(lambda_{i-1}), lambda_{i-1} = H(lambda_i) and "
            "lambda_R,i + epsilon lambda_i = F(lambda_{i-1}) along every path.",
            "equations (12), (13)",
            max(upward, downward, feedback),
            tolerance,
        ),
        agrees(
            "error's logarithm",
            "ln e integrated by the first form of (17) belongs to e = lambda_T - lambda_1 ... lambda_k.",
            "equation (17)",
            product,
            tolerance,
        ),
        agrees(
            "decay rate",
            "The last form of (17), in which (16) has replaced lambda_R, gives the same rate.",
            "equation (17)",
            rates,
            tolerance,
        ),
        agrees(
            "decay rate, k = 2 and 3",
            "Equations (11) and (18) are (17) with k = 2 and k = 3.",
            "equations (11), (18)",
            same,
            THEORY["identity"],
        ),
    ]


def exact_time(lambda_1: float, lambda_T: float, lambda_R: float, epsilon: float) -> float:
    """When lambda_1 of (10) gets to a value, by a quadrature that integrates no system.

    In s, ds = e dt, equation (10) is linear: lambda_1 = lambda_R sinh(q s) / q and
    lambda_2 = lambda_R (cosh(q s) - 1) / epsilon, q = sqrt(epsilon). So t is the integral of ds / e.
    """
    q = np.sqrt(epsilon)

    def path(s: float) -> tuple[float, float]:
        if epsilon == 0:
            return lambda_R * s, lambda_R * s**2 / 2
        return lambda_R * np.sinh(q * s) / q, 2 * lambda_R * np.sinh(q * s / 2) ** 2 / epsilon

    end = lambda_1 / lambda_R if epsilon == 0 else np.arcsinh(q * lambda_1 / lambda_R) / q
    return quad(lambda s: 1 / (lambda_T - np.prod(path(s))), 0, end, epsabs=0, epsrel=1e-11, limit=200)[0]


def _exact(ladder: Ladder, count: int) -> Claim:
    """k = 2 against its exact solution."""
    worst = 0.0
    for d in range(count):
        for e in range(len(ladder.epsilon)):
            for when in np.flatnonzero(ladder.log_error[:, e, d] > np.log(1e-3))[5::20]:
                lambda_1, lambda_R = ladder.lam[0, when, e, d], ladder.systems.lambda_R[0, d]
                exact = exact_time(lambda_1, ladder.systems.lambda_T[d], lambda_R, ladder.epsilon[e, d])
                worst = max(worst, abs(ladder.t[when, d] / exact - 1))
    return agrees(
        "exact solution, k = 2",
        "The time at which lambda_1 reaches a value is that of the exact solution: with ds = e dt, (10) is linear.",
        "equation (10)",
        worst,
        THEORY["integration"],
        f"{count} systems, down to e = lambda_T / 1000.",
    )


def _first_alone(rng: np.random.Generator, count: int) -> Claim:
    """(14) and the second of (19) against the system they come from."""
    worst = 0.0
    for k in (2, 3):
        systems, epsilon = draw_any(rng, count, k), rng.uniform(0, 1, count)
        for d in range(count):
            lambda_T, lambda_R = systems.lambda_T[d], systems.lambda_R[:, d]
            times = np.linspace(0, 5 / (lambda_R.prod() * lambda_T) * lambda_T ** (1 / k), 21)
            whole = follow(lambda_T, lambda_R, epsilon[d], times)

            def speed(_: float, y: Array, T: float = lambda_T, R: Array = lambda_R, rate: float = epsilon[d]) -> Array:
                return speed_of_first(y, T, R[:, None], rate)

            alone = solve_ivp(speed, (0, times[-1]), [0.0], "LSODA", times, rtol=RTOL, atol=RTOL / 100).y[0]
            worst = max(worst, relative(by_first(alone, lambda_R[:, None], epsilon[d]), whole))
    return agrees(
        "lambda_1 alone",
        "The scalar equation for lambda_1, with (12), gives the same paths as the whole system.",
        "equations (14), (19)",
        worst,
        THEORY["single"],
        f"{count} systems outside the theorems, for k = 2 and 3.",
    )


def _second_alone() -> list[Claim]:
    """The first of (19) stays at 0, where lambda_2 starts; the equation for its root does not."""
    lambda_T, lambda_R, epsilon, times = 0.8, np.array([0.2, 0.1]), 1.0, np.linspace(0, 200, 21)
    whole = follow(lambda_T, lambda_R, epsilon, times)[1]

    def root_speed(_: float, z: Array) -> Array:
        """The same equation for z = sqrt(lambda_2), divided by 2 z."""
        square = z**2
        first = H(square, lambda_R[0], epsilon)
        error = lambda_T - G(square, lambda_R[1], epsilon) * square * first
        return F(square, lambda_R[1], epsilon) * error * np.sqrt(2 * lambda_R[0] + epsilon * square) / 2

    def from_zero(speed: Callable[[float, Array], Array]) -> Array:
        return solve_ivp(speed, (0, times[-1]), [0.0], "DOP853", times, rtol=RTOL, atol=RTOL / 100).y[0]

    alone = from_zero(lambda _, y: speed_of_second(y, lambda_T, lambda_R, epsilon))
    return [
        Claim(
            "lambda_2 alone",
            "The scalar equation for lambda_2 does not determine lambda_2: from 0, where it starts, it stays at 0.",
            "equation (19)",
            f"{alone[-1]:.3g} by (19), {whole[-1]:.3g} by (15)",
            "",
            None,
            "A gap in the proof of Theorem 2.",
        ),
        agrees(
            "root of lambda_2",
            "The equation for sqrt(lambda_2) closes that gap: from 0 it gives lambda_2.",
            "ours, from (19)",
            relative(from_zero(root_speed) ** 2, whole),
            THEORY["single"],
        ),
    ]


def _matrices(rng: np.random.Generator, count: int) -> list[Claim]:
    """(7) against (8) and (9), and these against the scalars they fall apart into."""
    kept, apart = 0.0, 0.0
    for k in (2, 3):
        for _ in range(count):
            sizes, epsilon = rng.integers(*SIZES, k + 1), rng.uniform(0, 1)
            n = sizes[-1] = sizes.min()  # appendix 2: n_k <= n_0, ..., n_{k-1}
            lambda_T, lambda_R = rng.uniform(0.2, 1, n), rng.uniform(0.1, 0.5, (k - 1, n))
            # U_1 = V, U_2, ..., U_{k+1} = U, each with orthonormal columns
            U = [np.linalg.qr(rng.normal(size=(size, n)))[0] for size in sizes]
            T = U[k] * lambda_T @ U[0].T
            R0 = [U[i] * lambda_R[i - 1] @ U[i + 1].T for i in range(1, k)]
            times = np.linspace(0, 60, 13)
            scalars = [follow(lambda_T[j], lambda_R[:, j], epsilon, times) for j in range(n)]
            path = integrate(T, R0, epsilon, times, rtol=RTOL)
            for i, W in enumerate(path.W):
                expected = U[i + 1] * np.stack([each[i] for each in scalars], axis=-1)[:, None, :] @ U[i].T
                apart = max(apart, relative(W, expected))
            R0 = [rng.normal(0, 0.3, R.shape) for R in R0]  # (8) and (9) need no special R(0)
            explicit = integrate(T, R0, epsilon, times, rtol=RTOL, feedback="explicit")
            for R, start, W in zip(explicit.R, R0, explicit.W[1:], strict=True):
                kept = max(kept, relative(R, start + epsilon * transposed(W)))
            for W, same in zip(explicit.W, integrate(T, R0, epsilon, times, rtol=RTOL).W, strict=True):
                kept = max(kept, relative(W, same))
    note = f"{count} networks of each k = 2 and 3, layers of {SIZES[0]} to {SIZES[1] - 1} units."
    return [
        agrees(
            "R eliminated",
            "With R integrated too, R_i = R_i(0) + epsilon W_i^t, and the same W.",
            "equations (7), (8), (9)",
            kept,
            THEORY["single"],
            note + " R(0) normal.",
        ),
        agrees(
            "decoupling",
            "With R(0) lined up with T, the matrix equations fall apart into the scalar ones.",
            "equations (10), (15)",
            apart,
            THEORY["single"],
            note,
        ),
    ]
