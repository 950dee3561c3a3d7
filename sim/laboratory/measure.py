"""What a disturbance does, in numbers: to delta, to the increments, and to learning."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from network.trace import Arrays, StepTrace
from sim.alignment import angle
from sim.laboratory.bench import Bench
from sim.laboratory.disturbance import Disturbance
from sim.laboratory.studies import Study
from sim.schedule_units import broken_units

DRAWS = 10  # presentations of a batch, each with what happens by chance drawn anew


def settings_of(study: Study, seeds: int, *, quick: bool = False) -> list[dict[str, Any]]:
    """What a study measures: ``study``, ``series``, ``value``, ``seed`` of each row, seed by seed.

    Parameters
    ----------
    study : Study
    seeds : int
        Each of them draws other weights, batches and accidents.
    quick : bool
        Fewer values.
    """
    values = study.few if quick else study.values
    return [
        {"study": study.name, "series": series, "value": value, "seed": seed}
        for seed in range(seeds)
        for series in study.series
        for value in values
    ]


def run_study(bench: Bench, study: Study, seeds: int = 1, *, quick: bool = False) -> list[dict[str, Any]]:
    """All rows of a study, as `sim.laboratory.figure.study_figure` draws them; see `settings_of`."""
    return [measure(bench, study, setting) for setting in settings_of(study, seeds, quick=quick)]


def measure(bench: Bench, study: Study, setting: Mapping[str, Any]) -> dict[str, Any]:
    """One row: `setting`, one of `settings_of`, and what `measure_one` returns."""
    disturbance = study.series[setting["series"]](setting["value"])
    return {**setting, **measure_one(bench, disturbance, setting["seed"])}


def measure_one(bench: Bench, disturbance: Disturbance, seed: int) -> dict[str, Any]:
    """What one disturbance does, with one seed.

    Returns
    -------
    dict
        Those of `compare_updates`, as means over `DRAWS` presentations to the same weights; ``violations``, how many
        requirements were broken in one of them, by name, and ``broken_units``, for how many units, where these have
        times of their own; ``test_error`` after training with the disturbance, and whether that has ``diverged``.
    """
    weights, part = bench.beginner(seed), bench.shown(seed)
    right = bench.algorithm(weights, part)
    found, broken, units = [], Counter(), Counter()
    for draw in range(DRAWS):
        trace, run = bench.present(weights, part, disturbance, 1000 * seed + draw)
        found.append(compare_updates(trace, right))
        broken.update(run.counts)
        units.update(broken_units(run))
    learned, diverged = bench.learn(seed, disturbance)
    return {
        **_mean(found),
        "violations": _each(broken),
        "broken_units": _each(units),
        "test_error": bench.error(learned),
        "diverged": diverged,
    }


def compare_updates(found: StepTrace, right: StepTrace) -> dict[str, Any]:
    """How far a presentation's delta and increments are from the algorithm's.

    Returns
    -------
    dict
        ``angle``: between all increments of W and R taken as one vector and the algorithm's, in degrees; NaN where
        there are none. ``length``: of that vector, the algorithm's being 1. ``angle_dW``, ``angle_dR``,
        ``delta_angle``, ``delta_error`` (length of the difference over the length of the algorithm's): lists, one
        entry a layer with weights, from the input up.
    """
    layers = sorted(right.delta)
    all_found, all_right = (np.concatenate([_flat(trace.dW), _flat(trace.dR)]) for trace in (found, right))
    deltas = [(found.delta.get(i, np.zeros_like(right.delta[i])), right.delta[i]) for i in layers]
    return {
        "angle": angle(all_found, all_right),
        "length": _ratio(all_found, all_right),
        "angle_dW": [angle(found.dW[i], right.dW[i]) for i in layers],
        "angle_dR": [angle(found.dR[i], right.dR[i]) for i in layers if i in right.dR],
        "delta_angle": [angle(ours, theirs) for ours, theirs in deltas],
        "delta_error": [_ratio(ours - theirs, theirs) for ours, theirs in deltas],
    }


def _flat(arrays: Arrays) -> np.ndarray:
    return np.concatenate([arrays[i].ravel() for i in sorted(arrays)]) if arrays else np.empty(0)


def _ratio(a: np.ndarray, b: np.ndarray) -> float:
    length = float(np.linalg.norm(b))
    return float(np.linalg.norm(a)) / length if length > 0 else float("nan")


def _each(counts: Mapping[str, int]) -> dict[str, float]:
    """Counts in a presentation, of those that there are."""
    return {name: count / DRAWS for name, count in sorted(counts.items()) if count}


def _mean(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means by name, of numbers or entry by entry of lists, over the rows in which they are numbers; else None."""

    def mean(values: Sequence[Any]) -> Any:
        if isinstance(values[0], list):
            return [mean(each) for each in zip(*values, strict=True)]
        numbers = [value for value in values if np.isfinite(value)]
        return float(np.mean(numbers)) if numbers else None

    return {name: mean([row[name] for row in rows]) for name in rows[0]}
