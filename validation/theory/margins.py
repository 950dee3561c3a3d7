"""By how much each quantity of a theorem increases with epsilon, at the time and pair of epsilon where it is least.

A margin is (larger - smaller) / the larger of the two magnitudes, per unit of epsilon: positive where the quantity
increases. Its smallest value over all times of a system is what decides a claim about "all times".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from validation.theory.equations import Array, decay_rate, invariant_defect, limit
from validation.theory.ladder import Ladder, Systems, climb

BATCH = 1000
# A log-error is compared from where it has digits: where the error has fallen by a millionth.
FALLEN = 1e-6


@dataclass(frozen=True)
class Margins:
    """Smallest margins, one for every system.

    Attributes
    ----------
    systems : Systems
    epsilon : array of shape (epsilons, systems)
    least : dict of str to array of shape (systems,)
        By quantity: ``rate`` (-d ln e / dt), ``error`` (-ln e), ``lambda_1`` ... ``lambda_k``, and ``root lambda_k``,
        which is sqrt(epsilon) lambda_k.
    at_end : dict of str to array of shape (systems,)
        The same at the last time only.
    defect : array of shape (systems,)
        The largest error of the integration that is seen in lambda_1 ... lambda_k + e = lambda_T or in (16).
    rate_defect : array of shape (systems,)
        Largest relative difference of the last rate from its limit.
    final : array of shape (systems,)
        The largest ln(e / lambda_T) at the end.
    """

    systems: Systems
    epsilon: Array
    least: dict[str, Array]
    at_end: dict[str, Array]
    defect: Array
    rate_defect: Array
    final: Array

    def worst(self, quantity: str) -> tuple[float, int]:
        """The smallest margin of all systems, and whose it is."""
        which = int(self.least[quantity].argmin())
        return float(self.least[quantity][which]), which


def margin(values: Array, epsilon: Array) -> Array:
    """Between neighbours in epsilon, the second axis from the end."""
    low, high = values[..., :-1, :], values[..., 1:, :]
    scale = np.maximum(np.abs(low), np.abs(high))
    return (high - low) / np.where(scale > 0, scale, 1) / np.diff(epsilon, axis=0)


def margins_of(ladder: Ladder) -> Margins:
    """Reduce a ladder to its smallest margins."""
    fallen = -ladder.log_error
    each = {"rate": margin(ladder.rate(), ladder.epsilon)}
    each["error"] = np.where(fallen[:, 1:] > FALLEN, margin(fallen, ladder.epsilon), np.inf)
    for i, values in enumerate(ladder.lam, 1):
        each[f"lambda_{i}"] = margin(values, ladder.epsilon)
    k = ladder.systems.k
    each[f"root lambda_{k}"] = margin(np.sqrt(ladder.epsilon) * ladder.lam[-1], ladder.epsilon)
    feedback = ladder.systems.lambda_R[:, None, :]
    rates = decay_rate(limit(ladder.systems.lambda_T, feedback, ladder.epsilon), feedback, ladder.epsilon)
    invariant = invariant_defect(ladder.lam, ladder.lambda_R, ladder.epsilon).max(axis=(0, 1, 2))
    return Margins(
        systems=ladder.systems,
        epsilon=ladder.epsilon,
        least={name: values.min(axis=(0, 1)) for name, values in each.items()},
        at_end={name: values[-1].min(axis=0) for name, values in each.items()},
        defect=np.maximum(invariant, ladder.product_defect().max(axis=(0, 1))),
        rate_defect=np.abs(ladder.rate()[-1] / rates - 1).max(axis=0),
        final=ladder.log_error[-1].max(axis=0),
    )


def margins(systems: Systems, epsilon: Array, report: Callable[[int], None] = lambda done: None) -> Margins:
    """Integrate in batches, and keep the margins only; `report` is told how many systems are done."""
    parts = []
    for first in range(0, len(systems), BATCH):
        chosen = slice(first, first + BATCH)
        parts.append(margins_of(climb(systems[chosen], epsilon[:, chosen])))
        report(min(first + BATCH, len(systems)))

    def joined(name: str) -> dict[str, Array]:
        return {key: np.concatenate([getattr(part, name)[key] for part in parts]) for key in parts[0].least}

    return Margins(
        systems,
        epsilon,
        joined("least"),
        joined("at_end"),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("defect", "rate_defect", "final")),
    )
