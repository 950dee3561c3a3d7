"""The one table of tolerances. Every test and certificate reads it; none has a number of its own.

All are relative to the largest entry of the compared array, because single entries of a sum can cancel to nothing.
"""

from dataclasses import dataclass
from math import exp, inf


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
    "bfloat16": Tolerance(
        2.0**-6,
        "Rounding to 8 significant bits changes a number by up to u = 2^-8 of it: both factors of a product, and the "
        "result. Of many products of either sign most of it cancels, so that three u and a little hold for a layer, "
        "and ten layers pass on about as much. Seen: .0124 (deepernet), .0078 in one layer.",
    ),
    "tfloat32": Tolerance(
        10 * 2.0**-10,
        "A GPU that cuts 13 of 24 bits off makes a factor smaller by 2^-11 on average, and a product by 2^-10: in all "
        "layers in the same direction, so that ten layers add ten of these. Seen: .0069 (ten layers, factors cut off "
        "by hand on a CPU; not yet seen on a GPU).",
    ),
    "batch": Tolerance(
        1e-12, "The mean over a batch against the mean of its single images: the same products, added in another order."
    ),
    "clock": Tolerance(
        10.0,
        "The clock-driven circuit against the event-driven one, in units of what a step dt makes of an output that is "
        "to be silent: e^{-D/tau} (1 - e^{-dt/tau}), since the threshold is seen to be crossed up to dt late. Feedback "
        "is linear in it, but many outputs add up, and the largest delta may be smaller than 1. Seen: 1.2.",
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

# Engine against engine, by precision and quantity, where nothing takes time. Ties (`validation.ties`) are set apart.
_SUMMED = "Sums of up to 8,192 products are added in another order, "
_PASSED = "Given the h and x of the engine itself, a sum over the layer above in another order, times the gain. "
AGREEMENT = {
    ("float64", "h"): Tolerance(1e-12, _SUMMED + "2e-14 a layer; up to twelve layers pass it on. Seen: 2e-14."),
    ("float64", "x"): Tolerance(1e-12, "As h, which may be fifty times larger than x. Seen: 5e-14."),
    ("float64", "delta"): Tolerance(1e-12, _PASSED + "Seen: 3e-15."),
    ("float64", "dW"): Tolerance(
        1e-12, "A sum over images and places, up to 8,192 of them, in another order. Seen: 1e-14."
    ),
    ("float64", "dR"): Tolerance(1e-12, "The same increment as dW."),
    ("float32", "h"): Tolerance(2e-5, _SUMMED + "5e-6 a layer; up to twelve layers pass it on. Seen: 4e-6."),
    ("float32", "x"): Tolerance(2e-4, "As h, which may be fifty times larger than x. Seen: 3e-5."),
    ("float32", "delta"): Tolerance(2e-5, _PASSED + "Seen: 1e-6."),
    ("float32", "dW"): Tolerance(
        2e-5, "A sum over images and places, up to 8,192 of them, in another order. Seen: 3e-6."
    ),
    ("float32", "dR"): Tolerance(2e-5, "The same increment as dW."),
}
# What finite timing adds to these, in units of e^{-T/tau} for every layer with weights: each settles to within one such
# unit of what drives it, and passes on what the layers before it lack, times the weights.
FINITE_TIMING = {
    "h": Tolerance(10.0, "What a layer lacks is passed on times weights of either sign. Seen: 5 a layer (deepernet)."),
    "x": Tolerance(10.0, "As h."),
    "delta": Tolerance(10.0, "The output is read where it is nearest 0, within one unit; then as h. Seen: 1 a layer."),
    "dW": Tolerance(10.0, "Given delta: the tag takes x as the gate closes, later than x is noted. Seen: 1 in all."),
    "dR": Tolerance(10.0, "The same increment as dW."),
}


def agreement_tolerances(dtype: str, ratio: float | None = None, layers: int = 1) -> dict[str, Tolerance]:
    """How far an engine may be from the algorithm, by quantity.

    Parameters
    ----------
    dtype : {"float64", "float32"}
    ratio : float, optional
        T/tau, how many time constants everything settles for; None for ideal timing.
    layers : int
        How many layers with weights there are.
    """
    found = {}
    for quantity, timed in FINITE_TIMING.items():
        rounding = AGREEMENT[dtype, quantity]
        if ratio is None:
            found[quantity] = rounding
        else:
            late = timed.relative * layers * exp(-ratio)
            found[quantity] = Tolerance(rounding.relative + late, f"{rounding.reason} {timed.reason}")
    return found


# The differential equations of section 5, integrated by scipy in float64 (`validation.theory`).
THEORY = {
    "integration": Tolerance(
        1e-7,
        "Steps of 1e-11, some thousand of them, bounded in the root mean square over a batch of up to 17,000 values, "
        "of which one may have a hundred times more. Seen: 2e-8.",
    ),
    "single": Tolerance(1e-8, "As integration, with steps of 1e-11 of one system at a time. Seen: 1e-9."),
    "identity": Tolerance(
        1e-12, "The same number by another formula, a few dozen operations away: 100 eps. Seen: 6e-15."
    ),
    "margin": Tolerance(
        1e-6,
        "An increase with epsilon of this size, relative and per unit of epsilon, is more than twice the error of the "
        "integration (2e-8) over the smallest difference of epsilon (.05).",
    ),
    "ordering": Tolerance(
        1e-4,
        "A difference of ln e^2 between two epsilon. Errors are compared down to 1e-4 of T, where integrating with "
        "steps of 1e-10 leaves about 1e-5 of them.",
    ),
    "rounding": Tolerance(
        1e-12,
        "A difference of log10 e^2 between two epsilon in figure 12. It starts at 0 and grows with the fourth power of "
        "the iteration; below this it is rounding of sums of 4,000 products.",
    ),
}


@dataclass(frozen=True)
class Reading:
    """What a paper's word is taken to mean as a number: strictly between `low` and `high`, and why there."""

    low: float
    high: float
    reason: str

    @property
    def bound(self) -> str:
        """As a table of claims shows it."""
        if self.high == inf:
            return f"> {self.low:g}"
        return f"within {self.high:g}" if self.low == -self.high else f"{self.low:g} to {self.high:g}"


# Words of the papers' experiments, read as differences of error rates (fractions), or as correlations.
READINGS = {
    "more": Reading(0.0, inf, "Any difference of that sign."),
    "much more": Reading(
        0.1,
        inf,
        "Ten points: more than any difference that either paper calls small, and what a table shows at a glance.",
    ),
    "close": Reading(
        -0.05,
        0.05,
        "Five points: single epochs of one run scatter by up to four, and Liao and others mark differences from three.",
    ),
    "strong": Reading(0.5, inf, "A correlation that makes the angle between W and R smaller than 60 degrees."),
}
