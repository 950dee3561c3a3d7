"""The exact solution of the feedback-shutdown circuit, unit by unit, compiled.

The potential relaxes toward h, p(t) = h + (p0 - h) e^{-(t - t0)/τ}, so x = σ(p) reaches 1 after τ ln((h - p0)/(h - 1)).
At h = 1 exactly that is never, though equation (3) shuts the unit off.
"""

import numpy as np

from circuits.compiled import compiled
from circuits.waveform import ARRIVAL, CROSSING, INPUT


@compiled
def _until_switch(level, p, h, tau):
    """Time until u or v changes; infinite where the potential never gets there."""
    if level > 0:
        return tau * np.log((p - h) / (1.0 - h)) if h < 1.0 else np.inf
    if level < 0:
        return tau * np.log((h - p) / (h + 1.0)) if h > -1.0 else np.inf
    if h > 1.0:
        return tau * np.log((h - p) / (h - 1.0))
    if h < -1.0:
        return tau * np.log((p - h) / (-1.0 - h))
    return np.inf


@compiled
def follow_unit(
    unit, h, switches, tau, delay, duration, ring_time, ring_level,
    record, start, times, kinds, levels, potentials, inputs, arrived,
):  # fmt: skip
    """One unit from p = 0 to `duration`.

    Parameters
    ----------
    unit : int
        Column of `h`.
    h : float64 (segments, units)
        Input; segment k + 1 begins at ``switches[k]``, (segments - 1,).
    tau, delay, duration : float
    ring_time, ring_level : float64 (2 segments + 2,)
        Working space: a segment changes the level at most twice, and what is under way leaves in order.
    record : bool
        Whether to write the events to the arrays that follow, from index `start`: what happened, the level u + v as x
        has it, p, the h that it relaxes toward, and the level u + v that has arrived at the feedback.

    Returns
    -------
    int
        How many events there were, the start included.
    """
    time, p, level, reached = 0.0, 0.0, 0.0, 0.0
    segment, head, waiting, count = 0, 0, 0, 0
    kind = INPUT
    while True:
        if record:
            where = start + count
            times[where], kinds[where], levels[where] = time, kind, level
            potentials[where], inputs[where], arrived[where] = p, h[segment, unit], reached
        count += 1
        target = h[segment, unit]
        event_time = time + max(_until_switch(level, p, target, tau), 0.0)
        kind = CROSSING
        if waiting > 0 and ring_time[head] <= event_time:
            event_time, kind = ring_time[head], ARRIVAL
        if segment < switches.size and switches[segment] <= event_time:
            event_time, kind = switches[segment], INPUT
        if event_time > duration or event_time == np.inf:
            return count
        elapsed = event_time - time
        time = event_time
        if kind == CROSSING:
            if level == 0.0:
                level = 1.0 if target > 0 else -1.0
                p = level
            else:
                p = level
                level = 0.0
            if delay == 0.0:
                reached = level
            else:
                last = (head + waiting) % ring_time.size
                ring_time[last], ring_level[last] = time + delay, level
                waiting += 1
            continue
        if elapsed > 0:
            p = target + (p - target) * np.exp(-elapsed / tau)
        if kind == INPUT:
            segment += 1
        else:
            reached = ring_level[head]
            head = (head + 1) % ring_time.size
            waiting -= 1


@compiled
def follow_units(
    begin, end, h, switches, tau, delay, duration, counts,
    record, offsets, times, kinds, levels, potentials, inputs, arrived,
):  # fmt: skip
    """`follow_unit` for the units from `begin` to `end`; `counts` (units,) is written."""
    # At most two changes a segment, and none can be under way that was not made.
    ring_time = np.empty(2 * h.shape[0] + 2)
    ring_level = np.empty(2 * h.shape[0] + 2)
    for unit in range(begin, end):
        counts[unit] = follow_unit(
            unit, h, switches, tau[unit], delay[unit], duration, ring_time, ring_level,
            record, offsets[unit], times, kinds, levels, potentials, inputs, arrived,
        )  # fmt: skip


@compiled
def sample_units(offsets, times, levels, potentials, inputs, arrived, tau, at, p, level, reached):
    """Potential, level u + v and arrived level at the ascending times `at`, written to (T, units)."""
    for unit in range(tau.size):
        event, last = offsets[unit], offsets[unit + 1] - 1
        for row in range(at.size):
            while event < last and times[event + 1] <= at[row]:
                event += 1
            decay = np.exp(-(at[row] - times[event]) / tau[unit])
            p[row, unit] = inputs[event] + (potentials[event] - inputs[event]) * decay
            level[row, unit] = levels[event]
            reached[row, unit] = arrived[event]
