"""What is read off a finished run: one number, from its rows as in ``metrics.jsonl``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


LAST_TEST_ERROR = Quantity("test error", lambda rows: rows[-1]["test_error"])
LAST_VALIDATION_ERROR = Quantity("validation error", lambda rows: rows[-1]["validation_error"])
BEST_VALIDATION_ERROR = Quantity("best validation error", _best_validation_error)
MEAN_CORRELATION = Quantity(
    "mean correlation of W and R, all layers but the first", _mean_correlation_above_the_first, is_error=False
)
LAST_LAYER_CORRELATION = Quantity(
    "correlation of W and R in the output layer", lambda rows: rows[-1]["alignment"][-1], is_error=False
)
