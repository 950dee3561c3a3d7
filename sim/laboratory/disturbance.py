"""What a circuit may get wrong in a presentation: functions that make the `Run` which an engine then executes.

Each returns a function of the run that was planned, the number of images and a seed. All images of a batch share what
happens by the clock; what is said of units is drawn for each unit of each image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sim.schedule import Event
from sim.schedule_plan import Schedule
from sim.schedule_run import Run
from sim.schedule_units import per_unit

Happens = Callable[[Run, int, int], Run]


@dataclass(frozen=True)
class Partners:
    """Gates that open in the presentation of another image: delta of one meets x of the other.

    Attributes
    ----------
    share : float
        The probability of that, for each layer and image.
    draw : function of (labels (N,), labels of all training images, generator)
        Which training image follows each of those presented, (N,).
    """

    share: float
    draw: Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Disturbance:
    """What is not as the algorithm wants it. Nothing, where left as it is.

    Attributes
    ----------
    happens : function of (Run, int, int), optional
        What happens instead of what was planned, in a presentation to so many images, given a seed.
    settings : mapping of str to object
        Fields of `sim.engine.Settings` that differ, as ``timing`` or ``gate_phase``.
    partners : Partners, optional
        Images in whose presentations gates open; where not given, each gate opens when it should.
    by_class : bool
        Show the images of a class one after the other, so that each batch is of one class.
    consolidation : float
        Tags become weights so many presentations later, on average: each synapse consolidates all of its own with
        probability 1/consolidation after a presentation. 1: at once.
    apart : bool
        Whether W and R consolidate at times of their own.
    """

    happens: Happens | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    partners: Partners | None = None
    by_class: bool = False
    consolidation: float = 1.0
    apart: bool = False


def jittering_clock(sd: float) -> Happens:
    """All actions of the clock have a normal error of standard deviation `sd` (s), whole layers at a time."""
    return lambda planned, count, seed: planned.schedule.run("record", jitter=sd, seed=seed)


def jittering_units(sd: float, kinds: tuple[str, ...]) -> Happens:
    """Actions of these kinds happen to each unit with a normal error of its own, standard deviation `sd` (s)."""
    jitter = dict.fromkeys(kinds, sd)
    return lambda planned, count, seed: per_unit(planned, planned.schedule.spec, jitter, count, seed)


def late_feedback(seconds: float) -> Happens:
    """Feedback takes so much longer to arrive than the clock was made for; infinite: it never does."""
    return lambda planned, count, seed: _late(planned.schedule, set(range(1, planned.schedule.layers)), seconds)


def lost_feedback(share: float) -> Happens:
    """In each hidden layer, with probability `share`, no feedback arrives: delta is 0 when it replaces x."""

    def happens(planned: Run, count: int, seed: int) -> Run:
        lost = np.random.default_rng(seed).random(planned.schedule.layers - 1) < share
        return _late(planned.schedule, set(np.flatnonzero(lost) + 1), np.inf)

    return happens


def _late(schedule: Schedule, layers: set[int], seconds: float) -> Run:
    arrivals = [r for r in schedule.requirements if r.name == "feedback arrived" and r.effect.layer in layers]
    return schedule.run("record", late=dict.fromkeys(arrivals, seconds))


def missed_replacement(share: float, each: str) -> Happens:
    """A share of the hidden units keeps x: delta does not replace it.

    Parameters
    ----------
    share : float
    each : {"unit", "layer", "image"}
        What is missed or not at one draw, in each image: a unit, a whole layer, or all layers.
    """

    def happens(planned: Run, count: int, seed: int) -> Run:
        random = np.random.default_rng(seed)
        images = random.random(count) >= share
        firings = []
        for firing in planned.firings:
            if firing.event.kind == "replace":
                shape = (count, *planned.schedule.spec.weighted[firing.event.layer - 1].shape)
                drawn = {
                    "unit": lambda shape=shape: random.random(shape) >= share,
                    "layer": lambda shape=shape: _wide(random.random(count) >= share, shape),
                    "image": lambda shape=shape: _wide(images, shape),
                }[each]()
                firing = replace(firing, units=drawn)
            firings.append(firing)
        return replace(planned, firings=tuple(firings))

    return happens


def _wide(images: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The same for all units of an image."""
    return np.broadcast_to(images.reshape(-1, *[1] * (len(shape) - 1)), shape).copy()


def disordered_sweep(share: float, *, neighbours: bool = False) -> Happens:
    """With probability `share` the sweep down visits the layers, the output among them, in random order.

    Parameters
    ----------
    share : float
    neighbours : bool
        Only have two layers that follow each other change places.
    """

    def happens(planned: Run, count: int, seed: int) -> Run:
        random = np.random.default_rng(seed)
        layers = list(range(planned.schedule.layers, 0, -1))
        if random.random() < share and neighbours:
            k = int(random.integers(len(layers) - 1))
            layers[k], layers[k + 1] = layers[k + 1], layers[k]
        elif not neighbours and random.random() < share:
            layers = random.permutation(layers).tolist()
        return sweep(planned.schedule, layers)

    return happens


def sweep(schedule: Schedule, layers: list[int]) -> Run:
    """What happens where the sweep down visits the layers in this order, each for as long as it takes.

    Parameters
    ----------
    schedule : Schedule
        As it was planned: from the output down.
    layers : list of int
        All layers with weights. At each, its control neurons are latched, delta comes in, and its gate opens.

    Returns
    -------
    Run
        Tags become weights at the end, or with ``after_update`` as soon as there are any.
    """
    planned, timing, top = schedule.times, schedule.timing, schedule.layers
    times: dict[Event, float] = {}
    now = planned[Event("teach")]
    for layer in layers:
        if layer == top:
            times[Event("teach")] = now
            now += timing.error
        else:
            times[Event("latch", layer)] = now
            times[Event("replace", layer)] = now = now + timing.of("latch", layer)
            now += max(timing.of("settling", layer), timing.of("gate", layer))
        times[Event("gate", layer)] = now
        now += timing.window(layer, top) + timing.margin
        if schedule.order == "after_update":
            times[Event("consolidate", layer)] = now
            now += timing.of("consolidation", layer)
    if schedule.order == "before_update":  # when all feedback has passed, whichever way round
        end = now + max(timing.of("settling", layer) for layer in layers)
        times.update({Event("consolidate", layer): end for layer in layers})
    return schedule.shift({event: time - planned[event] for event, time in times.items()}).run("record")


def any_image(share: float) -> Partners:
    """A share of the gates opens in the presentation of another training image, of whatever class."""
    return Partners(share, lambda labels, among, random: random.integers(len(among), size=len(labels)))


def image_of_the_class(share: float) -> Partners:
    """A share of the gates opens in the presentation of another training image of the same class."""

    def draw(labels: np.ndarray, among: np.ndarray, random: np.random.Generator) -> np.ndarray:
        found = np.empty(len(labels), int)
        for label in np.unique(labels):
            here = labels == label
            found[here] = random.choice(np.flatnonzero(among == label), size=np.count_nonzero(here))
        return found

    return Partners(share, draw)
