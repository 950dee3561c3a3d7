"""What the experiments of Liao, Leibo and Poggio (2016), section 5, share: settings, data sets, models, numbers."""

from collections.abc import Sequence

from sim.experiments.experiment import Axis, Labels, Variant

PAPER = "Liao, Leibo and Poggio (2016)"
# "Training Details": momentum .9, batches of 100, 65 epochs, a tenth of the rate from epoch 51, a hundredth from 61.
# Equation (3) sums over the batch.
SETTINGS = {
    "epochs": 65,
    "batch_size": 100,
    "momentum": 0.9,
    "schedule": "51:.1,61:.01",
    "over_batch": "sum",
}

# "All models were run 5 times on each dataset with base learning rate multiplied by 100, 10, 1, 0.1, 0.01."
LEARNING_RATES = Axis(
    "learning rate", tuple(Variant(f"{rate:g}", {"eta": rate}) for rate in (5e-2, 5e-3, 5e-4, 5e-5, 5e-6)), best_of=True
)

OPEN = (
    "The weight decay and the initial weights are not printed; here there is no decay, and Glorot's uniform weights.",
    "The gradient is summed over a batch, as equation (3) has it; code of that time often averages. The five learning "
    "rates reach from one to the other.",
    "uSF+BM was also tried with batches of 500 after three epochs, the better of both reported; here it is not.",
    "How images are resized is not said; here bilinearly, to 119 x 119 whatever their proportions.",
    "The images that count as validation images are not named; here they are the last tenth of the training images, at "
    "most 5,000.",
)


def model(label: str, rule: str, **settings: object) -> Variant:
    """A model of the tables by its label: ``uSF+BN+BM2`` has batch normalisation, and setting 2 of Batch Manhattan.

    Normalisation learns a slope and an offset in the entries "BN" and "BN+BM" alone (section 3).
    """
    made = {"rule": rule, **settings}
    for part in label.split("+"):
        if part == "BN":
            made["norm"] = "bn-affine" if label in ("BN", "BN+BM") else "bn"
        elif part.startswith("BM"):
            made["manhattan"] = int(part[2:] or 1)  # "By default, we used setting 1 for BM"
    return Variant(label, made)


SGD = model("SGD", "bp")


def _row(label: str, data: str, net: str = "liao_images") -> Variant:
    size = {"image_size": 119} if net == "liao_images" else {}  # "All images are resized to fit the network"
    return Variant(label, {"data": data, "net": net, **size})


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
