"""Reading data: what is right is read exactly, what is wrong is refused by name."""

import gzip
import hashlib
import io
import tarfile
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from network.errors import BadInput
from sim.data import load_data
from sim.data.cifar import CIFAR10, CIFAR100, CifarFile, load_cifar, read_records
from sim.data.dataset import Split, make_dataset
from sim.data.files import Archive, download, unpack
from sim.data.idx import read_idx
from tests.sim.conftest import engine_of, presentation

RNG = np.random.default_rng(0)


def records(count, label_bytes=1, classes=10):
    data = RNG.integers(0, 256, (count, label_bytes + 3072), dtype=np.uint8)
    data[:, label_bytes - 1] = np.arange(count) % classes
    return data


def small(cifar, count):
    """The same data set with `count` records a file, and no published checksums."""
    few = {part: tuple(CifarFile(f.name, count) for f in getattr(cifar, part)) for part in ("train", "test")}
    return replace(cifar, **few)


def write_cifar(folder, cifar, count):
    folder.mkdir(parents=True)
    written = {}
    for file in (*cifar.train, *cifar.test):
        written[file.name] = records(count, cifar.label_bytes, cifar.classes)
        (folder / file.name).write_bytes(written[file.name].tobytes())
    return written


@pytest.mark.parametrize(("cifar", "count"), [(CIFAR10, 40), (CIFAR100, 1000)])
@pytest.mark.parametrize("inside", ["cifar", "."])
def test_cifar_binary_files_are_read_exactly(tmp_path, cifar, count, inside):
    cifar = small(cifar, count)
    folder = tmp_path / (cifar.folder if inside == "cifar" else "here")
    written = write_cifar(folder, cifar, count)
    data = load_cifar(cifar, str(tmp_path if inside == "cifar" else folder))
    first = written[cifar.train[0].name]
    assert data.train.images.dtype == np.uint8
    assert np.array_equal(data.train.images[0].ravel(), first[0, cifar.label_bytes :])  # red, green, blue planes
    assert np.array_equal(data.test.labels, written[cifar.test[0].name][:, cifar.label_bytes - 1])
    total = count * len(cifar.train)
    assert (len(data.train), len(data.validation)) == (total - total // 10, total // 10)
    assert np.array_equal(data.validation.labels[-1:], written[cifar.train[-1].name][-1:, cifar.label_bytes - 1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data: data[:-1], r"data_batch_3\.bin: .*truncated; expected 40 records"),
        (lambda data: data + b"\0", r"data_batch_3\.bin: .*too long"),
        (lambda data: bytes([200]) + data[1:], r"data_batch_3\.bin: corrupted, record 0 has label 200"),
        (lambda data: b"", r"data_batch_3\.bin: 0 bytes, truncated"),
    ],
)
def test_a_damaged_cifar_file_is_named_and_refused(tmp_path, spoil, message):
    cifar = small(CIFAR10, 40)
    write_cifar(tmp_path / cifar.folder, cifar, 40)
    path = tmp_path / cifar.folder / "data_batch_3.bin"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(BadInput, match=message):
        load_cifar(cifar, str(tmp_path))


def test_a_missing_cifar_file_is_named(tmp_path):
    cifar = small(CIFAR10, 40)
    write_cifar(tmp_path / cifar.folder, cifar, 40)
    (tmp_path / cifar.folder / "test_batch.bin").unlink()
    with pytest.raises(BadInput, match=r"test_batch\.bin: no such file"):
        load_cifar(cifar, str(tmp_path))


def test_pixels_that_are_not_the_official_ones_are_refused_unless_meant(tmp_path, monkeypatch):
    path = tmp_path / "data_batch_1.bin"
    path.write_bytes(records(40).tobytes())
    official = CifarFile(path.name, 40, sha256="0" * 64)
    with pytest.raises(BadInput, match=r"data_batch_1\.bin: corrupted, its SHA-256"):
        read_records(path, official, CIFAR10)
    monkeypatch.setenv("HEBB_UNVERIFIED_DATA", "1")
    assert len(read_records(path, official, CIFAR10)) == 40


def archive_of(tmp_path, cifar):
    write_cifar(tmp_path / "made" / cifar.folder, cifar, 40)
    path = tmp_path / cifar.archive.name
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "made" / cifar.folder, cifar.folder)
    return path, replace(cifar.archive, checksum="md5:" + hashlib.md5(path.read_bytes()).hexdigest())


