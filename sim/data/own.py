"""A user's own images: a folder per class, or one ``.npz`` file."""

from pathlib import Path

import numpy as np

from network.errors import BadInput
from network.interchange import read_arrays
from network.randomness import stream
from sim.data.dataset import Dataset, Split, make_dataset, split_off_test

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def load_folder(path: Path) -> Dataset:
    """Images in a folder per class, ``PATH/<class>/*.png``, or ``PATH/train/<class>`` and ``PATH/test/<class>``.

    Classes are numbered in the order of their names. The images are mixed in an order that depends on their number
    alone; without a ``test`` folder the last fifth of it tests.

    Raises
    ------
    BadInput
        Naming the folder or file: no classes, no images, an image that cannot be read or has another size.
    """
    own_test = (path / "train").is_dir() and (path / "test").is_dir()
    root = path / "train" if own_test else path
    classes = tuple(sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith(".")))
    if len(classes) < 2:
        raise BadInput(f"{root}: {len(classes)} class folder(s); expected PATH/<class>/<image>, at least two classes")
    if own_test:
        train, test = _mixed(_read_classes(root, classes)), _mixed(_read_classes(path / "test", classes))
    else:
        train, test = split_off_test(_mixed(_read_classes(root, classes)))
    return make_dataset(path.name, train, test, classes, str(path))


def load_npz(path: Path) -> Dataset:
    """``images`` (N, C, H, W) or (N, H, W), ``labels`` (N,), and optionally ``test_images``, ``test_labels``.

    Pixels are uint8, taken as x / 255, or floating point, taken as they are. Without test images the last fifth tests.

    Raises
    ------
    BadInput
        Naming the file and the array: missing, of the wrong shape or type, not finite, or labels that skip a class.
    """
    arrays = read_arrays(path)
    train = _arrays_split(path, arrays, "images", "labels")
    if "test_images" in arrays or "test_labels" in arrays:
        test = _arrays_split(path, arrays, "test_images", "test_labels")
    else:
        train, test = split_off_test(train)
    used = np.unique(np.concatenate([train.labels, test.labels]))
    if used[-1] != len(used) - 1:
        gap = int(np.argmax(used != np.arange(len(used))))
        raise BadInput(f"{path}: labels run to {used[-1]}, but no image has label {gap}; number the classes from 0")
    classes = len(used)
    return make_dataset(path.stem, train, test, tuple(map(str, range(classes))), str(path))


def _read_classes(root: Path, classes: tuple[str, ...]) -> Split:
    from PIL import Image

    images: list[np.ndarray] = []
    labels: list[int] = []
    first: Path | None = None
    for label, name in enumerate(classes):
        paths = sorted(p for p in (root / name).glob("*") if p.suffix.lower() in SUFFIXES)
        if not paths:
            raise BadInput(f"{root / name}: holds no images ({', '.join(sorted(SUFFIXES))})")
        for path in paths:
            try:
                with Image.open(path) as image:
                    grey = image.mode in ("1", "L")
                    pixels = np.asarray(image.convert("L" if grey else "RGB"))
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                raise BadInput(f"{path}: cannot be read as an image ({error})") from None
            pixels = pixels[None] if grey else pixels.transpose(2, 0, 1)
            first = first or path
            if images and pixels.shape != images[0].shape:
                raise BadInput(
                    f"{path}: {list(pixels.shape)} (colours, height, width), but {first} is {list(images[0].shape)}; "
                    f"all images must have the same size and colours"
                )
            images.append(pixels)
            labels.append(label)
    return Split(np.stack(images), np.asarray(labels, dtype=np.int64))


def _mixed(images: Split) -> Split:
    return images[stream(0, "folder").permutation(len(images))]


def _arrays_split(path: Path, arrays: dict[str, np.ndarray], images_name: str, labels_name: str) -> Split:
    for name in (images_name, labels_name):
        if name not in arrays:
            raise BadInput(f"{path}: '{name}' is missing; the file has {', '.join(sorted(arrays)) or 'nothing'}")
    images, labels = arrays[images_name], arrays[labels_name]
    images = images[:, None] if images.ndim == 3 else images
    if images.ndim != 4 or 0 in images.shape:
        raise BadInput(f"{path}: {images_name} has shape {list(images.shape)}; expected N x C x H x W, or N x H x W")
    if images.shape[3] in (1, 3, 4) and images.shape[1] == images.shape[2] > 4:
        raise BadInput(
            f"{path}: {images_name} has shape {list(images.shape)}, which looks like N x H x W x C; expected "
            f"N x C x H x W: images.transpose(0, 3, 1, 2)"
        )
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise BadInput(f"{path}: {images_name} has dtype {images.dtype}; expected uint8 pixels, or floating point")
    if images.dtype.kind == "f" and not np.isfinite(images).all():
        where = [int(k) for k in np.argwhere(~np.isfinite(images))[0]]
        raise BadInput(f"{path}: {images_name} is not finite at {where}")
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        raise BadInput(
            f"{path}: {labels_name} is {labels.dtype} of shape {list(labels.shape)}; expected {len(images)} integers"
        )
    if labels.max() > np.iinfo(np.int64).max:
        raise BadInput(f"{path}: {labels_name} is {labels.max()} at {int(labels.argmax())}; number the classes from 0")
    if labels.min() < 0:
        raise BadInput(f"{path}: {labels_name} is {labels.min()} at {int(labels.argmin())}; classes count from 0")
    return Split(images, labels.astype(np.int64))
