"""SVHN, STL-10 and IDX files of one's own, from tiny files in their official formats; images resized."""

import hashlib
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from network.errors import BadInput
from sim.cli import main
from sim.config import make_config
from sim.data import load_data, stl10, svhn
from sim.data.cifar import CIFAR10, CIFAR100
from sim.data.files import LARGE, download
from sim.data.idx import FASHION_MNIST, MNIST
from sim.data.svhn import TRAIN, read_mat
from sim.experiments import EXPERIMENTS
from sim.experiments.runs import plan_runs
from sim.train import prepare
from tests.sim.test_data import idx_bytes
from tests.sim.test_data_own import write_images

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _files_of_the_tests_are_meant(monkeypatch):
    monkeypatch.setenv("HEBB_UNVERIFIED_DATA", "1")


def write_svhn(folder, count=40, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    X, y = RNG.integers(0, 256, (32, 32, 3, count), dtype=np.uint8), (np.arange(count) % 10 + 1).astype(np.uint8)
    for name in ("train_32x32.mat", "test_32x32.mat"):
        arrays = {"X": X, "y": y[:, None], **changes}
        savemat(folder / name, {key: value for key, value in arrays.items() if value is not None}, do_compression=True)
    return X, y


@pytest.mark.parametrize("folder", [".", "svhn"])
def test_svhn_is_read_exactly_and_ten_is_the_digit_0(tmp_path, folder):
    X, y = write_svhn(tmp_path / folder)
    data = load_data("svhn", str(tmp_path))
    assert (data.image_shape, data.classes, len(data.test)) == ((3, 32, 32), 10, 40)
    assert np.array_equal(data.test.images[7, 2], X[:, :, 2, 7])  # rows, columns, colours, images
    assert np.array_equal(data.test.labels, np.where(y == 10, 0, y))
    assert data.class_names[int(data.test.labels[9])] == "0"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"X": None}, "'X' is missing"),
        ({"y": None}, "'y' is missing"),
        ({"X": np.zeros((32, 32, 3, 40))}, "X is float64 of shape"),
        ({"X": np.zeros((40, 3, 32, 32), np.uint8)}, "expected uint8 of 32 x 32 x 3 x images"),
        ({"y": np.arange(39)}, "expected 40 integers"),
        ({"y": np.arange(40)}, "y is 0 at 0"),
    ],
)
def test_svhn_files_with_other_arrays_are_refused(tmp_path, changes, says):
    write_svhn(tmp_path, **changes)
    with pytest.raises(BadInput, match=rf"train_32x32\.mat: .*{says}"):
        load_data("svhn", str(tmp_path))


@pytest.mark.parametrize("spoil", [lambda data: data[:-200], lambda data: b"not MATLAB" * 20, lambda data: b""])
def test_damaged_svhn_files_are_named(tmp_path, spoil, monkeypatch):
    write_svhn(tmp_path)
    path = tmp_path / "train_32x32.mat"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadInput, match=r"train_32x32\.mat: cannot be read as a level 5 MATLAB file"):
        load_data("svhn", str(tmp_path))
    monkeypatch.delenv("HEBB_UNVERIFIED_DATA")
    with pytest.raises(BadInput, match=r"train_32x32\.mat: corrupted or truncated, its md5"):
        load_data("svhn", str(tmp_path))


def test_nothing_in_a_mat_file_is_run(tmp_path):
    """An object in place of an array is refused; scipy keeps it as data."""
    write_svhn(tmp_path, X={"a": "struct"})
    with pytest.raises(BadInput, match="X is"):
        read_mat(tmp_path / TRAIN.name, TRAIN)


def test_svhn_from_npz_and_from_idx(tmp_path):
    images, labels = RNG.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8), np.arange(40) % 10
    np.savez(tmp_path / "svhn.npz", images=images, labels=labels)
    assert np.array_equal(load_data("svhn", str(tmp_path)).train.images[0], images[0])
    (tmp_path / "svhn.npz").unlink()
    write_own_idx(tmp_path / "svhn", images, labels)
    data = load_data("svhn", str(tmp_path))
    assert np.array_equal(data.test.images, images) and np.array_equal(data.test.labels, labels)


def write_own_idx(folder, images, labels):
    folder.mkdir()
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx{images.ndim}-ubyte").write_bytes(idx_bytes(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(labels))


