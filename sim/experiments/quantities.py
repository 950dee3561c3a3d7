"""What is read off a finished run: one number, from its rows as in ``metrics.jsonl``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Quantity:
    """A number of a run.

    Attributes
    ----------
    name : str
        In words, as the axis of a figure says it.
    of : callable
        From rows, at least one, to the number; None where it was not measured.
    is_error : bool
        An error rate: shown in percent, and 1 - 1/classes for a run that diverged.
    """

    name: str
    of: Callable[[Rows], float | None]
    is_error: bool = True


def _best_validation_error(rows: Rows) -> float:
    return min(row["validation_error"] for row in rows)


def _mean_correlation_above_the_first(rows: Rows) -> float | None:
    """Over the layers that feed back: R of the first does not."""
    values = rows[-1]["alignment"][1:]
    return None if not values or None in values else sum(values) / len(values)


def _mean_below_the_output(name: str) -> Callable[[Rows], float | None]:
    """The mean of a list of a row over all layers but the output, whose delta is the error itself, under any rule."""

    def of(rows: Rows) -> float | None:
        values = [value for value in rows[-1].get(name, [])[:-1] if value is not None and not isnan(value)]
        return sum(values) / len(values) if values else None

    return of


LAST_TEST_ERROR = Quantity("test error", lambda rows: rows[-1]["test_error"])
LAST_VALIDATION_ERROR = Quantity("validation error", lambda rows: rows[-1]["validation_error"])
BEST_VALIDATION_ERROR = Quantity("best validation error", _best_validation_error)
MEAN_CORRELATION = Quantity(
    "mean correlation of W and R, all layers but the first", _mean_correlation_above_the_first, is_error=False
)
LAST_LAYER_CORRELATION = Quantity(
    "correlation of W and R in the output layer", lambda rows: rows[-1]["alignment"][-1], is_error=False
)
DELTA_ANGLE = Quantity(
    "angle of δ to that of back-propagation, degrees, mean below the output",
    _mean_below_the_output("delta_angle"),
    is_error=False,
)
DEGREES_BELOW_90 = Quantity(
    "degrees by which that angle is below 90",
    lambda rows: None if (mean := DELTA_ANGLE.of(rows)) is None else 90 - mean,
    is_error=False,
)
SIGN_CONCORDANCE = Quantity(
    "share of δ with the sign of back-propagation's, mean below the output",
    _mean_below_the_output("sign_concordance"),
    is_error=False,
)
