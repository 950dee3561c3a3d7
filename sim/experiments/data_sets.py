"""The data sets of both papers that are not read by name, and how to get them."""

import os
from dataclasses import dataclass
from pathlib import Path

from sim.data.load import DATASETS

IMAGES = "as a folder with one folder of images per class, of any size; those to test in a folder test, others in train"


@dataclass(frozen=True)
class Source:
    """A data set of a paper.

    Attributes
    ----------
    get : str
        Where it comes from.
    prepare : str
        What has to become of it.
    """

    get: str
    prepare: str


SOURCES = {
    "cal101": Source("https://data.caltech.edu/records/mzrjq-6wc02: 30 training, 10 test images a class", IMAGES),
    "cal256-101": Source(
        "https://data.caltech.edu/records/nyy15-4j048: 102 classes at random, 30 and 10 images", IMAGES
    ),
    "icub": Source("https://robotology.github.io/iCubWorld: the standard categorization protocol", IMAGES),
    "flowers17": Source("https://www.robots.ox.ac.uk/~vgg/data/flowers/17", IMAGES),
    "flowers102": Source("https://www.robots.ox.ac.uk/~vgg/data/flowers/102", IMAGES),
    "pubfig83": Source("the authors of Pinto et al. (2011): 80 people at random, 85 and 15 images", IMAGES),
    "sufr-w": Source("the authors of Leibo, Liao and Poggio (2014): 80 people at random, 10 and 5 images", IMAGES),
    "lfw": Source("http://vis-www.cs.umass.edu/lfw: 80 people at random, 10 and 5 images", IMAGES),
    "scene67": Source("https://web.mit.edu/torralba/www/indoor.html: 80 and 20 images a class", IMAGES),
    "timit80": Source(
        "LDC93S1 (licensed): 1845 features a frame, 80 classes, 400 and 100 samples",
        "as .npz of features: images (N x 1845), labels (N), test_images, test_labels",
    ),
}


def locate(name: str, data_dir: str | None) -> tuple[str | None, str]:
    """What ``--data`` has to be for a data set of an experiment.

    Parameters
    ----------
    name : str
        A name that `load_data` knows, a key of `SOURCES`, or a path.
    data_dir : str, optional
        Where the user's data are; else the folder that ``HEBB_DATA`` names.

    Returns
    -------
    data : str or None
        None where the set is not there.
    missing : str
        Then how to get it, in a line.
    """
    if name in DATASETS or name not in SOURCES:
        return name, ""
    source, root = SOURCES[name], data_dir or os.environ.get("HEBB_DATA")
    for path in [Path(root, name), Path(root, f"{name}.npz")] if root else []:
        if path.exists():
            return str(path), ""
    where = f"as {name}/ or {name}.npz in the folder that --data-dir names"
    return None, f"no data: get it from {source.get}; put it, {source.prepare}, {where}"
