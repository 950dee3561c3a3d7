"""Where it breaks: how far a network of circuits is from the algorithm, one parameter at a time, and why."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from circuits.phase import INCOMPLETE, MECHANISMS, OUTSIDE, SLIDES
from network.errors import BadInput
from network.trace import StepTrace
from sim.engine import Settings, open_engine
from sim.schedule import Timing
from sim.schedule_plan import Schedule
from validation.compare import compare
from validation.ties import Presented

RIGHT = 0.01  # of the largest entry: what differs by less is drawn as right
RATIO = 12.0  # T/tau of timed circuits where something else is varied
QUANTITIES = ("delta", "dW")


@dataclass(frozen=True)
class Sweep:
    """One parameter varied.

    Attributes
    ----------
    name, axis : str
        Of the parameter, and what its axis says, with the unit.
    values : numpy.ndarray, (values,)
    errors : dict of str to numpy.ndarray, (values,)
        By quantity: the largest |found - right| over the largest |right|, in any layer; NaN where the circuit refuses.
    mechanism : tuple of str
        What fails at each value; empty where nothing does.
    log : bool
        Whether the values go by equal ratios.
    note : str
        How it was made: what is held fixed.
    """

    name: str
    axis: str
    values: np.ndarray
    errors: dict[str, np.ndarray]
    mechanism: tuple[str, ...]
    log: bool
    note: str

    @property
    def right(self) -> np.ndarray:
        """Where the circuit is within `RIGHT` of the algorithm in every quantity."""
        return np.all([errors <= RIGHT for errors in self.errors.values()], axis=0)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; null where the circuit refuses."""
        errors = {q: [float(e) if np.isfinite(e) else None for e in found] for q, found in self.errors.items()}
        return {
            "name": self.name, "axis": self.axis, "values": self.values.tolist(), "errors": errors,
            "right": self.right.tolist(), "mechanism": list(self.mechanism), "note": self.note,
        }  # fmt: skip


def sweeps(case: Presented, seeds: Sequence[int] = range(5), fine: int = 2) -> list[Sweep]:
    """All parameters, on one presentation, by the event engine.

    Parameters
    ----------
    case : Presented
        Of a trained network, small enough for a few hundred presentations.
    seeds : sequence of int
        Of the jitter.
    fine : int
        How many times more values than are needed to see where it breaks.
    """
    exact = case.by_reference()
    largest_h = float(np.abs(exact.h[len(exact.h)]).max())
    largest_feedback = _largest_feedback(case, exact)
    timed = Timing.settled(RATIO)
    ideal, unchecked = "ideal timing", "ideal timing, bounds unchecked"
    fixed = f"finite timing, T/τ = D/τ = {RATIO:g} where not varied"
    bounds = np.geomspace(0.25, 4, 8 * fine + 1)

    def vary(name: str, axis: str, values: np.ndarray, note: str, log: bool, mechanism: str, **how: Any) -> Sweep:
        return _sweep(case, exact, Sweep(name, axis, values, {}, (), log, note), mechanism, **how)

    return [
        vary("settling", "settling time T/τ", np.linspace(1, 14, 1 + 13 * fine), fixed, False,
             "not settled: a share e^(-T/τ) of everything is missing",
             settings=lambda v: _settings(case, timing=Timing.settled(v))),
        vary("delay", "delay of the control's loop D/τ", np.linspace(0, 12, 1 + 12 * fine), fixed, False,
             MECHANISMS[INCOMPLETE], at_zero=MECHANISMS[SLIDES],
             settings=lambda v: _settings(case, timing=replace(timed, loop=v * timed.tau))),
        vary("epsilon", "overshoot ε", np.r_[0.0, np.linspace(0.02, 1, 6 * fine)], ideal, False, "",
             at_zero="no overshoot: the control never comes on", settings=lambda v: _settings(case, epsilon=v)),
        vary("M", "bound M / largest |h|", bounds, unchecked, True, MECHANISMS[OUTSIDE],
             settings=lambda v: _settings(case, M=v * largest_h, unchecked=True)),
        vary("K", "bound K / largest |feedback|", bounds, unchecked, True,
             "feedback of K or more passes a saturated unit",
             settings=lambda v: _settings(case, K=v * largest_feedback, unchecked=True)),
        vary("gate phase", "opening of the output's gate (share of a cycle after silence)",
             np.arange(0, 1, 0.1 / fine), fixed, False, "read while silenced outputs are up",
             settings=lambda v: _settings(case, timing=timed, gate_phase=v)),
        vary("precision", "bound M of a float32 network", 2.0 ** np.linspace(3, 63, 10 * fine + 1), ideal, True,
             "h is lost in the rounding of h + 2 M", settings=lambda v: _settings(case, M=v, dtype="float32")),
        _jitter(case, exact, seeds, fixed, fine),
    ]  # fmt: skip


