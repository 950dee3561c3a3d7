"""Classes shown one after the other, as Amit's Discussion proposes: what is forgotten of each while others come."""

from sim.experiments.amit import BP, BP_H, FRFB, ONLY_CIFAR10, SETTINGS, URFB
from sim.experiments.experiment import Axis, Expectation, Experiment, Variant
from sim.experiments.quantities import LAST_TEST_ERROR, Quantity, Rows

REFRESH = 0.1


def _forgotten(rows: Rows) -> float | None:
    """From right after a class's block to the end of the epoch, in the last epoch; over all classes but the last."""
    shown, errors = rows[-1].get("block_class", []), rows[-1].get("block_error", [])
    last = {label: block for block, label in enumerate(shown)}  # where a class has several blocks, its last one
    rises = [errors[-1][label] - errors[block][label] for label, block in last.items() if block < len(shown) - 1]
    return sum(rises) / len(rises) if rises else None


FORGOTTEN = Quantity("rise of a class's test error from its own block to the end of the epoch", _forgotten, False)

MIXED, BY_CLASS, REFRESHED = "mixed", "by class", f"by class, {REFRESH:.0%} refreshed"
PRESENTATION = Axis(
    "presentation",
    (
        Variant(MIXED, {"presentation": "mixed"}),
        Variant(BY_CLASS, {"presentation": "by-class"}),
        Variant(REFRESHED, {"presentation": "by-class", "refresh": REFRESH}),
    ),
)

FORGETTING = Experiment(
    name="forgetting",
    paper="extension",
    where="section 6",
    title="Classes shown one after the other, and what is forgotten",
    outcome=(
        "The paper shows images of all classes in random order. Its Discussion names a more natural protocol: classes "
        "learned one at a time, perhaps with those learned before refreshed now and then. It expects that this may "
        "give similar error rates, because the loss is local and the updates to each class label are independent. It "
        "runs no experiment on it. This does, with simpnet.",
    ),
    base={**SETTINGS, "net": "simpnet"},
    axes=(ONLY_CIFAR10, PRESENTATION, Axis("protocol", (BP, BP_H, URFB, FRFB))),
    figure="bars",
    expectations=(
        Expectation(
            "by-class-as-good",
            "Class by class, the error at the end of an epoch is close to that with mixed classes.",
            "section 6, as a possibility",
            ((1, {"presentation": BY_CLASS}), (-1, {"presentation": MIXED})),
            "close",
        ),
        Expectation(
            "refreshed-as-good",
            f"With {REFRESH:.0%} of the images mixed in between, it is close to that with mixed classes.",
            "section 6, as a possibility",
            ((1, {"presentation": REFRESHED}), (-1, {"presentation": MIXED})),
            "close",
        ),
        Expectation(
            "refreshing-helps",
            "Refreshing makes the error smaller than class by class alone.",
            "section 6, as a possibility",
            ((1, {"presentation": BY_CLASS}), (-1, {"presentation": REFRESHED})),
            "more",
            LAST_TEST_ERROR,
        ),
        Expectation(
            "independent-labels-forget-less",
            "With the hinge loss, whose updates to each class label are independent, less is forgotten than with "
            "softmax.",
            "this software's reading of section 6",
            (
                (1, {"presentation": REFRESHED, "protocol": "BP"}),
                (-1, {"presentation": REFRESHED, "protocol": "BP-H"}),
            ),
            "more",
            FORGOTTEN,
        ),
    ),
    open_points=(
        "A class is shown with all its images, then the next, in an order that is drawn anew each epoch; the same "
        "number of epochs is compared, so that every image is shown as often as with mixed classes.",
        f"Refreshing strews {REFRESH:.0%} of all images over the epoch: in the first one images of classes that are "
        f"still to come, too.",
        "After each block the first 200 test images of every class are classified.",
    ),
)
