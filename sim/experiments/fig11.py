"""Figure 11: how W and R of deepnet_s align."""

from sim.experiments.amit import ASYMMETRIC, ONLY_CIFAR10, PAPER, SETTINGS
from sim.experiments.experiment import Axis, Experiment
from sim.experiments.fig10 import STRONGER
from sim.experiments.quantities import MEAN_CORRELATION
from sim.experiments.untied import DEEPNET_S, DEEPNET_S_UNTIED

FIG11 = Experiment(
    name="fig11",
    paper=PAPER,
    where="Figure 11",
    title="Correlation of W and R in the layers of deepnet_s",
    outcome=(
        "Curves for the seven updated layers, URFB left, FRFB right; no numbers are printed.",
        "For some but not all layers the correlations under URFB end very close to 1; they are no monotone function of "
        "depth (section 4.2).",
    ),
    base=SETTINGS,
    axes=(ONLY_CIFAR10, Axis("net", (DEEPNET_S_UNTIED, DEEPNET_S)), ASYMMETRIC),
    figure="alignment",
    quantity=MEAN_CORRELATION,
    expectations=(STRONGER,),
    open_points=(
        "Seven updated layers mean the network whose first layer is frozen and whose others are untied. Its tied form, "
        "all eight layers learning, is run beside it.",
    ),
)
