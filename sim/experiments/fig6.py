"""Figure 6: error rates of the deep networks by protocol and loss."""

from sim.experiments.amit import BOTH_CIFARS, HINGE, PAPER, PROTOCOLS, SETTINGS
from sim.experiments.experiment import Axis, Expectation, Experiment, Variant

DEEPNET, DEEPERNET = Variant("deepnet", {"net": "deepnet"}), Variant("deepernet", {"net": "deepernet"})

FIG6 = Experiment(
    name="fig6",
    paper=PAPER,
    where="Figure 6",
    title="Error rates of deepnet and deepernet",
    outcome=(
        f"Bars for six protocols after 1000 epochs, deepnet left and deepernet right. {HINGE}",
        "The error of BP, with softmax or hinge loss, falls from 50 % with deepnet to 42 % with deepernet; that of "
        "URFB falls too; FRFB performs very poorly (text on figure 6).",
    ),
    base={**SETTINGS, "concordance": True},
    axes=(BOTH_CIFARS, Axis("net", (DEEPNET, DEEPERNET)), PROTOCOLS),
    figure="bars",
    expectations=(
        Expectation(
            "urfb-close-to-bp",
            "In deep networks too URFB is close to back-propagation with the same loss.",
            "section 4, item 3",
            ((1, {"protocol": "URFB"}), (-1, {"protocol": "BP-H"})),
            "close",
        ),
        Expectation(
            "frfb-fails-in-depth",
            "In deep networks FRFB performs very poorly: far behind URFB.",
            "section 4, item 3",
            ((1, {"protocol": "FRFB"}), (-1, {"protocol": "URFB"})),
            "much more",
        ),
        Expectation(
            "deeper-is-better-bp",
            "Back-propagation errs less with deepernet than with deepnet.",
            "text on figure 6",
            ((1, {"protocol": "BP", "net": "deepnet"}), (-1, {"protocol": "BP", "net": "deepernet"})),
            "more",
        ),
        Expectation(
            "deeper-is-better-urfb",
            "URFB errs less with deepernet than with deepnet.",
            "text on figure 6",
            ((1, {"protocol": "URFB", "net": "deepnet"}), (-1, {"protocol": "URFB", "net": "deepernet"})),
            "more",
        ),
    ),
    numbers={
        ("CIFAR100", net, rule): error
        for net, error in (("deepnet", 0.50), ("deepernet", 0.42))
        for rule in ("BP", "BP-H")
    },
    open_points=(
        "The data set is not named. Errors of 50 % and 42 % fit CIFAR100, not CIFAR10, and so the numbers stand "
        "beside CIFAR100 here.",
        "The definition of deepnet was lost from the paper; this one is an author's parameter file of June 2018.",
    ),
)
