"""The worst of many measurements, and the claim that it decides."""

from dataclasses import dataclass

from validation.claims import Claim


@dataclass
class Worst:
    """The largest value seen, and where.

    Attributes
    ----------
    value : float
    where : str
    count : int
        How many values were seen.
    """

    value: float = 0.0
    where: str = ""
    count: int = 0

    def see(self, value: float, where: object) -> None:
        """Take one measurement; what is not a number is infinitely bad."""
        value = value if value == value else float("inf")
        self.count += 1
        if value > self.value or not self.where:
            self.value, self.where = value, str(where)

    def claim(self, name: str, statement: str, source: str, bound: float, what: str = "presentations") -> Claim:
        """The claim that no value was above `bound`; one for which nothing was seen is reported, not judged."""
        if not self.count:
            return Claim(name, statement, source, "not checked", f"<= {bound:g}", None, "nothing here could check it")
        note = f"{self.count:,} {what}" + (f"; worst: {self.where}" if self.value > 0 else "")
        return Claim(name, statement, source, self.value, f"<= {bound:g}", self.value <= bound, note)