@pytest.fixture
def server(tmp_path):
    """A web server on this machine, for what `tmp_path` holds; the number of files it was asked for."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            asked.append(self.path)

    asked: list[str] = []
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path)) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/", asked
        http.shutdown()


def test_a_download_is_fetched_with_progress_checked_unpacked_and_kept(tmp_path, server, capfd):
    url, asked = server
    cifar = small(CIFAR10, 40)
    path, archive = archive_of(tmp_path, cifar)
    cifar = replace(cifar, archive=replace(archive, url=url + path.name))
    assert len(load_cifar(cifar, None).test) == 40
    assert "100%" in capfd.readouterr().err
    assert asked == [f"/{path.name}"]
    load_cifar(cifar, None)
    assert len(asked) == 1  # the second time it is there
    with pytest.raises(BadInput, match="cannot be fetched"):
        download("other", [replace(cifar.archive, checksum="md5:" + "0" * 32)])
    with pytest.raises(BadInput, match="cannot be fetched"):
        download("other", [replace(cifar.archive, url=url + "nowhere.tar.gz")])


def test_the_archive_itself_is_enough_and_a_damaged_one_is_refused(tmp_path):
    cifar = small(CIFAR10, 40)
    path, archive = archive_of(tmp_path, cifar)
    data = load_cifar(replace(cifar, archive=archive), str(tmp_path))
    assert len(data.test) == 40
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadInput, match=r"cifar-10-binary\.tar\.gz: corrupted or truncated"):
        load_cifar(replace(cifar, archive=archive), str(tmp_path))


def test_an_archive_cannot_write_outside_its_folder(tmp_path):
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("../../evil")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    archive = Archive("evil.tar", "", "md5:" + hashlib.md5(path.read_bytes()).hexdigest())
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack("evil", path, archive, "evil")


@pytest.mark.parametrize("data", ["cifar10", "cifar100", "mnist", "fashion-mnist"])
def test_no_data_and_no_network_names_three_remedies(data, monkeypatch):
    import pooch

    def no_network(*args, **kwargs):
        raise ConnectionError("unreachable")

    monkeypatch.setattr(pooch, "retrieve", no_network)
    with pytest.raises(BadInput) as caught:
        load_data(data)
    assert all(remedy in str(caught.value) for remedy in ("--data-dir", "HEBB_DATA", "--data digits"))
    assert "\n" not in str(caught.value)


def test_the_environment_variable_names_a_data_folder(tmp_path, monkeypatch):
    cifar = small(CIFAR10, 40)
    write_cifar(tmp_path / cifar.folder, cifar, 40)
    monkeypatch.setenv("HEBB_DATA", str(tmp_path))
    assert load_cifar(cifar, None).source == str(tmp_path / cifar.folder)
    monkeypatch.setenv("HEBB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match=r"HEBB_DATA .*nowhere: no such folder"):
        load_cifar(cifar, None)


def test_a_data_dir_without_the_data_is_an_error(tmp_path):
    with pytest.raises(BadInput, match="holds none of"):
        load_data("cifar10", str(tmp_path))
    with pytest.raises(BadInput, match="no such folder"):
        load_data("cifar10", str(tmp_path / "nowhere"))


def idx_bytes(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


def write_idx(folder, count=60, classes=10, end=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = RNG.integers(0, 256, (count, 28, 28)), np.arange(count) % classes
    for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", labels)):
        for part in ("train", "t10k"):
            data = idx_bytes(array)
            (folder / f"{part}-{name}{end}").write_bytes(gzip.compress(data) if end else data)
    return images, labels


@pytest.mark.parametrize("end", [".gz", ""])
@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST/raw"), ("fashion-mnist", ".")])
def test_idx_files_are_read_exactly(tmp_path, monkeypatch, name, folder, end):
    monkeypatch.setenv("HEBB_UNVERIFIED_DATA", "1")
    images, labels = write_idx(tmp_path / "sub" / folder, end=end)
    data = load_data(name, str(tmp_path / "sub"))
    assert data.image_shape == (1, 28, 28)
    assert np.array_equal(data.test.images[:, 0], images)
    assert np.array_equal(data.train.labels, labels[:54])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX file"),
        (b"\x89PNG....", "not an IDX file"),
        (idx_bytes(np.zeros((2, 2)))[:-1], "truncated"),
        (idx_bytes(np.zeros((2, 2))) + b"x", "longer than announced"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "announces"),
        (b"\0\0\x08\x03\0\0", "announces"),
    ],
)
def test_damaged_idx_files_are_named_and_refused(tmp_path, content, message):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=f"train-images-idx3-ubyte: .*{message}"):
        read_idx(path)


def test_a_truncated_gzip_file_is_named_and_refused(tmp_path):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.arange(9)))[:-6])
    with pytest.raises(BadInput, match=r"labels\.gz: damaged or truncated"):
        read_idx(path)


def test_idx_files_of_another_data_set_are_refused(tmp_path):
    write_idx(tmp_path)
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte\.gz: not the fashion-mnist file"):
        load_data("fashion-mnist", str(tmp_path))


def test_read_only_images_can_be_staged(tmp_path, monkeypatch):
    monkeypatch.setenv("HEBB_UNVERIFIED_DATA", "1")
    write_idx(tmp_path / "MNIST/raw")
    data = load_data("mnist", str(tmp_path))
    spec, weights, *_ = presentation("Full 3; Output", "urfb", shape=data.image_shape)
    engine = engine_of("torch", spec, weights, "urfb")
    assert int(engine.learn(engine.stage(data.train.images), engine.stage(data.train.labels), 0)) <= len(data.train)


def test_digits_are_embedded():
    data = load_data("digits")
    assert (len(data.train), len(data.validation), len(data.test)) == (1295, 143, 359)
    assert data.train.images.dtype == np.uint8
    assert data.train.images.max() == 255
    assert len(np.unique(data.train.images)) == 17


def test_a_misspelt_name_says_what_was_meant():
    with pytest.raises(BadInput, match="did you mean 'cifar10'"):
        load_data("cifer10")


def test_too_few_images_are_refused():
    few = Split(np.zeros((9, 1, 2, 2), np.uint8), np.zeros(9, np.int64))
    with pytest.raises(BadInput, match="at least 10"):
        make_dataset("few", few, few, ("a", "b"), "here")
