"""One presentation as events, and what each of them needs: the order of Remark 1, as a graph.

Layers are named by the i of W/<i>. Pools, drops and SUMs have no events of their own: they pass on what the layers with
weights put out, so that a layer l may read several layers, its sources (a SUM between), and be read by several.

`arrive` and `settle` are signals: they follow from what causes them. All others are actions: a clock fires them, and
nothing stops it from firing one too early. What each action needs, and how the increments go wrong where it is not so:

================  ==============  ======================================================  ============================
needed            by              is                                                      otherwise
================  ==============  ======================================================  ============================
output settled    teach           h_L has settled                                         delta_L is for another h
error settled     gate(L)         delta_L has settled after `teach`                       dW_L ~ h_L x_{L-1}
delta settled     gate(l)         delta_l has settled after `replace(l)`                  dW_l ~ x_l x_{l-1}
x settled         gate(l)         the sources' x have settled, the input is presented     dW_l is too small
x settled         latch(l)        x_l has settled                                         saturated units take feedback
x feedforward     gate(l)         no source has been replaced                             dW_l ~ delta_l delta_{l-1}
x feedforward     latch(l)        x_l has not been replaced                               u, v judge delta_l, not x_l
gate closed       replace(l)      the gates of all layers that read x_l are closed        dW of those ~ delta delta
gate closed       consolidate(l)  the increment is complete                               W_l, R_l do not change
latched           replace(l)      u_l, v_l are up                                         saturated units take feedback
feedback arrived  replace(l)      delta of all layers that read x_l is here               their x comes down instead
feedback passed   consolidate(l)  delta of all sources has settled (`before_update`)      it comes through the new R_l
weights changed   replace(l)      all layers that read x_l consolidated (`after_update`)  it comes through the old R
================  ==============  ======================================================  ============================
"""

from dataclasses import dataclass, fields
from typing import NamedTuple

from network.errors import BadInput, unknown
from network.rules import ORDERS
from network.spec import INPUT, NetworkSpec

SIGNALS = ("arrive", "settle")
ACTIONS = ("present", "teach", "gate", "latch", "replace", "consolidate")


class Event(NamedTuple):
    """Something that happens once in a presentation.

    Attributes
    ----------
    kind : str
        One of `SIGNALS` or `ACTIONS`.
    layer : int
        i of W/<i>, from 1; 0 for ``present`` and ``teach``.
    """

    kind: str
    layer: int = 0

    def __str__(self) -> str:
        return f"{self.kind}({self.layer})" if self.layer else self.kind


class Requirement(NamedTuple):
    """`effect` waits for `cause`: an edge of the graph.

    Attributes
    ----------
    cause, effect : Event
    name : str
        What `effect` needs; see the table above.
    lag : float
        Seconds that have to pass from the one to the other.
    kind : {"needed", "signal", "customary"}
        A signal follows its cause and cannot come before it. Customary is the order of figure 15 where nothing depends
        on it: u and v may be latched before the gate as well as after.
    still : str
        What `cause` needs in turn: that `effect` has not happened. Empty where it does not care.
    """

    cause: Event
    effect: Event
    name: str
    lag: float = 0.0
    kind: str = "needed"
    still: str = ""

    def __str__(self) -> str:
        return f"{self.effect} needs {self.cause}: {self.name}"


class TimingViolation(RuntimeError):
    """An event happened without what it needs.

    Attributes
    ----------
    event : Event
        What happened.
    requirement : str
        The name of what it needs, as in the table above.
    other : Event
        The event that should have happened before; for "x feedforward" after.
    time : float
        Seconds after the start.
    """

    def __init__(self, event: Event, requirement: str, other: Event, time: float, why: str) -> None:
        super().__init__(f"{event} at {time * 1e3:.4g} ms: '{requirement}' does not hold, {why}")
        self.event = event
        self.requirement = requirement
        self.other = other
        self.time = time


