"""Table 4 of Liao and others: experiment C1, fixed random feedback, and its controls C2."""

from sim.experiments.experiment import Axis, Expectation, Experiment, Variant
from sim.experiments.liao import DATA, LEARNING_RATES, OPEN, PAPER, SETTINGS, SGD, model, numbers
from sim.experiments.quantities import BEST_VALIDATION_ERROR

C1 = (
    SGD,
    model("RndF", "rndf"),
    model("NuSF", "nusf"),
    model("BN", "bp"),
    model("RndF+BN", "rndf"),
    model("RndF+BM", "rndf"),
    model("RndF+BN+BM", "rndf"),
    model("uSF+BN+BM", "usf"),
)
# "Bottom": all layers learn but the last, which is clamped; "top": the last alone learns.
C2 = tuple(
    Variant(f"{label} {learns}", {**model(label, rule).settings, "learns": learns})
    for label, rule in (("SGD", "bp"), ("RndF", "rndf"), ("RndF+BN+BM", "rndf"), ("uSF+BN+BM", "usf"))
    for learns in ("bottom", "top")
)
MODELS = Axis("model", C1 + C2)

TABLE4 = Experiment(
    name="table4",
    paper=PAPER,
    where="Table 4",
    title="Experiments C1 and C2: fixed random feedback, and networks of which only a part learns",
    outcome=(
        "Errors on 15 data sets. Fixed random feedback alone is poor on most; with batch normalisation it is much "
        "better, and still behind feedback whose signs agree.",
        "With the last layer clamped (bottom learns), random feedback learns nothing, sign-concordant feedback does; "
        "with all others clamped (top learns) all models are alike.",
    ),
    base=SETTINGS,
    axes=(DATA, MODELS, LEARNING_RATES),
    figure="table",
    quantity=BEST_VALIDATION_ERROR,
    seeds=1,
    expectations=(
        Expectation(
            "random-feedback-is-poor",
            "Fixed random feedback alone stays far behind SGD on CIFAR.",
            "Table 4, C1",
            ((1, {"data": "CIFAR", "model": "RndF"}), (-1, {"data": "CIFAR", "model": "SGD"})),
            "much more",
        ),
        Expectation(
            "normalisation-helps",
            "Batch normalisation makes fixed random feedback much better on CIFAR.",
            "Table 4, C1",
            ((1, {"data": "CIFAR", "model": "RndF"}), (-1, {"data": "CIFAR", "model": "RndF+BN"})),
            "much more",
        ),
        Expectation(
            "signs-help-a-clamped-top",
            "With the last layer clamped, sign-concordant feedback learns on CIFAR what random feedback does not.",
            "Table 4, C2",
            (
                (1, {"data": "CIFAR", "model": "RndF+BN+BM bottom"}),
                (-1, {"data": "CIFAR", "model": "uSF+BN+BM bottom"}),
            ),
            "much more",
        ),
    ),
    numbers=numbers(
        [each.label for each in C1],
        """
    MNIST        0.67  1.81  0.60  0.52  0.83  1.89  1.07  0.83
    CIFAR       22.73 42.69 40.60 16.75 24.35 62.71 25.75 19.29
    CIFAR100    55.15 90.88 71.51 49.44 60.83 97.11 64.69 53.12
    SVHN         9.06 12.35 14.55  7.50 12.63 13.63 12.79  9.67
    STL10       48.01 57.80 56.53 45.19 51.60 80.39 47.39 41.55
    Cal101      74.08 88.51 70.50 66.07 72.81 98.42 67.12 60.70
    Cal256-101  87.06 94.12 85.98 82.94 85.49 98.14 83.63 80.78
    iCub        57.62 67.87 66.57 46.43 58.82 84.41 59.02 48.38
    Flowers17   35.29 69.41 42.65 36.76 43.53 91.18 38.24 32.65
    Flowers102  77.30 92.31 77.92 75.78 81.22 96.13 78.99 73.20
    PubFig83-ID 63.25 95.42 78.58 51.08 67.00 97.67 55.25 40.67
    SUFR-W-ID   80.00 94.75 83.50 75.00 77.75 97.25 69.00 65.75
    LFW-ID      79.25 95.75 85.75 73.75 79.25 97.75 67.50 56.25
    Scene67     87.16 95.75 88.21 86.04 87.84 97.69 87.09 81.87
    TIMIT80     23.04 26.76 29.28 23.92 26.52 33.12 26.32 25.12
    """,
    )
    | numbers(
        [each.label for each in C2],
        """
    MNIST        0.65  3.85 85.50  3.81 86.74  3.81  0.66  3.85
    CIFAR       23.12 56.80 89.71 56.77 78.90 58.54 16.72 57.84
    CIFAR100    59.49 80.71 98.79 80.65 98.69 84.34 61.61 84.10
    SVHN         8.31 75.22 82.86 75.12 84.84 69.99 10.96 71.89
    STL10       49.96 74.69 88.36 72.44 81.31 76.11 52.18 76.09
    Cal101      71.97 82.72 98.63 79.14 98.21 80.40 63.86 79.98
    Cal256-101  86.08 89.71 98.43 88.92 98.14 89.02 82.84 89.12
    iCub        46.73 83.96 87.56 83.26 80.36 84.31 49.33 84.16
    Flowers17   38.24 70.59 92.35 70.00 87.35 77.06 45.00 77.06
    Flowers102  78.99 86.57 97.89 86.84 98.11 84.24 78.09 84.57
    PubFig83-ID 66.75 89.58 97.67 89.58 97.67 89.67 43.83 89.50
    SUFR-W-ID   80.50 90.50 97.50 90.50 97.50 89.50 71.50 89.50
    LFW-ID      79.75 92.50 98.25 93.00 97.00 89.50 65.00 89.50
    Scene67     88.73 91.57 97.84 91.49 97.54 91.19 85.97 91.04
    TIMIT80     23.52 46.20 95.00 46.20 93.00 39.76 24.96 40.16
    """,
    ),
    open_points=OPEN,
)
