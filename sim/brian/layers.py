"""The layers of a network as Brian2 groups: equations, and what units do when the schedule has them fire an event.

Everything is dimensionless but t and tau. A batch is so many copies of a layer side by side: unit i of image n is
number ``n * units + i``, in the order C, H, W.
"""

import brian2

from circuits.brian_circuit import InputVariable
from circuits.brian_output_error import CONTROL, DELAYED
from circuits.brian_output_error import EQUATIONS as ERROR
from circuits.transfer import brian_expression, inhibited, saturate, shut_off, u, v
from network.reference import MARGIN
from sim.brian.slots import SLOT, Slots

# What every layer shows to its synapses at one instant, and what they bring it from above at one instant.
SENDING = """
sent : 1
feedback : 1
"""
# The drive is held over a time step, which makes exponential Euler exact within the step. Activity that is on its way
# waits in `arriving`, feedback in `returning`, until the delay is over.
MEMBRANE = """
dp/dt = (drive - p) / tau : 1
drive : 1
arriving : 1
"""
HIDDEN = f"""
{MEMBRANE}
{SENDING}
x = {brian_expression(saturate, h="p", gain="gain")} : 1
delta = gain * ({brian_expression(shut_off, z=brian_expression(inhibited, delta="p"))}) : 1
activity = x * (1 - mode) + delta * mode : 1
mode : integer
u : 1
v : 1
u_latched : 1
v_latched : 1
K : 1 (shared)
returning : 1
settled : 1
settled_activity : 1
read : 1
"""
# δ and tc run as in the circuit of a single unit, at rest until `teach` brings h and s.
OUTPUT = f"""
{MEMBRANE}
{SENDING}
{ERROR}
{CONTROL.equation}
activity = p * int(mode == 0) + delta * int(mode == 1) + read * int(mode == 2) : 1
mode : integer
h : 1
s : 1
supervision : 1
M : 1 (shared)
settled : 1
reading : boolean
nearest : 1
read_at : second
taken : boolean
oscillating : boolean
read : 1
"""
CONTROL_UNITS = f"""
{DELAYED}
connected : 1
acting = tc * connected : 1
"""
INPUT_UNITS = f"""
{SENDING}
activity : 1
"""
RELAY_UNITS = f"""
{SENDING}
winner : integer
"""

NEAREST = """
taken = True
nearest = nearest * int(abs(nearest) <= abs(delta)) + delta * int(abs(delta) < abs(nearest))
oscillating = oscillating or tc_sent != 0
"""
# At the time asked for, once; the time is exact, the sample that of the nearest time step.
AT_PHASE = """
nearest = nearest + (delta - nearest) * int(reading and not taken and t >= read_at - 0.5 * dt)
taken = taken or (reading and t >= read_at - 0.5 * dt)
oscillating = oscillating or tc_sent != 0
"""


def input_units(units: int, pixel: InputVariable, slots: Slots, name: str) -> brian2.NeuronGroup:
    """The image: `pixel`, which is the activity from `present` on."""
    equations = "\n".join([INPUT_UNITS, pixel.equation])
    group = slots.group(units, equations, ("present", "show", "send"), name, pixel.namespace)
    pixel.assign(group)
    slots.on_event(group, "present", "activity = pixel")
    slots.on_event(group, "show", "sent = activity")
    return group


def relay_units(units: int, slots: Slots, name: str) -> brian2.NeuronGroup:
    """A pool, drop or SUM: what it puts out at an instant, and which pixel of its window won."""
    return slots.group(units, RELAY_UNITS, ("send",), name, {})


def hidden_units(units: int, gain: float, tau: float, slots: Slots, name: str) -> brian2.NeuronGroup:
    """Hidden units: membrane potential p, x = σ(g p) in `mode` 0, and in mode 1 δ = g σ_δ(p - 2 K u + 2 K v)."""
    events = ("settle", "close", "show", "latch", "send", "feed", "rise", "arrive", "replace")
    namespace = {"gain": gain, "tau": tau * brian2.second}
    group = slots.group(units, HIDDEN, events, name, namespace, method="exponential_euler")
    slots.on_event(group, "settle", "settled = p\nsettled_activity = activity")
    slots.on_event(group, "close", "read = activity")
    slots.on_event(group, "show", "sent = activity")
    latch = {letter: brian_expression(unit, x="activity") for letter, unit in (("u", u), ("v", v))}
    slots.on_event(group, "latch", "\n".join(f"{letter}_latched = {text}" for letter, text in latch.items()))
    slots.on_event(group, "rise", "u = u_latched\nv = v_latched")
    slots.on_event(group, "arrive", "drive = arriving")
    slots.on_event(group, "replace", "drive = returning\nmode = 1")
    return group


def output_units(
    units: int, parameters: dict[str, float], tau: float, at_phase: bool, slots: Slots, name: str
) -> brian2.NeuronGroup:
    """Output units: in `mode` 0 linear, in mode 1 error units, and in mode 2 what the gate has read of δ.

    Parameters
    ----------
    units : int
    parameters : dict
        mu and epsilon.
    tau : float
        Seconds.
    at_phase : bool
        Whether the gate reads δ at a phase of its cycle, and not the value nearest 0.
    slots, name
    """
    events = ("teach", "settle", "gate", "close", "show", "feed", "arrive")
    thresholds = {"S": MARGIN, "t_upper": 1.0, "t_lower": -parameters["mu"], "noise": 0.0}
    group = slots.group(
        units, OUTPUT, events, name, parameters | thresholds, method="exponential_euler", own_events=CONTROL.events
    )
    group.tau = tau * brian2.second
    slots.on_event(group, "teach", "h = p\ns = supervision\ndelta = 0\nnearest = 0\nmode = 1")
    slots.on_event(group, "settle", "settled = p")
    slots.on_event(group, "gate", "nearest = delta\nreading = True")
    group.run_regularly(AT_PHASE if at_phase else NEAREST, clock=slots.clock, when=SLOT, order=slots.order("read"))
    seen = "int(taken and oscillating)" if at_phase else "int(taken)"
    slots.on_event(group, "close", f"read = delta + (nearest - delta) * {seen}\nmode = mode + int(mode == 1)")
    slots.on_event(group, "show", "sent = activity")
    slots.on_event(group, "arrive", "drive = arriving")
    return group


def control_units(units: int, slots: Slots, name: str) -> brian2.NeuronGroup:
    """The controls tc of the output units; `connected` is 0 where one is cut."""
    return brian2.NeuronGroup(units, CONTROL_UNITS, namespace={}, clock=slots.clock, name=name)
