"""Outside the hypotheses of Theorems 1 and 2: where they still hold and where not, reported and not judged."""

from collections.abc import Sequence

import numpy as np

from validation.claims import Claim
from validation.theory.general import GENERAL_R0, NONZERO_W0, Loss, Start, confirmed, log_errors, losses, search
from validation.theory.hypotheses import draw_any, draw_epsilons, ratio_bound
from validation.theory.ladder import Systems
from validation.theory.margins import Margins, margins
from validation.theory.theorem_claims import described
from validation.tolerances import THEORY

SIZES_TWO = ((2, 2, 2), (3, 4, 3), (5, 8, 4))
SIZES_THREE = ((2, 2, 2, 2), (3, 6, 6, 3))


def _decreasing(found: Margins, quantity: str) -> int:
    """In how many systems a quantity decreases with epsilon somewhere."""
    return int(np.sum(found.least[quantity] < -THEORY["margin"].relative))


def _still(name: str, where: str, found: Margins) -> Claim:
    """Whether rate and error still increase and decrease with epsilon in systems outside."""
    counts = {quantity: _decreasing(found, quantity) for quantity in ("rate", "error", "lambda_1")}
    total = len(found.systems)
    worst, which = found.worst("rate")
    middle = {f"lambda_{i}": _decreasing(found, f"lambda_{i}") / total for i in range(2, found.systems.k)}
    lambdas = ", ".join(f"{name} decreases somewhere in {share:.0%}" for name, share in middle.items())
    return Claim(
        name,
        f"Systems in which a larger epsilon does not converge faster at every time, {where}.",
        "outside",
        f"{max(counts.values()):,} of {total:,}",
        "",
        None,
        f"Least increase of the rate, relative and per unit of epsilon: {worst:.3g} at {described(found, which)}; "
        f"integration loses {float(found.defect.max()):.1g}." + (f" Meanwhile {lambdas}." if lambdas else ""),
    )


def outside_theorem_1(seed: int, systems: int, networks: int) -> list[Claim]:
    """Any lambda_R; general R(0); W(0) not 0."""
    rng = np.random.default_rng([seed, 4])
    found = margins(draw_any(rng, systems, 2), draw_epsilons(rng, systems))
    return [
        _still("k = 2: any lambda_R", "for lambda_T up to 30 and lambda_R from .01 to 10 times its root", found),
        _general("k = 2: general R(0)", "R(0) is normal and not lined up with T", rng, SIZES_TWO, networks),
        _general("k = 2: W(0) not 0", "R(0) is normal, and W(0) too with sd .1", rng, SIZES_TWO, networks, 0.1),
        _counterexample(
            "k = 2: W(0) not 0, counterexample",
            "T = 1, R_2(0) = .2, W_1(0) = -.2, W_2(0) = .2: FRFB converges; epsilon = 1, here back-propagation, runs "
            "into the saddle at W = 0.",
            NONZERO_W0,
            Loss(np.nan, 0.0, 1.0, 20.0),
        ),
    ]


def outside_theorem_2(seed: int, systems: int, networks: int) -> list[Claim]:
    """Any lambda_R in any ratio; deeper networks; general R(0)."""
    rng = np.random.default_rng([seed, 5])
    ranges = "for lambda_T up to 30 and every lambda_R from .01 to 10 times its k-th root, in any ratio"
    claims = []
    for k in (3, 4, 5):
        found = margins(draw_any(rng, systems, k), draw_epsilons(rng, systems))
        claims.append(_still(f"k = {k}: any lambda_R", ranges, found))
        if k == 3:
            claims.append(_second(found))
    found = losses(log_errors(_batch_of(GENERAL_R0)))[0]
    return [
        *claims,
        _general("k = 3: general R(0)", "R(0) is normal and not lined up with T", rng, SIZES_THREE, networks),
        _counterexample(
            "k = 3: general R(0), counterexample",
            "T = [[-.2, -.5], [.5, .7]], R_2(0) = [[.5, -.4], [-.5, 1.1]], R_3(0) = [[-.9, -1], [-.1, -.5]], W(0) = 0: "
            "FRFB is ahead for a while.",
            GENERAL_R0,
            found,
        ),
    ]


def _second(found: Margins) -> Claim:
    """lambda_2 where the ratio's bound is violated."""
    two, three = found.systems.lambda_R
    down = found.least["lambda_2"] < -THEORY["margin"].relative
    violated = two <= ratio_bound(1.0) * three
    return Claim(
        "k = 3: lambda_2",
        "Systems in which lambda_2 does not increase with epsilon, where lambda_R,2 is below the bound of Theorem 2.",
        "outside",
        f"{np.sum(down & violated):,} of {violated.sum():,}",
        "",
        None,
        f"Not seen for lambda_R,2 / lambda_R,3 above {float((two / three)[down].max()):.2f} (the bound is "
        f"{float(ratio_bound(1.0)):.2f})."
        if down.any()
        else "",
    )


def _general(
    name: str, where: str, rng: np.random.Generator, sizes: Sequence[Sequence[int]], draws: int, W_scale: float = 0.0
) -> Claim:
    """How often a larger epsilon loses, for networks of some sizes."""
    found = [search(rng, each, draws, W_scale) for each in sizes]
    worst = max(found, key=lambda each: each.confirmed)
    counted = "; ".join(f"{each.losing} of {each.count} with layers {'-'.join(map(str, each.sizes))}" for each in found)
    note = f"{counted}."
    if any(each.losing for each in found):
        note += (
            f" The furthest: by {worst.worst.behind:.3g} in ln e^2, epsilon {worst.worst.larger:g} behind "
            f"{worst.worst.smaller:g} at t = {worst.worst.t:.3g}; integrated again a hundred times more accurately: "
            f"{worst.confirmed:.3g}."
        )
    total, losing = sum(each.count for each in found), sum(each.losing for each in found)
    statement = f"Networks in which a larger epsilon is behind at some time, where {where}."
    return Claim(name, statement, "outside", f"{losing} of {total}", "", None, note)


def _counterexample(name: str, statement: str, start: Start, loss: Loss) -> Claim:
    """A stored network in which a larger epsilon is behind; judged, because it is a number that anyone can check."""
    behind = confirmed(start, loss)
    return Claim(
        name,
        statement,
        "outside",
        behind,
        f"> {THEORY['ordering'].relative:g}",
        bool(behind > THEORY["ordering"].relative),
        f"ln e^2 of epsilon {loss.larger:g} minus that of {loss.smaller:g} at t = {loss.t:.3g}.",
    )


def _batch_of(start: Start) -> Start:
    """A single network as a batch of one."""
    W0 = None if start.W0 is None else tuple(W[None] for W in start.W0)
    return Start(start.T[None], tuple(R[None] for R in start.R0), W0)


def map_of_second(points: int = 41) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where lambda_2 increases from epsilon = 0 to 1, for lambda_T = 1.

    Returns
    -------
    ratio : array of shape (points,)
        lambda_R,2 / lambda_R,3.
    third : array of shape (points,)
        lambda_R,3.
    least : array of shape (points, points)
        The smallest margin of lambda_2, in rows of equal `third`.
    """
    ratio, third = np.geomspace(0.1, 10, points), np.geomspace(1e-2, 10, points)
    two = third[:, None] * ratio
    systems = Systems(np.ones(two.size), np.stack([two.ravel(), np.repeat(third, points)]))
    found = margins(systems, np.repeat([[0.0], [1.0]], two.size, axis=1))
    return ratio, third, found.least["lambda_2"].reshape(points, points)
