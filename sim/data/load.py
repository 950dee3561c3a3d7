"""Data sets by name or path."""

from functools import partial
from pathlib import Path

from network.errors import BadInput, did_you_mean
from sim.data.cifar import CIFAR10, CIFAR100, load_cifar
from sim.data.dataset import Dataset
from sim.data.digits import load_digits
from sim.data.idx import FASHION_MNIST, MNIST, load_idx
from sim.data.own import load_folder, load_npz

DATASETS = {
    "digits": lambda data_dir: load_digits(),
    "cifar10": partial(load_cifar, CIFAR10),
    "cifar100": partial(load_cifar, CIFAR100),
    "mnist": partial(load_idx, MNIST),
    "fashion-mnist": partial(load_idx, FASHION_MNIST),
}


def load_data(data: str, data_dir: str | None = None) -> Dataset:
    """Load a data set.

    Parameters
    ----------
    data : str
        A key of `DATASETS`, the path of a folder with one folder of images per class, or of an ``.npz`` file.
    data_dir : str, optional
        Where the files of a named set are. Without it, the folder that the environment variable ``HEBB_DATA`` names,
        or earlier downloads, or a download.

    Returns
    -------
    Dataset
        Images (N, C, H, W) with no processing at all; the last tenth of the training images, at most 5,000, validates.

    Raises
    ------
    BadInput
        For an unknown name, a missing or damaged file, or no way to get the data.
    """
    name = data.strip().lower()
    if name in DATASETS:
        return DATASETS[name](data_dir)
    path = Path(data).expanduser()
    if path.is_dir():
        return load_folder(path)
    if path.is_file() and path.suffix == ".npz":
        return load_npz(path)
    if path.exists():
        raise BadInput(f"data '{data}': expected a folder with one folder per class, or an .npz file")
    raise BadInput(
        f"data '{data}': expected one of {', '.join(DATASETS)}, or the path of a folder of class folders or of an "
        f".npz file{did_you_mean(name, DATASETS)}"
    )
