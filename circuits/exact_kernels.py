"""The exact solution of the output-error circuit, unit by unit, compiled.

Between two events δ relaxes toward a constant A, δ(t) = A + (δ0 - A) e^{-(t - t0)/τ}, so it reaches a threshold θ
between δ0 and A after τ ln((δ0 - A)/(θ - A)), and its integral is A Δt + τ (δ0 - δ1). Nothing is stepped and nothing is
approximated: the error of an event's time is that of a logarithm in double precision.
"""

import numpy as np

from circuits import transfer
from circuits.compiled import compiled
from circuits.exact_noise import normal
from circuits.waveform import ARRIVAL, CROSSING, INPUT, SLIDING

_drive = compiled(transfer.drive)
_sigma_delta = compiled(transfer.sigma_delta)
_sigma_t = compiled(transfer.sigma_t)

IN_FLIGHT = 256  # level changes that may be under way in one loop; noise that redraws often within a delay makes many

# Columns of the measures of one unit.
LOW, HIGH, LAST, MARKS, FIRST_MARK, LAST_MARK, FIRST_AREA, LAST_AREA, AREA, EVENTS, STATE, OVERFLOW = range(12)
MEASURES = 12  # how many
SETTLED, OSCILLATING, SLIDES = 0, 1, 2
_RESTING = np.inf


@compiled
def _until_crossing(level, delta, target, upper, lower, tau):
    """Time until σ_t(δ) changes, and the threshold passed; infinite where δ never gets there."""
    if level > 0:
        if target < upper:
            return tau * np.log((delta - target) / (upper - target)), upper
    elif level < 0:
        if target > lower:
            return tau * np.log((target - delta) / (target - lower)), lower
    elif target > upper:
        return tau * np.log((target - delta) / (target - upper)), upper
    elif target < lower:
        return tau * np.log((delta - target) / (lower - target)), lower
    return _RESTING, 0.0


@compiled
def _targets(h, s, M, S, mu, epsilon):
    """What δ relaxes toward with tc = -1, 0 and 1."""
    return (
        _sigma_delta(_drive(h, s, -1.0, M), M, S, mu, epsilon),
        _sigma_delta(_drive(h, s, 0.0, M), M, S, mu, epsilon),
        _sigma_delta(_drive(h, s, 1.0, M), M, S, mu, epsilon),
    )


@compiled
def _slides(threshold, below, above):
    """Whether δ is driven back to `threshold` from both sides (Filippov's condition), given the targets there."""
    return below > threshold and above < threshold