@dataclass(frozen=True)
class Timing:
    """How long things take, in seconds; one number for all layers, or one for each of W/1, W/2, ...

    Attributes
    ----------
    delay : float or tuple of float
        Transmission of activity to a layer, from those below it.
    settling : float or tuple of float
        From the arrival of its input until a layer's activity, x or delta, counts as settled.
    feedback_delay : float or tuple of float
        Transmission of feedback from a layer to those below it.
    gate : float or tuple of float
        How long the Hebbian window stays open.
    latch : float or tuple of float
        Until u and v act.
    consolidation : float or tuple of float
        Until a layer's tags have become weights.
    error : float
        From the target until the output error can be read.
    margin : float
        How much longer than it has to every action waits: what a clock with jitter may lose.
    reading : float
        How long the Hebbian window of the output layer stays open: a whole cycle of its oscillating units, which are
        near 0 for a part of it only.
    tau : float
        Time constant of all membranes and error units.
    loop : float
        Delay D of the output units' loop through their control: silenced ones come as near to 0 as e^{-D/tau}.

    Raises
    ------
    BadInput
        For a time that is negative or not finite, or a time constant of 0.
    """

    delay: float | tuple[float, ...] = 2e-3
    settling: float | tuple[float, ...] = 60e-3
    feedback_delay: float | tuple[float, ...] = 2e-3
    gate: float | tuple[float, ...] = 20e-3
    latch: float | tuple[float, ...] = 10e-3
    consolidation: float | tuple[float, ...] = 10e-3
    error: float = 60e-3
    margin: float = 0.0
    reading: float = 200e-3
    tau: float = 10e-3
    loop: float = 60e-3

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            for seconds in value if isinstance(value, tuple) else (value,):
                if not 0 <= seconds < float("inf"):
                    raise BadInput(f"timing: {field.name} = {seconds:g} s: expected 0 or more, in seconds")
        if self.tau == 0:
            raise BadInput("timing: tau = 0 s: expected a positive time constant")

    @classmethod
    def settled(cls, ratio: float, tau: float = 10e-3) -> "Timing":
        """Everything settles for `ratio` time constants, which leaves an error of about e^{-ratio}.

        Parameters
        ----------
        ratio : float
            T/tau, positive: of activity, of the output error, and D/tau of the control's loop.
        tau : float
            Seconds.
        """
        if not 0 < ratio < float("inf"):
            raise BadInput(f"timing {ratio:g}: expected how many time constants everything settles for, more than 0")
        settling = ratio * tau
        # A cycle is two delays and what lies between the thresholds: 5.3 tau with epsilon = .2 and 1,000 classes.
        return cls(settling=settling, error=settling, reading=2 * settling + 8 * tau, tau=tau, loop=settling)

    def of(self, name: str, layer: int) -> float:
        """The time `name` of a layer."""
        value = getattr(self, name)
        return value[layer - 1] if isinstance(value, tuple) else value

    def window(self, layer: int, top: int) -> float:
        """How long the Hebbian window of `layer` stays open, `top` being the output."""
        return self.reading if layer == top else self.of("gate", layer)

    def check(self, layers: int) -> None:
        """`BadInput` where times are given for another number of layers."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple) and len(value) != layers:
                raise BadInput(f"timing: {field.name} has {len(value)} values: expected 1 or {layers}, one a layer")


IDEAL = Timing(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, reading=0.0)  # everything at once, in the order of `canonical_order`


def sources_of(spec: NetworkSpec) -> dict[int, tuple[int, ...]]:
    """The layers whose activity each layer with weights reads, through pools, drops and SUMs; 0 is the input.

    Two of them where a SUM lies between, as in deepernet: ``{1: (0,), 2: (1,), 3: (1, 2), ...}``.
    """
    read: dict[str, set[int]] = {INPUT: {0}}
    sources: dict[int, tuple[int, ...]] = {}
    for node in spec.nodes:
        below = set().union(*(read[name] for name in node.sources))
        read[node.name] = {node.index} if node.index else below
        if node.index:
            sources[node.index] = tuple(sorted(below))
    return sources


def canonical_order(spec: NetworkSpec, order: str = "before_update") -> tuple[Event, ...]:
    """The order of firing where nothing takes time.

    Going down, a layer is reached when every layer that reads it has passed its gate: its feedback is then complete,
    whichever of the readers it comes from.

    Parameters
    ----------
    spec : NetworkSpec
    order : {"before_update", "after_update"}
        When tags become weights: when the feedback has passed through R_l to all the layers that l reads, or at the
        gate of l, before it passes.

    Returns
    -------
    tuple of Event
        ``latch`` and ``replace`` for the hidden layers, ``arrive``, ``settle``, ``gate`` and ``consolidate`` for all.

    Raises
    ------
    BadInput
        For an unknown order.
    """
    if order not in ORDERS:
        raise unknown("order", order, ORDERS)
    sources = sources_of(spec)
    top = len(sources)
    events = [Event("present")]
    for layer in sources:
        events += [Event("arrive", layer), Event("settle", layer)]
    events.append(Event("teach"))
    tagged: list[int] = []  # layers whose increments wait to become weights
    for layer in range(top, 0, -1):
        if layer < top:
            events += [Event("latch", layer), Event("replace", layer)]
            tagged = _consolidate(tagged, layer, sources, events)
        events.append(Event("gate", layer))
        tagged = _consolidate([*tagged, layer], 0 if order == "after_update" else layer, sources, events)
    return tuple(events)


def _consolidate(
    tagged: list[int], replaced: int, sources: dict[int, tuple[int, ...]], events: list[Event]
) -> list[int]:
    """Consolidate the layers that need not wait for a layer below `replaced`; return the others."""
    waiting = []
    for layer in tagged:
        hidden = [source for source in sources[layer] if source]
        if replaced and hidden and min(hidden) < replaced:
            waiting.append(layer)
        else:
            events.append(Event("consolidate", layer))
    return waiting


def requirements_of(spec: NetworkSpec, order: str, timing: Timing) -> tuple[Requirement, ...]:
    """Everything that some event waits for: signals, the needs of the table above, and the customs of figure 15."""
    sources = sources_of(spec)
    top = len(sources)
    timing.check(top)
    found: list[Requirement] = []

    def wait(effect: Event, cause: Event, name: str, lag: float = 0.0, kind: str = "needed", still: str = "") -> None:
        found.append(Requirement(cause, effect, name, lag, kind, still))

    for layer, below in sources.items():
        arrive, settle = Event("arrive", layer), Event("settle", layer)
        gate, consolidate = Event("gate", layer), Event("consolidate", layer)
        for a in below:
            cause = Event("settle", a) if a else Event("present")
            wait(arrive, cause, "source settled" if a else "presented", timing.of("delay", layer), "signal")
            wait(gate, cause, "x settled")
        wait(settle, arrive, "arrived", timing.of("settling", layer), "signal")
        # How delta comes about: at the output by teaching, elsewhere by replacing x.
        if layer == top:
            delta, takes = Event("teach"), timing.error
            wait(delta, settle, "output settled")
            wait(gate, delta, "error settled", takes)
            takes += timing.reading  # what goes down is what the gate has read
        else:
            delta, takes = Event("replace", layer), timing.of("settling", layer)
            wait(Event("latch", layer), settle, "x settled")
            wait(delta, Event("latch", layer), "latched", timing.of("latch", layer), still="x feedforward")
            wait(gate, delta, "delta settled", takes)
        window = timing.window(layer, top)
        wait(consolidate, gate, "gate closed", window)
        for a in filter(None, below):  # the input, 0, keeps its activity
            replace = Event("replace", a)
            wait(replace, gate, "gate closed", window, still="x feedforward")
            wait(Event("latch", a), gate, "figure 15", window, "customary")
            wait(replace, delta, "feedback arrived", takes + timing.of("feedback_delay", layer))
            if order == "before_update":
                wait(consolidate, replace, "feedback passed", timing.of("settling", a))
            else:
                passing = timing.of("feedback_delay", layer)  # feedback takes the weights as they are when it leaves
                wait(replace, consolidate, "weights changed", timing.of("consolidation", layer) + passing)
    return tuple(found)
