"""The hidden units of the event engine: one membrane each, with u and v, and an activity that feedback replaces.

Between events every drive is constant, so nothing is stepped: tau p' = -p + drive has the solution drive + (p0 - drive)
e^{-t/tau}. Ideal timing is tau = 0.
"""

import math

import numpy as np

from network.errors import BadInput
from network.spec import Node
from sim.event import kernels
from sim.event.space import Space
from sim.event.threads import share

Stamp = tuple[int, float]  # what an activity depends on: as long as it stays the same, so does the activity


class Membrane:
    """The membrane potentials p of a layer, at 0 until something arrives.

    Activity is sent in packets: what arrives is a constant drive until the next packet takes its place. A potential is
    kept as it was at the last time that anyone asked, with what it relaxes toward.

    Parameters
    ----------
    node : Node
    images : int
    dtype : numpy.dtype
    tau : float
        Seconds; 0 for potentials that are where their drive is.
    space : Space

    Attributes
    ----------
    bound : float
        A bound of \\|drive\\|, so of \\|p\\|, from the weights.
    """

    def __init__(self, node: Node, images: int, dtype: np.dtype, tau: float, space: Space) -> None:
        self.node = node
        self.bound = 0.0
        self.shape = (images, *inside_shape(node))
        self.dtype = dtype
        self._tau, self._space = tau, space
        self._potential: np.ndarray | None = None
        self._drive: np.ndarray | None = None
        self._since = 0.0
        self._changes = 0

    def arrive(self, drive: np.ndarray, bound: float, time: float) -> None:
        """From `time` on `drive`, an array that now belongs to the membrane, charges it."""
        self.bound = max(bound, self.bound)
        if self._tau == 0:
            self._potential = drive
        else:
            self.potential(time)
            self._drive = drive
        self._changes += 1

    def settled(self) -> np.ndarray:
        """What the potentials relax toward."""
        return self.potential(self._since) if self._drive is None else self._drive

    def potential(self, time: float) -> np.ndarray:
        """p at `time`, seconds, which is not before the last that anyone asked for."""
        if self._potential is None:
            self._potential = self._space.empty("potential", self.node.name, shape=self.shape, dtype=self.dtype)
            self._potential[:] = 0
        if self._drive is not None and time > self._since:
            decay = math.exp((self._since - time) / self._tau)
            p, drive = self._potential.reshape(-1), self._drive.reshape(-1)
            share(lambda b, e: kernels.relax(p[b:e], drive[b:e], decay), p.size, p.size)
        self._since = max(time, self._since)
        return self._potential

    def stamp(self, time: float) -> Stamp:
        return self._changes, 0.0 if self._drive is None else max(time, self._since)


