"""A user's own images: what is right is read exactly, what is wrong is refused by name."""

import numpy as np
import pytest
from PIL import Image

from network.errors import BadInput
from sim.data import load_data

RNG = np.random.default_rng(0)


def write_images(root, classes=("ant", "bee"), count=10, size=(6, 5)):
    for value, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for n in range(count):
            pixels = np.full((*size, 3), 10 * n + value, dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{n:02}.png")


def test_a_folder_of_class_folders(tmp_path):
    write_images(tmp_path)
    data = load_data(str(tmp_path))
    assert data.class_names == ("ant", "bee")
    assert data.image_shape == (3, 6, 5)
    assert (len(data.train), len(data.validation), len(data.test)) == (15, 1, 4)
    for part in (data.train, data.validation, data.test):
        assert np.array_equal(part.images[:, 0, 0, 0] % 10, part.labels)  # every image kept its class
    everything = np.concatenate([part.images[:, 0, 0, 0] for part in (data.train, data.validation, data.test)])
    assert sorted(everything) == sorted(10 * n + value for n in range(10) for value in range(2))
    assert np.array_equal(load_data(str(tmp_path)).test.images, data.test.images)


def test_a_folder_with_its_own_test_images(tmp_path):
    write_images(tmp_path / "train")
    write_images(tmp_path / "test", count=3)
    data = load_data(str(tmp_path))
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 2, 6)


def test_folders_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(BadInput, match="0 class folder"):
        load_data(str(tmp_path))
    write_images(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(BadInput, match="cat: holds no images"):
        load_data(str(tmp_path))
    (tmp_path / "cat" / "a.png").write_bytes(b"not an image")
    with pytest.raises(BadInput, match=r"a\.png: cannot be read as an image"):
        load_data(str(tmp_path))
    Image.new("RGB", (7, 7)).save(tmp_path / "cat" / "a.png")
    with pytest.raises(BadInput, match=r"a\.png: \[3, 7, 7\]"):
        load_data(str(tmp_path))


def test_npz_of_pixels_and_of_numbers(tmp_path):
    path = tmp_path / "own.npz"
    images, labels = RNG.random((50, 2, 4, 3)).astype(np.float32), np.arange(50) % 3
    np.savez(path, images=images, labels=labels)
    data = load_data(str(path))
    assert (len(data.train), len(data.validation), len(data.test), data.classes) == (36, 4, 10, 3)
    assert np.array_equal(data.train.images, images[:36])
    pixels = RNG.integers(0, 256, (50, 4, 3), dtype=np.uint8)
    np.savez(path, images=pixels, labels=labels, test_images=pixels[:7], test_labels=labels[:7])
    assert load_data(str(path)).test.images.shape == (7, 1, 4, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.zeros((20, 3))}, "'labels' is missing"),
        ({"labels": np.zeros(20, int)}, "'images' is missing"),
        ({"images": np.zeros(20), "labels": np.zeros(20, int)}, "images has shape"),
        ({"images": np.zeros((20, 3, 3), int), "labels": np.zeros(20, int)}, "images has dtype int64"),
        ({"images": np.full((20, 3, 3), np.nan), "labels": np.zeros(20, int)}, "images is not finite at"),
        ({"images": np.zeros((20, 3, 3)), "labels": np.zeros(19, int)}, "expected 20 integers"),
        ({"images": np.zeros((20, 3, 3)), "labels": np.full(20, -1)}, "labels is -1 at 0"),
        ({"images": np.zeros((20, 3, 3)), "labels": np.arange(20) % 2 * 2}, "no image has label 1"),
        ({"images": np.zeros((20, 3, 3)), "labels": np.r_[np.zeros(19, int), 10**12]}, "labels run to 1000000000000"),
        (
            {"images": np.zeros((20, 3, 3)), "labels": np.full(20, 2**63 + 1, np.uint64)},
            "labels is 9223372036854775809",
        ),
        ({"images": np.zeros((20, 3, 3)), "labels": np.sort(np.arange(20) % 2)}, "mix the order"),
        ({"images": np.zeros((20, 8, 8, 3)), "labels": np.arange(20) % 2}, r"transpose\(0, 3, 1, 2\)"),
        ({"images": np.array([{}]), "labels": np.zeros(1, int)}, "Python objects"),
    ],
)
def test_npz_files_that_cannot_be_used_are_refused_by_name(tmp_path, arrays, message):
    path = tmp_path / "own.npz"
    if "mix" in message:
        arrays["images"] = arrays["images"][:20]
        arrays["labels"] = np.sort(np.arange(20) % 10)
    np.savez(path, **arrays)
    with pytest.raises(BadInput, match=message) as caught:
        load_data(str(path))
    assert "own.npz" in str(caught.value)
