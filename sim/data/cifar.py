"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) from their official *binary* files; the pickled ones are never opened.

A record is the label (CIFAR-100: coarse, then fine) in one byte each, then 3 x 32 x 32 pixels, red, green, blue.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from network.errors import BadInput
from sim.data.dataset import Dataset, Split, make_dataset
from sim.data.files import UNVERIFIED_VARIABLE, Archive, download, find, unpack

PIXELS = 3 * 32 * 32
_URL = "https://www.cs.toronto.edu/~kriz/"


@dataclass(frozen=True)
class CifarFile:
    """A file of records: how many, and the SHA-256 of the official bytes where it is known."""

    name: str
    records: int
    sha256: str = ""


@dataclass(frozen=True)
class Cifar:
    """One of the two data sets: its folder and files, the bytes before the pixels, and where the labels are named."""

    name: str
    folder: str
    train: tuple[CifarFile, ...]
    test: tuple[CifarFile, ...]
    label_bytes: int  # the last of them is the class
    classes: int
    names_file: str
    archive: Archive


CIFAR10 = Cifar(
    name="cifar10",
    folder="cifar-10-batches-bin",
    train=(
        CifarFile("data_batch_1.bin", 10_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        CifarFile("data_batch_2.bin", 10_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        CifarFile("data_batch_3.bin", 10_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        CifarFile("data_batch_4.bin", 10_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        CifarFile("data_batch_5.bin", 10_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
    ),
    test=(CifarFile("test_batch.bin", 10_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),),
    label_bytes=1,
    classes=10,
    names_file="batches.meta.txt",
    archive=Archive(
        "cifar-10-binary.tar.gz", _URL + "cifar-10-binary.tar.gz", "md5:c32a1d4ab5d03f1284b67883e8d87530", 170_052_171
    ),
)
CIFAR100 = Cifar(
    name="cifar100",
    folder="cifar-100-binary",
    train=(CifarFile("train.bin", 50_000),),
    test=(CifarFile("test.bin", 10_000),),
    label_bytes=2,
    classes=100,
    names_file="fine_label_names.txt",
    archive=Archive(
        "cifar-100-binary.tar.gz", _URL + "cifar-100-binary.tar.gz", "md5:03b5dce01913d631647c71ecec9e9cb8", 168_513_733
    ),
)


def load_cifar(cifar: Cifar, data_dir: str | None) -> Dataset:
    """Find the files, or download them, and read them.

    Raises
    ------
    BadInput
        Naming the file that is missing, truncated or corrupted; or, where there is neither file nor network, the
        three ways to get them.
    """
    first = f"{cifar.folder}/{cifar.train[0].name}"
    places = [first, cifar.train[0].name, f"{cifar.name}/{first}", cifar.archive.name]  # the third: unpacked downloads
    found = find(data_dir, places, [cifar.archive])
    if found is None:
        found = download(cifar.name, [cifar.archive]) / cifar.archive.name
    if found.name == cifar.archive.name:
        folder = unpack(cifar.name, found, cifar.archive, holds=cifar.folder)
    else:
        folder = found.parent
    train = _join([read_records(folder / file.name, file, cifar) for file in cifar.train])
    test = _join([read_records(folder / file.name, file, cifar) for file in cifar.test])
    return make_dataset(cifar.name, train, test, _class_names(folder / cifar.names_file, cifar), str(folder))


def read_records(path: Path, file: CifarFile, cifar: Cifar) -> Split:
    """Read one file of records, and refuse it unless it is whole.

    Raises
    ------
    BadInput
        Where the file is missing, has the wrong size, a label out of range, or (CIFAR-10) other bytes than the
        official file. Set the environment variable ``HEBB_UNVERIFIED_DATA=1`` to use a re-encoded copy all the same.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file; {cifar.name} is {cifar.archive.name}, unpacked")
    record = cifar.label_bytes + PIXELS
    size = path.stat().st_size
    if size != file.records * record:
        state = "truncated" if size < file.records * record else "too long"
        raise BadInput(
            f"{path}: {size:,} bytes, {state}; expected {file.records:,} records of {record:,} bytes, "
            f"{file.records * record:,} in all; unpack {cifar.archive.name} again"
        )
    data = np.fromfile(path, dtype=np.uint8).reshape(-1, record)
    if file.sha256 and not os.environ.get(UNVERIFIED_VARIABLE):
        found = hashlib.sha256(data.data).hexdigest()
        if found != file.sha256:
            raise BadInput(
                f"{path}: corrupted, its SHA-256 is {found[:12]}..., the official file's {file.sha256[:12]}...; unpack "
                f"{cifar.archive.name} again, or set {UNVERIFIED_VARIABLE}=1 if it is a re-encoded copy you mean to use"
            )
    labels = data[:, cifar.label_bytes - 1].astype(np.int64)
    if labels.max() >= cifar.classes:
        worst = int(labels.argmax())
        raise BadInput(
            f"{path}: corrupted, record {worst} has label {labels[worst]}; {cifar.name} has classes 0 to "
            f"{cifar.classes - 1}; unpack {cifar.archive.name} again"
        )
    return Split(data[:, cifar.label_bytes :].reshape(-1, 3, 32, 32), labels)


def _join(parts: list[Split]) -> Split:
    return Split(np.concatenate([part.images for part in parts]), np.concatenate([part.labels for part in parts]))


def _class_names(path: Path, cifar: Cifar) -> tuple[str, ...]:
    """The names beside the data; numbers where that file is missing or of another length."""
    names = tuple(path.read_text(errors="replace").split()) if path.is_file() else ()
    return names if len(names) == cifar.classes else tuple(map(str, range(cifar.classes)))
