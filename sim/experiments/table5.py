"""Table 5 of Liao and others: the settings of Batch Manhattan."""

from sim.experiments.experiment import Axis, Expectation, Experiment
from sim.experiments.liao import DATA, LEARNING_RATES, OPEN, PAPER, SETTINGS, SGD, model, numbers
from sim.experiments.quantities import BEST_VALIDATION_ERROR

MODELS = Axis(
    "model",
    (
        SGD,
        model("BM1", "bp"),
        model("BM2", "bp"),
        model("BM3", "bp"),
        model("uSF+BN", "usf"),
        model("uSF+BN+BM1", "usf"),
        model("uSF+BN+BM2", "usf"),
        model("uSF+BN+BM3", "usf"),
    ),
)

TABLE5 = Experiment(
    name="table5",
    paper=PAPER,
    where="Table 5",
    title="Settings 1, 2 and 3 of Batch Manhattan",
    outcome=("Errors on six data sets. The three settings give similar performance, with W and with uSF as feedback.",),
    base=SETTINGS,
    axes=(Axis("data", DATA.variants[:6]), MODELS, LEARNING_RATES),
    figure="table",
    quantity=BEST_VALIDATION_ERROR,
    seeds=1,
    expectations=(
        Expectation(
            "settings-alike",
            "On CIFAR setting 2 is close to setting 1.",
            "Table 5",
            ((1, {"data": "CIFAR", "model": "BM2"}), (-1, {"data": "CIFAR", "model": "BM1"})),
            "close",
        ),
    ),
    numbers=numbers(
        MODELS.labels,
        """
    MNIST     0.67  0.99  1.30  1.09  0.55  0.83  0.72  0.61
    CIFAR    22.73 23.98 23.09 20.47 19.48 19.29 18.87 18.38
    CIFAR100 55.15 58.44 58.81 52.82 57.19 53.12 52.38 54.68
    SVHN      9.06 10.77 12.31 12.23  8.73  9.67 10.54  9.20
    STL10    48.01 44.14 44.74 45.23 48.49 41.55 47.71 46.45
    Cal101   74.08 66.70 65.96 70.28 63.33 60.70 64.38 62.59
    """,
    ),
    open_points=OPEN,
)