class HiddenUnits(Membrane):
    """The units of a hidden layer: x = σ(g p) until `replace`, and δ = g σ_δ(p - 2 K u + 2 K v) from then on.

    Inhibition acts on what a unit puts out, and the leak sits on p, as in the circuit of a single unit
    (`circuits.parameters.FeedbackShutdown`): p goes on from where it is, toward the feedback.

    Parameters
    ----------
    node, images, dtype, tau, space
        As `Membrane`.
    gain : float
        g.

    Attributes
    ----------
    replaced : numpy.ndarray of bool or None
        Which units put out δ, flat; none of them where there is no array.
    """

    def __init__(self, node: Node, images: int, dtype: np.dtype, tau: float, space: Space, gain: float) -> None:
        super().__init__(node, images, dtype, tau, space)
        self.replaced: np.ndarray | None = None
        self._gain = gain
        self._K = 1.0
        self._activity = np.empty(0)
        self._seen: Stamp | None = None
        self._latched: tuple[np.ndarray, np.ndarray] | None = None  # they rise later
        self._uv: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def largest(self) -> float:
        """A bound of |activity|."""
        return 1.0 if self.replaced is None else max(self._gain * self.bound, float(not self.replaced.all()))

    def activity(self, time: float) -> np.ndarray:
        """What the units put out at `time`, seconds; the same array at every time."""
        stamp = self.stamp(time)
        if stamp == self._seen:
            return self._activity
        self._seen = stamp
        values = self.potential(time)
        self._activity = self._space.like("activity", self.node.name, array=values)
        p, out, gain, K, replaced = values.reshape(-1), self._activity.reshape(-1), self._gain, self._K, self.replaced
        if replaced is None:
            share(lambda b, e: kernels.settle(p[b:e], gain, out[b:e]), p.size, p.size)
        else:
            u, v = self.shutdown()
            share(
                lambda b, e: kernels.put_out(p[b:e], replaced[b:e], u[b:e], v[b:e], K, gain, out[b:e]), p.size, p.size
            )
        return self._activity

    def latch(self, time: float, units: np.ndarray | None = None) -> None:
        """u and v of every unit take their values from its activity; they act when they `rise`."""
        judged = self._judge(self.activity(time))
        self._latched = judged if units is None else self._merged(judged, self._latched, units)

    def misjudged(self, time: float, units: np.ndarray | None = None) -> int:
        """How many units have, at `time`, another u or v than for the x that they are on their way to."""
        on_its_way = np.empty(self.shape, dtype=self.dtype)
        kernels.settle(self.settled().reshape(-1), self._gain, on_its_way.reshape(-1))
        now, then = self._judge(self.activity(time)), self._judge(on_its_way)
        wrong = (now[0] != then[0]) | (now[1] != then[1])
        return int(np.count_nonzero(wrong if units is None else wrong & self._inside(units)))

    def rise(self, units: np.ndarray | None = None) -> None:
        """u and v act as they were latched."""
        if self._latched is not None:
            self._uv = self._latched if units is None else self._merged(self._latched, self._uv, units)
            self._changes += 1

    def replace(
        self, received: np.ndarray, bound: float, K: float, time: float, units: np.ndarray | None = None
    ) -> None:
        """Feedback takes the place of the drive, and what u and v let pass of it that of x."""
        target = self.potential(time)
        if self._tau > 0:
            if self._drive is None:
                self._drive = np.zeros_like(target)
            target = self._drive
        if units is None:
            share(lambda b, e: np.copyto(target[b:e], received[b:e]), len(target), target.size)
            self.replaced = np.ones(target.size, dtype=bool)
            self.bound = bound
        else:
            some = self._inside(units)
            target.reshape(-1)[some] = received.reshape(-1)[some]
            self.replaced = some if self.replaced is None else self.replaced | some
            self.bound = max(self.bound, bound)
        self._K = K
        self._changes += 1

    def _judge(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = x.reshape(-1)
        u, v = (np.empty(x.size, dtype=np.int8) for _ in range(2))
        share(lambda b, e: kernels.latch(x[b:e], u[b:e], v[b:e]), x.size, x.size)
        return u, v

    def shutdown(self) -> tuple[np.ndarray, np.ndarray]:
        """u and v; at rest until they were latched."""
        if self._uv is None:
            size = math.prod(self.shape)
            self._uv = np.zeros(size, dtype=np.int8), np.zeros(size, dtype=np.int8)
        return self._uv

    def _merged(
        self, new: tuple[np.ndarray, np.ndarray], old: tuple[np.ndarray, np.ndarray] | None, units: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        some = self._inside(units)
        before = old or (np.zeros_like(new[0]), np.zeros_like(new[1]))
        return np.where(some, new[0], before[0]), np.where(some, new[1], before[1])

    def _inside(self, units: np.ndarray) -> np.ndarray:
        return inside(units, self.shape, self.node).reshape(-1)


def inside_shape(node: Node) -> tuple[int, ...]:
    """The shape of a node's units as the engine has them: channels last."""
    return node.shape if len(node.shape) == 1 else (*node.shape[1:], node.shape[0])


def inside(units: np.ndarray, shape: tuple[int, ...], node: Node) -> np.ndarray:
    """Which units, as the engine has them; `BadInput` where they are not those of this batch and layer."""
    expected = (shape[0], *node.shape)
    if units.shape != expected:
        raise BadInput(f"{node.name}: units of shape {list(units.shape)} in the run: expected {list(expected)}")
    return np.array(units.transpose(0, 2, 3, 1) if units.ndim == 4 else units, order="C")


def outside(values: np.ndarray) -> np.ndarray:
    """Values of units as everyone else has them, (N, C, H, W) or (N, units); shares no memory with these."""
    return np.array(values.transpose(0, 3, 1, 2) if values.ndim == 4 else values, order="C")
