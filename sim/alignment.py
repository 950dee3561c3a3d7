"""How far feedforward and feedback weights agree (section 4.2, figures 10 and 11)."""

from math import acos, atan2, degrees

import numpy as np

from network.rules import Rule
from network.spec import NetworkSpec
from network.weights import Weights


def correlation(W: np.ndarray, R: np.ndarray) -> float:
    """Pearson correlation of two weight arrays of one layout; NaN where one of them does not vary."""
    return cosine(W - W.mean(dtype=np.float64), R - R.mean(dtype=np.float64))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of the angle between two arrays taken as vectors; NaN where one of them is 0."""
    a, b = (v.ravel().astype(np.float64) for v in (a, b))
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.clip(a @ b / lengths, -1, 1)) if lengths > 0 else float("nan")


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Angle between two arrays taken as vectors, in degrees; NaN where one of them is 0.

    Near 0, where a cosine cannot tell angles apart, from the sum and the difference of the vectors at length 1.
    """
    found = cosine(a, b)
    if not found > 0.99:
        return degrees(acos(found))  # NaN of NaN
    a, b = (v.ravel() / np.linalg.norm(v.astype(np.float64)) for v in (a, b))
    return degrees(2 * atan2(np.linalg.norm(a - b), np.linalg.norm(a + b)))


def alignment(spec: NetworkSpec, weights: Weights, rule: Rule) -> tuple[list[float], list[float]]:
    """Agreement of W and R in every weighted layer, from the input up.

    Returns
    -------
    correlations : list of float
        Pearson correlation of the flattened weights. Where feedback goes through W, R is W: correlation 1. Where it
        comes straight from the output, no W connects what R connects: NaN.
    angles : list of float
        The angle between them as vectors, in degrees; NaN likewise.
    """
    if rule.feedback_from == "output":
        undefined = [float("nan")] * len(spec.weighted)
        return undefined, undefined
    pairs = [(weights.W[node.index], weights.R.get(node.index, weights.W[node.index])) for node in spec.weighted]
    return [correlation(W, R) for W, R in pairs], [angle(W, R) for W, R in pairs]
