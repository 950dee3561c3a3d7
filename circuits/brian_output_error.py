"""The output-error circuit as Brian2 rate equations (Appendix 1, figure 14)."""

from dataclasses import replace
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
from circuits.errors import CircuitError
from circuits.parameters import OutputError
from circuits.transfer import brian_expression, drive, sigma_delta, sigma_t
from circuits.waveform import Trace

CONTROL = LevelSignal(
    name="tc",
    expression=f"({brian_expression(sigma_t, delta='delta + noise', upper='t_upper', lower='t_lower')})",
    levels=(-1, 0, 1),
)

# Held over a time step, the level makes the equation linear, and exponential Euler exact within the step. It computes
# level + (delta - level) exp(-dt / tau), which no rounding takes beyond the level: some levels are thresholds of σ_t.
EQUATIONS = f"""
ddelta/dt = (level - delta) / tau : 1
level = {brian_expression(sigma_delta)} : 1 (constant over dt)
H = {brian_expression(drive)} : 1
tau : second (constant)
tc : 1 (linked)
"""
DELAYED = "tc : 1"
UNDELAYED = f"""
tc = {CONTROL.expression} : 1
delta : 1 (linked)
noise : 1 (linked)
"""
LAGGING = f"""
dtc/dt = (tc_level - tc) / tau_control : 1
tc_level = {CONTROL.expression} : 1 (constant over dt)
delta : 1 (linked)
noise : 1 (linked)
"""


