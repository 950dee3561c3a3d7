"""Figure 4: how the errors of simpnet evolve."""

from sim.experiments.amit import BOTH_CIFARS, EVOLVING, PAPER, SETTINGS
from sim.experiments.experiment import Expectation, Experiment
from sim.experiments.quantities import LAST_TEST_ERROR, Quantity

FIRST_EPOCH = Quantity("test error after the first epoch", lambda rows: rows[0]["test_error"])

FIG4 = Experiment(
    name="fig4",
    paper=PAPER,
    where="Figure 4",
    title="Evolution of the error rates of simpnet",
    outcome=(
        "Curves of training and validation error over 1000 epochs for BP, URFB and FRFB; no numbers are printed.",
        "For shallow networks URFB performs somewhat better than FRFB but mainly converges faster (section 4, item 2).",
        "Even in the first iterations the errors of URFB fall at rates similar to those of BP (section 4, item 6).",
    ),
    base={**SETTINGS, "net": "simpnet", "concordance": True},
    axes=(BOTH_CIFARS, EVOLVING),
    figure="curves",
    expectations=(
        Expectation(
            "early-as-bp",
            "After the first epoch, when W and R are far from aligned, URFB has learned about as much as BP.",
            "section 4, item 6",
            ((1, {"protocol": "URFB"}), (-1, {"protocol": "BP"})),
            "close",
            FIRST_EPOCH,
        ),
        Expectation(
            "faster-than-frfb",
            "URFB converges faster than FRFB: after the first epoch its error is lower.",
            "section 4, item 2",
            ((1, {"protocol": "FRFB"}), (-1, {"protocol": "URFB"})),
            "more",
            FIRST_EPOCH,
        ),
        Expectation(
            "urfb-close-to-bp",
            "At the end URFB is close to BP.",
            "section 4, item 2",
            ((1, {"protocol": "URFB"}), (-1, {"protocol": "BP"})),
            "close",
            LAST_TEST_ERROR,
        ),
    ),
    open_points=("The caption names no data set; figure 5, to which the text ties it, has CIFAR10 and CIFAR100.",),
)
