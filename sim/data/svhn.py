"""SVHN, the cropped digits (Netzer and others, 2011), from their official MATLAB files; IDX and ``.npz`` work too.

``train_32x32.mat`` and ``test_32x32.mat`` hold X (32, 32, 3, images) and y (images, 1), where the digit 0 is labelled
10. MATLAB's level 5 files hold numbers, not code: reading one runs nothing.
"""

from pathlib import Path
from typing import Any

import numpy as np

from network.errors import BadInput
from sim.data.dataset import Dataset, Split, make_dataset
from sim.data.files import Archive, check_sum, download, find
from sim.data.idx import load_idx_folder
from sim.data.own import load_npz

_URL = "http://ufldl.stanford.edu/housenumbers/"
TRAIN = Archive("train_32x32.mat", _URL + "train_32x32.mat", "md5:e26dedcc434d2e4c54c9b2d4a06d8373", 182_040_794)
TEST = Archive("test_32x32.mat", _URL + "test_32x32.mat", "md5:eb5a983be6a315427106f1b164d9cef3", 64_275_384)
NAMES = tuple("0123456789")
FOLDERS = ("", "svhn", "SVHN")


def load_svhn(data_dir: str | None) -> Dataset:
    """Find the two files, or download them, and read them: 73,257 training and 26,032 test images 3 x 32 x 32.

    In their place ``svhn.npz``, or a folder ``svhn`` of IDX files, is read as any other of that kind.

    Raises
    ------
    BadInput
        Naming the file that is missing or damaged; or, without files and network, the three ways to get them.
    """
    places = [str(Path(folder, TRAIN.name)) for folder in FOLDERS]
    own = ["svhn.npz", "svhn/train-images-idx4-ubyte.gz", "svhn/train-images-idx4-ubyte"]
    found = find(data_dir, [*places, *own], [TRAIN, TEST])
    if found is not None and found.name != TRAIN.name:
        return load_npz(found) if found.suffix == ".npz" else load_idx_folder(found.parent)
    folder = found.parent if found else download("svhn", [TRAIN, TEST])
    train, test = (read_mat(folder / file.name, file) for file in (TRAIN, TEST))
    return make_dataset("svhn", train, test, NAMES, str(folder))


def read_mat(path: Path, file: Archive) -> Split:
    """One of the two files, checked.

    Raises
    ------
    BadInput
        Where it is missing, not the published one, no MATLAB file, or its arrays are not what they should be.
    """
    check_sum(path, file)
    from scipy.io import loadmat  # here, because it is slow to import

    try:
        arrays: dict[str, Any] = loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # a damaged file makes scipy raise almost anything
        raise BadInput(f"{path}: cannot be read as a level 5 MATLAB file ({type(error).__name__}: {error})") from None
    for name in ("X", "y"):
        if name not in arrays:
            raise BadInput(f"{path}: '{name}' is missing; expected X (32, 32, 3, images) and y (images, 1)")
    X, y = arrays["X"], arrays["y"]
    if X.dtype != np.uint8 or X.ndim != 4 or X.shape[:3] != (32, 32, 3) or 0 in X.shape:
        raise BadInput(f"{path}: X is {X.dtype} of shape {list(X.shape)}; expected uint8 of 32 x 32 x 3 x images")
    labels = y.ravel()
    if labels.shape != X.shape[3:] or labels.dtype.kind not in "iu":
        raise BadInput(f"{path}: y is {y.dtype} of shape {list(y.shape)}; expected {X.shape[3]} integers")
    wrong = (labels < 1) | (labels > 10)
    if wrong.any():
        worst = int(wrong.argmax())
        raise BadInput(f"{path}: y is {labels[worst]} at {worst}; the digits are labelled 1 to 9, and 0 is 10")
    return Split(np.ascontiguousarray(X.transpose(3, 2, 0, 1)), labels.astype(np.int64) % 10)
