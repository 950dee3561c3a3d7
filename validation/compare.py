"""How far two presentations agree, quantity by quantity and layer by layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import acos, degrees, inf

import numpy as np

from network.errors import BadInput
from network.trace import StepTrace
from sim.alignment import cosine
from validation.tolerances import Tolerance

GOING_UP = ("h", "x")


@dataclass(frozen=True)
class Difference:
    """The disagreement in one array.

    Attributes
    ----------
    quantity : str
        ``h``, ``x``, ``delta``, ``dW`` or ``dR``.
    layer : int
        i, counting the layers with weights from the input.
    largest : float
        max |a - b|.
    relative : float
        The same over max |a|; 0 where both are 0 everywhere.
    where : tuple of int
        Index of the largest difference.
    angle : float
        Between a and b as vectors, degrees; 0 where both are 0, NaN where one is.
    signs, exact : float
        Share of the entries that have the same sign, and of those that are equal to the last bit.
    allowed : float
        The tolerance; infinite where none was given.
    beyond : int
        Entries that differ by more than the tolerance; 0 where none was given.
    first : tuple of int or None
        Index of the first of them.
    """

    quantity: str
    layer: int
    largest: float
    relative: float
    where: tuple[int, ...]
    angle: float = 0.0
    signs: float = 1.0
    exact: float = 1.0
    allowed: float = inf
    beyond: int = 0
    first: tuple[int, ...] | None = None

    def __str__(self) -> str:
        return f"{self.quantity}/{self.layer} differs by {self.largest:.3g} ({self.relative:.3g}) at {list(self.where)}"

    @property
    def made(self) -> tuple[bool, int, int]:
        """The place in the order in which a presentation makes its arrays: up through h and x, down through the others.

        Going down, a layer's delta comes before its increments, and these before the delta of the layer below.
        """
        up = self.quantity in GOING_UP
        first = ("h", "x", "delta", "dW", "dR")
        place = first.index(self.quantity) if self.quantity in first else len(first)
        return (not up, self.layer if up else -self.layer, place)


@dataclass(frozen=True)
class Agreement:
    """All differences between two presentations, and the number of ties that either reported."""

    differences: tuple[Difference, ...]
    ties: int

    @property
    def worst(self) -> Difference:
        return max(self.differences, key=lambda difference: difference.relative)

    def of(self, *quantities: str) -> tuple[Difference, ...]:
        """The differences in some quantities only."""
        return tuple(difference for difference in self.differences if difference.quantity in quantities)

    @property
    def first(self) -> Difference | None:
        """The first array, as a presentation makes them, with entries beyond the tolerance; None where all agree."""
        return min((d for d in self.differences if d.beyond), key=lambda difference: difference.made, default=None)

    def within(self, tolerance: Tolerance) -> bool:
        return self.worst.relative <= tolerance.relative


def compare(a: StepTrace, b: StepTrace, tolerances: Mapping[str, Tolerance] | None = None) -> Agreement:
    """Compare two presentations of the same batch to the same weights; relative errors are relative to `a`.

    An array that only one of them has is not compared (dR/1, or any dR of a rule without R).

    Parameters
    ----------
    a, b : StepTrace
    tolerances : mapping of str to Tolerance, optional
        By quantity; needed to find what lies beyond.

    Raises
    ------
    BadInput
        Where an array's shapes differ, or the two have none in common.
    """
    differences = []
    others = b.arrays()
    for quantity, arrays in a.arrays().items():
        tolerance = (tolerances or {}).get(quantity)
        for layer in sorted(arrays.keys() & others[quantity].keys()):
            allowed = inf if tolerance is None else tolerance.relative
            differences.append(_difference(quantity, layer, arrays[layer], others[quantity][layer], allowed))
    if not differences:
        raise BadInput("the two traces have no array in common; expected h/<i>, x/<i>, delta/<i>, dW/<i> or dR/<i>")
    return Agreement(tuple(differences), max(a.ties, b.ties))


def _difference(quantity: str, layer: int, a: np.ndarray, b: np.ndarray, allowed: float) -> Difference:
    if a.shape != b.shape:
        raise BadInput(f"{quantity}/{layer} has shape {list(a.shape)} in one trace and {list(b.shape)} in the other")
    a, b = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(a - b)
    gap = np.where(np.isnan(gap), inf, gap)
    where = _place(int(gap.argmax()), gap.shape)
    largest, scale = float(gap[where]), float(np.abs(a).max())
    relative = 0.0 if largest == 0 else (largest / scale if scale > 0 else inf)
    beyond = np.zeros(1, dtype=bool) if allowed == inf else gap.ravel() > allowed * scale
    return Difference(
        quantity, layer, largest, relative, where,
        angle=_angle(a, b), signs=float(np.mean(np.sign(a) == np.sign(b))), exact=float(np.mean(a == b)),
        allowed=allowed, beyond=int(np.count_nonzero(beyond)),
        first=_place(int(beyond.argmax()), gap.shape) if beyond.any() else None,
    )  # fmt: skip


def _place(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(flat, shape))


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    if np.array_equal(a, b):
        return 0.0
    return degrees(acos(cosine(a, b))) if np.isfinite(a).all() and np.isfinite(b).all() else float("nan")
