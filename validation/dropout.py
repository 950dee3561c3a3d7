"""Dropout, which single presentations leave out: whether engines that learn with it silence the same units."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sim.engine import DROPOUT_MASKS, open_engine
from validation.cases import Case
from validation.claims import Claim
from validation.ties import Presented
from validation.tolerances import TOLERANCES
from validation.variants import REFERENCE, Variant
from validation.worst import Worst

UPDATES = 3


def check_dropout(small: Sequence[Case], variants: Sequence[Variant]) -> Claim:
    """The claim that all engines come to the weights of the reference, with a mask for each image and for each batch.

    Parameters
    ----------
    small : sequence of Case
        Of which the first with dropout, by URFB, is learned.
    variants : sequence of Variant
        Those in float64 that take no time are compared.
    """
    case = next(
        each.presented
        for each in small
        if "Drop" in each.presented.spec.notation and each.presented.rule.name == "urfb"
    )
    right = {mask: learned(case, REFERENCE, mask) for mask in DROPOUT_MASKS}
    worst = Worst()
    for variant in variants:
        if variant.dtype != "float64" or variant.ratio is not None or variant == REFERENCE or variant.refuses(case):
            continue
        for mask, wanted in right.items():
            worst.see(apart(learned(case, variant, mask), wanted), f"{variant.name}, {mask}")
    claim = worst.claim(
        "dropout",
        f"After {UPDATES} updates with dropout, in each image of other units or in a whole batch of the same, all "
        "engines have the weights of the reference: they silence the same units.",
        "section 4", TOLERANCES["trained"].relative, "engines and readings",
    )  # fmt: skip
    if apart(*right.values()) > 1000 * TOLERANCES["trained"].relative:
        return claim
    return replace(claim, passed=False, note="both readings of the paper learn the same here, so that none is checked")


def learned(case: Presented, variant: Variant, mask: str) -> dict[str, np.ndarray]:
    """The weights after `UPDATES` updates with the images of a case, by name."""
    settings = replace(variant.settings(case), dropout_mask=mask)
    engine = open_engine(variant.engine, case.spec, case.weights.astype(variant.dtype), settings)
    images, labels = engine.stage(case.images.astype(variant.dtype)), engine.stage(case.labels)
    for step in range(UPDATES):
        engine.learn(images, labels, step)
    return engine.weights().arrays()


def apart(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """The largest difference of a weight, of the largest of its layer."""
    return max(float(np.abs(found[name] - w).max() / np.abs(w).max()) for name, w in wanted.items() if w.dtype != bool)
