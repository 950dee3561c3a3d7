"""The units of the event engine, compiled: every function here lets many units do one thing.

The arithmetic is that of `circuits.transfer`. State is kept in the network's precision; what a unit computes from it in
passing is computed in double precision.
"""

import numpy as np

from circuits import transfer
from circuits.compiled import compiled
from sim.fast.pool_kernels import DROPPED

_saturate = compiled(transfer.saturate)
_drive = compiled(transfer.drive)
_sigma_delta = compiled(transfer.sigma_delta)
_sigma_t = compiled(transfer.sigma_t)
_u = compiled(transfer.u)
_v = compiled(transfer.v)
_inhibited = compiled(transfer.inhibited)
_shut_off = compiled(transfer.shut_off)

# The states of an output unit before one returns: σ_δ has five levels and σ_t three, and the start is one more.
STATES = 16
CYCLE = 4  # updates of the cycle of a sufficiently correct output: δ up, tc on, δ down, tc off


@compiled
def settle(potential, gain, x):
    """x = σ(g potential) of settled units; all (units,)."""
    for i in range(x.size):
        x[i] = _saturate(potential[i], gain)


@compiled
def latch(x, u, v):
    """u and v take their values from x and keep them; all (units,), u and v of whole numbers."""
    for i in range(x.size):
        u[i] = _u(x[i])
        v[i] = _v(x[i])


@compiled
def relax(potential, drive, decay):
    """Potentials relax toward their drive until e^{-t/tau} is `decay`; all (units,)."""
    for i in range(potential.size):
        potential[i] = drive[i] + (potential[i] - drive[i]) * decay


@compiled
def put_out(potential, replaced, u, v, K, gain, activity):
    """What units put out: x, and where `replaced` what u and v let pass of the potential, times the gain."""
    for i in range(activity.size):
        p = potential[i]
        if replaced[i]:
            activity[i] = gain * _shut_off(_inhibited(p, u[i], v[i], K), K)
        else:
            activity[i] = _saturate(p, gain)


@compiled
def largest(values):
    """max |value|; what is not a number is passed over."""
    found = 0.0
    for i in range(values.size):
        found = max(found, abs(float(values[i])))
    return found


@compiled
def output_error(h, s, connected, M, S, mu, epsilon, upper, lower, phase, delta):
    """Let every output unit and its control run until their states repeat, and read δ.

    δ = σ_δ(h + 2 M s - 2 M tc) and tc = σ_t(δ) follow from the states before, beginning with δ = tc = 0.

    Parameters
    ----------
    h, s : (N, classes)
        Input and supervision, ±1.
    connected : bool (classes,)
        Whether the unit's control neuron reaches it.
    M, S, mu, epsilon, upper, lower : float
        The circuit.
    phase : float
        Share of a cycle from the phase at which an oscillating unit is at 0 to the reading; negative to read what is
        nearest 0 over the cycle.
    delta : (N, classes)
        Written: δ as read.
    """
    deltas = np.empty(STATES + 1)
    controls = np.empty(STATES + 1)
    for n in range(h.shape[0]):
        for unit in range(h.shape[1]):
            deltas[0], controls[0] = 0.0, 0.0
            last, first = 0, -1
            while first < 0 and last < STATES:
                tc = controls[last] if connected[unit] else 0.0
                H = _drive(h[n, unit], s[n, unit], tc, M)
                deltas[last + 1] = _sigma_delta(H, M, S, mu, epsilon)
                controls[last + 1] = _sigma_t(deltas[last], upper, lower)
                last += 1
                for before in range(last):
                    if deltas[before] == deltas[last] and controls[before] == controls[last]:
                        first = before
                        break
            length = last - first
            if phase < 0:
                value = deltas[first]
                for k in range(first, last):
                    if abs(deltas[k]) < abs(value):
                        value = deltas[k]
            else:
                when = STATES * CYCLE + int(CYCLE * phase)  # whole cycles after the start, when δ was 0
                value = deltas[first + (when - first) % length]
            delta[n, unit] = value


@compiled
def silence(kept, code):
    """Which synapses (N, H, W, C) are silent, from which are kept (N, C, H, W): `DROPPED`, and 0 for the others."""
    for n in range(code.shape[0]):
        for c in range(code.shape[3]):
            for i in range(code.shape[1]):
                for j in range(code.shape[2]):
                    code[n, i, j, c] = 0 if kept[n, c, i, j] else DROPPED


@compiled
def drop(x, code, scale, out):
    """What passes the synapses that are not silent, `scale` times; all (units,)."""
    zero = x.dtype.type(0)
    for u in range(x.size):
        out[u] = zero if code[u] == DROPPED else scale * x[u]


@compiled
def largest_row_sum(W):
    """The largest sum of |W| along a row of W (rows, columns)."""
    largest = 0.0
    for i in range(W.shape[0]):
        total = 0.0
        for j in range(W.shape[1]):
            total += abs(W[i, j])
        largest = max(largest, total)
    return largest


@compiled
def largest_column_sum(R):
    """The largest sum of |R| along a column of R (rows, columns)."""
    sums = np.zeros(R.shape[1])
    for i in range(R.shape[0]):
        for j in range(R.shape[1]):
            sums[j] += abs(R[i, j])
    return sums.max()