def _settings(case: Presented, **changes: Any) -> Settings:
    return Settings(case.rule, case.eta, case.mu, case.order, **{"dtype": "float64", "device": "cpu", **changes})


def _present(case: Presented, settings: Settings, **options: Any) -> StepTrace:
    dtype = settings.dtype
    engine = open_engine("event", case.spec, case.weights.astype(dtype), settings)
    return engine.present(case.images.astype(dtype), case.labels, **options)


def _errors(exact: StepTrace, found: StepTrace) -> dict[str, float]:
    agreement = compare(exact, found)
    return {quantity: max(d.relative for d in agreement.of(quantity)) for quantity in QUANTITIES}


def _sweep(
    case: Presented, exact: StepTrace, empty: Sweep, mechanism: str, settings: Callable[[float], Settings],
    at_zero: str = "",
) -> Sweep:  # fmt: skip
    """The sweep with its errors; `mechanism` is what fails where something does, `at_zero` for the value 0."""
    errors: dict[str, list[float]] = {quantity: [] for quantity in QUANTITIES}
    why = []
    for value in map(float, empty.values):
        try:
            found = _errors(exact, _present(case, settings(value)))
            reason = (at_zero if value == 0 and at_zero else mechanism) if max(found.values()) > RIGHT else ""
        except BadInput as refusal:
            found, reason = dict.fromkeys(QUANTITIES, float("nan")), f"refused: {refusal}"
        why.append(reason)
        for quantity, error in found.items():
            errors[quantity].append(error)
    return replace(empty, errors={q: np.array(e) for q, e in errors.items()}, mechanism=tuple(why))


def _jitter(case: Presented, exact: StepTrace, seeds: Sequence[int], note: str, fine: int) -> Sweep:
    """The clock of every action is off by a normal error; each action waits 10 ms longer than it has to."""
    timing = replace(Timing.settled(RATIO), margin=10e-3)
    schedule = Schedule(case.spec, case.order, timing)
    values = np.array(
        [0.0, 2, 4, 5, 7, 10, 20, 30] if fine == 1 else [0.0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 30]
    )  # ms
    errors: dict[str, list[float]] = {quantity: [] for quantity in QUANTITIES}
    why = []
    for value in values:
        broken: Counter[str] = Counter()
        found = []
        for seed in seeds:
            run = schedule.run("record", jitter=value * 1e-3, seed=seed)
            broken.update(run.counts)
            found.append(_errors(exact, _present(case, _settings(case, timing=timing, unchecked=True), run=run)))
        mean = {quantity: float(np.mean([each[quantity] for each in found])) for quantity in QUANTITIES}
        for quantity in QUANTITIES:
            errors[quantity].append(mean[quantity])
        most = ", ".join(sorted(f"'{name}'" for name, _ in broken.most_common(2)))
        why.append(f"out of order: {most}" if max(mean.values()) > RIGHT else "")
    note = f"{note}, every action waits 10 ms longer than it has to, mean of {len(seeds)} seeds"
    return Sweep(
        "jitter", "jitter of the clock (sd, ms)", values, {q: np.array(e) for q, e in errors.items()}, tuple(why),
        False, note,
    )  # fmt: skip


def _largest_feedback(case: Presented, exact: StepTrace) -> float:
    """The largest |R' delta| that reaches a hidden unit, saturated or not."""
    found = []
    for i in sorted(exact.h)[:-1]:
        seen = StepTrace(h={**exact.h, i: np.zeros_like(exact.h[i])}, x=exact.x)  # as if none of these were saturated
        found.append(float(np.abs(case.by_reference(seen).delta[i]).max()))
    return max(found) / case.spec.gain
