"""How far two presentations agree, quantity by quantity and layer by layer."""

from dataclasses import dataclass

import numpy as np

from network.errors import BadInput
from network.trace import StepTrace
from validation.tolerances import Tolerance


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
    """

    quantity: str
    layer: int
    largest: float
    relative: float
    where: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.quantity}/{self.layer} differs by {self.largest:.3g} ({self.relative:.3g}) at {list(self.where)}"


@dataclass(frozen=True)
class Agreement:
    """All differences between two presentations, and the number of ties that either reported."""

    differences: tuple[Difference, ...]
    ties: int

    @property
    def worst(self) -> Difference:
        return max(self.differences, key=lambda difference: difference.relative)

    def within(self, tolerance: Tolerance) -> bool:
        return self.worst.relative <= tolerance.relative


def compare(a: StepTrace, b: StepTrace) -> Agreement:
    """Compare two presentations of the same batch to the same weights; relative errors are relative to `a`.

    An array that only one of them has is not compared (dR/1, or any dR of a rule without R).

    Raises
    ------
    BadInput
        Where an array's shapes differ, or the two have none in common.
    """
    differences = []
    others = b.arrays()
    for quantity, arrays in a.arrays().items():
        for layer in sorted(arrays.keys() & others[quantity].keys()):
            differences.append(_difference(quantity, layer, arrays[layer], others[quantity][layer]))
    if not differences:
        raise BadInput("the two traces have no array in common; expected h/<i>, x/<i>, delta/<i>, dW/<i> or dR/<i>")
    return Agreement(tuple(differences), max(a.ties, b.ties))


def _difference(quantity: str, layer: int, a: np.ndarray, b: np.ndarray) -> Difference:
    if a.shape != b.shape:
        raise BadInput(f"{quantity}/{layer} has shape {list(a.shape)} in one trace and {list(b.shape)} in the other")
    gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
    gap = np.where(np.isnan(gap), np.inf, gap)
    where = tuple(int(k) for k in np.unravel_index(int(gap.argmax()), gap.shape))
    largest, scale = float(gap[where]), float(np.abs(a).max())
    relative = 0.0 if largest == 0 else (largest / scale if scale > 0 else float("inf"))
    return Difference(quantity, layer, largest, relative, where)
