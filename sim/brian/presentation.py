"""What happens in one presentation to a network in Brian2: who is told to fire when, and what lies between layers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import brian2
import numpy as np

from circuits.transfer import saturate, u, v
from network.errors import BadInput
from network.spec import INPUT, NetworkSpec, Node
from network.trace import StepTrace
from network.weights import Weights
from sim.brian.bounds import Bounds, readers_of
from sim.brian.output import Cycles
from sim.brian.relays import Relays
from sim.brian.slots import flag, values
from sim.brian.tags import Tags
from sim.engine import Settings
from sim.event.output import OutputCircuit, above
from sim.event.steps import Step


class Presentation:
    """The operations that carry the steps of a run to the units of a network.

    Parameters
    ----------
    spec, weights, settings, labels
        As `sim.brian.network.BrianNetwork`.
    count : int
        Images in the batch.
    pixels : float
        A bound of them where they are known beforehand.
    wait : int
        Time steps before the first of the run's.
    circuit : OutputCircuit
        How the output is supervised.
    objects : mapping of str to object
        Its groups and synapses.
    steps : mapping of int to list of Step
        By time step.
    kept : mapping of str to numpy.ndarray of bool

    Attributes
    ----------
    operations : dict of str to (callable, str)
        What is to be called in every time step, and at which of `sim.brian.slots.STEPS`.
    weights : Weights
        As they are now.
    misjudged : dict of int to int
        How many units of a layer latched another u or v than for the x that they were on their way to.
    """

    def __init__(
        self, spec: NetworkSpec, weights: Weights, settings: Settings, labels: np.ndarray, count: int,
        pixels: float, wait: int, circuit: OutputCircuit, objects: Mapping[str, Any],
        steps: Mapping[int, Sequence[Step]], kept: Mapping[str, np.ndarray],
    ) -> None:  # fmt: skip
        self._spec, self._settings, self._labels = spec, settings, labels
        self._steps, self._count = steps, count
        names = [INPUT, *(node.name for node in spec.nodes)]
        self._group: dict[str, brian2.NeuronGroup] = {name: objects[name] for name in names}
        self._node = {node.name: node for node in spec.nodes}
        self._readers = readers_of(spec)
        self._top = spec.nodes[-1]
        self._relays = Relays(spec.semantics, kept)
        activity = self._group[INPUT].variables["activity"]
        self._bounds = Bounds(spec, kept, lambda: max(pixels, float(np.abs(activity.get_value()).max(initial=0.0))))
        self._circuit = circuit
        synapses = {node.index: objects[f"to_{node.name}"] for node in spec.weighted}
        self._tags = Tags(weights, settings, synapses, count)
        s = np.where(np.arange(spec.classes) == labels[:, None], 1.0, -1.0)
        if s.size:
            values(self._group[self._top.name], "supervision")[:] = s.ravel()
        assert settings.timing is not None
        self._cycles = Cycles(s, circuit.mu, float(settings.epsilon), settings.timing)
        self._phase = None if isinstance(settings.gate_phase, str) else float(settings.gate_phase)
        self._now = -1 - wait  # the time step, counted from the first of the run
        self._began = self._taught = 0.0  # seconds; the latter after the former
        self._due: Sequence[Step] = ()
        self._told: list[np.ndarray] = []  # flags that are up
        self._settled: set[int] = set()
        self._closed: dict[int, np.ndarray] = {}  # units whose gate has closed
        self._most: dict[int, float] = {}  # bounds of feedback on its way, by the firing that is its arrival
        self._bound: dict[int, float] = {}  # of the feedback that has replaced a layer's activity
        self._ties = 0
        self.misjudged: dict[int, int] = {}
        self.weights = self._tags.weights
        self.operations: dict[str, tuple[Callable[[], None], str]] = {
            "schedule": (self._tell, "schedule"),
            "relays_up": (self._up, "relays up"),
            "consolidation": (self._consolidate, "consolidate"),
            "relays_down": (self._down, "relays down"),
        }

    def trace(self) -> StepTrace:
        """What the units and synapses have kept of what happened."""
        trace = StepTrace(ties=self._ties)
        for node in self._spec.weighted:
            i, group = node.index, self._group[node.name]
            if i in self._settled:
                trace.h[i] = self._maps(node, "settled").copy()
                trace.x[i] = self._maps(node, "settled" if node.is_output else "settled_activity").copy()
            if values(group, "mode").any():
                now = np.asarray(group.activity[:]).reshape(self._count, *node.shape)
                closed = self._closed.get(i, np.zeros(now.shape, dtype=bool))
                trace.delta[i] = np.where(closed, self._maps(node, "read"), now)
            if i in self._closed:
                trace.dW[i], dR = self._tags.increments(i)
                if dR is not None:
                    trace.dR[i] = dR
        return trace

    def _tell(self) -> None:
        """Raise the flags of what happens in this time step."""
        for flags in self._told:
            flags[:] = False
        self._told.clear()
        self._now += 1
        if self._now == 0:
            self._began = float(self._group[INPUT].clock.t_[:])
        self._due = self._steps.get(self._now, ())
        for step in self._due:
            match step.kind:
                case "present":
                    self._raise(INPUT, "present")
                case "settle" | "latch" | "rise" | "arrive" | "replace":
                    self._fire(step)
                case "teach" | "gate" | "close" | "send" | "feed":
                    getattr(self, f"_{step.kind}")(step)

    def _fire(self, step: Step) -> None:
        """Have the units that a step is about fire the event of its name."""
        node = self._spec.weighted[step.layer - 1]
        units = step.units
        if units is not None and units.shape != (self._count, *node.shape):
            raise BadInput(
                f"{node.name}: units of shape {list(units.shape)} in the run: expected {[self._count, *node.shape]}"
            )
        if step.kind == "settle":
            self._settled.add(step.layer)
        if step.kind == "latch":
            self._misjudge(step)
        self._raise(node.name, step.kind, units)

    def _raise(self, name: str, event: str, units: np.ndarray | None = None) -> None:
        flags = values(self._group[name], flag(event))
        flags[slice(None) if units is None else units.ravel()] = True
        self._told.append(flags)

    def _show(self, name: str) -> None:
        """Have the units that `name` puts out the activity of show it."""
        node = self._node.get(name)
        if node is None or node.index:
            self._raise(name, "show")
        else:
            for source in node.sources:
                self._show(source)

    def _misjudge(self, step: Step) -> None:
        """Count units that have not yet come to the side of their thresholds on which they will settle."""
        node = self._spec.weighted[step.layer - 1]
        group, settled = self._group[node.name], saturate(self._maps(node, "drive"), self._spec.gain)
        now = saturate(self._maps(node, "p"), self._spec.gain)
        if values(group, "mode").any():
            now = np.asarray(group.activity[:]).reshape(settled.shape)
        wrong = (u(now) != u(settled)) | (v(now) != v(settled))
        count = int(np.count_nonzero(wrong if step.units is None else wrong & step.units))
        self.misjudged[step.layer] = self.misjudged.get(step.layer, 0) + count

    def _send(self, step: Step) -> None:
        node = self._spec.weighted[step.layer - 1]
        self._show(node.sources[0])
        self._raise(node.sources[0], "send")
        values(self._group[node.name], "arriving")[:] = 0

    def _teach(self, _: Step) -> None:
        output = self._group[self._top.name]
        bound = self._bounds.forward(self._top, self._tags.weights.W)
        told = self._circuit.supervise(self._maps(self._top, "p"), self._labels, bound)
        self._ties = self._circuit.ties(told)
        values(output, "M")[:] = told.M
        self._taught = self._now * self._settings.dt
        self._raise(self._top.name, "teach")
        self._set_reading()

    def _gate(self, step: Step) -> None:
        if self._spec.weighted[step.layer - 1].is_output:
            self._fire(step)
            self._set_reading()

    def _close(self, step: Step) -> None:
        node = self._spec.weighted[step.layer - 1]
        if node.is_output and not self._settings.unchecked:
            where = np.ones((self._count, *node.shape), dtype=bool) if step.units is None else step.units
            begin, end = (time - self._taught for time in (step.opened, self._now * self._settings.dt))
            oscillating = where & (self._maps(node, "oscillating") != 0) & self._circuit.connected
            self._cycles.check(oscillating, max(begin, 0.0), end, self._phase)
        self._fire(step)
        self._show(node.name)
        self._show(node.sources[0])
        closed = self._closed.setdefault(step.layer, np.zeros((self._count, *node.shape), dtype=bool))
        closed |= True if step.units is None else step.units
        self._tags.part[step.layer] = float(closed.mean())

    def _feed(self, step: Step) -> None:
        for reader in step.readers:
            node = self._spec.weighted[reader - 1]
            self._show(node.name)
            self._show(node.sources[0])
            self._raise(node.name, "feed")
            values(self._group[node.sources[0]], "feedback")[:] = 0

    def _set_reading(self) -> None:
        """When units that oscillate are read, where a phase is asked for."""
        if self._phase is not None:
            at = self._cycles.read_at(self._phase, self._now * self._settings.dt - self._taught)
            at = np.where(self._circuit.connected, self._began + self._taught + at, np.inf)
            values(self._group[self._top.name], "read_at")[:] = at.ravel()

    def _up(self) -> None:
        """What pools, drops and SUMs pass on of what their sources show."""
        for step in self._due:
            if step.kind in ("send", "close"):
                self._put_out(self._spec.weighted[step.layer - 1].sources[0], step.kind == "send")

    def _put_out(self, name: str, remember: bool) -> np.ndarray:
        node = self._node.get(name)
        if node is None or node.index:
            return self._shown(name)
        put_out = self._relays.up(node, [self._put_out(source, remember) for source in node.sources], remember)
        values(self._group[name], "sent")[:] = put_out.ravel()
        if name in self._relays.won:
            values(self._group[name], "winner")[:] = self._relays.won[name].argmax(0).ravel()
        return put_out

    def _consolidate(self) -> None:
        for step in self._due:
            if step.kind == "consolidate":
                self._tags.consolidate(step.layer)

    def _down(self) -> None:
        """The feedback that synapses have brought goes on through pools, drops and SUMs, and waits for its delay."""
        for step in self._due:
            node = self._spec.weighted[step.layer - 1]
            if step.kind == "feed":
                units = slice(None) if step.units is None else step.units
                self._maps(node, "returning")[units] += self._feedback_to(node.name, step.readers)[units]
                most = {reader: self._largest(reader) for reader in step.readers}
                bound = self._bounds.feedback(node.name, most, self._tags.passed)
                self._most[step.firing] = self._most.get(step.firing, 0.0) + bound
            elif step.kind == "replace":
                self._set_K(node, step)

    def _feedback_to(self, name: str, senders: frozenset[int]) -> np.ndarray:
        """What the units of a node are sent by those of `senders` that read it, directly or through relays."""
        shape = (self._count, *self._node[name].shape)
        total = np.zeros(shape)
        for reader in self._readers.get(name, ()):
            if reader.index:
                if reader.index in senders:
                    total += values(self._group[name], "feedback").reshape(shape)
            else:
                if not self._relays.remembers(reader):
                    self._put_out(reader.name, remember=True)
                total += self._relays.down(reader, self._feedback_to(reader.name, senders))
        return total

    def _set_K(self, node: Node, step: Step) -> None:
        """The bound of the feedback that replaces activity now; `BadInput` where feedback is not below it."""
        automatic = isinstance(self._settings.K, str)
        K = above(self._most.get(step.firing, 0.0)) if automatic else float(self._settings.K)
        values(self._group[node.name], "K")[:] = K
        before = 0.0 if step.units is None else self._bound.get(node.index, 0.0)
        self._bound[node.index] = max(before, self._most.get(step.firing, 0.0))
        feedback = np.abs(self._maps(node, "returning").reshape(self._count, -1))
        if not self._settings.unchecked and (feedback >= K).any():
            n, unit = (int(k) for k in np.argwhere(feedback >= K)[0])
            raise BadInput(
                f"{node.name} unit {unit}, image {n}: the feedback |delta| = {float(feedback[n, unit])!r} is not below "
                f"K = {K!r}; raise K, or leave it automatic"
            )

    def _largest(self, layer: int) -> float:
        """A bound of the activity that a layer sends as feedback: of what has settled, or what it is now."""
        node = self._spec.weighted[layer - 1]
        now = float(np.abs(self._shown(node.name)).max())
        mode = values(self._group[node.name], "mode")
        if node.is_output:
            return max(now, self._circuit.largest) if mode.any() else now
        settled = self._spec.gain * self._bound.get(layer, 0.0)
        return max(now, settled if mode.all() else max(1.0, settled))

    def _shown(self, name: str) -> np.ndarray:
        """What a layer shows, (N, C, H, W) or (N, units)."""
        shape = self._spec.input_shape if name == INPUT else self._node[name].shape
        return values(self._group[name], "sent").reshape(self._count, *shape)

    def _maps(self, node: Node, variable: str) -> np.ndarray:
        return values(self._group[node.name], variable).reshape(self._count, *node.shape)
