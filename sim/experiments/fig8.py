"""Figure 8: filters of an untied layer at four places."""

from sim.experiments.amit import BP, ONLY_CIFAR10, PAPER, SETTINGS, URFB
from sim.experiments.experiment import Axis, Experiment
from sim.experiments.untied import SIMPNET_UNTIED

FIG8 = Experiment(
    name="fig8",
    paper=PAPER,
    where="Figure 8",
    title="Filters of an untied layer at four places of the grid",
    outcome=(
        "A couple of 5x5 filters of simpnet after 1000 epochs, each at four places of the 32x32 grid.",
        "They are significantly similar although each was updated on its own (section 4.1).",
    ),
    base=SETTINGS,
    axes=(ONLY_CIFAR10, Axis("net", (SIMPNET_UNTIED,)), Axis("protocol", (BP, URFB))),
    figure="filters",
    seeds=1,
    open_points=("Which protocol trained the filters, and which filters they are, is not said.",),
)
