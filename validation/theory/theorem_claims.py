"""Theorems 1 and 2 within their hypotheses, over random systems; each claim shows its worst case."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from validation.claims import Claim
from validation.theory.equations import limit
from validation.theory.hypotheses import (
    MUCH_LESS,
    draw_epsilons,
    draw_explicit,
    draw_theorem_1,
    draw_theorem_2,
    explicit_bound,
    ratio_bound,
    theorem_1,
    theorem_2,
)
from validation.theory.ladder import Systems
from validation.theory.margins import Margins, margins
from validation.theory.scalar_claims import agrees
from validation.tolerances import THEORY

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Checked:
    """What a part of the theory gave: its claims, and the margins that figures are drawn from."""

    claims: tuple[Claim, ...]
    margins: Margins


def described(found: Margins, which: int) -> str:
    """A system in words."""
    feedback = ", ".join(f"{value:.4g}" for value in found.systems.lambda_R[:, which])
    epsilon = ", ".join(f"{value:.3g}" for value in found.epsilon[:, which])
    return f"lambda_T {found.systems.lambda_T[which]:.4g}, lambda_R {feedback}, epsilon {epsilon}"


def increases(name: str, statement: str, source: str, found: Margins, quantity: str) -> Claim:
    """The claim that a quantity increases with epsilon, at all times in all systems."""
    worst, which = found.worst(quantity)
    bound = THEORY["margin"].relative
    note = f"{len(found.systems):,} systems; the least, relative and per unit of epsilon, at {described(found, which)}."
    return Claim(name, statement, source, worst, f"> {bound:g}", bool(worst > bound), note)


def _common(found: Margins, source: str, met: bool, hypotheses: str) -> list[Claim]:
    """What both theorems say."""
    k = found.systems.k
    return [
        Claim(
            f"{source}: hypotheses",
            f"Every system drawn meets them: {hypotheses}.",
            source,
            f"{len(found.systems):,} systems",
            "all",
            met,
        ),
        agrees(
            f"{source}: integration",
            "Every path keeps (16), and e + lambda_1 ... lambda_k = lambda_T.",
            "equation (16)",
            float(found.defect.max()),
            THEORY["integration"],
        ),
        Claim(
            f"{source}: converges",
            f"Every error falls to e^-19 of what it was or below, for k = {k}.",
            source,
            float(found.final.max()),
            "<= -19",
            bool(found.final.max() <= -19),
            "The largest last ln(e / lambda_T).",
        ),
        agrees(
            f"{source}: exponentially",
            "In the end ln e falls at the constant rate that follows from (12) and (17).",
            source,
            float(found.rate_defect.max()),
            THEORY["integration"],
        ),
        increases(
            f"{source}: rate", "The rate -d ln e / dt increases with epsilon, at every time.", source, found, "rate"
        ),
        increases(f"{source}: error", "The error decreases with epsilon, at every time.", source, found, "error"),
        increases(
            f"{source}: lambda_1",
            "lambda_1 increases with epsilon, at every time.",
            f"{source}, proof",
            found,
            "lambda_1",
        ),
        increases(
            f"{source}: epsilon lambda_{k}^2",
            f"epsilon lambda_{k}^2 increases with epsilon, at every time.",
            f"{source}, proof",
            found,
            f"root lambda_{k}",
        ),
    ]


def check_theorem_1(seed: int, draws: int, report: Progress = lambda done: None) -> Checked:
    """Theorem 1 over so many systems within its hypotheses, each at four epsilon."""
    rng = np.random.default_rng([seed, 1])
    systems = draw_theorem_1(rng, draws)
    found = margins(systems, draw_epsilons(rng, draws), report)
    words = f"k = 2, lambda_T <= 1, lambda_R <= {MUCH_LESS:g} lambda_T, lambda(0) = 0"
    return Checked(tuple(_common(found, "Theorem 1", bool(theorem_1(systems).all()), words)), found)


def check_theorem_2(seed: int, draws: int, report: Progress = lambda done: None) -> Checked:
    """Theorem 2 over so many systems within its hypotheses, and what its statement says beyond its proof."""
    rng = np.random.default_rng([seed, 2])
    systems, epsilon = draw_theorem_2(rng, draws), draw_epsilons(rng, draws)
    found = margins(systems, epsilon, report)
    words = (
        f"k = 3, lambda_T < 1, lambda_R <= {MUCH_LESS:g} lambda_T, "
        f"lambda_R,2 > {float(ratio_bound(1.0)):.4f} lambda_R,3, lambda(0) = 0"
    )
    claims = _common(found, "Theorem 2", bool(theorem_2(systems, 1.0).all()), words)
    claims.append(
        increases(
            "Theorem 2: lambda_2", "lambda_2 increases with epsilon, at every time.", "Theorem 2", found, "lambda_2"
        )
    )
    return Checked((*claims, _third(found)), found)


def _third(found: Margins) -> Claim:
    """lambda_3, which the statement of Theorem 2 says increases."""
    down = found.at_end["lambda_3"] < -THEORY["margin"].relative
    low, high = end_values(Systems(np.array([0.9]), np.array([[0.05], [0.02]])), (0.0, 1.0))
    return Claim(
        "Theorem 2: lambda_3",
        "As stated, lambda_3 increases too. It cannot: lambda_1 lambda_2 lambda_3 tends to lambda_T for every epsilon.",
        "Theorem 2, statement",
        f"smaller at the end in {down.sum():,} of {down.size:,}",
        "",
        None,
        f"Counterexample: lambda_T .9, lambda_R .05 and .02; from epsilon 0 to 1 lambda tends to {low} and {high}.",
    )


def end_values(systems: Systems, epsilons: Sequence[float]) -> list[str]:
    """The limits of lambda_1 ... lambda_k of one system in words, for each epsilon."""
    ends = [limit(systems.lambda_T, systems.lambda_R, epsilon)[:, 0] for epsilon in epsilons]
    return ["(" + ", ".join(f"{value:.3f}" for value in end) + ")" for end in ends]


def check_explicit(seed: int, draws: int, report: Progress = lambda done: None) -> Checked:
    """Theorem 2 with an explicit condition in the place of "<<"."""
    rng = np.random.default_rng([seed, 3])
    systems = draw_explicit(rng, draws)
    found = margins(systems, draw_epsilons(rng, draws), report)
    largest = float((systems.lambda_R[0] / systems.lambda_T).max())
    claims = [
        Claim(
            "explicit bound: hypotheses",
            "Every system drawn has lambda_R,3^2 H(lambda_R,3, lambda_R,2, 1) <= lambda_T and the ratio of Theorem 2.",
            "ours",
            f"{draws:,} systems",
            "all",
            bool(explicit_bound(systems, 1.0).all()),
            f"lambda_R,2 up to {largest:.0f} lambda_T.",
        ),
        agrees(
            "explicit bound: integration",
            "Every path keeps (16), and e + lambda_1 ... lambda_k = lambda_T.",
            "equation (16)",
            float(found.defect.max()),
            THEORY["integration"],
        ),
        increases("explicit bound: rate", "The rate increases with epsilon, at every time.", "ours", found, "rate"),
        increases(
            "explicit bound: lambda_2", "lambda_2 increases with epsilon, at every time.", "ours", found, "lambda_2"
        ),
    ]
    return Checked(tuple(claims), found)