def test_idx_files_of_ones_own(tmp_path):
    images, labels = RNG.integers(0, 256, (30, 5, 4), dtype=np.uint8), np.arange(30) % 3
    write_own_idx(tmp_path / "own", images, labels)
    data = load_data(str(tmp_path / "own"))
    assert (data.name, data.classes, data.image_shape) == ("own", 3, (1, 5, 4))
    assert np.array_equal(data.test.images[:, 0], images)
    (tmp_path / "own" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(BadInput, match="no t10k-labels-idx1-ubyte in it"):
        load_data(str(tmp_path / "own"))


def write_stl10(folder, count=40):
    folder.mkdir(parents=True)
    images = RNG.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8)  # as they are seen: rows, then columns
    for part in ("train", "test"):
        (folder / f"{part}_X.bin").write_bytes(images.transpose(0, 1, 3, 2).tobytes())  # as they are stored
        (folder / f"{part}_y.bin").write_bytes((np.arange(count) % 10 + 1).astype(np.uint8).tobytes())
    (folder / "unlabeled_X.bin").write_bytes(b"large")
    return images


@pytest.mark.parametrize("folder", ["stl10_binary", ".", "stl10/stl10_binary"])
def test_stl10_is_read_exactly(tmp_path, folder):
    images = write_stl10(tmp_path / "data" / folder)
    data = load_data("stl10", str(tmp_path / "data"))
    assert (data.image_shape, data.classes, len(data.train)) == ((3, 96, 96), 10, 36)
    assert np.array_equal(data.test.images, images)
    assert data.test.labels[:11].tolist() == [*range(10), 0] and data.class_names[0] == "airplane"


@pytest.mark.parametrize(
    ("file", "spoil", "says"),
    [
        ("train_X.bin", lambda data: data[:-1], r"train_X\.bin: 1,105,919 bytes; train_y\.bin has 40 labels"),
        ("test_X.bin", lambda data: data + b"\0", r"test_X\.bin: 1,105,921 bytes"),
        ("test_y.bin", lambda data: b"", r"test_X\.bin: .* has 0 labels"),
        ("test_y.bin", lambda data: b"\0" + data[1:], r"test_y\.bin: label 0 at 0; STL-10 has classes 1 to 10"),
    ],
)
def test_damaged_stl10_files_are_named(tmp_path, file, spoil, says, monkeypatch):
    write_stl10(tmp_path / "stl10_binary")
    path = tmp_path / "stl10_binary" / file
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadInput, match=says):
        load_data("stl10", str(tmp_path))
    monkeypatch.delenv("HEBB_UNVERIFIED_DATA")
    with pytest.raises(BadInput, match=r"train_X\.bin: corrupted"):
        load_data("stl10", str(tmp_path))
    path.unlink()
    monkeypatch.setenv("HEBB_UNVERIFIED_DATA", "1")
    with pytest.raises(BadInput, match="no such file" if file != "train_X.bin" else "holds none of"):
        load_data("stl10", str(tmp_path))


def test_the_archive_of_stl10_is_unpacked_without_what_is_not_used(tmp_path, monkeypatch):
    images = write_stl10(tmp_path / "made" / "stl10_binary")
    path = tmp_path / stl10.ARCHIVE.name
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "made" / "stl10_binary", "stl10_binary")
    checksum = "md5:" + hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(stl10, "ARCHIVE", replace(stl10.ARCHIVE, checksum=checksum))
    data = load_data("stl10", str(tmp_path))
    assert np.array_equal(data.test.images, images)
    assert "unlabeled_X.bin" not in {path.name for path in (tmp_path / data.source).iterdir()}


@pytest.mark.parametrize("data", ["svhn", "stl10"])
def test_without_files_there_are_three_remedies_and_the_address(data, tmp_path, monkeypatch):
    import pooch

    monkeypatch.setattr(pooch, "retrieve", lambda *args, **kwargs: 1 / 0)
    monkeypatch.setenv("HEBB_DOWNLOAD", "1")
    with pytest.raises(BadInput) as caught:
        load_data(data)
    address = (svhn.TRAIN if data == "svhn" else stl10.ARCHIVE).url
    assert all(text in str(caught.value) for text in ("--data-dir", "HEBB_DATA", "--data digits", address))
    with pytest.raises(BadInput, match="holds none of") as caught:
        load_data(data, str(tmp_path))
    assert address in str(caught.value)


def test_large_downloads_are_asked_for_and_all_are_announced(tmp_path, monkeypatch, capsys):
    import pooch

    fetched = []
    monkeypatch.setattr(pooch, "retrieve", lambda url, *args, **kwargs: fetched.append(url))
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path)
    monkeypatch.delenv("HEBB_DOWNLOAD", raising=False)
    with pytest.raises(BadInput, match=r"2,640 MB are not fetched unasked: give --download.* --data-dir DIR"):
        load_data("stl10")
    runs = plan_runs(EXPERIMENTS["table2"], [0], datasets=["stl10"])
    assert all(run.config is None and "--download" in run.missing for run in runs)
    assert not fetched and not capsys.readouterr().err
    monkeypatch.setenv("HEBB_DOWNLOAD", "1")
    download("stl10", [stl10.ARCHIVE])
    monkeypatch.delenv("HEBB_DOWNLOAD")
    download("svhn", [svhn.TRAIN, svhn.TEST])
    assert fetched == [stl10.ARCHIVE.url, svhn.TRAIN.url, svhn.TEST.url]
    first, second = capsys.readouterr().err.splitlines()
    assert "fetching stl10, 2,640 MB" in first and "fetching svhn, 246 MB" in second


