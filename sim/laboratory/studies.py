"""The studies: what is varied, over which values, and why.

All times are in ms. A clock with slack waits that much longer than it has to before every action (`Timing.margin`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sim.laboratory import disturbance as wrong
from sim.laboratory.disturbance import Disturbance
from sim.schedule import Timing

SLACK = 30.0  # ms
MS = 1e-3
UNITS = ("latch", "replace", "gate")  # what happens to every unit at a time of its own


@dataclass(frozen=True)
class Study:
    """One thing varied.

    Attributes
    ----------
    name, title : str
        As the command calls it, and as a report does.
    varied, unit : str
        What the values are, and in what.
    why : str
        What the study asks.
    values, few : tuple of float
        From no disturbance on; `few` of them where time is short.
    series : mapping of str to function of float
        The disturbance for a value, by name of the series.
    wide : bool
        Whether the values span decades.
    """

    name: str
    title: str
    varied: str
    unit: str
    why: str
    values: tuple[float, ...]
    few: tuple[float, ...]
    series: Mapping[str, Callable[[float], Disturbance]]
    wide: bool = False


def timed(slack: float = 0.0, **settings: object) -> dict[str, object]:
    """Settings of a circuit in finite time, whose clock has so many ms of slack."""
    return {"timing": Timing(margin=slack * MS), **settings}


def _unit_jitter(kinds: tuple[str, ...], slack: float = 0.0) -> Callable[[float], Disturbance]:
    return lambda sd: Disturbance(wrong.jittering_units(sd * MS, kinds) if sd else None, timed(slack))


def _clock_jitter(slack: float) -> Callable[[float], Disturbance]:
    return lambda sd: Disturbance(wrong.jittering_clock(sd * MS), timed(slack))


def _missed(each: str) -> Callable[[float], Disturbance]:
    return lambda share: Disturbance(wrong.missed_replacement(share, each), timed())


JITTER = Study(
    "jitter",
    "Every unit has a time of its own",
    "standard deviation of a unit's times",
    "ms",
    "How precisely do control neurons have to act, unit by unit, and which of them?",
    (0, 3, 10, 30, 100),
    (0, 10, 100),
    {
        **{f"{kind} only": _unit_jitter((kind,)) for kind in UNITS},
        "all three": _unit_jitter(UNITS),
        f"all three, {SLACK:g} ms slack": _unit_jitter(UNITS, SLACK),
    },
    wide=True,
)
CLOCK = Study(
    "clock",
    "The clock of whole layers is imprecise",
    "standard deviation of the clock",
    "ms",
    "How precisely do the events of whole layers have to follow each other?",
    (0, 3, 10, 30, 100, 300),
    (0, 10, 100),
    {"no slack": _clock_jitter(0.0), f"{SLACK:g} ms slack": _clock_jitter(SLACK)},
    wide=True,
)
LOST = Study(
    "lost",
    "Feedback is lost",
    "share lost",
    "",
    "What if feedback does not arrive, or does not take the place of the activity?",
    (0, 0.01, 0.03, 0.1, 0.3, 0.6, 1),
    (0, 0.1, 1),
    {
        "feedback to a layer": lambda share: Disturbance(wrong.lost_feedback(share), timed()),
        "replacement, image by image": _missed("image"),
        "replacement, layer by layer": _missed("layer"),
        "replacement, unit by unit": _missed("unit"),
    },
    wide=True,
)
LATE = Study(
    "late",
    "Feedback is late",
    "delay beyond what the clock was made for",
    "ms",
    "How late may feedback be?",
    (0, 3, 10, 30, 100, 300),
    (0, 30, 100),
    {
        "no slack": lambda ms: Disturbance(wrong.late_feedback(ms * MS), timed()),
        f"{SLACK:g} ms slack": lambda ms: Disturbance(wrong.late_feedback(ms * MS), timed(SLACK)),
    },
    wide=True,
)
ORDER = Study(
    "order",
    "The sweep down visits the layers in random order",
    "share of updates in random order",
    "",
    "Remark 1 wants the layers from the output down. Which of them suffer where that does not hold?",
    (0, 0.01, 0.03, 0.1, 0.3, 1),
    (0, 0.1, 1),
    {
        "any order": lambda share: Disturbance(wrong.disordered_sweep(share)),
        "two neighbours change places": lambda share: Disturbance(wrong.disordered_sweep(share, neighbours=True)),
    },
    wide=True,
)
PHASE = Study(
    "phase",
    "The output's gate opens at the wrong phase",
    "gate after the phase nearest 0",
    "cycles",
    "Outputs that are correct are silent for a part of their cycle only. What if they are read elsewhere?",
    (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    (0, 0.2, 0.5, 0.8),
    {
        "D = 6 τ": lambda phase: Disturbance(settings=timed(gate_phase=phase)),
        "D = 2 τ": lambda phase: Disturbance(settings={"timing": Timing(loop=20 * MS), "gate_phase": phase}),
        "steps of the update cycle": lambda phase: Disturbance(settings={"gate_phase": phase}),
    },
)
DESYNCHRONISED = Study(
    "desynchronised",
    "The gate opens in the presentation of another image",
    "share of gates in another presentation",
    "",
    "Amit's Discussion: where images of a class follow each other, does it matter in which of them a synapse changes?",
    (0, 0.1, 0.25, 0.5, 0.75, 1),
    (0, 0.5, 1),
    {
        "another image of the class": lambda share: Disturbance(partners=wrong.image_of_the_class(share)),
        "the same, classes shown in turn": lambda share: Disturbance(
            partners=wrong.image_of_the_class(share), by_class=True
        ),
        "an image of any class": lambda share: Disturbance(partners=wrong.any_image(share)),
    },
)
CONSOLIDATION = Study(
    "consolidation",
    "Tags become weights at random later presentations",
    "mean number of presentations until then",
    "updates",
    "Synaptic tags may wait: for how long, and do the two synapses of a pair have to change together?",
    (1, 3, 10, 30, 100, 300),
    (1, 10, 100),
    {
        "W and R together": lambda mean: Disturbance(consolidation=mean),
        "W and R apart": lambda mean: Disturbance(consolidation=mean, apart=True),
    },
    wide=True,
)

STUDIES = {s.name: s for s in (JITTER, CLOCK, LOST, LATE, ORDER, PHASE, DESYNCHRONISED, CONSOLIDATION)}
