"""The feedback-shutdown circuit as Brian2 rate equations (Appendix 1, equation 3)."""

from typing import Any

import brian2
import numpy as np

from circuits.brian_circuit import (
    BrianCircuit,
    Input,
    InputVariable,
    check_coupling,
    collect_events,
    count_units,
    lengths,
    own_times,
    still,
    times,
    unique_prefix,
)
from circuits.brian_delay import LevelSignal, ring_buffer
from circuits.parameters import FeedbackShutdown
from circuits.transfer import brian_expression, inhibited, saturate, shut_off, u, v
from circuits.waveform import ShutdownTrace

UPPER = LevelSignal(name="u", expression=brian_expression(u), levels=(0, 1))
LOWER = LevelSignal(name="v", expression=brian_expression(v), levels=(-1, 0))
SIGNALS = (UPPER, LOWER)

# h is held over a time step, which makes the equation linear, and exponential Euler exact within the step.
EQUATIONS = f"""
dp/dt = (h - p) / tau : 1
x = {brian_expression(saturate, h="p")} : 1
delta_tilde = {brian_expression(shut_off, z=brian_expression(inhibited))} : 1
tau : second (constant)
u : 1 (linked)
v : 1 (linked)
{UPPER.equation}
{LOWER.equation}
"""
DELAYED = """
u : 1
v : 1
"""
UNDELAYED = f"""
u = {UPPER.expression} : 1
v = {LOWER.expression} : 1
x : 1 (linked)
"""


class FeedbackShutdownCircuit(BrianCircuit):
    """Independent feedback-shutdown circuits as Brian2 objects.

    τ p' = -p + h, x = σ(p), u = 1[x >= 1], v = -1[x <= -1], δ̃(t) = σ_δ(δ - 2 K u(t - D) + 2 K v(t - D)).

    Parameters
    ----------
    h : number, array_like, TimedArray, str or linked_var
        Input of the units, dimensionless; see `circuits.brian_circuit.InputVariable`.
    delta : as `h`
        Feedback that arrives at the units.
    parameters : FeedbackShutdown
    tau, delay : brian2.Quantity, optional
        τ and D where they differ from those of `parameters`, e.g. ``10*ms``; one for all, or one per unit.
    coupling : {"events", "buffer", "undelayed"}, optional
        How x reaches u and v: changes of level as delayed events (the default), a record of the past (the same result,
        slower, runtime mode only), or at once (the default with a delay of 0).
    units, dt, namespace, record, name : as for `circuits.brian_output_error.OutputErrorCircuit`
    unchecked : bool
        Let |δ| >= K pass.

    Attributes
    ----------
    "unit" : brian2.NeuronGroup
        The units: membrane potential `p`, activity `x`, `h`, `delta` and the `delta_tilde` that gets through.
    "control" : brian2.NeuronGroup
        The shutdown units: `u` and `v`, as they act.
    "to_u", "to_v" : brian2.Synapses, or brian2.NetworkOperation
        From unit to control; absent where undelayed.
    "trace" : brian2.StateMonitor
        At the start of every step.
    "u_one", "u_zero", "v_minus_one", "v_zero" : brian2.EventMonitor
        x reaches 1 or -1, or leaves it.

    Raises
    ------
    OutOfBounds
        If |delta| >= K, where delta is known beforehand; `trace` checks the others.
    CircuitError
        If lengths disagree, or a time has no unit.
    """

    def __init__(
        self,
        h: Input,
        delta: Input,
        parameters: FeedbackShutdown | None = None,
        *,
        tau: Any = None,
        delay: Any = None,
        coupling: str | None = None,
        units: int | None = None,
        dt: Any = None,
        namespace: dict[str, Any] | None = None,
        record: Any = True,
        name: str | None = None,
        unchecked: bool = False,
    ):
        p = parameters or FeedbackShutdown()
        self.unchecked = unchecked
        inputs = {"h": InputVariable("h", h), "delta": InputVariable("delta", delta)}
        self.tau, self.delay = times(tau, p.tau, "tau"), times(delay, p.delay, "delay")
        p = self.parameters = own_times(p, self.tau, self.delay)
        sizes = {variable.name: variable.units for variable in inputs.values()}
        self.units = count_units(units, sizes | lengths(tau=self.tau, delay=self.delay))
        if inputs["delta"].values is not None:
            p.check(inputs["delta"].values, inputs["h"].values, unchecked)
        self.coupling = check_coupling(coupling, self.delay, dt)
        prefix = unique_prefix(name, "feedback_shutdown", "unit")

        of_inputs = {key: value for variable in inputs.values() for key, value in variable.namespace.items()}
        unit = brian2.NeuronGroup(
            self.units,
            "\n".join([EQUATIONS, *(variable.equation for variable in inputs.values())]),
            method="exponential_euler",
            events=UPPER.events | LOWER.events,
            namespace=(namespace or {}) | of_inputs | {"K": p.K},
            dt=dt,
            name=f"{prefix}_unit",
        )
        control = brian2.NeuronGroup(
            self.units,
            UNDELAYED if self.coupling == "undelayed" else DELAYED,
            namespace={},
            dt=dt,
            name=f"{prefix}_control",
        )
        unit.u, unit.v = brian2.linked_var(control, "u"), brian2.linked_var(control, "v")
        unit.tau = self.tau
        for variable in inputs.values():
            variable.assign(unit)

        objects: dict[str, Any] = {"unit": unit, "control": control}
        if self.coupling == "undelayed":
            control.x = brian2.linked_var(unit, "x")
        for signal, function in zip(SIGNALS, (u, v), strict=True):
            key = f"to_{signal.name}"
            if self.coupling == "events":
                objects[key] = signal.send(unit, control, self.delay, f"{prefix}_{key}", dt)
                continue
            signal.remember(unit)
            if self.coupling == "buffer":

                def level_now(unit: brian2.NeuronGroup, function=function) -> np.ndarray:
                    return function(saturate(unit.p_[:]))

                objects[key] = ring_buffer(unit, level_now, control, signal.name, self.delay, f"{prefix}_{key}", dt)
        if record is not False:
            variables = ["x", "delta_tilde", "u_sent", "v_sent", *inputs]
            objects["trace"] = brian2.StateMonitor(unit, variables, record=record, dt=dt, name=f"{prefix}_trace")
            for event in unit.events:
                objects[event] = brian2.EventMonitor(unit, event, name=f"{prefix}_{event}")
        super().__init__(objects, prefix)

    def trace(self) -> ShutdownTrace:
        """What the monitors have recorded.

        Returns
        -------
        ShutdownTrace
            Of the recorded units. Its u and v are those sent, before the delay.

        Raises
        ------
        CircuitError
            If nothing was recorded.
        OutOfBounds
            If a delta that was not known beforehand has left the bounds.
        """
        monitor = self.monitor
        h, delta = (np.asarray(getattr(monitor, name)).T for name in ("h", "delta"))
        self.parameters.check(delta, h, self.unchecked)
        sent = [(level, self[signal.event(level)]) for signal in SIGNALS for level in signal.levels]
        return ShutdownTrace(
            parameters=self.parameters,
            h=still(h),
            delta=still(delta),
            times=np.asarray(monitor.t / brian2.second),
            x=np.asarray(monitor.x).T,
            u=np.asarray(monitor.u_sent, dtype=float).T,
            v=np.asarray(monitor.v_sent, dtype=float).T,
            delta_tilde=np.asarray(monitor.delta_tilde).T,
            events=collect_events(sent, monitor, None if self.coupling == "undelayed" else self.delay, self["unit"].dt),
        )
