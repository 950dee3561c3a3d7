"""In which order an epoch shows its images: mixed, or class by class, and what is forgotten then.

Amit's Discussion: "A more natural protocol would be to learn classes one at a time, perhaps occasionally refreshing the
memory of previously learned ones." Every image is shown once an epoch, whatever the order.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from network.errors import BadInput
from network.randomness import stream
from sim.config import TrainConfig
from sim.data import Split
from sim.engine import Engine
from sim.epoch import Staged, stage

TESTED = 2000  # images at most that are classified after a block: all of CIFAR-10's would cost as much as learning


class Block(NamedTuple):
    """Updates in a row: which images come in turn, (count,), and the class that they show; None where it is no one."""

    images: np.ndarray
    label: int | None = None


def check_presentation(config: TrainConfig) -> None:
    """Refuse settings of blocks where nothing comes in blocks; `BadInput` names the first."""
    for name in ("block", "refresh"):
        if config.presentation == "mixed" and getattr(config, name) is not None:
            raise BadInput(f"{name} {getattr(config, name)}: only with presentation by-class, class after class")


def mixed(seed: int, epoch: int, count: int) -> np.ndarray:
    """All images in the order of an epoch that mixes the classes."""
    return stream(seed, "batches", epoch).permutation(count)


def blocks_of(config: TrainConfig, labels: np.ndarray, epoch: int) -> list[Block]:
    """What an epoch shows, in turn: one block of all images, or blocks of one class each.

    Class by class, the classes take turns in an order that is drawn anew each epoch, each with ``config.block`` updates
    or what it has left, until all images have been shown. With ``config.refresh`` that share of the images, drawn anew
    each epoch, changes places with one another, so that images of all classes are strewn over all blocks.

    Parameters
    ----------
    config : TrainConfig
    labels : array of int
        Of all training images.
    epoch : int
        From 1.
    """
    order = mixed(config.seed, epoch, len(labels))
    if config.presentation == "mixed":
        return [Block(order)]
    generator = stream(config.seed, "batches", epoch, 1)
    of_class = {int(c): order[labels[order] == c] for c in generator.permutation(np.unique(labels))}
    longest = max(map(len, of_class.values()))
    length = config.block * config.batch_size if config.block else longest
    blocks = [
        Block(images[begin : begin + length], label)
        for begin in range(0, longest, length)
        for label, images in of_class.items()
        if begin < len(images)
    ]
    return _refreshed(blocks, config.refresh, generator) if config.refresh else blocks


def _refreshed(blocks: Sequence[Block], share: float, generator: np.random.Generator) -> list[Block]:
    """The blocks, as long as they were, once a share of all images has changed places."""
    images = np.concatenate([block.images for block in blocks])
    places = np.flatnonzero(generator.random(len(images)) < share)
    images[places] = images[generator.permutation(places)]
    parts = np.split(images, np.cumsum([len(block.images) for block in blocks])[:-1])
    return [Block(part, block.label) for part, block in zip(parts, blocks, strict=True)]


def updates_of(config: TrainConfig, labels: np.ndarray) -> int:
    """How many updates an epoch has: a block's last batch has what is left of it."""
    return sum(-(-len(block.images) // config.batch_size) for block in blocks_of(config, labels, 1))


class Forgetting:
    """The test error of every class after every block of an epoch.

    Parameters
    ----------
    engine : Engine
    test : Split
        The first images of each class are looked at, equally many, `TESTED` in all at most: the same ones each time.
    classes : int
    """

    def __init__(self, engine: Engine, test: Split, classes: int) -> None:
        few = max(1, TESTED // classes)
        first = [np.flatnonzero(test.labels == label)[:few] for label in range(classes)]
        self._counts = [len(places) for places in first]
        self._engine = engine
        self._tested = stage(engine, test[np.sort(np.concatenate(first))])
        self._shown: list[int] = []
        self._errors: list[list[float]] = []

    def see(self, label: int) -> None:
        """Classify, now that a block has shown this class."""
        self._shown.append(label)
        self._errors.append(class_errors(self._engine, self._tested, self._counts))

    def row(self) -> dict[str, Any]:
        """What a row of ``metrics.jsonl`` says of an epoch in blocks, nothing of one without; then begin anew.

        ``block_class`` : the class of each block. ``block_error`` : after each block, the test error of each class.
        """
        row = {"block_class": self._shown, "block_error": self._errors} if self._shown else {}
        self._shown, self._errors = [], []
        return row


def class_errors(engine: Engine, part: Staged, counts: Sequence[int]) -> list[float]:
    """The fraction of each class's images that is classified as another; NaN for a class without any."""
    wrong = engine.outputs(part.images).argmax(1) != part.labels
    errors = [int((wrong & (part.labels == label)).sum()) for label in range(len(counts))]
    return [error / count if count else float("nan") for error, count in zip(errors, counts, strict=True)]
