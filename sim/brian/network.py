"""A whole network in Brian2: every unit with its control neurons, every connection a synapse, in the order of a run."""

from collections.abc import Mapping
from math import prod
from typing import Any

import brian2
import numpy as np

from circuits.brian_circuit import BrianCircuit, InputVariable, times, unique_prefix
from circuits.brian_output_error import CONTROL
from circuits.errors import CircuitError
from network.errors import BadInput
from network.spec import INPUT, NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from sim.brian.layers import control_units, hidden_units, input_units, output_units, relay_units
from sim.brian.presentation import Presentation
from sim.brian.schedule import pack
from sim.brian.size import Size
from sim.brian.slots import Slots
from sim.brian.synapses import connect
from sim.engine import Settings
from sim.event.output import OutputCircuit
from sim.event.steps import steps_of
from sim.schedule import Timing, sources_of
from sim.schedule_run import Run


class BrianNetwork(BrianCircuit):
    """One presentation of a batch to a network, as named Brian2 objects for a ``brian2.Network``.

    Put it there with monitors and groups of your own, run it for `duration`, and read the `trace`. It begins with the
    first time step that it is run for, or `begin` later, and presents once: what `pixel` of the input units is at that
    moment they put out from then on. Nothing here runs a network, starts a scope, or sets a preference.

    Parameters
    ----------
    spec : NetworkSpec
    weights : Weights
        Not changed; see the method `weights` for what has become of them.
    settings : Settings
        With a timing, and dt.
    circuit : OutputCircuit
        How the output is supervised, and which of its units their control reaches.
    images : numpy.ndarray, (N, C, H, W), or brian2.linked_var(...)
        Linked to a variable of your own group, of N C H W units in this order, the input is what that is at `begin`.
        Where synapses of yours sum into `pixel`, give zeros.
    labels : numpy.ndarray of int, (N,)
        Empty where nobody teaches.
    run : Run
        What happens when.
    kept : mapping of str to numpy.ndarray of bool, optional
        By name of the Drop layers: synapses that are not silent.
    begin : brian2.Quantity, optional
        How long after the first time step the presentation begins, for what drives the input to get there.
    name : str, optional
        What the names of the objects begin with.

    Raises
    ------
    BadInput
        For what would take more than about 2 GB or 10 minutes, with an estimate, unless unchecked; for an input that is
        neither images nor linked, or of another number of units than the labels ask for; and for a negative `begin`.

    Attributes
    ----------
    duration : brian2.Quantity
        How long to run it for.
    clock : brian2.Clock
        That of all objects, for monitors.
    "input" : brian2.NeuronGroup
        `pixel`, and `activity`, which it is from ``present`` on. This and all below: unit i of image n is number
        ``n * units + i``, in the order C, H, W; `sent` is what went out last.
    "conv1", "full3", ... : brian2.NeuronGroup
        The layers with weights by their names in the spec. Hidden ones: `p`, `drive`, `x`, `u`, `v`, `delta`, `mode`
        (0: puts out x; 1: δ), `activity`. The output: `p`, `drive`, `h`, `s`, `tc`, `delta`, `mode` (0: puts out p;
        1: δ; 2: δ as its gate has read it), `activity`.
    "maxpool2", ... : brian2.NeuronGroup
        Pools, drops and SUMs: `sent`, and `winner`, the number of the pixel of its window that won in a Maxpool.
    "to_conv1", ... : brian2.Synapses
        From what the layer reads to the layer: `W`, `R`, `tag`, `shared`; pathways ``up``, ``gate`` and ``down``.
    "control", "to_control" : brian2.NeuronGroup, brian2.Synapses
        `tc` of the output units, and the loop with its delay.
    "schedule", "relays_up", "consolidation", "relays_down" : brian2.NetworkOperation
        Tell units which events to fire; pass on through pools, drops and SUMs; make tags weights.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        weights: Weights,
        settings: Settings,
        circuit: OutputCircuit,
        images: Any,
        labels: np.ndarray,
        run: Run,
        *,
        kept: Mapping[str, np.ndarray] | None = None,
        begin: Any = None,
        name: str | None = None,
    ) -> None:
        timing = settings.timing
        assert timing is not None
        prefix = unique_prefix(name, "network", "input")
        steps = pack(steps_of(run, spec), sources_of(spec), settings.dt)
        pixel = InputVariable("pixel", images.ravel() if isinstance(images, np.ndarray) else images)
        count = _images(spec, pixel, labels)
        wait = _steps(begin, settings.dt)
        length = wait + max(steps, default=0) + 1
        Size.of(spec, count, length).check(settings.unchecked)
        slots = Slots(settings.dt, f"{prefix}_clock")
        symmetric = settings.rule.symmetric
        groups: dict[str, brian2.NeuronGroup] = {}
        groups[INPUT] = input_units(count * prod(spec.input_shape), pixel, slots, f"{prefix}_{INPUT}")
        for node in spec.nodes:
            units, own = count * node.units, f"{prefix}_{node.name}"
            if node.is_output:
                parameters = {"mu": circuit.mu, "epsilon": float(settings.epsilon)}
                at_phase = not isinstance(settings.gate_phase, str)
                groups[node.name] = output_units(units, parameters, timing.tau, at_phase, slots, own)
            elif node.index:
                groups[node.name] = hidden_units(units, float(spec.gain), timing.tau, slots, own)
            else:
                groups[node.name] = relay_units(units, slots, own)
        objects: dict[str, Any] = dict(groups)
        for node in spec.weighted:
            feedback = None
            if node.sources[0] in spec.learns_below:
                feedback = "W" if symmetric else "R"
            objects[f"to_{node.name}"] = connect(
                node, groups[node.sources[0]], groups[node.name], count, feedback=feedback,
                R=not symmetric and node.index in weights.R, slots=slots, name=f"{prefix}_to_{node.name}",
            )  # fmt: skip
        output = groups[spec.nodes[-1].name]
        objects["control"] = control = control_units(len(output), slots, f"{prefix}_control")
        output.tc = brian2.linked_var(control, "acting")
        control.connected = np.tile(circuit.connected, count)
        objects["to_control"] = _loop(output, control, timing, settings.dt, f"{prefix}_to_control")
        self.duration = length * settings.dt * brian2.second
        self.clock = slots.clock
        largest = 0.0 if pixel.values is None else float(np.abs(pixel.values).max(initial=0.0))
        self._presentation = Presentation(
            spec, weights, settings, labels, count, largest, wait, circuit, objects, steps, kept or {}
        )
        for key, (function, step) in self._presentation.operations.items():
            objects[key] = slots.operation(function, step, f"{prefix}_{key}")
        super().__init__(objects, prefix)

    def trace(self) -> StepTrace:
        """What has happened, as far as the run has come, read from the units and their synapses."""
        return self._presentation.trace()

    @property
    def misjudged(self) -> dict[int, int]:
        """How many units of a layer latched another u or v than for the x that they were on their way to."""
        return dict(self._presentation.misjudged)

    def weights(self) -> Weights:
        """The weights as the synapses have them now."""
        return self._presentation.weights.copy()


def _images(spec: NetworkSpec, pixel: InputVariable, labels: np.ndarray) -> int:
    """How many images the input units show; `BadInput` where it is not said, or said twice."""
    if not pixel.equation.endswith((": 1", "(linked)")):
        raise BadInput("images: expected numbers, N x C x H x W, or brian2.linked_var(...) of a group of yours")
    units, of_image = pixel.units, prod(spec.input_shape)
    if units is None:  # linked with indices of the user's own, which say nothing about the number of units
        units = max(len(labels), 1) * of_image
    if units % of_image or (len(labels) and units != len(labels) * of_image):
        what = f"{len(labels)} images" if len(labels) else "whole images"
        raise BadInput(f"images: {units} units, but {what} of {of_image} pixels are asked for")
    return units // of_image


def _steps(begin: Any, dt: float) -> int:
    """`begin` in time steps."""
    try:
        wait = round(float(times(begin, 0.0, "begin") / brian2.second) / dt)
    except CircuitError as error:
        raise BadInput(str(error)) from None
    if wait < 0:
        raise BadInput(f"begin = {begin}: expected 0 or more")
    return wait


def _loop(
    output: brian2.NeuronGroup, control: brian2.NeuronGroup, timing: Timing, dt: float, name: str
) -> brian2.Synapses:
    """The way from δ to tc; shorter than a time step it takes one."""
    delay, step = times(None, max(timing.loop, dt), "loop"), times(None, dt, "dt")
    return CONTROL.send(output, control, delay, name, step)