class OutputErrorCircuit(BrianCircuit):
    """Independent output-error circuits as Brian2 objects: τ δ' = -δ + σ_δ(h + 2 M s - 2 M tc), tc(t) = σ_t(δ(t - D)).

    Parameters
    ----------
    h : number, array_like, TimedArray, str or linked_var
        Input of the units, dimensionless; see `circuits.brian_circuit.InputVariable`. Where synapses of the user drive
        h, give the value it starts from.
    s : as `h`
        Supervision: 1 for the class presented, -1 for the others. A variable of the user's own may also be 0, where
        nobody teaches: the unit is silent then.
    parameters : OutputError
    tau, delay : brian2.Quantity, optional
        τ and D where they differ from those of `parameters`, e.g. ``10*ms``; one for all, or one per unit.
    noise : as `h`
        Added to δ where the control unit receives it. Draw it beforehand, as `circuits.exact_noise.Noise.samples` does
        for a `TimedArray`: then the exact solution can have the same.
    coupling : {"events", "buffer", "undelayed"}, optional
        How δ reaches tc. ``"events"``, the default: each change of level is an event that arrives D later.
        ``"buffer"``: a record of δ, read D later; the same result, slower, for runtime mode only. ``"undelayed"``, the
        default with a delay of 0: tc = σ_t(δ) at once, and the circuit slides along its plateau and never shuts off.
    tau_control : brian2.Quantity, optional
        With ``coupling="undelayed"`` only: tc relaxes toward σ_t(δ) with this time constant. A lag is not a delay: δ
        still slides along its plateau, and is never shut off.
    units : int, optional
        How many, where neither `h` nor `s` says so.
    equations : str, optional
        Variables to add to the error units, one for each pathway where several drive h or s: Brian2 sums one into each,
        ``equations="ahead : 1\\nback : 1"`` with ``h="ahead + back"``.
    dt : brian2.Quantity, optional
        Time step of all objects; Brian2's default clock where not given.
    namespace : dict, optional
        What `h` and `s` given as strings refer to.
    record : bool or array_like of int
        The units to monitor.
    name : str, optional
        What the names of the objects begin with.
    unchecked : bool
        Let |h| >= M pass.

    Attributes
    ----------
    "error" : brian2.NeuronGroup
        The error units: `delta`, its `level` σ_δ(H), `H`, `h`, `s`, `tau`.
    "control" : brian2.NeuronGroup
        The control units: `tc`, as it acts on δ.
    "to_control" : brian2.Synapses, or brian2.NetworkOperation
        From error to control; absent where undelayed.
    "trace" : brian2.StateMonitor
        `delta` and `tc` at the start of every step.
    "tc_one", "tc_zero", "tc_minus_one" : brian2.EventMonitor
        δ passes a threshold of σ_t and a new level sets out.

    Raises
    ------
    OutOfBounds
        If |h| >= M, where h is known beforehand; `trace` checks the others.
    CircuitError
        If lengths disagree, s is not ±1, or a time has no unit.

    Notes
    -----
    The level acts from the start of the next step, so that inputs driven by synapses act one dt later than they arrive.
    A circuit of several units is faster than several circuits.

    Examples
    --------
    >>> circuit = OutputErrorCircuit(h=[2, 0.5], s=[1, 1])
    >>> network = brian2.Network(circuit)
    >>> network.run(100 * brian2.ms)
    >>> circuit.trace().delta[-1]
    """

    def __init__(
        self,
        h: Input,
        s: Input,
        parameters: OutputError | None = None,
        *,
        tau: Any = None,
        delay: Any = None,
        noise: Input = 0.0,
        coupling: str | None = None,
        tau_control: Any = None,
        units: int | None = None,
        equations: str = "",
        dt: Any = None,
        namespace: dict[str, Any] | None = None,
        record: Any = True,
        name: str | None = None,
        unchecked: bool = False,
    ):
        p = parameters or OutputError()
        self.unchecked = unchecked
        inputs = self._inputs = {
            name: InputVariable(name, given) for name, given in (("h", h), ("s", s), ("noise", noise))
        }
        self.tau, self.delay = times(tau, p.tau, "tau"), times(delay, p.delay, "delay")
        p = self.parameters = own_times(p, self.tau, self.delay)
        sizes = {variable.name: variable.units for variable in inputs.values()}
        self.units = count_units(units, sizes | lengths(tau=self.tau, delay=self.delay))
        if inputs["h"].values is not None:
            p.check(inputs["h"].values, inputs["s"].values, unchecked)
        self.coupling = check_coupling(coupling, self.delay, dt)
        if tau_control is not None and self.coupling != "undelayed":
            raise CircuitError("tau_control: a control with a lag goes with coupling='undelayed', or a delay of 0")
        lag = {} if tau_control is None else {"tau_control": times(tau_control, 0.0, "tau_control")}
        undelayed = UNDELAYED if tau_control is None else LAGGING
        prefix = unique_prefix(name, "output_error", "error")

        error = brian2.NeuronGroup(
            self.units,
            "\n".join([EQUATIONS, CONTROL.equation, equations, *(variable.equation for variable in inputs.values())]),
            method="exponential_euler",
            events=CONTROL.events,
            namespace=self._namespace(namespace or {}),
            dt=dt,
            name=f"{prefix}_error",
        )
        control = brian2.NeuronGroup(
            self.units,
            undelayed if self.coupling == "undelayed" else DELAYED,
            method="exponential_euler",
            namespace={"t_upper": p.t_upper, "t_lower": p.t_lower, **lag},
            dt=dt,
            name=f"{prefix}_control",
        )
        error.tc = brian2.linked_var(control, "tc")
        error.tau = self.tau
        for variable in inputs.values():
            variable.assign(error)

        objects: dict[str, Any] = {"error": error, "control": control}
        to_control = f"{prefix}_to_control"
        if self.coupling == "events":
            objects["to_control"] = CONTROL.send(error, control, self.delay, to_control, dt)
        else:
            CONTROL.remember(error)
        if self.coupling == "buffer":
            objects["to_control"] = ring_buffer(error, self._level_now, control, "tc", self.delay, to_control, dt)
        if self.coupling == "undelayed":
            control.delta, control.noise = brian2.linked_var(error, "delta"), brian2.linked_var(error, "noise")
        if record is not False:
            objects["trace"] = brian2.StateMonitor(
                error, ["delta", "tc", "h", "s"], record=record, dt=dt, name=f"{prefix}_trace"
            )
            for event in CONTROL.events:
                objects[event] = brian2.EventMonitor(error, event, name=f"{prefix}_{event}")
        super().__init__(objects, prefix)

    def _namespace(self, own: dict[str, Any]) -> dict[str, Any]:
        """What the names in the equations stand for; `own` is the user's part."""
        p = self.parameters
        inputs = {key: value for variable in self._inputs.values() for key, value in variable.namespace.items()}
        numbers = {name: getattr(p, name) for name in ("M", "S", "mu", "epsilon", "t_upper", "t_lower")}
        return own | inputs | numbers

    def _level_now(self, error: brian2.NeuronGroup) -> np.ndarray:
        return sigma_t(error.delta_[:] + error.noise_[:], self.parameters.t_upper, self.parameters.t_lower)

    def trace(self) -> Trace:
        """What the monitors have recorded.

        Returns
        -------
        Trace
            Of the recorded units, with their events: a crossing is known to one dt, and arrives one delay later.

        Raises
        ------
        CircuitError
            If nothing was recorded.
        OutOfBounds
            If an h that was not known beforehand has left the bounds.
        """
        monitor = self.monitor
        h, s = (np.asarray(getattr(monitor, name)).T for name in ("h", "s"))
        self.parameters.check(h, unchecked=self.unchecked)
        undelayed = self.coupling == "undelayed"
        return Trace(
            parameters=replace(self.parameters, delay=0.0) if undelayed else self.parameters,
            h=still(h),
            s=still(s),
            times=np.asarray(monitor.t / brian2.second),
            delta=np.asarray(monitor.delta).T,
            tc=np.asarray(monitor.tc).T,
            events=collect_events(
                [(level, self[CONTROL.event(level)]) for level in CONTROL.levels],
                monitor,
                None if undelayed else self.delay,
                self["error"].dt,
            ),
        )
