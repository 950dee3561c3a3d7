"""Data sets by name or path."""

import os
from functools import partial
from pathlib import Path

from network.errors import BadInput, did_you_mean
from sim.data.cifar import CIFAR10, CIFAR100, load_cifar
from sim.data.dataset import Dataset
from sim.data.digits import load_digits
from sim.data.idx import FASHION_MNIST, MNIST, idx_files, load_idx, load_idx_folder
from sim.data.own import load_folder, load_npz
from sim.data.resize import resized
from sim.data.stl10 import load_stl10
from sim.data.svhn import load_svhn

DATASETS = {
    "digits": lambda data_dir: load_digits(),
    "cifar10": partial(load_cifar, CIFAR10),
    "cifar100": partial(load_cifar, CIFAR100),
    "mnist": partial(load_idx, MNIST),
    "fashion-mnist": partial(load_idx, FASHION_MNIST),
    "svhn": load_svhn,
    "stl10": load_stl10,
}


def load_data(data: str, data_dir: str | None = None, image_size: int | None = None) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    data : str
        A key of `DATASETS`, the path of a folder with one folder of images per class or with IDX files, or of an
        ``.npz`` file.
    data_dir : str, optional
        Where the files of a named set are. Without it, the folder that the environment variable ``HEBB_DATA`` names,
        or earlier downloads, or a download.
    image_size : int, optional
        Resize all images to so many pixels high and wide; images of a folder may then differ in size.

    Returns
    -------
    Dataset
        Images (N, C, H, W) with no other processing at all; the last tenth of the training images, at most 5,000,
        validates.

    Raises
    ------
    BadInput
        For an unknown name, a missing or damaged file, no way to get the data, or numbers that cannot be resized.
    """
    name, path = data.strip().lower(), Path(os.path.expanduser(data))
    if name not in DATASETS and path.is_dir() and not idx_files(path):
        return load_folder(path, image_size)  # image by image, before they are put together
    found = _load(data, name, path, data_dir)
    return found if image_size is None else resized(found, image_size)


def _load(data: str, name: str, path: Path, data_dir: str | None) -> Dataset:
    if name in DATASETS:
        return DATASETS[name](data_dir)
    if path.is_dir():
        return load_idx_folder(path)
    if path.is_file() and path.suffix == ".npz":
        return load_npz(path)
    if path.exists():
        raise BadInput(f"data '{data}': expected a folder with one folder per class, a folder of IDX files, or an .npz")
    raise BadInput(
        f"data '{data}': expected one of {', '.join(DATASETS)}, or the path of a folder of class folders or of an "
        f".npz file{did_you_mean(name, DATASETS)}"
    )
