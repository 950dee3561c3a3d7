"""A claim, what was measured for it, and whether it holds: the value that every table of claims is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Any

WIDTH = 116  # of the text table
HEADER = ("claim", "source", "measured", "bound", "verdict", "statement")


@dataclass(frozen=True)
class Claim:
    """One claim in words, with the number that decides it.

    Attributes
    ----------
    name : str
        Short and unique within a report, such as ``theorem1``; tests and readers refer to it by this.
    statement : str
        The claim, as a sentence.
    source : str
        Where it is made: an equation, figure, theorem or section of the paper, or of DESIGN.md.
    measured : float or str
        What was found; a number wherever there is one.
    bound : str
        What `measured` is held against, such as ``"> 0"`` or ``"<= 1e-12"``; empty where nothing is.
    passed : bool or None
        Whether it holds; None for a finding that is reported and not judged, such as what lies outside a theorem's
        hypotheses.
    note : str
        What a reader needs besides: the worst case, the number of draws, what was left out.
    """

    name: str
    statement: str
    source: str
    measured: float | str
    bound: str
    passed: bool | None
    note: str = ""

    @property
    def verdict(self) -> str:
        return "reported" if self.passed is None else "holds" if self.passed else "FAILS"

    @property
    def shown(self) -> str:
        """`measured` as a table shows it."""
        return self.measured if isinstance(self.measured, str) else f"{self.measured:.3g}"

    def row(self) -> tuple[str, ...]:
        """The cells under `HEADER`."""
        words = f"{self.statement} {self.note}".strip()
        return (self.name, self.source, self.shown, self.bound, self.verdict, words)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "verdict": self.verdict}


def all_pass(claims: Iterable[Claim]) -> bool:
    """Whether no judged claim fails."""
    return all(claim.passed is not False for claim in claims)


def table(claims: Sequence[Claim]) -> str:
    """The claims as text: a line of figures each, with the statement and the note indented below it."""
    heads = [claim.row()[:5] for claim in claims]
    widths = [max(map(len, column)) for column in zip(HEADER[:5], *heads, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(HEADER[:5], widths, strict=True)).rstrip()]
    for claim, head in zip(claims, heads, strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)).rstrip())
        for words in filter(None, (claim.statement, claim.note)):
            lines += wrap(words, WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False)
    return "\n".join(lines)