@compiled
def follow_unit(
    unit, h, s, switches, M, S, mu, epsilon, t_upper, t_lower, tau, delay, sd, interval, seed, duration, since,
    ring_time, ring_level, measures, record, start, times, kinds, levels, deltas, targets, controls,
):  # fmt: skip
    """One unit from δ = tc = 0 to `duration`.

    Parameters
    ----------
    unit : int
        Column of `h` and `s`, and the unit's number in the noise.
    h, s : float64 (segments, units)
        Inputs; segment k + 1 begins at ``switches[k]``.
    switches : float64 (segments - 1,)
        Ascending, within the duration.
    M, S, mu, epsilon, t_upper, t_lower, tau, delay : float
        The circuit.
    sd, interval, seed : float, float, int
        Noise on the control's input; sd = 0 for none.
    duration, since : float
        End, and the time from which `measures` are taken.
    ring_time, ring_level : float64 (IN_FLIGHT,)
        Working space: the level changes under way, a queue, since all of a unit's have the same delay.
    measures : float64 (MEASURES,)
        Written.
    record : bool
        Whether to write the events to the arrays that follow, from index `start`.

    Returns
    -------
    int
        How many events there were.
    """
    time = 0.0
    delta = 0.0
    segment = 0
    noise_index = 0
    shift = sd * normal(seed, unit, 0) if sd > 0 else 0.0
    upper = t_upper - shift
    lower = t_lower - shift
    # The control's level before the start is 0; what noise makes of it at once is a first crossing.
    level = 0.0
    tc = 0.0
    below, middle, above = _targets(h[0, unit], s[0, unit], M, S, mu, epsilon)
    target = middle
    # A change under way arrives one delay after it set out: where nothing happens in between, δ decays by this.
    decay = np.exp(-delay / tau)
    fresh = False
    head = 0
    waiting = 0
    sliding = False
    window = False
    area = 0.0
    low, high = np.inf, -np.inf
    marks = 0
    first_mark, last_mark, first_area, last_area = 0.0, 0.0, 0.0, 0.0
    crossings = 0
    count = 0
    overflow = False
    if record:
        times[start], kinds[start], levels[start] = 0.0, INPUT, tc
        deltas[start], targets[start], controls[start] = delta, target, tc
    count += 1
    pending_level = _sigma_t(delta, upper, lower)
    redraw = pending_level != level
    while True:
        # What comes first? Of simultaneous events inputs precede arrivals, which precede crossings.
        if redraw:
            wait, threshold = 0.0, delta
        elif sliding:
            wait, threshold = np.inf, 0.0
        else:
            wait, threshold = _until_crossing(level, delta, target, upper, lower, tau)
        event_time = time + max(wait, 0.0)
        kind = CROSSING
        if waiting > 0 and ring_time[head] <= event_time:
            event_time, kind = ring_time[head], ARRIVAL
        if segment < switches.size and switches[segment] <= event_time:
            event_time, kind = switches[segment], INPUT
        if sd > 0 and (noise_index + 1) * interval <= event_time and not redraw:
            event_time, kind = (noise_index + 1) * interval, -1
        if not window and since <= event_time:
            event_time, kind = since, -2
        if event_time >= duration:
            event_time, kind = duration, -3

        # Go there.
        elapsed = event_time - time
        before = delta
        if kind == CROSSING:
            delta = threshold  # exactly, so that neither side of the threshold is left by rounding
        elif kind == ARRIVAL and fresh:
            delta = target + (delta - target) * decay
        elif not sliding and elapsed > 0:
            delta = target + (delta - target) * np.exp(-elapsed / tau)
        fresh = False
        area += target * elapsed + tau * (before - delta) if not sliding else delta * elapsed
        time = event_time
        if window:
            low = min(low, delta)
            high = max(high, delta)

        # What it changes.
        if kind == -3:
            break
        if kind == -2:
            window = True
            low, high, area = delta, delta, 0.0
            continue
        changed = False  # whether σ_t's level changes
        new_level = level
        if kind == -1:
            noise_index += 1
            shift = sd * normal(seed, unit, noise_index)
            upper = t_upper - shift
            lower = t_lower - shift
            new_level = _sigma_t(delta, upper, lower)
            changed = new_level != level
            if sliding:
                sliding = False
                changed = True
            if not changed:
                continue
            kind = CROSSING
        elif kind == INPUT:
            segment += 1
            below, middle, above = _targets(h[segment, unit], s[segment, unit], M, S, mu, epsilon)
            if sliding:
                # δ is on the threshold, where σ_t is 0; whether it goes on sliding follows from the new targets.
                sliding = False
                level = 0.0
                tc = 0.0
        elif kind == ARRIVAL:
            tc = ring_level[head]
            head = (head + 1) % IN_FLIGHT
            waiting -= 1
        elif redraw:
            redraw = False
            new_level = pending_level
            changed = True
        else:
            changed = True
            if level == 0.0:
                new_level = 1.0 if threshold == upper else -1.0
            else:
                new_level = 0.0
        if changed:
            away = level == 0.0 and new_level != 0.0
            crossings += window
            if away and window:
                if marks == 0:
                    first_mark, first_area = time, area
                marks += 1
                last_mark, last_area = time, area
            if delay == 0.0:
                beyond = new_level if new_level != 0.0 else level
                edge = upper if beyond > 0 else lower
                inner = middle
                outer = above if beyond > 0 else below
                tc = new_level
                if beyond != 0.0 and delta == edge:
                    if beyond > 0:
                        sliding = _slides(edge, inner, outer)
                    else:
                        sliding = _slides(edge, outer, inner)
                    if sliding:
                        # The mean level that holds δ on the threshold: a mixture of the two targets equal to it.
                        tc = beyond * (edge - inner) / (outer - inner)
                        kind = SLIDING
                level = new_level
            else:
                level = new_level
                if waiting == IN_FLIGHT:
                    overflow = True
                    break
                last = (head + waiting) % IN_FLIGHT
                ring_time[last] = time + delay
                ring_level[last] = level
                fresh = waiting == 0
                waiting += 1
        if sliding:
            target = delta
        else:
            target = middle if tc == 0.0 else (above if tc > 0 else below)
        if record:
            where = start + count
            times[where], kinds[where] = time, kind
            levels[where] = level if kind == CROSSING else tc
            deltas[where], targets[where], controls[where] = delta, target, tc
        count += 1

    if sliding:
        state = SLIDES
    elif crossings > 0 or waiting > 0:
        state = OSCILLATING
    elif sd == 0 and _until_crossing(level, delta, target, upper, lower, tau)[0] < _RESTING:
        state = OSCILLATING  # a crossing lies ahead: the duration was shorter than the cycle
    else:
        state = SETTLED
    measures[LOW], measures[HIGH], measures[LAST] = low, high, delta
    measures[MARKS], measures[FIRST_MARK], measures[LAST_MARK] = marks, first_mark, last_mark
    measures[FIRST_AREA], measures[LAST_AREA], measures[AREA] = first_area, last_area, area
    measures[EVENTS], measures[STATE], measures[OVERFLOW] = count, state, overflow
    return count


@compiled
def follow_units(
    begin, end, h, s, switches, M, S, mu, epsilon, t_upper, t_lower, tau, delay, sd, interval, seed, duration, since,
    measures, record, offsets, times, kinds, levels, deltas, targets, controls,
):  # fmt: skip
    """`follow_unit` for the units from `begin` to `end`, with time constants and delays of their own, (units,)."""
    ring_time = np.empty(IN_FLIGHT)
    ring_level = np.empty(IN_FLIGHT)
    for unit in range(begin, end):
        follow_unit(
            unit, h, s, switches, M, S, mu, epsilon, t_upper, t_lower, tau[unit], delay[unit], sd, interval, seed,
            duration, since, ring_time, ring_level, measures[unit], record, offsets[unit], times, kinds, levels,
            deltas, targets, controls,
        )  # fmt: skip


@compiled
def sample_units(offsets, times, deltas, targets, controls, tau, at, delta, tc):
    """δ and tc at the ascending times `at`, written to (T, units), from the events of every unit."""
    for unit in range(tau.size):
        event, last = offsets[unit], offsets[unit + 1] - 1
        for row in range(at.size):
            while event < last and times[event + 1] <= at[row]:
                event += 1
            decay = np.exp(-(at[row] - times[event]) / tau[unit])
            delta[row, unit] = targets[event] + (deltas[event] - targets[event]) * decay
            tc[row, unit] = controls[event]
