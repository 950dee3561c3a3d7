"""Locality, by perturbation: change one unit, and see which entries of dW change with it."""

from dataclasses import replace

import numpy as np

from validation.ties import Presented
from validation.variants import Variant

FACTOR = 1.0 + 2.0**-10  # small enough to leave every decision as it was, exact enough to leave every other unit alone


def excess_of_locality(case: Presented, variant: Variant, layer: int, unit: int) -> tuple[float, float]:
    """Change the activity of one hidden unit, then its feedback, through the weights of its own synapses.

    Parameters
    ----------
    case : Presented
        Fully connected layers above each other, with an R, ``before_update``.
    variant : Variant
    layer, unit : int
        The hidden unit: of W/<layer>, not the output.

    Returns
    -------
    elsewhere : float
        The largest change in dW or dR of a synapse that has not this unit at either end, over the largest entry; of
        the layers whose own activities the perturbation leaves alone.
    own : float
        The smallest change, over the largest entry, in the arrays of the unit's own synapses: not 0, if there was
        anything to see.
    """
    before = variant.present(case)
    elsewhere, own = [], []

    def look(found, array_name: str, i: int, axis: int) -> None:
        """Entries of dW/<i> whose unit on `axis` is not ours must not change; ours must, if it is ours at all."""
        was, now = getattr(before, array_name)[i], getattr(found, array_name)[i]
        change = np.abs(now - was) / np.abs(was).max()
        others = np.arange(was.shape[axis]) != unit
        elsewhere.append(float(np.compress(others, change, axis=axis).max()))
        own.append(float(np.compress(~others, change, axis=axis).max()))

    # Its activity x, by the weights into it: dW of the layer above may change in its column, dW of its own layer not
    # at all, since delta is what it was.
    stronger = {**case.weights.W, layer: case.weights.W[layer].copy()}
    stronger[layer][unit] *= FACTOR
    found = variant.present(replace(case, weights=replace(case.weights, W=stronger)))
    for name in ("dW", "dR"):
        look(found, name, layer + 1, axis=1)
        was, now = getattr(before, name)[layer], getattr(found, name)[layer]
        elsewhere.append(float(np.abs(now - was).max() / np.abs(was).max()))
    # Its feedback delta, by the weights R of what it receives from above: dW of its own layer may change in its row,
    # dW of the layer above not at all.
    stronger = {**case.weights.R, layer + 1: case.weights.R[layer + 1].copy()}
    stronger[layer + 1][:, unit] *= FACTOR
    found = variant.present(replace(case, weights=replace(case.weights, R=stronger)))
    for name in ("dW", "dR"):
        look(found, name, layer, axis=0)
        was, now = getattr(before, name)[layer + 1], getattr(found, name)[layer + 1]
        elsewhere.append(float(np.abs(now - was).max() / np.abs(was).max()))
    return max(elsewhere), min(own)


def lively_unit(case: Presented, layer: int) -> int:
    """A hidden unit that is active and takes feedback for some image, and is never near saturation."""
    trace = case.by_reference()
    h, delta = trace.h[layer], trace.delta[layer]
    calm = (np.abs(np.abs(case.spec.gain * h) - 1) > 0.05).all(axis=0)
    busy = (np.abs(delta * trace.x[layer])).max(axis=0)
    return int(np.where(calm, busy, -1).argmax())
