"""The event queue, compiled. What a clock has planned is known from the start, and is sorted once; signals join a heap
when the last of their causes has happened, and few of those are ever under way. Whichever is due first happens.
"""

from heapq import heappop, heappush

import numpy as np

from circuits.compiled import compiled
from sim.fast.simd import fetch

NEEDED, SIGNAL, CUSTOMARY = range(3)
AHEAD = 16  # events, by which what belongs to one is asked for before it happens
CROWDED = 32  # times on one page of the calendar, from which on comparisons of all are the better way


def run_queue(start, omitted, shift, cause, effect, lag, kind, still, resolution, stop):
    """Let all events happen.

    Parameters
    ----------
    start : float64 (events,)
        When the clock fires each action; infinite for signals, which wait for their causes.
    omitted : bool (events,)
        What never happens.
    shift : float64 (events,)
        Seconds by which signals are late.
    cause, effect : int64 (edges,)
        Numbers of events.
    lag : float64 (edges,)
        Seconds that do have to pass between the two.
    kind : int64 (edges,)
        `NEEDED`, `SIGNAL` or `CUSTOMARY`.
    still : bool (edges,)
        Whether the cause needs the effect not to have happened.
    resolution : float
        Seconds by which times may differ and be the same.
    stop : bool
        Whether to end with the first event that lacks something.

    Returns
    -------
    order : int64 (happened,)
        The events in the order in which they happened; at the same time, in the order of their numbers.
    happened : float64 (events,)
        When; NaN for those that did not.
    broken : int64 (violations, 2)
        Edge, and 1 where the cause found the effect done, 0 where the effect lacked the cause.
    """
    plan, due = _planned(start, omitted)
    # The edges of every event, which is cause of some and effect of others, in the order of their numbers.
    ends = np.concatenate([cause, effect])
    by_event = np.lexsort((np.tile(np.arange(cause.size), 2), ends))
    first = np.concatenate([[0], np.cumsum(np.bincount(ends, minlength=start.size))])
    edges = by_event % max(1, cause.size)
    return _run(due, plan, first, edges, omitted, shift, cause, effect, lag, kind, still, resolution, stop)


def _planned(start: np.ndarray, omitted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a clock fires, in the order in which it does, and when; at the same time in the order of numbers."""
    plan, due, crowded = _into_buckets(start, omitted)
    if crowded:
        plan = np.flatnonzero((start < np.inf) & ~omitted)
        plan = plan[np.argsort(start[plan], kind="stable")]
        due = start[plan]
    return plan, due


@compiled
def _into_buckets(start, omitted):
    """`_planned`, by a calendar with as many pages as events; and whether it was given up.

    Times so uneven that many are on one page are not worth a calendar.
    """
    count, least, most = 0, np.inf, -np.inf
    for event in range(start.size):
        if start[event] < np.inf and not omitted[event]:
            count += 1
            least, most = min(least, start[event]), max(most, start[event])
    plan, due = np.empty(count, np.int64), np.empty(count)
    if count == 0:
        return plan, due, False
    span = most - least
    scale = (count - 1) / span if span > 0 else 0.0
    if not (span < np.inf and scale < np.inf):
        return plan, due, True
    begin = np.zeros(count + 1, np.int32)  # of every page
    page = np.empty(start.size, np.int32)
    for event in range(start.size):
        page[event] = -1
        if start[event] < np.inf and not omitted[event]:
            page[event] = int((start[event] - least) * scale)
            begin[page[event] + 1] += 1
    if begin.max() > CROWDED:
        return plan, due, True
    for k in range(count):
        begin[k + 1] += begin[k]
    for event in range(start.size):
        if page[event] >= 0:
            at = begin[page[event]]
            begin[page[event]] += 1
            plan[at], due[at] = event, start[event]
    for k in range(1, count):  # within a page
        event, time = plan[k], due[k]
        at = k
        while at > 0 and due[at - 1] > time:
            plan[at], due[at] = plan[at - 1], due[at - 1]
            at -= 1
        plan[at], due[at] = event, time
    return plan, due, False


@compiled
def _run(due, plan, first, edges, omitted, shift, cause, effect, lag, kind, still, resolution, stop):
    """`run_queue` with the planned events in order, and when they are due. Edges of event e begin at first[e]."""
    events = omitted.size
    happened = np.full(events, np.nan)
    ready = np.zeros(events)  # of signals: when the last of the causes so far has arrived
    waiting = np.zeros(events, np.int64)  # how many are still to come
    for edge in range(cause.size):
        if kind[edge] == SIGNAL:
            waiting[effect[edge]] += 1
    signals = [(np.inf, -1)]  # the end; it tells the compiler the type, too
    order = np.empty(events, np.int64)
    broken = np.empty((2 * cause.size, 2), np.int64)
    count = 0
    faults = 0
    done = 0  # of the plan
    while not (stop and faults > 0):
        if done < plan.size and (due[done], plan[done]) < signals[0]:
            time, event = due[done], plan[done]
            done += 1
            if done + AHEAD < plan.size:
                fetch(happened, plan[done + AHEAD])
                fetch(first, plan[done + AHEAD])
        elif len(signals) > 1:
            time, event = heappop(signals)
        else:
            break
        begin, end = first[event], first[event + 1]
        for k in range(begin, end):
            edge = edges[k]
            # A comparison with NaN is false: what has not happened is not there.
            if effect[edge] == event and kind[edge] == NEEDED:
                if not happened[cause[edge]] + lag[edge] <= time + resolution:
                    broken[faults, 0], broken[faults, 1] = edge, 0
                    faults += 1
            elif cause[edge] == event and still[edge] and happened[effect[edge]] <= time:
                broken[faults, 0], broken[faults, 1] = edge, 1
                faults += 1
        happened[event] = time
        order[count] = event
        count += 1
        for k in range(begin, end):
            edge = edges[k]
            if cause[edge] == event and kind[edge] == SIGNAL:
                late = effect[edge]
                ready[late] = max(ready[late], time + lag[edge])
                waiting[late] -= 1
                if waiting[late] == 0 and not omitted[late] and ready[late] < np.inf:
                    heappush(signals, (ready[late] + shift[late], late))
    return order[:count], happened, broken[:faults]
