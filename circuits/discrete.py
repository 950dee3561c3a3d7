"""The update cycles of Appendix 1 as the paper writes them: states without time, one update after another."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from circuits.errors import CircuitError
from circuits.parameters import FeedbackShutdown, OutputError
from circuits.transfer import drive, inhibited, saturate, shut_off, sigma_delta, sigma_t, u, v
from circuits.waveform import ARRIVAL, Events, ShutdownTrace, Trace

UPDATES = ("synchronous", "alternating")


def output_error(
    parameters: OutputError,
    h: ArrayLike,
    s: ArrayLike,
    updates: int = 12,
    update: str = "synchronous",
    unchecked: bool = False,
) -> Trace:
    """Iterate δ = σ_δ(H), tc = σ_t(δ) from δ = tc = 0.

    Parameters
    ----------
    parameters : OutputError
        Its `tau` and `delay` play no part.
    h, s : array_like, (units,) or (updates, units)
        Input and supervision; with `updates` rows, row n holds during the update from state n to state n + 1.
    updates : int
        How many.
    update : {"synchronous", "alternating"}
        All units at once from the state before, or δ and tc in turn (the arrows of Appendix 1). From the state 0, 0
        only one of the two ever has to change, so both give the same cycle, of four updates.
    unchecked : bool
        Let |h| >= M pass.

    Returns
    -------
    Trace
        One row per state, `updates` + 1 of them; the time unit is the update.

    Raises
    ------
    OutOfBounds
        If |h| >= M somewhere.
    CircuitError
        If s is not ±1 somewhere, `update` is unknown, or shapes do not fit.
    """
    inputs, supervision = _inputs(("h", "s"), (h, s), updates)
    parameters.check(inputs, supervision, unchecked)
    upper, lower = parameters.thresholds

    def excite(n: int, state: list[np.ndarray]) -> np.ndarray:
        H = drive(inputs[n], supervision[n], state[1], parameters.M)
        return sigma_delta(H, parameters.M, parameters.S, parameters.mu, parameters.epsilon)

    def control(n: int, state: list[np.ndarray]) -> np.ndarray:
        return sigma_t(state[0], upper, lower)

    delta, tc = _iterate([excite, control], inputs.shape[1], updates, update)
    times = np.arange(updates + 1, dtype=float)
    # Row n + 1 follows from the inputs of row n; the last state has no successor and repeats the last inputs.
    inputs, supervision = (np.concatenate([rows, rows[-1:]]) for rows in (inputs, supervision))
    return Trace(parameters, inputs, supervision, times, delta, tc, _changes(times, tc), time_unit="updates")


def feedback_shutdown(
    parameters: FeedbackShutdown,
    h: ArrayLike,
    delta: ArrayLike,
    updates: int = 3,
    update: str = "synchronous",
    unchecked: bool = False,
) -> ShutdownTrace:
    """Iterate x = σ(h), then u and v, then δ̃, from a state of zeros.

    Parameters
    ----------
    parameters : FeedbackShutdown
        Its `tau` and `delay` play no part.
    h, delta : array_like, (units,) or (updates, units)
        Input of the units, and the feedback arriving at them.
    updates, update, unchecked
        As for `output_error`, with |δ| >= K what is refused. There is no loop: after three updates it is settled.

    Returns
    -------
    ShutdownTrace
        One row per state; the time unit is the update.

    Raises
    ------
    OutOfBounds
        If |δ| >= K somewhere.
    CircuitError
        If `update` is unknown, or shapes do not fit.
    """
    inputs, arriving = _inputs(("h", "delta"), (h, delta), updates)
    parameters.check(arriving, inputs, unchecked)

    def activity(n: int, state: list[np.ndarray]) -> np.ndarray:
        return np.asarray(saturate(inputs[n]))

    def shutdown(n: int, state: list[np.ndarray]) -> np.ndarray:
        return u(state[0]) + v(state[0])  # only one of the two can be active

    def feedback(n: int, state: list[np.ndarray]) -> np.ndarray:
        up, down = np.maximum(state[1], 0), np.minimum(state[1], 0)
        return shut_off(inhibited(arriving[n], up, down, parameters.K), parameters.K)

    x, level, delta_tilde = _iterate([activity, shutdown, feedback], inputs.shape[1], updates, update)
    times = np.arange(updates + 1, dtype=float)
    inputs, arriving = (np.concatenate([rows, rows[-1:]]) for rows in (inputs, arriving))
    up, down = np.maximum(level, 0), np.minimum(level, 0)
    return ShutdownTrace(
        parameters, inputs, arriving, times, x, up, down, delta_tilde, _changes(times, level), time_unit="updates"
    )


Rule = Callable[[int, list[np.ndarray]], np.ndarray]


def _iterate(rules: list[Rule], units: int, updates: int, update: str) -> list[np.ndarray]:
    """The states of every variable, each (updates + 1, units), by rules that see the state before."""
    if update not in UPDATES:
        raise CircuitError(f"update '{update}': expected one of {', '.join(UPDATES)}")
    states = [np.zeros((updates + 1, units)) for _ in rules]
    for n in range(updates):
        before = [variable[n] for variable in states]
        for index, rule in enumerate(rules):
            turn = update == "synchronous" or n % len(rules) == index
            states[index][n + 1] = rule(n, before) if turn else before[index]
    return states


def _inputs(names: tuple[str, str], values: tuple[ArrayLike, ArrayLike], updates: int) -> list[np.ndarray]:
    """Both inputs as (updates, units)."""
    if updates < 1:
        raise CircuitError(f"updates = {updates}: use 1 or more")
    arrays = [np.atleast_1d(np.asarray(value, dtype=float)) for value in values]
    units = max(array.shape[-1] for array in arrays)
    for name, array in zip(names, arrays, strict=True):
        if array.ndim > 2 or array.shape[-1] not in (1, units) or (array.ndim == 2 and array.shape[0] != updates):
            shape = " x ".join(map(str, array.shape))
            raise CircuitError(f"{name} has shape {shape}; use ({units},) or ({updates}, {units}): updates, units")
    return [np.broadcast_to(array, (updates, units)) for array in arrays]


def _changes(times: np.ndarray, level: np.ndarray) -> Events:
    """Where the control's level (T, units) changes, as arrivals."""
    unit, row = np.nonzero(np.diff(level, axis=0).T)
    return Events(unit, times[row + 1], np.full(unit.size, ARRIVAL), level[row + 1, unit])
