"""Errors a user can act on: which unit, which value, which bound, and what would work."""


class CircuitError(ValueError):
    """Something given to a circuit cannot be used. The message is one line: what, where, what would work."""


class OutOfBounds(CircuitError):
    """A value outside the range in which the circuit computes what Appendix 1 says.

    Attributes
    ----------
    unit : int or None
        Flat index of the first unit concerned; None where the value belongs to the whole circuit.
    value, bound : float
        What was given, and the bound it violates.
    """

    def __init__(self, message: str, unit: int | None = None, value: float = float("nan"), bound: float = float("nan")):
        super().__init__(message)
        self.unit, self.value, self.bound = unit, value, bound
