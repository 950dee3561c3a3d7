"""Expectations of an experiment held against its runs: a difference, its spread over seeds, and a verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt
from statistics import mean, stdev

from sim.experiments.experiment import Expectation, Experiment, Labels
from sim.experiments.runs import Result, by_cell
from validation.claims import Claim
from validation.tolerances import READINGS

LEVEL = 0.95  # of the intervals


@dataclass(frozen=True)
class Spread:
    """A mean over seeds with its interval.

    Attributes
    ----------
    values : tuple of float
        One a seed.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return mean(self.values) if self.values else nan

    @property
    def deviation(self) -> float:
        """Standard deviation over seeds; NaN for a single one."""
        return stdev(self.values) if len(self.values) > 1 else nan

    @property
    def half_width(self) -> float:
        """Of Student's interval of the mean at `LEVEL`; infinite for a single seed, which shows no spread."""
        count = len(self.values)
        if count < 2:
            return inf
        from scipy.special import stdtrit  # slow to import, and only needed here

        return float(stdtrit(count - 1, (1 + LEVEL) / 2)) * self.deviation / sqrt(count)


def judge(experiment: Experiment, results: Sequence[Result], cells: Sequence[Labels], when: str) -> list[Claim]:
    """A claim for each expectation, and for each label of the axes that it leaves open.

    A claim holds, or fails, where the whole interval of its contrast over the seeds lies inside, or outside, what the
    paper's word is read as. Everything between is reported and not judged, and so is what rests on a single seed.

    Parameters
    ----------
    experiment : Experiment
    results : sequence of Result
    cells : sequence of labels
        All cells of the grid, those too that could not be run.
    when : str
        After how much training, for the note.
    """
    claims = []
    for expectation in experiment.expectations:
        values = by_cell(results, expectation.quantity or experiment.quantity)
        for what, terms in experiment.expand(expectation, cells):
            claims.append(_claim(experiment, expectation, what, terms, values, when))
    return claims


def _claim(
    experiment: Experiment,
    expectation: Expectation,
    what: str,
    terms: Sequence[tuple[float, Labels]],
    values: Mapping[Labels, Mapping[int, float]],
    when: str,
) -> Claim:
    reading = READINGS[expectation.reads]
    quantity = expectation.quantity or experiment.quantity
    name = f"{expectation.name} ({what})" if what else expectation.name
    seeds = sorted(set.intersection(*(set(values.get(cell, {})) for _, cell in terms)))

    def claim(measured: float | str, passed: bool | None, note: str) -> Claim:
        return Claim(name, expectation.statement, expectation.source, measured, reading.bound, passed, note)

    if not seeds:
        lacking = ", ".join(" / ".join(cell) for _, cell in terms if not values.get(cell))
        return claim("not run", None, f"There is no run of {lacking or 'all of these with one seed'}.")
    spread = Spread(tuple(sum(c * values[cell][seed] for c, cell in terms) for seed in seeds))
    shown = f"{quantity.name}, {' '.join(_term(c, cell) for c, cell in terms)}, {when}, {len(seeds)} seeds"
    if len(seeds) < 2:
        return claim(spread.mean, None, f"{shown[:-1]}: one seed shows no spread, and decides nothing.")
    low, high = spread.mean - spread.half_width, spread.mean + spread.half_width
    inside, outside = reading.low < low and high < reading.high, high <= reading.low or low >= reading.high
    note = f"{shown}: {100 * LEVEL:.0f} % interval {low:.3f} to {high:.3f}."
    if not inside and not outside:
        note += " These seeds do not decide it."
    return claim(spread.mean, True if inside else False if outside else None, note)


def _term(coefficient: float, cell: Labels) -> str:
    sign = "-" if coefficient < 0 else "+"
    size = "" if abs(coefficient) == 1 else f"{abs(coefficient):g} "
    return f"{sign} {size}[{', '.join(cell)}]"
