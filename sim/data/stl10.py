"""STL-10 (Coates, Ng and Lee, 2011) from its official binary files; the unlabelled images are not used.

``train_X.bin`` and ``test_X.bin`` hold 3 x 96 x 96 bytes an image, red, green, blue, column by column; ``*_y.bin`` one
byte an image, the class from 1.
"""

from pathlib import Path

import numpy as np

from network.errors import BadInput
from sim.data.dataset import Dataset, Split, make_dataset
from sim.data.files import Archive, check_sum, download, find, unpack

FOLDER = "stl10_binary"
ARCHIVE = Archive(
    "stl10_binary.tar.gz",
    "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
    "md5:91f7769df0f17e558f3565bffb0c7dfb",
    2_640_397_119,
)
FILES = {
    "train_X.bin": "md5:918c2871b30a85fa023e0c44e0bee87f",
    "train_y.bin": "md5:5a34089d4802c674881badbb80307741",
    "test_X.bin": "md5:7f263ba9f9e0b06b93213547f721ac82",
    "test_y.bin": "md5:36f9794fa4beb8a2c72628de14fa638e",
}
NAMES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
SIDE = 96


def load_stl10(data_dir: str | None) -> Dataset:
    """Find the files or their archive, or download that, and read them: 5,000 training and 8,000 test images.

    Raises
    ------
    BadInput
        Naming the file that is missing or damaged; or, without files and network, the three ways to get them.
    """
    first = next(iter(FILES))
    places = [f"{FOLDER}/{first}", first, f"stl10/{FOLDER}/{first}", f"stl10/{first}", ARCHIVE.name]
    found = find(data_dir, places, [ARCHIVE])
    if found is None:
        found = download("stl10", [ARCHIVE]) / ARCHIVE.name
    folder = unpack("stl10", found, ARCHIVE, FOLDER, only=[*FILES]) if found.name == ARCHIVE.name else found.parent
    train, test = (read_pair(folder / f"{part}_X.bin", folder / f"{part}_y.bin") for part in ("train", "test"))
    return make_dataset("stl10", train, test, NAMES, str(folder))


def read_pair(images: Path, labels: Path) -> Split:
    """The images of one file with the labels of another.

    Raises
    ------
    BadInput
        Where one is missing, not the published one, or has another size than it should.
    """
    for path in (images, labels):
        check_sum(path, Archive(path.name, ARCHIVE.url, FILES[path.name]))
    pixels, classes = (np.fromfile(path, dtype=np.uint8) for path in (images, labels))
    expected = 3 * SIDE * SIDE * len(classes)
    if len(pixels) != expected or not len(classes):
        raise BadInput(
            f"{images}: {len(pixels):,} bytes; {labels.name} has {len(classes):,} labels, for which it would be "
            f"{expected:,}; unpack {ARCHIVE.name} again"
        )
    wrong = (classes < 1) | (classes > len(NAMES))
    if wrong.any():
        worst = int(wrong.argmax())
        raise BadInput(f"{labels}: label {classes[worst]} at {worst}; STL-10 has classes 1 to {len(NAMES)}")
    across_then_down = pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 1, 3, 2)
    return Split(np.ascontiguousarray(across_then_down), classes.astype(np.int64) - 1)
