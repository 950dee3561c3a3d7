"""The papers' experiments as values, one file a figure or table.

An experiment is base settings x axes x seeds, with what the paper reports and claims (`Experiment`). ``hebb reproduce``
runs one and writes a page about it.
"""

from network.errors import unknown
from sim.experiments.concordance import CONCORDANCE
from sim.experiments.experiment import Experiment
from sim.experiments.families import DECAY, EPSILON
from sim.experiments.fig4 import FIG4
from sim.experiments.fig5 import FIG5
from sim.experiments.fig6 import FIG6
from sim.experiments.fig7 import FIG7
from sim.experiments.fig8 import FIG8
from sim.experiments.fig9 import FIG9
from sim.experiments.fig10 import FIG10
from sim.experiments.fig11 import FIG11
from sim.experiments.forgetting import FORGETTING
from sim.experiments.table2 import TABLE2
from sim.experiments.table3 import TABLE3
from sim.experiments.table4 import TABLE4
from sim.experiments.table5 import TABLE5

AMIT = (FIG4, FIG5, FIG6, FIG7, FIG8, FIG9, FIG10, FIG11)
LIAO = (TABLE2, TABLE3, TABLE4, TABLE5)
EXTENSIONS = (EPSILON, DECAY, CONCORDANCE, FORGETTING)
EXPERIMENTS = {experiment.name: experiment for experiment in (*AMIT, *LIAO, *EXTENSIONS)}


def find_experiment(name: str) -> Experiment:
    """An experiment by name; `BadInput` with the closest one where there is none."""
    if name not in EXPERIMENTS:
        raise unknown("experiment", name, EXPERIMENTS)
    return EXPERIMENTS[name]
