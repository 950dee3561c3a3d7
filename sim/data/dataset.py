"""A data set in memory, and how it is split."""

from dataclasses import dataclass

import numpy as np

from network.errors import BadInput

VALIDATION_IMAGES = 5000  # section 4: "a held out validation set of 5000 samples"


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W), uint8 pixels or floating point values, and the class of each (N,), int64."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice | np.ndarray) -> "Split":
        return Split(self.images[part], self.labels[part])


@dataclass(frozen=True)
class Dataset:
    """Training, validation and test images of one problem.

    Attributes
    ----------
    name : str
    train, validation, test : Split
    class_names : tuple of str
        One a class, in the order of the labels.
    source : str
        Where the images came from, for the run's records.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    source: str

    @property
    def classes(self) -> int:
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width


def make_dataset(name: str, train: Split, test: Split, class_names: tuple[str, ...], source: str) -> Dataset:
    """Hold out the last tenth of the training images for validation, at most 5,000, in the order they come in.

    Raises
    ------
    BadInput
        Where there are too few images, training and test images differ in shape, or training lacks a class that
        validation or test has: then the order of the images is not mixed, and no held-out part can represent them.
    """
    held_out = min(VALIDATION_IMAGES, len(train) // 10)
    if held_out == 0 or len(test) == 0:
        raise BadInput(f"{source}: {len(train)} training and {len(test)} test images; at least 10 and 1 are needed")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise BadInput(
            f"{source}: training images are {list(train.images.shape[1:])}, test images {list(test.images.shape[1:])}"
        )
    data = Dataset(name, train[:-held_out], train[-held_out:], test, class_names, source)
    for part in (data.validation, data.test):
        missing = np.setdiff1d(part.labels, data.train.labels)
        if missing.size:
            raise BadInput(
                f"{source}: no training image of class '{class_names[missing[0]]}' is left once the last {held_out} "
                f"are held out to validate; mix the order of the images"
            )
    return data


def split_off_test(images: Split) -> tuple[Split, Split]:
    """For sets without test images of their own: the last fifth, in the order they come in."""
    tested = len(images) // 5
    return images[: len(images) - tested], images[len(images) - tested :]
