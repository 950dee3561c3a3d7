"""Where data files are looked for, and how they are fetched when they are nowhere: large ones only when asked for."""

import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from network.errors import BadInput

DATA_VARIABLE = "HEBB_DATA"  # a folder with data sets, for those who do not want to say --data-dir each time

DOWNLOAD_VARIABLE = "HEBB_DOWNLOAD"  # set it, or say --download, to have data sets of any size fetched
LARGE = 500e6  # bytes that nobody waits or pays for unasked: all sets but STL-10 have less

UNVERIFIED_VARIABLE = "HEBB_UNVERIFIED_DATA"  # set it to use files whose checksum is not the official one


@dataclass(frozen=True)
class Archive:
    """A file that the authors of a data set publish: its checksum as ``md5:...``, and its size in bytes."""

    name: str
    url: str
    checksum: str
    size: int = 0


def allow_downloads() -> None:
    """Let data sets of any size be fetched, by this process and those that it starts."""
    os.environ[DOWNLOAD_VARIABLE] = "1"


def cache_folder() -> Path:
    """Where downloads are kept: the platform's folder for caches."""
    import pooch

    return Path(pooch.os_cache("hebb"))


def find(data_dir: str | None, places: Iterable[str], archives: Iterable[Archive]) -> Path | None:
    """The first of `places` that exists in `data_dir`; without it, in the folder of `DATA_VARIABLE` or the downloads.

    A `data_dir` that is given but holds none of them is an error, not a reason to look elsewhere: the user meant it.
    The message says where `archives` are published.
    """
    places = list(places)
    if data_dir:
        found = _first(_folder(data_dir, "--data-dir"), places)
        if found is None:
            where = ", ".join(archive.url for archive in archives)
            raise BadInput(f"--data-dir {data_dir}: holds none of {', '.join(places)}; they come from {where}")
        return found
    variable = os.environ.get(DATA_VARIABLE)
    found = _first(_folder(variable, DATA_VARIABLE), places) if variable else None
    return found or _first(cache_folder(), places)


def download(name: str, archives: Iterable[Archive]) -> Path:
    """Fetch `archives` into the cache, saying how large they are, and check them; return the folder they are in.

    Raises
    ------
    BadInput
        Where they cannot be fetched, or are larger than `LARGE` and nobody asked for them, with the three ways to get
        the data set.
    """
    import pooch

    archives = list(archives)
    size = sum(archive.size for archive in archives)
    if size > LARGE and not os.environ.get(DOWNLOAD_VARIABLE):
        raise BadInput(
            f"data set '{name}' is not here, and {size / 1e6:,.0f} MB are not fetched unasked: give --download or set "
            f"{DOWNLOAD_VARIABLE}=1 to have them from {archives[0].url}; or {_remedies(archives[0])}"
        )

    pooch.get_logger().setLevel("WARNING")  # the progress bar says enough
    folder = cache_folder() / name
    print(f"note: fetching {name}, {size / 1e6:,.0f} MB, from {archives[0].url} into {folder}", file=sys.stderr)
    for archive in archives:
        try:
            pooch.retrieve(archive.url, archive.checksum, fname=archive.name, path=folder, progressbar=True)
        except Exception as error:  # whatever the network, a proxy or the disk does wrong, the remedies are the same
            raise BadInput(
                f"data set '{name}' is not here and {archive.url} cannot be fetched ({type(error).__name__}): "
                f"{_remedies(archive)}"
            ) from None
    return folder


def _remedies(archive: Archive) -> str:
    return (
        f"(1) fetch {archive.name} ({archive.checksum}) on any machine and give its folder as --data-dir DIR, "
        f"or (2) as the environment variable {DATA_VARIABLE}, "
        f"or (3) use a data set that needs no network: --data digits"
    )


def check_sum(path: Path, archive: Archive) -> None:
    """Refuse a file that is missing, or not the published one; `UNVERIFIED_VARIABLE` lets other bytes pass.

    Raises
    ------
    BadInput
        Naming the file, and where the published one is.
    """
    import pooch

    if not path.is_file():
        raise BadInput(f"{path}: no such file; {archive.url} has it")
    kind, _, expected = archive.checksum.partition(":")
    found = "" if os.environ.get(UNVERIFIED_VARIABLE) else pooch.file_hash(str(path), kind)
    if found and found != expected:
        raise BadInput(
            f"{path}: corrupted or truncated, its {kind} is {found}, the published one {expected}; get it again from "
            f"{archive.url}, or set {UNVERIFIED_VARIABLE}=1 if it is a copy of your own that you mean to use"
        )


def unpack(name: str, path: Path, archive: Archive, holds: str, only: Iterable[str] | None = None) -> Path:
    """Check a tar archive's bytes and unpack it into the cache; return the folder `holds` that lies in it.

    Of that folder only the files named in `only` are unpacked, where given.

    Raises
    ------
    BadInput
        Where the archive is not the published one, byte for byte.
    """
    import pooch

    kind, _, expected = archive.checksum.partition(":")
    found = pooch.file_hash(str(path), kind)
    if found != expected:
        raise BadInput(f"{path}: corrupted or truncated, its {kind} is {found}, the published one {expected}")
    target = cache_folder() / name / holds
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:  # unpacked whole, or not at all
        with tarfile.open(path) as tar:
            members = {member.name: member for member in tar} if only else {}
            wanted = [members[f"{holds}/{file}"] for file in only or () if f"{holds}/{file}" in members]
            tar.extractall(temporary, wanted or None, filter="data")
        if not (Path(temporary) / holds).is_dir():
            raise BadInput(f"{path}: holds no folder {holds}")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(Path(temporary) / holds, target)
    return target


def _folder(path: str, named: str) -> Path:
    if not Path(path).is_dir():
        raise BadInput(f"{named} {path}: no such folder")
    return Path(path)


def _first(folder: Path, places: Iterable[str]) -> Path | None:
    return next((folder / place for place in places if (folder / place).exists()), None)
