"""Figure 10: how W and R of simpnet align."""

from sim.experiments.amit import ASYMMETRIC, ONLY_CIFAR10, PAPER, SETTINGS
from sim.experiments.experiment import Expectation, Experiment
from sim.experiments.quantities import LAST_LAYER_CORRELATION, MEAN_CORRELATION

STRONGER = Expectation(
    "stronger-with-urfb",
    "W and R align more under URFB than under FRFB, over the layers that feed back.",
    "section 4.2",
    ((1, {"protocol": "URFB"}), (-1, {"protocol": "FRFB"})),
    "more",
    MEAN_CORRELATION,
)

FIG10 = Experiment(
    name="fig10",
    paper=PAPER,
    where="Figure 10",
    title="Correlation of W and R in the three layers of simpnet",
    outcome=(
        "Curves over 1000 epochs, URFB left, FRFB right; no numbers are printed.",
        "The output layer typically reaches high correlations in both; the alignment is much stronger for URFB "
        "(section 4.2).",
    ),
    base={**SETTINGS, "net": "simpnet", "concordance": True},
    axes=(ONLY_CIFAR10, ASYMMETRIC),
    figure="alignment",
    quantity=MEAN_CORRELATION,
    expectations=(
        STRONGER,
        Expectation(
            "output-layer-urfb",
            "Under URFB the output layer reaches a high correlation.",
            "section 4.2",
            ((1, {"protocol": "URFB"}),),
            "strong",
            LAST_LAYER_CORRELATION,
        ),
        Expectation(
            "output-layer-frfb",
            "Under FRFB the output layer reaches a high correlation.",
            "section 4.2",
            ((1, {"protocol": "FRFB"}),),
            "strong",
            LAST_LAYER_CORRELATION,
        ),
    ),
    open_points=("The data set is not named; CIFAR10 is that of the other experiments on simpnet alone.",),
)