def test_no_data_set_but_stl10_is_large():
    sizes = {"svhn": [svhn.TRAIN, svhn.TEST], "cifar10": [CIFAR10.archive], "cifar100": [CIFAR100.archive]}
    assert all(0 < sum(file.size for file in files) < LARGE for files in sizes.values())
    assert all(0 < sum(each.sizes) < LARGE for each in (MNIST, FASHION_MNIST)) and stl10.ARCHIVE.size > LARGE


@pytest.mark.parametrize("command", ["train --data stl10 --epochs 0", "reproduce table2 --only model=SGD --epochs 1"])
def test_the_flag_asks_for_downloads(command, tmp_path, monkeypatch, capsys):
    import pooch

    monkeypatch.setenv("HEBB_DOWNLOAD", "")  # restored afterwards, whatever the command sets
    fetched = []
    monkeypatch.setattr(pooch, "retrieve", lambda url, *args, **kwargs: fetched.append(url) or 1 / 0)
    arguments = [*command.split(), *(["--datasets", "stl10"] if "reproduce" in command else []), "--quiet"]
    main([*arguments, "--out", str(tmp_path / "out")])
    assert not fetched
    main([*arguments, "--out", str(tmp_path / "out"), "--download"])
    assert fetched == [stl10.ARCHIVE.url]


def test_images_of_all_sizes_are_resized(tmp_path):
    write_images(tmp_path, count=10, size=(6, 5))
    Image.new("L", (30, 20), 77).save(tmp_path / "bee" / "grey.png")
    with pytest.raises(BadInput, match=r"grey\.png: \[1, 20, 30\].*--image-size"):
        load_data(str(tmp_path))
    data = load_data(str(tmp_path), image_size=7)
    assert data.image_shape == (3, 7, 7)
    everything = np.concatenate([part.images for part in (data.train, data.validation, data.test)])
    assert (everything == everything[:, :1, :1, :1]).all()  # flat images stay flat, grey ones have three equal colours
    assert 77 in everything[:, 0, 0, 0]


def test_resizing_averages_over_all_pixels_and_keeps_colours_apart(tmp_path):
    images = np.zeros((20, 2, 8, 8), np.uint8)
    images[:, 0, :, ::2], images[:, 1] = 200, 50
    np.savez(tmp_path / "stripes.npz", images=images, labels=np.arange(20) % 2)
    small = load_data(str(tmp_path / "stripes.npz"), image_size=2).train.images
    assert small.shape[1:] == (2, 2, 2)
    assert np.abs(small[:, 0].astype(int) - 100).max() <= 15 and (small[:, 1] == 50).all()
    np.savez(tmp_path / "features.npz", images=RNG.random((20, 3)), labels=np.arange(20) % 2)
    with pytest.raises(BadInput, match="only uint8 pixels can be resized"):
        load_data(str(tmp_path / "features.npz"), image_size=2)


def test_features_are_images_of_one_pixel(tmp_path):
    features = RNG.random((50, 7)).astype(np.float32)
    np.savez(tmp_path / "frames.npz", images=features, labels=np.arange(50) % 5)
    data = load_data(str(tmp_path / "frames.npz"))
    assert data.image_shape == (7, 1, 1) and np.array_equal(data.train.images[:, :, 0, 0], features[:36])
    config = make_config({"data": str(tmp_path / "frames.npz"), "net": "Full 4 ReLU; Output", "device": "cpu"})
    assert prepare(config)[1].weighted[0].weight_shape == (4, 7)


def test_whoever_has_the_files_of_liaos_other_sets_runs_their_rows(tmp_path):
    """In any size, class by class; the features of TIMIT as an npz. What is missing says where it comes from."""
    write_images(tmp_path / "flowers17" / "train", size=(130, 120), count=6)
    write_images(tmp_path / "flowers17" / "test", size=(119, 140), count=2)
    write_images(tmp_path / "stray", count=1)
    np.savez(tmp_path / "timit80.npz", images=RNG.random((40, 1845)).astype(np.float32), labels=np.arange(40) % 4)
    write_svhn(tmp_path / "svhn")
    table = EXPERIMENTS["table2"]
    runs = {run.point.cell[0]: run for run in plan_runs(table, [0], data_dir=str(tmp_path))}
    assert {name for name, run in runs.items() if run.config} == {"SVHN", "Flowers17", "TIMIT80"}
    config = runs["Flowers17"].config
    assert config and prepare(config)[0].image_shape == (3, 119, 119)
    for name, run in runs.items():
        if run.config is None:
            assert "no data: " in run.missing and ("http" in run.missing or "authors" in run.missing), name
