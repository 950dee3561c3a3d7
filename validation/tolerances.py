"""The one table of tolerances. Every test and certificate reads it; none has a number of its own.

All are relative to the largest entry of the compared array, because single entries of a sum can cancel to nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """A bound on max|a - b| / max|a|, and why it is that and not smaller."""

    relative: float
    reason: str


TOLERANCES = {
    "float64": Tolerance(
        1e-12,
        "Sums of up to 8,192 products are added in another order: about sqrt(8192) eps = 2e-14 a layer, and up to ten "
        "layers pass it on. Seen: 7e-14.",
    ),
    "float32": Tolerance(
        1e-4,
        "As float64 with eps = 6e-8: about 5e-6 a layer, and up to ten layers pass it on. Seen: 9e-6. It holds where "
        "no unit sits so near a threshold that rounding decides its side: there the algorithm is discontinuous.",
    ),
    "batch": Tolerance(
        1e-12, "The mean over a batch against the mean of its single images: the same products, added in another order."
    ),
    "trained": Tolerance(
        1e-6,
        "Weights after hundreds of float64 updates by two engines: each update passes on the differences of the one "
        "before, and more where a unit crosses a threshold in one engine only. Seen after 200 updates: 4e-15.",
    ),
    "accumulated": Tolerance(
        1e-6,
        "W - R after many float32 updates: each adds the same number to both, rounded at the size of each weight, so "
        "up to eps/2 = 3e-8 of the largest weight an update; tests make ten.",
    ),
    "settling": Tolerance(
        0.05, "The slope of ln(error) against T/tau is to be -1: an error of e^{-T/tau}. Seen: 1e-3 off."
    ),
    "settling line": Tolerance(
        0.2,
        "How far a point may be off that line, in ln(error): terms of second order are e^{-T/tau} of the error, and a "
        "point with a misjudged unit is off by several units. Seen: .03.",
    ),
}
