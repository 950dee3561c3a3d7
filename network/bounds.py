"""How much memory a file may ask for. A damaged or forged one announces terabytes, or unpacks to them."""

from pathlib import Path

from network.errors import BadInput

ALLOWANCE = 256 << 20  # bytes that any file may unpack to
RATIO = 100  # and so many times its own size: photographs and weights compress to no less than a tenth


def check_unpacked(path: Path, size: int, what: str = "") -> None:
    """Refuse what would take more than `ALLOWANCE`, and more than `RATIO` times the file, before any of it is read.

    Parameters
    ----------
    path : path
        The file as it lies on the disk.
    size : int
        Bytes that it announces.
    what : str
        The part of it that announces them, if not all.

    Raises
    ------
    BadInput
        Naming the file, both sizes and what to do where they are right.
    """
    own = path.stat().st_size
    if size > ALLOWANCE + RATIO * own:
        part = what or "it"
        raise BadInput(
            f"{path}: {part} announces {size:,} bytes, but the file has {own:,}; it is damaged, or made to exhaust the "
            f"memory; if it is right, store it uncompressed"
        )
