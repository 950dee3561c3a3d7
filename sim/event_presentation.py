"""One presentation through the circuit: what every event of the schedule does to the units and their synapses."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from network.errors import BadInput
from network.spec import INPUT, NetworkSpec, Node
from network.trace import StepTrace
from network.weights import Arrays
from sim import event_kernels
from sim.engine import Settings
from sim.event_output import OutputCircuit, above
from sim.event_pools import Relays, add
from sim.event_space import Space
from sim.event_synapses import Synapses
from sim.event_threads import one_blas_thread, share
from sim.schedule import Event


@dataclass
class Circuit:
    """What outlives a presentation: the synapses with their weights in the engine's layouts, and the output units."""

    spec: NetworkSpec
    settings: Settings
    synapses: dict[int, Synapses]
    output: OutputCircuit
    W: Arrays = field(default_factory=dict)
    R: Arrays = field(default_factory=dict)
    mask_W: Arrays = field(default_factory=dict)
    mask_R: Arrays = field(default_factory=dict)


class Presentation:
    """A batch of independent presentations to one circuit.

    A unit has one activity. It is x until `replace`, and δ afterwards; every event reads what is there when it fires.
    So an order that breaks Remark 1 gives the increments that such a circuit would make.

    Parameters
    ----------
    circuit : Circuit
    pixels : numpy.ndarray, (N, H, W, C)
    labels : numpy.ndarray of int, (N,)
    relays : Relays
    space : Space
        Where its arrays are; the same as that of `relays`.
    keep : bool
        Whether `consolidate` changes the circuit's own weights. If not, they change for this presentation only.
    trace : StepTrace, optional
        Filled, where given.

    Attributes
    ----------
    potential : dict of int to numpy.ndarray
        Membrane potentials by layer, (N, H, W, C) or (N, units): h, once settled.
    """

    def __init__(
        self, circuit: Circuit, pixels: np.ndarray, labels: np.ndarray, relays: Relays, space: Space, *,
        keep: bool, trace: StepTrace | None = None,
    ) -> None:  # fmt: skip
        self._circuit = circuit
        self._spec, self._settings = circuit.spec, circuit.settings
        self._pixels, self._labels, self._relays = pixels, labels, relays
        self._space, self._keep, self._trace = space, keep, trace
        self._node = {node.name: node for node in self._spec.nodes}
        self._readers: dict[str, list[Node]] = {}
        for node in self._spec.nodes:
            for source in node.sources:
                self._readers.setdefault(source, []).append(node)
        self._W, self._R = (circuit.W, circuit.R) if keep else (dict(circuit.W), dict(circuit.R))
        self._activity: dict[str, np.ndarray] = {}  # of every node: x, and after `replace` δ
        self._largest: dict[str, float] = {}  # bounds of it, from the weights
        self._relayed: dict[str, tuple[np.ndarray, float]] = {}  # feedback that pools, drops and SUMs have received
        self.potential: Arrays = {}
        self._u: Arrays = {}
        self._v: Arrays = {}
        self._tag: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}

    def run(self, events: Iterable[Event]) -> None:
        """Fire `events`, one after the other."""
        with one_blas_thread():
            for event in events:
                self.fire(event)

    def fire(self, event: Event) -> None:
        """One event; `sim.schedule.Event` lists the kinds."""
        getattr(self, f"_{event.kind}")(event.layer)

    def _present(self, _: int) -> None:
        self._activity[INPUT] = self._pixels
        self._largest[INPUT] = float(np.abs(self._pixels).max(initial=0))

    def _arrive(self, layer: int) -> None:
        """The activity of the layers below reaches this one, and with `settle` later it has charged the membrane."""
        node = self._spec.weighted[layer - 1]
        x = self._put_out(node.sources[0])
        shape = node.shape if len(node.shape) == 1 else (*node.shape[1:], node.shape[0])
        h = self.potential[layer] = self._space.empty("potential", layer, shape=(len(x), *shape), dtype=x.dtype)
        self._circuit.synapses[layer].forward(self._W[layer], x, h)

    def _settle(self, layer: int) -> None:
        """x = σ(g · potential); the output units are linear."""
        node, h = self._spec.weighted[layer - 1], self.potential[layer]
        if node.is_output:
            x = h
            bound = self._circuit.synapses[layer].forward_bound(self._W[layer])
            self._largest[node.name] = bound * self._largest[node.sources[0]]
        else:
            x = self._space.like("activity", layer, array=h)
            potential, activity, gain = h.reshape(-1), x.reshape(-1), float(self._spec.gain)
            share(lambda b, e: event_kernels.settle(potential[b:e], gain, activity[b:e]), h.size, h.size)
            self._largest[node.name] = 1.0
        self._activity[node.name] = x
        if self._trace is not None:
            self._trace.h[layer], self._trace.x[layer] = outside(h), outside(x)

    def _teach(self, _: int) -> None:
        """s tells every output unit whether it is the class; δ and tc then run, and δ replaces the activity."""
        top = self._spec.nodes[-1]
        delta = np.empty_like(self.potential[top.index])
        circuit = self._circuit.output
        ties = circuit.run(self.potential[top.index], self._labels, self._largest[top.name], delta)
        self._activity[top.name], self._largest[top.name] = delta, circuit.largest
        if self._trace is not None:
            self._trace.ties, self._trace.delta[top.index] = ties, delta.copy()

    def _latch(self, layer: int) -> None:
        """u and v of every unit take their values from its activity."""
        x = self._activity[self._spec.weighted[layer - 1].name].reshape(-1)
        u, v = (self._space.empty(unit, layer, shape=x.shape, dtype=np.int8) for unit in "uv")
        share(lambda b, e: event_kernels.latch(x[b:e], u[b:e], v[b:e]), x.size, x.size)
        self._u[layer], self._v[layer] = u, v

    def _replace(self, layer: int) -> None:
        """The feedback of the layers above, as u and v let it pass, replaces the activity."""
        node, gain = self._spec.weighted[layer - 1], float(self._spec.gain)
        received, bound = self._feedback_to(node.name)
        K = above(bound) if isinstance(self._settings.K, str) else float(self._settings.K)
        activity = self._activity[node.name].reshape(-1)
        if layer not in self._u:  # an order that replaces before it latches: both are still at rest
            self._u[layer], self._v[layer] = (np.zeros(activity.size, dtype=np.int8) for _ in range(2))
        u, v, arriving = self._u[layer], self._v[layer], received.reshape(-1)

        def part(b: int, e: int) -> bool:
            return event_kernels.replace(arriving[b:e], u[b:e], v[b:e], K, gain, activity[b:e])

        beyond = share(part, activity.size, activity.size)
        if any(beyond) and not self._settings.unchecked:
            flat = np.abs(outside(received)).reshape(len(received), -1)
            n, unit = (int(k) for k in np.argwhere(flat >= K)[0])
            raise BadInput(
                f"{node.name} unit {unit}, image {n}: the feedback |delta| = {float(flat[n, unit])!r} is not below "
                f"K = {K!r}; raise K, or leave it automatic"
            )
        self._largest[node.name] = gain * bound
        if self._trace is not None:
            self._trace.delta[layer] = outside(self._activity[node.name])

    def _gate(self, layer: int) -> None:
        """The Hebbian window: every synapse is tagged with the product of the two activities that it connects."""
        node, rule = self._spec.weighted[layer - 1], self._settings.rule
        W, R = self._W[layer], self._R.get(layer)
        increment = self._space.like("increment", layer, array=W)
        delta, x = self._activity[node.name], self._activity[node.sources[0]]
        self._circuit.synapses[layer].products(delta, x, increment)
        increment *= self._settings.eta / len(x)
        dW = increment * self._circuit.mask_W[layer] if layer in self._circuit.mask_W else increment
        dR = None
        if R is not None:
            dR = increment if rule.feedback_rate == 1 else rule.feedback_rate * increment
            dR = dR * self._circuit.mask_R[layer] if layer in self._circuit.mask_R else dR
            if rule.feedback_decay:
                dR = dR - rule.feedback_decay * R
        if rule.feedback_decay:
            dW = dW - rule.feedback_decay * W
        self._tag[layer] = dW, dR
        if self._trace is not None:
            to_outside = self._circuit.synapses[layer].outside
            self._trace.dW[layer] = to_outside(dW)
            if dR is not None:
                self._trace.dR[layer] = to_outside(dR)

    def _consolidate(self, layer: int) -> None:
        """Tags, where there are any, become weights."""
        if layer not in self._tag:
            return
        dW, dR = self._tag.pop(layer)
        learns = dR is not None and self._settings.rule.feedback_rate > 0
        if self._keep:
            self._W[layer] += dW
            if learns:
                self._R[layer] += dR
        else:
            self._W[layer] = self._W[layer] + dW
            if learns:
                self._R[layer] = self._R[layer] + dR

    def _put_out(self, name: str) -> np.ndarray:
        """The activity of a node, made by relays on the way where it is not there yet."""
        if name not in self._activity:
            node = self._node[name]
            below = [self._put_out(source) for source in node.sources]
            self._activity[name] = self._relays.up(node, below)
            self._largest[name] = self._relays.largest(node, [self._largest[source] for source in node.sources])
        return self._activity[name]

    def _feedback_to(self, name: str) -> tuple[np.ndarray, float]:
        """What the units of a node receive from all that read it, and a bound of that."""
        total, bound = None, 0.0
        for reader in reversed(self._readers[name]):
            part, most = self._feedback_from(reader, name)
            bound += most
            if total is None:
                total = part
            else:
                both = self._space.like("both", name, reader.name, array=part)
                total = add(total, part, both)
        assert total is not None
        return total, bound

    def _feedback_from(self, reader: Node, name: str) -> tuple[np.ndarray, float]:
        below = self._activity[name]
        if reader.index:
            R = (self._W if self._settings.rule.symmetric else self._R)[reader.index]
            synapses, received = self._circuit.synapses[reader.index], self._space.like("R", reader.name, array=below)
            synapses.backward(R, self._activity[reader.name], received)
            automatic = isinstance(self._settings.K, str)
            return received, synapses.backward_bound(R) * self._largest[reader.name] if automatic else np.inf
        if reader.name not in self._relayed:  # once: both sources of a SUM are told the same
            self._relayed[reader.name] = self._feedback_to(reader.name)
        feedback, bound = self._relayed[reader.name]
        part = self._relays.down(reader, feedback, below, self._activity[reader.name])
        return part, self._relays.largest_down(reader, bound)


def outside(values: np.ndarray) -> np.ndarray:
    """Values of units as everyone else has them, (N, C, H, W) or (N, units); shares no memory with these."""
    return np.array(values.transpose(0, 3, 1, 2) if values.ndim == 4 else values, order="C")
