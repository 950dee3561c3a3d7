"""Table 2 of Liao and others: experiment A, strict sign-concordance."""

from sim.experiments.experiment import Axis, Expectation, Experiment
from sim.experiments.liao import DATA, LEARNING_RATES, OPEN, PAPER, SETTINGS, SGD, model, numbers
from sim.experiments.quantities import BEST_VALIDATION_ERROR

MODELS = Axis(
    "model",
    (
        SGD,
        model("BM", "bp"),
        model("BN", "bp"),
        model("BN+BM", "bp"),
        model("uSF", "usf"),
        model("NuSF", "nusf"),
        model("uSF+BM", "usf"),
        model("uSF+BN", "usf"),
        model("uSF+BN+BM", "usf"),
        model("brSF+BN+BM", "brsf"),
        model("frSF+BN+BM", "frsf"),
    ),
)

TABLE2 = Experiment(
    name="table2",
    paper=PAPER,
    where="Table 2",
    title="Experiment A: sign-concordant feedback",
    outcome=(
        "Errors on 15 data sets. The magnitudes of the feedback do not matter: with batch normalisation and Batch "
        "Manhattan, feedback that agrees with W in sign alone does as well as SGD or better.",
        "uSF alone explodes to chance on 14 of 15 sets; NuSF does not explode, but its gradients vanish.",
    ),
    base=SETTINGS,
    axes=(DATA, MODELS, LEARNING_RATES),
    figure="table",
    quantity=BEST_VALIDATION_ERROR,
    seeds=1,
    expectations=(
        Expectation(
            "usf-explodes",
            "uSF without normalisation stays far behind SGD on CIFAR.",
            "Table 2 and text",
            ((1, {"data": "CIFAR", "model": "uSF"}), (-1, {"data": "CIFAR", "model": "SGD"})),
            "much more",
        ),
        Expectation(
            "nusf-vanishes",
            "NuSF learns on CIFAR, but stays far behind SGD.",
            "Table 2 and text",
            ((1, {"data": "CIFAR", "model": "NuSF"}), (-1, {"data": "CIFAR", "model": "SGD"})),
            "much more",
        ),
        Expectation(
            "signs-suffice",
            "uSF with batch normalisation and Batch Manhattan is close to SGD on CIFAR.",
            "Table 2",
            ((1, {"data": "CIFAR", "model": "uSF+BN+BM"}), (-1, {"data": "CIFAR", "model": "SGD"})),
            "close",
        ),
        Expectation(
            "magnitudes-do-not-matter",
            "Feedback of random magnitude, drawn anew after each update, is close to uniform feedback on CIFAR.",
            "Table 2",
            ((1, {"data": "CIFAR", "model": "brSF+BN+BM"}), (-1, {"data": "CIFAR", "model": "uSF+BN+BM"})),
            "close",
        ),
    ),
    numbers=numbers(
        MODELS.labels,
        """
    MNIST        0.67  0.99  0.52  0.73 88.65  0.60  0.95  0.55  0.83  0.80  0.91
    CIFAR       22.73 23.98 16.75 17.94 90.00 40.60 26.25 19.48 19.29 18.44 19.02
    CIFAR100    55.15 58.44 49.44 51.45 99.00 71.51 65.28 57.19 53.12 50.74 52.25
    SVHN         9.06 10.77  7.50  9.88 80.41 14.55  9.78  8.73  9.67  9.95 10.16
    STL10       48.01 44.14 45.19 43.19 90.00 56.53 46.41 48.49 41.55 42.74 42.68
    Cal101      74.08 66.70 66.07 61.75 98.95 70.50 75.24 63.33 60.70 59.54 60.27
    Cal256-101  87.06 83.43 82.94 81.96 99.02 85.98 86.37 82.16 80.78 78.92 80.59
    iCub        57.62 55.57 46.43 37.08 89.96 66.57 70.61 61.37 48.38 47.33 46.08
    Flowers17   35.29 31.76 36.76 32.35 94.12 42.65 38.24 35.29 32.65 29.41 31.47
    Flowers102  77.30 77.57 75.78 74.92 99.67 77.92 79.25 71.74 73.20 73.31 73.57
    PubFig83-ID 63.25 54.42 51.08 41.33 98.75 78.58 65.83 54.58 40.67 42.67 40.33
    SUFR-W-ID   80.00 74.25 75.00 65.00 98.75 83.50 79.50 72.00 65.75 66.25 66.50
    LFW-ID      79.25 74.25 73.75 55.75 98.75 85.75 80.75 73.75 56.25 57.25 55.75
    Scene67     87.16 85.37 86.04 82.46 98.51 88.21 87.09 87.09 81.87 82.31 81.79
    TIMIT80     23.04 25.92 23.92 24.40 23.60 29.28 25.84 25.04 25.12 25.24 24.92
    """,
    ),
    open_points=OPEN,
)
