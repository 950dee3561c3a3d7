"""Where the paper and its published code of 2018 differ in what a network computes."""

from dataclasses import dataclass

from network.errors import unknown


@dataclass(frozen=True)
class Semantics:
    """The choices that the equations leave to the implementation.

    Attributes
    ----------
    gain : float
        The slope g of x = clip(g h, -1, 1) where none is given.
    strict_margin : bool
        Whether an output exactly at the margin counts as correct. Equation (6) updates it (<=, >=); the code does not.
    pool_anchor : {"centre", "corner"}
        Where the pooling window lies: centred on the pixel (section 4), or with its upper left corner there.
    pool_ties : {"first", "all"}
        Which of several equal maxima in a window receive the feedback.
    """

    name: str
    gain: float
    strict_margin: bool
    pool_anchor: str
    pool_ties: str


PAPER = Semantics("paper", gain=1.0, strict_margin=False, pool_anchor="centre", pool_ties="first")
CODE2018 = Semantics("code2018", gain=0.5, strict_margin=True, pool_anchor="corner", pool_ties="all")
SEMANTICS = {semantics.name: semantics for semantics in (PAPER, CODE2018)}


def named_semantics(name: str) -> Semantics:
    """Look up ``"paper"`` or ``"code2018"``; `BadInput` for anything else."""
    if name not in SEMANTICS:
        raise unknown("semantics", name, SEMANTICS)
    return SEMANTICS[name]
