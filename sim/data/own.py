"""A user's own images: a folder per class, or arrays of one ``.npz`` file, images or features."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np

from network.bounds import check_unpacked
from network.errors import BadInput
from network.interchange import read_arrays
from network.randomness import stream
from sim.data.dataset import Dataset, Split, make_dataset, split_off_test

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def load_folder(path: Path, image_size: int | None = None) -> Dataset:
    """Images in a folder per class, ``PATH/<class>/*.png``, or ``PATH/train/<class>`` and ``PATH/test/<class>``.

    Classes are numbered in the order of their names. The images are mixed in an order that depends on their number
    alone; without a ``test`` folder the last fifth of it tests. Grey images among coloured ones become coloured. With
    an `image_size` all are resized to so many pixels high and wide.

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
        train, test = (_mixed(_read_classes(each, classes, image_size)) for each in (root, path / "test"))
    else:
        train, test = split_off_test(_mixed(_read_classes(root, classes, image_size)))
    return make_dataset(path.name, train, test, classes, str(path))


def load_npz(path: Path) -> Dataset:
    """The arrays of one file; see `from_arrays`."""
    return from_arrays(path, read_arrays(path))


def from_arrays(path: Path, arrays: dict[str, np.ndarray]) -> Dataset:
    """``images`` and ``labels`` (N,), and optionally ``test_images``, ``test_labels``.

    Images are (N, C, H, W), (N, H, W), or features (N, F), which become (N, F, 1, 1). Pixels are uint8, taken as
    x / 255, or floating point, taken as they are. Without test images the last fifth tests.

    Raises
    ------
    BadInput
        Naming the file and the array: missing, of the wrong shape or type, not finite, or labels that skip a class.
    """
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


def _read_classes(root: Path, classes: tuple[str, ...], size: int | None) -> Split:
    images: list[np.ndarray] = []
    labels: list[int] = []
    first: Path | None = None
    colours = 1
    for label, name in enumerate(classes):
        paths = sorted(p for p in (root / name).glob("*") if p.suffix.lower() in SUFFIXES)
        if not paths:
            raise BadInput(f"{root / name}: holds no images ({', '.join(sorted(SUFFIXES))})")
        for path in paths:
            pixels = _read_image(path, size)
            first, colours = first or path, max(colours, len(pixels))
            if images and pixels.shape[1:] != images[0].shape[1:]:
                raise BadInput(
                    f"{path}: {list(pixels.shape)} (colours, height, width), but {first} is {list(images[0].shape)}; "
                    f"all images must have the same size, or be resized: --image-size"
                )
            images.append(pixels)
            labels.append(label)
    same = [np.broadcast_to(pixels, (colours, *pixels.shape[1:])) for pixels in images]
    return Split(np.stack(same), np.asarray(labels, dtype=np.int64))


def _read_image(path: Path, size: int | None) -> np.ndarray:
    """(1, height, width) of a grey image, (3, height, width) of any other."""
    from PIL import Image, UnidentifiedImageError

    from sim.data.resize import resize

    try:
        # What Pillow warns of is not in the pixels, or it is an error in the end.
        # From memory: of a file Pillow would reserve whatever length a damaged part announces.
        with warnings.catch_warnings(action="ignore"), Image.open(BytesIO(path.read_bytes())) as image:
            check_unpacked(path, 3 * image.width * image.height)
            grey = image.mode in ("1", "L")
            read = image.convert("L" if grey else "RGB")
            pixels = np.asarray(read if size is None else resize(read, size))
    except BadInput:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        why = "of no known format" if isinstance(error, UnidentifiedImageError) else error
        raise BadInput(f"{path}: cannot be read as an image ({why})") from None
    return pixels[None] if grey else pixels.transpose(2, 0, 1)


def _mixed(images: Split) -> Split:
    return images[stream(0, "folder").permutation(len(images))]


def _arrays_split(path: Path, arrays: dict[str, np.ndarray], images_name: str, labels_name: str) -> Split:
    for name in (images_name, labels_name):
        if name not in arrays:
            raise BadInput(f"{path}: '{name}' is missing; the file has {', '.join(sorted(arrays)) or 'nothing'}")
    images, labels = arrays[images_name], arrays[labels_name]
    shape = images.shape
    if images.ndim == 2:
        images = images[:, :, None, None]
    elif images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or 0 in shape:
        raise BadInput(
            f"{path}: {images_name} has shape {list(shape)}; expected N x C x H x W, N x H x W, or features N x F"
        )
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
