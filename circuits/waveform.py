"""What a circuit did in time: the value that the discrete map, Brian2 and the exact solution all return."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from circuits.parameters import FeedbackShutdown, OutputError

# Codes of `Events.kind`.
CROSSING = 0  # δ passes a threshold of σ_t, or x one of u and v: the new level sets out
ARRIVAL = 1  # that level arrives, one delay later
INPUT = 2  # h or s changes
SLIDING = 3  # without delay: δ stays on a threshold, tc taking a mean level between its two values
EVENT_KINDS = ("crossing", "arrival", "input", "sliding")


class Events(NamedTuple):
    """What happened when, sorted by unit and then by time. All are arrays of shape (events,).

    Attributes
    ----------
    unit : numpy.ndarray of int
    time : numpy.ndarray of float
        In the trace's `time_unit`.
    kind : numpy.ndarray of int
        `CROSSING`, `ARRIVAL`, `INPUT` or `SLIDING`; indices into `EVENT_KINDS`.
    level : numpy.ndarray of float
        The new level of tc (output error) or of u + v (shutdown) that the event sends or brings; for `INPUT` the one
        that holds.
    """

    unit: np.ndarray
    time: np.ndarray
    kind: np.ndarray
    level: np.ndarray

    def of(self, unit: int) -> "Events":
        """The events of one unit."""
        chosen = self.unit == unit
        return Events(*(column[chosen] for column in self))


@dataclass(frozen=True)
class Trace:
    """The output-error circuit in time.

    Attributes
    ----------
    parameters : OutputError
        With ``delay=0`` where the form has no delay, whatever it was made from: the cycle analysis relies on it.
    h, s : numpy.ndarray, (units,) or (T, units)
        Input and supervision; with T where they vary.
    times : numpy.ndarray, (T,)
        Ascending.
    delta : numpy.ndarray, (T, units)
        Activity δ of the error unit.
    tc : numpy.ndarray, (T, units)
        Level of the control unit as it acts on δ, i.e. after the delay. Between -1 and 1 where δ slides.
    events : Events or None
        Where the form knows them.
    time_unit : {"s", "updates"}
        The discrete map counts updates.
    """

    parameters: OutputError
    h: np.ndarray
    s: np.ndarray
    times: np.ndarray
    delta: np.ndarray
    tc: np.ndarray
    events: Events | None = None
    time_unit: str = "s"

    @property
    def units(self) -> int:
        """How many units."""
        return self.delta.shape[1]


@dataclass(frozen=True)
class ShutdownTrace:
    """The feedback-shutdown circuit in time.

    Attributes
    ----------
    parameters : FeedbackShutdown
    h, delta : numpy.ndarray, (units,) or (T, units)
        Input of the units, and the feedback arriving at them.
    times : numpy.ndarray, (T,)
        Ascending.
    x : numpy.ndarray, (T, units)
        Activity σ(p).
    u, v : numpy.ndarray, (T, units)
        Shutdown units, 0 or 1 and 0 or -1, as they are when x passes their thresholds, before the delay.
    delta_tilde : numpy.ndarray, (T, units)
        The feedback that gets through, after the delay.
    events : Events or None
        Where the form knows them.
    time_unit : {"s", "updates"}
        The discrete map counts updates.
    """

    parameters: FeedbackShutdown
    h: np.ndarray
    delta: np.ndarray
    times: np.ndarray
    x: np.ndarray
    u: np.ndarray
    v: np.ndarray
    delta_tilde: np.ndarray
    events: Events | None = None
    time_unit: str = "s"

    @property
    def units(self) -> int:
        """How many units."""
        return self.x.shape[1]
