"""Figure 5: error rates of simpnet by protocol and loss."""

from sim.experiments.amit import BOTH_CIFARS, HINGE, PAPER, PROTOCOLS, SETTINGS
from sim.experiments.experiment import Expectation, Experiment

FIG5 = Experiment(
    name="fig5",
    paper=PAPER,
    where="Figure 5",
    title="Error rates of simpnet for different update protocols and losses",
    outcome=(
        f"Bars for six protocols on CIFAR10 and CIFAR100 after 1000 epochs; no numbers are printed. {HINGE}",
        "The hinge loss costs only a little accuracy against softmax (section 4, item 1, and the text on figure 5).",
        "URFB is close to BP, never as good (section 4, item 2).",
        "On CIFAR10 the difference between FRFB and URFB is small; it becomes more significant with 50 % connectivity "
        "and with CIFAR100 (text on figure 5).",
    ),
    base={**SETTINGS, "net": "simpnet", "concordance": True},
    axes=(BOTH_CIFARS, PROTOCOLS),
    figure="bars",
    expectations=(
        Expectation(
            "hinge-costs-little",
            "Back-propagation with the hinge loss is close to back-propagation with softmax.",
            "section 4, item 1",
            ((1, {"protocol": "BP-H"}), (-1, {"protocol": "BP"})),
            "close",
        ),
        Expectation(
            "urfb-close-to-bp",
            "Updated random feedback is close to back-propagation with the same loss.",
            "section 4, item 2",
            ((1, {"protocol": "URFB"}), (-1, {"protocol": "BP-H"})),
            "close",
        ),
        Expectation(
            "urfb-beats-frfb",
            "Updated random feedback errs less than fixed random feedback.",
            "section 4, item 2",
            ((1, {"protocol": "FRFB"}), (-1, {"protocol": "URFB"})),
            "more",
        ),
        Expectation(
            "more-with-half-the-connections",
            "With half of the connections FRFB falls further behind URFB than with all.",
            "text on figure 5",
            (
                (1, {"protocol": "FRFB 50 %"}),
                (-1, {"protocol": "URFB 50 %"}),
                (-1, {"protocol": "FRFB"}),
                (1, {"protocol": "URFB"}),
            ),
            "more",
        ),
        Expectation(
            "more-on-cifar100",
            "On CIFAR100 FRFB falls further behind URFB than on CIFAR10.",
            "text on figure 5",
            (
                (1, {"protocol": "FRFB", "data": "CIFAR100"}),
                (-1, {"protocol": "URFB", "data": "CIFAR100"}),
                (-1, {"protocol": "FRFB", "data": "CIFAR10"}),
                (1, {"protocol": "URFB", "data": "CIFAR10"}),
            ),
            "more",
        ),
    ),
)
