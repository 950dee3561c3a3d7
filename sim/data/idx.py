"""MNIST (LeCun, Cortes, Burges) and Fashion-MNIST (Xiao, Rasul, Vollgraf) from their IDX files, gzipped or not."""

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from network.bounds import check_unpacked
from network.errors import BadInput
from sim.data.dataset import Dataset, Split, make_dataset
from sim.data.files import UNVERIFIED_VARIABLE, Archive, download, find
from sim.data.own import from_arrays


@dataclass(frozen=True)
class IdxSet:
    """A data set of four IDX files: MD5 and bytes of the published ``.gz`` files, and the SHA-256 of what they hold."""

    name: str
    folders: tuple[str, ...]
    url: str
    checksums: tuple[str, str, str, str]
    contents: tuple[str, str, str, str]
    sizes: tuple[int, int, int, int]
    class_names: tuple[str, ...]


FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")

MNIST = IdxSet(
    "mnist",
    ("MNIST/raw", "mnist", ""),
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    (
        "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "md5:9fb629c4189551a2d022fa330f9573f3",
        "md5:ec29112dd5afa0611ce80d1b7f02629c",
    ),
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    (9_912_422, 28_881, 1_648_877, 4_542),
    tuple("0123456789"),
)
FASHION_MNIST = IdxSet(
    "fashion-mnist",
    ("FashionMNIST/raw", "fashion-mnist", ""),
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    (
        "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "md5:25c81989df183df01b3e8a0aad5dffbe",
        "md5:bef4ecab320f06d8554ea6380940ec79",
        "md5:bb300cfdad3c16e7a12a480ee83cd310",
    ),
    (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    (26_421_880, 29_515, 4_422_102, 5_148),
    ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
)


def load_idx(idx: IdxSet, data_dir: str | None) -> Dataset:
    """Find the four files, or download them, and read them.

    Raises
    ------
    BadInput
        Naming the file that is missing or damaged; or, without files and network, the three ways to get them.
    """
    archives = [
        Archive(f"{file}.gz", f"{idx.url}{file}.gz", checksum, size)
        for file, checksum, size in zip(FILES, idx.checksums, idx.sizes, strict=True)
    ]
    places = [str(Path(folder, FILES[0] + end)) for folder in idx.folders for end in (".gz", "")]
    found = find(data_dir, places, archives)
    folder = found.parent if found else download(idx.name, archives)
    paths = [folder / f"{file}.gz" if (folder / f"{file}.gz").exists() else folder / file for file in FILES]
    arrays = [_checked(path, idx, expected) for path, expected in zip(paths, idx.contents, strict=True)]
    train, test = _pair(paths[:2], arrays[:2], idx), _pair(paths[2:], arrays[2:], idx)
    return make_dataset(idx.name, train, test, idx.class_names, str(folder))


def idx_files(folder: Path) -> list[Path]:
    """A user's own IDX files, named as those of MNIST, ``train-images-idx3-ubyte`` or ``-idx4-``; empty without any.

    Raises
    ------
    BadInput
        Where some of the four are there, and others are not.
    """
    stems = [file.partition("-idx")[0] for file in FILES]
    found = [sorted(folder.glob(f"{stem}-idx?-ubyte*")) for stem in stems]
    missing = [stem for stem, paths in zip(stems, found, strict=True) if not paths]
    if missing and len(missing) < len(stems):
        raise BadInput(f"{folder}: there is no {missing[0]}-idx{1 if 'labels' in missing[0] else 3}-ubyte in it")
    return [] if missing else [paths[0] for paths in found]


def load_idx_folder(folder: Path) -> Dataset:
    """A folder with the four `idx_files`: images (N, H, W) or (N, C, H, W), and their labels.

    Raises
    ------
    BadInput
        As `read_idx` and `sim.data.own.from_arrays`.
    """
    names = ("images", "labels", "test_images", "test_labels")
    return from_arrays(folder, {name: read_idx(path) for name, path in zip(names, idx_files(folder), strict=True)})


def read_idx(path: Path) -> np.ndarray:
    """One IDX file of unsigned bytes, gzipped where its name ends in ``.gz``.

    Raises
    ------
    BadInput
        Where it is missing, not IDX, truncated, too long, or its compressed data are damaged.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(4)
            if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 4:
                raise BadInput(f"{path}: not an IDX file of unsigned bytes (it starts with {head.hex(' ')})")
            sizes = file.read(4 * head[3])
            shape = tuple(int(n) for n in np.frombuffer(sizes[: len(sizes) // 4 * 4], dtype=">u4"))
            size = prod(shape)
            if len(shape) != head[3] or not 0 < size:
                raise BadInput(f"{path}: its header announces {'x'.join(map(str, shape))} bytes; the file is damaged")
            check_unpacked(path, size)
            data = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path}: damaged or truncated ({error})") from None
    if len(data) != size:
        state = "truncated" if len(data) < size else "longer than announced"
        raise BadInput(f"{path}: {state}; its header announces {'x'.join(map(str, shape))} bytes")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _checked(path: Path, idx: IdxSet, expected: str) -> np.ndarray:
    """One file, known by its content: the files of MNIST and Fashion-MNIST have the same names."""
    array = read_idx(path)
    if not os.environ.get(UNVERIFIED_VARIABLE):
        header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
        found = hashlib.sha256(header + array.tobytes()).hexdigest()
        if found != expected:
            raise BadInput(
                f"{path}: not the {idx.name} file of this name, or corrupted: the SHA-256 of what it holds is "
                f"{found[:12]}..., not {expected[:12]}...; set {UNVERIFIED_VARIABLE}=1 to use it all the same"
            )
    return array


def _pair(paths: list[Path], arrays: list[np.ndarray], idx: IdxSet) -> Split:
    images, labels = arrays
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        raise BadInput(f"{paths[1]}: {len(labels)} labels for images of shape {list(images.shape)} in {paths[0]}")
    if labels.max() >= len(idx.class_names):
        raise BadInput(f"{paths[1]}: label {labels.max()} at {labels.argmax()}; {idx.name} has classes 0 to 9")
    return Split(images[:, None], labels.astype(np.int64))
