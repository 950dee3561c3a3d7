"""Figure 7: how the errors of deepernet evolve."""

from sim.experiments.amit import BOTH_CIFARS, EVOLVING, PAPER, SETTINGS
from sim.experiments.experiment import Expectation, Experiment

FIG7 = Experiment(
    name="fig7",
    paper=PAPER,
    where="Figure 7",
    title="Evolution of the error rates of deepernet",
    outcome=(
        "Curves of training and validation error over 1000 epochs for BP, URFB and FRFB; no numbers are printed.",
        "URFB performs close to BP, the performance of FRFB degrades significantly (section 4, item 3).",
    ),
    base={**SETTINGS, "net": "deepernet"},
    axes=(BOTH_CIFARS, EVOLVING),
    figure="curves",
    expectations=(
        Expectation(
            "urfb-close-to-bp",
            "URFB is close to BP.",
            "section 4, item 3",
            ((1, {"protocol": "URFB"}), (-1, {"protocol": "BP"})),
            "close",
        ),
        Expectation(
            "frfb-fails-in-depth",
            "FRFB is far behind URFB.",
            "section 4, item 3",
            ((1, {"protocol": "FRFB"}), (-1, {"protocol": "URFB"})),
            "much more",
        ),
    ),
    open_points=("The data set is not named; the numbers of figure 6, to which the text ties it, fit CIFAR100.",),
)
