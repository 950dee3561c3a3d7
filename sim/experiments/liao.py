"""What the experiments of Liao, Leibo and Poggio (2016), section 5, share: settings, data sets, models, numbers."""

from collections.abc import Sequence

from sim.experiments.experiment import Axis, Labels, Variant

PAPER = "Liao, Leibo and Poggio (2016)"
SETTINGS = {"epochs": 65, "batch_size": 100}  # "Training Details"

# "All models were run 5 times on each dataset with base learning rate multiplied by 100, 10, 1, 0.1, 0.01."
LEARNING_RATES = Axis(
    "learning rate", tuple(Variant(f"{rate:g}", {"eta": rate}) for rate in (5e-2, 5e-3, 5e-4, 5e-5, 5e-6)), best_of=True
)

BN, BM = "batch normalisation", "Batch Manhattan updates"
BEYOND_SGD = (
    "Momentum .9, weight decay and the division of the learning rate by ten after epochs 50 and 60 are not applied: "
    "runs here are plain stochastic gradient descent at a fixed rate.",
)
OPEN = (
    "The weight decay, the initial weights, and whether the gradient is summed or averaged over a batch are not "
    "printed; here it is averaged.",
    "The images that count as validation images are not named; here they are the last tenth of the training images, at "
    "most 5,000.",
)


def model(label: str, rule: str, **settings: object) -> Variant:
    """A model of the tables, by its label, such as ``uSF+BN+BM``: what follows the first plus is what it needs."""
    needs = [{"BN": BN, "BM": BM}[part[:2]] for part in label.split("+") if part[:2] in ("BN", "BM")]
    return Variant(label, {"rule": rule, **settings}, " and ".join(needs))


SGD = model("SGD", "bp")


def _row(label: str, data: str, net: str = "liao_images") -> Variant:
    return Variant(label, {"data": data, "net": net})


DATA = Axis(
    "data",
    (
        _row("MNIST", "mnist", "liao_mnist"),
        _row("CIFAR", "cifar10", "liao_cifar"),
        _row("CIFAR100", "cifar100", "liao_cifar"),
        _row("SVHN", "svhn", "liao_svhn"),
        _row("STL10", "stl10"),
        _row("Cal101", "cal101"),
        _row("Cal256-101", "cal256-101"),
        _row("iCub", "icub"),
        _row("Flowers17", "flowers17"),
        _row("Flowers102", "flowers102"),
        _row("PubFig83-ID", "pubfig83"),
        _row("SUFR-W-ID", "sufr-w"),
        _row("LFW-ID", "lfw"),
        _row("Scene67", "scene67"),
        _row("TIMIT80", "timit80", "liao_timit"),
    ),
)


def numbers(columns: Sequence[str], table: str) -> dict[Labels, float]:
    """The errors of a printed table, in percent, one data set a line, as fractions by (data, model).

    Raises
    ------
    ValueError
        Where a line has not one number a column.
    """
    found: dict[Labels, float] = {}
    for line in table.strip().splitlines():
        data, *errors = line.split()
        found |= {(data, column): float(error) / 100 for column, error in zip(columns, errors, strict=True)}
    return found
