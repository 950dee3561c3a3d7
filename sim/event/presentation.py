"""One presentation through the circuit: what every step of a run does to the units and their synapses."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from network.errors import BadInput
from network.trace import StepTrace
from network.weights import Arrays
from sim.event.circuit import Circuit
from sim.event.output import OutputUnits, above
from sim.event.paths import Paths, largest
from sim.event.pools import Relays
from sim.event.space import Space
from sim.event.steps import Step
from sim.event.tags import Tags
from sim.event.threads import one_blas_thread
from sim.event.units import HiddenUnits, inside, outside

Watch = Callable[["Presentation", float], None]


class Look(NamedTuple):
    """What somebody who looks at a layer sees, (N, C, H, W) or (N, units).

    Attributes
    ----------
    potential, activity : numpy.ndarray
        p, and what the units put out: x, or δ from `replace` on (of the output from `teach` on).
    replaced : numpy.ndarray of bool
        Which units put out δ.
    u, v : numpy.ndarray of int8
        0 until they act. Of the output, which has none: zeros.
    control : numpy.ndarray
        tc of the output; zeros elsewhere, and with ideal timing.
    """

    potential: np.ndarray
    activity: np.ndarray
    replaced: np.ndarray
    u: np.ndarray
    v: np.ndarray
    control: np.ndarray


class Presentation:
    """A batch of independent presentations to one circuit.

    A unit has one activity. It is x until `replace`, and δ afterwards; every event reads what is there when it happens,
    and what is not there yet is at rest: zeros. So an order that breaks Remark 1 gives the increments that such a
    circuit would make. With ideal timing what is there has settled; otherwise it is on its way, exponentially.

    Activity goes from layer to layer in packets: what a layer receives is what the others put out when the packet left,
    and drives it until the next one comes. Were pathways open all the time, feedback would go up as well.

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
        Filled, where given: h and x as they are at ``settle``; δ as the layer's own gate reads it when it closes, or
        settled after the end where that gate came too early to read δ.

    Attributes
    ----------
    potential : dict of int to numpy.ndarray
        Membrane potentials by layer at ``settle``, (N, H, W, C) or (N, units): h.
    misjudged : dict of int to int
        How many units of a layer latched another u or v than for the x that they were on their way to; with a trace.
    tags : Tags
        The synapses' tags, and the weights as they are now.
    """

    def __init__(
        self, circuit: Circuit, pixels: np.ndarray, labels: np.ndarray, relays: Relays, space: Space, *,
        keep: bool, trace: StepTrace | None = None,
    ) -> None:  # fmt: skip
        self._circuit, self._spec, self._settings = circuit, circuit.spec, circuit.settings
        self._timing = circuit.settings.timing
        self._labels, self._space, self._trace = labels, space, trace
        *hidden, output = self._spec.weighted
        common = (len(pixels), pixels.dtype, self._timing.tau if self._timing else 0.0, space)
        self._hidden = {node.index: HiddenUnits(node, *common, float(self._spec.gain)) for node in hidden}
        self._output = OutputUnits(output, *common, circuit.output)
        self._units: dict[int, HiddenUnits | OutputUnits] = {**self._hidden, output.index: self._output}
        self.tags = Tags(circuit, keep, trace)
        self._paths = Paths(circuit, self._units, self.tags, pixels, relays, space)
        # Packets on their way, and bounds of what is in them, by the firing that is their arrival.
        self._up: dict[int, tuple[np.ndarray, float]] = {}
        self._down: dict[int, list[tuple[np.ndarray, float]]] = {}
        self._noted: dict[int, np.ndarray] = {}  # which units' δ the trace has
        self.potential: Arrays = {}
        self.misjudged: dict[int, int] = {}

    def run(self, steps: Iterable[Step], watch: Watch | None = None) -> None:
        """Do `steps`, one after the other.

        `watch` is called with the time of each before it happens, and with infinity when all have: who wants to `look`
        at an earlier time does so then.
        """
        end = 0.0
        with one_blas_thread():
            for step in steps:
                if watch is not None:
                    watch(self, step.time)
                getattr(self, f"_{step.kind}")(step)
                end = max(end, step.time)
            if watch is not None:
                watch(self, float("inf"))
        if self._trace is not None:
            for layer in self._units:
                self._note_delta(layer, end + (self._timing.of("settling", layer) if self._timing else 0.0))

    def look(self, layer: int, time: float) -> Look:
        """A layer at `time`, seconds, which is not before that of the last step; changes nothing beyond rounding."""
        units = self._units[layer]
        potential, activity = units.potential(time), units.activity(time)
        replaced = np.zeros(units.shape, dtype=bool) if units.replaced is None else units.replaced
        u, v, control = (np.zeros(units.shape, dtype=kind) for kind in (np.int8, np.int8, float))
        if isinstance(units, HiddenUnits):
            u, v = units.shutdown()
        else:
            control = units.control(time)
        seen = (potential, activity, replaced, u, v, control)
        return Look(*(outside(values.reshape(units.shape)) for values in seen))

    def wrong(self) -> int:
        """How many images the outputs class wrongly."""
        top = self._output.node.index
        outputs = self.potential[top] if top in self.potential else self._output.potential(0.0)
        return int(np.count_nonzero(outputs.argmax(1) != self._labels))

    def _present(self, _: Step) -> None:
        self._paths.presented = True

    def _send(self, step: Step) -> None:
        """The activity of the layers below leaves for this one."""
        units, synapses, W = self._units[step.layer], self._circuit.synapses[step.layer], self.tags.W[step.layer]
        source = units.node.sources[0]
        x = self._paths.put_out(source, step.time, remember=True)
        drive = self._space.empty("drive", units.node.name, shape=units.shape, dtype=x.dtype)
        synapses.forward(W, x, drive, self._paths.listed(units.node, x))
        # Where nobody needs a bound the sums over all synapses are spared.
        needed = units.node.is_output or units.replaced is not None
        self._up[step.firing] = drive, synapses.forward_bound(W) * self._paths.largest(source) if needed else 0.0

    def _arrive(self, step: Step) -> None:
        """The activity of the layers below reaches this one."""
        self._units[step.layer].arrive(*self._up.pop(step.firing), step.time)

    def _settle(self, step: Step) -> None:
        """A signal: nothing happens by itself, but somebody looks."""
        units = self._units[step.layer]
        h = units.potential(step.time)
        self.potential[step.layer] = h.copy() if units.node.is_output else h
        if self._trace is not None:
            x = h if units.node.is_output else units.activity(step.time)
            self._trace.h[step.layer], self._trace.x[step.layer] = outside(h), outside(x)

    def _teach(self, step: Step) -> None:
        """s tells every output unit whether it is the class; δ and tc then run, and δ replaces the activity."""
        ties = self._output.teach(self._labels, step.time)
        if self._trace is not None:
            self._trace.ties = ties

    def _latch(self, step: Step) -> None:
        """u and v of every unit take their values from its activity."""
        units = self._hidden[step.layer]
        if self._trace is not None and self._timing:
            wrong = units.misjudged(step.time, step.units)
            self.misjudged[step.layer] = self.misjudged.get(step.layer, 0) + wrong
        units.latch(step.time, step.units)

    def _rise(self, step: Step) -> None:
        """u and v act."""
        self._hidden[step.layer].rise(step.units)

    def _feed(self, step: Step) -> None:
        """Feedback leaves some of the layers above for this one."""
        node = self._spec.weighted[step.layer - 1]
        feedback, bound = self._paths.feedback(node.name, step.readers, step.time)
        self._down.setdefault(step.firing, []).append((feedback.copy() if step.waits else feedback, bound))

    def _replace(self, step: Step) -> None:
        """The feedback of the layers above, as u and v let it pass, replaces the activity."""
        units, packets = self._hidden[step.layer], self._down.pop(step.firing, [])
        received = packets[0][0] if packets else np.zeros(units.shape, self._output.dtype)
        for more, _ in packets[1:]:
            received = received + more
        bound = sum(bound for _, bound in packets)
        K = above(bound) if isinstance(self._settings.K, str) else float(self._settings.K)
        # What the weights bound needs no looking at.
        if not self._settings.unchecked and bound >= K and largest(received) >= K:
            flat = np.abs(outside(received)).reshape(len(received), -1)
            n, unit = (int(k) for k in np.argwhere(flat >= K)[0])
            raise BadInput(
                f"{units.node.name} unit {unit}, image {n}: the feedback |delta| = {float(flat[n, unit])!r} is not "
                f"below K = {K!r}; raise K, or leave it automatic"
            )
        units.replace(received, bound, K, step.time, step.units)

    def _gate(self, step: Step) -> None:
        """The Hebbian window opens; what the synapses then take is what is there when it closes."""

    def _close(self, step: Step) -> None:
        """Every synapse is tagged with the product of the two activities that it connects."""
        layer, units = step.layer, self._units[step.layer]
        if units.node.is_output:
            self._output.read(step.opened, step.time, step.units)
        self._note_delta(layer, step.time, step)
        delta, x = units.activity(step.time), self._paths.put_out(units.node.sources[0], step.time)
        part = 1.0
        if step.units is not None:
            some = inside(step.units, units.shape, units.node)
            delta, part = delta * some, float(some.mean())
        increment = self._space.like("increment", layer, array=self.tags.W[layer])
        self._circuit.synapses[layer].products(delta, x, increment, self._paths.listed(units.node, x))
        increment *= self._settings.eta / len(x)
        self.tags.add(layer, increment, part)

    def _consolidate(self, step: Step) -> None:
        """Tags, where there are any, become weights."""
        self.tags.consolidate(step.layer)

    def _note_delta(self, layer: int, time: float, gate: Step | None = None) -> None:
        """Put δ into the trace: that of the units concerned by a gate, or of all that are not there yet."""
        units = self._units[layer]
        if self._trace is None or units.replaced is None:
            return
        noted = self._noted.setdefault(layer, np.zeros(units.shape, dtype=bool))
        new = units.replaced.reshape(units.shape) & ~noted
        if gate is not None and gate.units is not None:
            new &= inside(gate.units, units.shape, units.node)
        if new.any():
            delta = outside(units.activity(time))
            kept = self._trace.delta.setdefault(layer, np.zeros_like(delta))
            np.copyto(kept, delta, where=outside(new))
            noted |= new
