"""Table 3 of Liao and others: experiment B, signs that agree only in part."""

from sim.experiments.experiment import Axis, Expectation, Experiment
from sim.experiments.liao import DATA, LEARNING_RATES, OPEN, PAPER, SETTINGS, SGD, model, numbers
from sim.experiments.quantities import BEST_VALIDATION_ERROR

FLIPPED = (1.0, 0.75, 0.5, 0.25, 0.0)


def _flipped(rule: str, label: str) -> list:
    return [model(f"{label}-{100 * p:g}%+BN+BM", rule, flip_probability=p) for p in FLIPPED]


MODELS = Axis("model", (SGD, *_flipped("brsf", "brSF"), *_flipped("frsf", "frSF")))

TABLE3 = Experiment(
    name="table3",
    paper=PAPER,
    where="Table 3",
    title="Experiment B: signs of the feedback flipped with probability p",
    outcome=(
        "Errors on 15 data sets; the percentage is p, the probability that a feedback weight has the other sign.",
        "Performance declines as fewer signs agree; feedback that is fixed suffers less than feedback redrawn with "
        "each batch.",
    ),
    base=SETTINGS,
    axes=(DATA, MODELS, LEARNING_RATES),
    figure="table",
    quantity=BEST_VALIDATION_ERROR,
    seeds=1,
    expectations=(
        Expectation(
            "signs-matter",
            "On CIFAR half of the signs flipped in each batch cost much.",
            "Table 3, part 1",
            ((1, {"data": "CIFAR", "model": "brSF-50%+BN+BM"}), (-1, {"data": "CIFAR", "model": "brSF-0%+BN+BM"})),
            "much more",
        ),
        Expectation(
            "fixed-flips-cost-less",
            "On CIFAR half of the signs flipped once cost less than half flipped anew with each batch.",
            "Table 3, parts 1 and 2",
            ((1, {"data": "CIFAR", "model": "brSF-50%+BN+BM"}), (-1, {"data": "CIFAR", "model": "frSF-50%+BN+BM"})),
            "more",
        ),
    ),
    numbers=numbers(
        MODELS.labels,
        """
    MNIST        0.67  7.87  8.34  7.54  1.01  0.80  4.25  3.56  1.37  0.84  0.91
    CIFAR       22.73 71.18 75.87 70.60 19.98 18.44 71.41 68.49 31.54 20.85 19.02
    CIFAR100    55.15 93.72 96.23 94.58 68.98 50.74 96.26 95.22 71.98 56.02 52.25
    SVHN         9.06 75.25 77.91 74.64 10.94  9.95 37.78 32.72 15.02 11.50 10.16
    STL10       48.01 69.65 72.50 72.10 44.82 42.74 72.46 68.96 50.54 43.85 42.68
    Cal101      74.08 91.46 93.99 91.36 67.65 59.54 94.20 87.57 68.60 63.12 60.27
    Cal256-101  87.06 93.24 94.02 92.75 82.75 78.92 95.98 90.88 84.22 83.04 80.59
    iCub        57.62 75.56 79.36 83.61 52.42 47.33 68.97 63.82 64.62 51.22 46.08
    Flowers17   35.29 70.29 82.06 73.82 35.00 29.41 79.12 61.76 44.12 35.59 31.47
    Flowers102  77.30 90.54 92.58 89.56 73.18 73.31 93.69 93.77 77.62 77.85 73.57
    PubFig83-ID 63.25 95.33 95.67 94.17 61.25 42.67 94.25 89.25 64.33 47.17 40.33
    SUFR-W-ID   80.00 95.00 95.75 92.50 71.00 66.25 95.50 95.50 77.25 68.00 66.50
    LFW-ID      79.25 95.25 96.00 94.50 64.50 57.25 95.75 95.25 75.00 59.75 55.75
    Scene67     87.16 94.48 94.78 93.43 83.13 82.31 95.37 92.69 88.36 84.40 81.79
    TIMIT80     23.04 55.32 61.36 55.28 26.48 25.24 62.60 33.48 27.56 26.08 24.92
    """,
    ),
    open_points=OPEN,
)
