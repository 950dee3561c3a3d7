"""The exact solution of the output units' circuit, each unit from the teaching to a time of its own, compiled."""

import numpy as np

from circuits import exact_kernels
from circuits.compiled import compiled


@compiled
def follow(h, s, connected, M, S, mu, epsilon, tau, loop, since, until, measured):
    """Let every output unit and its control run from δ = tc = 0.

    Parameters
    ----------
    h, s : float64 (1, N * classes)
        Input and supervision, ±1.
    connected : bool (classes,)
        Whether the unit's control neuron reaches it.
    M, S, mu, epsilon, tau, loop : float
        The circuit; `loop` is the delay D.
    since : float
        From when extremes are taken, seconds after the teaching.
    until : float64 (N * classes,)
        End of each unit, seconds after the teaching.
    measured : float64 (N * classes, circuits.exact_kernels.MEASURES)
        Written.
    """
    ring_time, ring_level = np.empty(exact_kernels.IN_FLIGHT), np.empty(exact_kernels.IN_FLIGHT)
    nothing, no_kinds = np.empty(0), np.empty(0, np.int8)
    for unit in range(until.size):
        delay = loop if connected[unit % connected.size] else np.inf
        exact_kernels.follow_unit(
            unit, h, s, nothing, M, S, mu, epsilon, 1.0, -mu, tau, delay, 0.0, 1.0, 0, until[unit], since,
            ring_time, ring_level, measured[unit], False, 0, nothing, no_kinds, nothing, nothing, nothing, nothing,
        )  # fmt: skip
