"""The 8 x 8 handwritten digits (Alpaydin and Kaynak, UCI) that scikit-learn ships: real images, no download."""

import numpy as np

from sim.data.dataset import Dataset, Split, make_dataset, split_off_test


def load_digits() -> Dataset:
    """1,797 images 1 x 8 x 8 in ten classes; the last fifth tests.

    The set counts 17 levels of grey; they are spread over 0 to 255, so that x / 255 lies in [0, 1] as for any image.
    """
    from sklearn.datasets import load_digits as embedded

    flat, labels = embedded(return_X_y=True)
    images = np.rint(flat * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    train, test = split_off_test(Split(images, labels.astype(np.int64)))
    return make_dataset("digits", train, test, tuple("0123456789"), "scikit-learn's embedded digits")
