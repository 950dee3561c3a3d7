"""Figure 9: untied against tied layers."""

from sim.experiments.amit import BP, BP_H, FRFB, ONLY_CIFAR10, PAPER, SETTINGS, URFB
from sim.experiments.experiment import Axis, Expectation, Experiment
from sim.experiments.untied import DEEPNET_S, DEEPNET_S_UNTIED, SIMPNET, SIMPNET_UNTIED

FIG9 = Experiment(
    name="fig9",
    paper=PAPER,
    where="Figure 9",
    title="Tied (convolutional) against untied (locally connected) layers",
    outcome=(
        "Bars for simpnet and deepnet_s on CIFAR10, tied and untied; no numbers are printed.",
        "With untied layers results are slightly worse overall, and the relation between the protocols is the same "
        "(section 4, item 4).",
        "With the deeper network FRFB is much worse, tied or untied (section 4.1).",
    ),
    base=SETTINGS,
    axes=(
        ONLY_CIFAR10,
        Axis("net", (SIMPNET, SIMPNET_UNTIED, DEEPNET_S, DEEPNET_S_UNTIED)),
        Axis("protocol", (BP, BP_H, URFB, FRFB)),
    ),
    figure="bars",
    expectations=(
        Expectation(
            "untied-costs-little",
            "Untying simpnet changes the error little.",
            "section 4, item 4",
            ((1, {"net": "simpnet, untied"}), (-1, {"net": "simpnet, tied"})),
            "close",
        ),
        Expectation(
            "untied-urfb-close-to-tied-bp",
            "Untied simpnet with URFB comes close to tied simpnet with back-propagation.",
            "section 4.1",
            (
                (1, {"net": "simpnet, untied", "protocol": "URFB"}),
                (-1, {"net": "simpnet, tied", "protocol": "BP"}),
            ),
            "close",
        ),
        Expectation(
            "frfb-fails-in-depth",
            "With deepnet_s FRFB is far behind URFB.",
            "section 4.1",
            (
                (1, {"net": "deepnet_s, tied", "protocol": "FRFB"}),
                (-1, {"net": "deepnet_s, tied", "protocol": "URFB"}),
            ),
            "much more",
        ),
        Expectation(
            "frfb-fails-in-depth-untied",
            "With untied deepnet_s FRFB is far behind URFB.",
            "section 4.1",
            (
                (1, {"net": "deepnet_s, untied", "protocol": "FRFB"}),
                (-1, {"net": "deepnet_s, untied", "protocol": "URFB"}),
            ),
            "much more",
        ),
        Expectation(
            "untied-deepnet_s-close-to-tied-bp",
            "Untied deepnet_s with URFB comes close to tied deepnet_s with back-propagation.",
            "section 4.1",
            (
                (1, {"net": "deepnet_s, untied", "protocol": "URFB"}),
                (-1, {"net": "deepnet_s, tied", "protocol": "BP"}),
            ),
            "close",
        ),
    ),
    open_points=(
        "The definition of deepnet_s was lost from the paper; this one is an author's parameter file.",
        "The authors' code trains untied layers with batches of 50 and no dropout. The paper does not say so, and this "
        "follows the paper.",
    ),
)
