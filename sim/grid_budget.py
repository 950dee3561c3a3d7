"""How many epochs, and seeds, fit into a time budget: counted from what a first epoch took."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from network.errors import BadInput

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RESERVE = 0.05  # of the budget, for starting, reading data and writing the page


def parse_budget(text: str) -> float:
    """``10m``, ``90s``, ``2h``, ``1.5d`` as seconds.

    Raises
    ------
    BadInput
        For anything else.
    """
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([smhd])", text.strip().lower())
    if match is None or float(match.group(1)) == 0:
        raise BadInput(f"--budget '{text}': expected a time such as 90s, 10m, 2h or 1d")
    return float(match.group(1)) * UNITS[match.group(2)]


@dataclass(frozen=True)
class Cost:
    """What one run costs: seconds an epoch, epochs it has, its seed's place (0 for the first seed).

    `most` are the epochs that it takes at most, as the first phase of another run does.
    """

    seconds: float
    done: int
    seed: int
    most: float = inf


def plan(costs: Sequence[Cost], seconds: float, width: int, most: int) -> tuple[int, int]:
    """The epochs of every run, and the seeds, that fit into the time left.

    All seeds at one epoch come before more epochs of fewer seeds: without a spread no difference can be judged.

    Parameters
    ----------
    costs : sequence of Cost
        One a run, all seeds.
    seconds : float
        Time left.
    width : int
        Runs that go on at a time.
    most : int
        Epochs that are wanted at most, the paper's.

    Returns
    -------
    epochs, seeds : int
        At least one of each.
    """

    def needs(epochs: int, seeds: int) -> float:
        each = [cost.seconds * max(0, min(epochs, cost.most) - cost.done) for cost in costs if cost.seed < seeds]
        return max(sum(each) / width, max(each, default=0.0))

    seeds = max(cost.seed for cost in costs) + 1
    while seeds > 1 and needs(1, seeds) > seconds:
        seeds -= 1
    epochs = 1
    while epochs < most and needs(epochs + 1, seeds) <= seconds:
        epochs += 1
    return epochs, seeds
