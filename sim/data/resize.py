"""Images of another size: Liao and others resize all images to fit the network, without saying how."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from network.errors import BadInput
from sim.data.dataset import Dataset, Split

if TYPE_CHECKING:
    from PIL.Image import Image


def resize(image: "Image", size: int) -> "Image":
    """An image of `size` x `size` pixels, whatever its proportions were: a weighted mean of the pixels that were there
    (bilinear, over all of them where the image becomes smaller).
    """
    from PIL.Image import Resampling

    return image if image.size == (size, size) else image.resize((size, size), Resampling.BILINEAR)


def resized(data: Dataset, size: int) -> Dataset:
    """All images of a data set by `resize`.

    Raises
    ------
    BadInput
        Where they are not pixels.
    """
    parts = {name: _split(getattr(data, name), size, data.source) for name in ("train", "validation", "test")}
    return replace(data, **parts)


def _split(part: Split, size: int, source: str) -> Split:
    from PIL.Image import fromarray

    count, channels = part.images.shape[:2]
    if part.images.dtype != np.uint8:
        raise BadInput(f"{source}: its images are {part.images.dtype}; only uint8 pixels can be resized, not features")
    images = np.empty((count, channels, size, size), dtype=np.uint8)
    for image, into in zip(part.images, images, strict=True):
        for plane, target in zip(image, into, strict=True):  # resizing mixes no colours
            target[:] = np.asarray(resize(fromarray(plane), size))
    return Split(images, part.labels)
