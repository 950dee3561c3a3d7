"""What is read from disks: presentations, traces, data sets in every format, the files of a run."""

import gzip
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from network.rules import RULES
from sim.data.cifar import CIFAR10, CIFAR100, PIXELS, CifarFile, read_records
from tests.robust.damage import (
    NUMBERS,
    altered,
    arrays_file,
    bomb,
    damaged,
    forged_npz,
    forged_safetensors,
    nested,
)
from tests.robust.guard import command, reading
from tests.robust.whole import NET, SMALL, Files, Target


def _npz_inputs(files: Files, whole: bytes) -> st.SearchStrategy[bytes]:
    with np.load(io.BytesIO(whole)) as archive:
        arrays = dict(archive)
    tight = arrays_file(arrays, compressed=True)
    forged = forged_npz(arrays, files.canary)
    return st.one_of(damaged(whole), damaged(tight), forged, forged.flatmap(lambda data: damaged(data[:100_000])))


def step_file(files: Files) -> Target:
    inputs = st.tuples(
        _npz_inputs(files, files.step.read_bytes()), st.sampled_from(sorted(RULES)), st.sampled_from((NET, NET[:15]))
    )

    def call(given: tuple[bytes, str, str]) -> Callable[[], int]:
        data, rule, net = given
        path = files.folder / "given.npz"
        path.write_bytes(data)
        out = str(files.folder / "written.npz")
        return command("step", "--net", net, "--in", str(path), "--out", out, "--engine", "reference", "--rule", rule)

    return Target(inputs, call)


def trace_file(files: Files) -> Target:
    with np.load(files.trace) as archive:
        arrays = dict(archive)
    meta = json.loads(str(arrays["meta"]))
    said = altered(meta).map(lambda value: arrays_file({**arrays, "meta": np.asarray(json.dumps(value))}))
    deep = st.just(arrays_file({**arrays, "meta": np.asarray(nested("[", "]"))}))
    inputs = st.one_of(_npz_inputs(files, files.trace.read_bytes()), said, deep)

    def call(data: bytes) -> Callable[[], int]:
        path = files.folder / "theirs.npz"
        path.write_bytes(data)
        return command("validate", "--net", NET, "--in", str(files.step), "--trace", str(path))

    return Target(inputs, call)


def _trained(files: Files, *words: str) -> Callable[[], int]:
    return command("train", "--net", "Full 3; Output", *words, *SMALL, "--epochs", "0", "--out", files.new())


def data_npz(files: Files) -> Target:
    def call(data: bytes) -> Callable[[], int]:
        path = files.folder / "own.npz"
        path.write_bytes(data)
        return _trained(files, "--data", str(path))

    return Target(_npz_inputs(files, files.data.read_bytes()), call)


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def _idx_inputs(files: Files) -> st.SearchStrategy[tuple[str, bytes]]:
    """The name of a file, and its content."""
    images, labels = idx(files.pixels), idx(files.labels.astype(np.uint8))
    parts = {"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels}
    parts |= {"t10k-images-idx3-ubyte": images, "t10k-labels-idx1-ubyte": labels}
    zeros = gzip.compress(b"")[:10] + bomb(1 << 30)[0] + bytes(8)
    plain = st.sampled_from(sorted(parts)).flatmap(lambda name: st.tuples(st.just(name), damaged(parts[name])))
    tight = st.sampled_from(sorted(parts)).flatmap(
        lambda name: st.tuples(st.just(f"{name}.gz"), damaged(gzip.compress(parts[name])))
    )
    sizes = st.lists(st.sampled_from(NUMBERS).map(lambda n: (n % (1 << 32)).to_bytes(4, "big")), max_size=6)
    headers = sizes.map(lambda numbers: bytes([0, 0, 8, len(numbers)]) + b"".join(numbers) + bytes(75))
    huge = idx(np.zeros((1, 1, 1), np.uint8))[:4] + b"".join(n.to_bytes(4, "big") for n in (1 << 20, 32, 32))
    bombs = st.sampled_from((zeros, gzip.compress(huge)[:-8], gzip.compress(huge + bytes(1 << 20))))
    forged = st.tuples(st.sampled_from(sorted(parts)), st.one_of(headers, headers.map(lambda data: data[:-75])))
    return st.one_of(plain, tight, forged, st.tuples(st.just("train-images-idx3-ubyte.gz"), bombs))


def _with_idx(files: Files, folder: Path, name: str, data: bytes) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(files.pixels))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(files.labels.astype(np.uint8)))
    (folder / name.removesuffix(".gz")).unlink()
    (folder / name).write_bytes(data)


def idx_folder(files: Files) -> Target:
    def call(given: tuple[str, bytes]) -> Callable[[], int]:
        folder = files.folder / "idx"
        _with_idx(files, folder, *given)
        return _trained(files, "--data", str(folder))

    return Target(_idx_inputs(files), call)


def mnist(files: Files) -> Target:
    def call(given: tuple[str, bytes]) -> Callable[[], int]:
        folder = files.folder / "named"
        _with_idx(files, folder / "mnist", *given)
        return _trained(files, "--data", "mnist", "--data-dir", str(folder))

    return Target(_idx_inputs(files), call)


def cifar(files: Files) -> Target:
    """Their reader with files of a few records: a whole set is 180 MB."""
    rng = np.random.default_rng(1)
    sets = {cifar.name: cifar for cifar in (CIFAR10, CIFAR100)}
    whole = {
        name: b"".join(bytes(cifar.label_bytes) + rng.bytes(PIXELS) for _ in range(3)) for name, cifar in sets.items()
    }
    inputs = st.sampled_from(sorted(sets)).flatmap(
        lambda name: st.tuples(st.just(name), st.one_of(damaged(whole[name]), st.binary(max_size=20)))
    )

    def call(given: tuple[str, bytes]) -> Callable[[], int]:
        name, data = given
        path = files.folder / "records.bin"
        path.write_bytes(data)
        return reading(lambda: read_records(path, CifarFile("records.bin", 3), sets[name]))

    return Target(inputs, call)


def images(files: Files) -> Target:
    """A folder of images per class, one of them damaged."""
    from PIL import Image

    folder, whole = files.folder / "classes", {}
    for k, pixels in enumerate(files.pixels):
        path = folder / "abc"[k % 3] / f"{k:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    for kind in ("png", "gif", "bmp", "tiff", "jpeg", "ppm", "webp"):
        buffer = io.BytesIO()
        Image.fromarray(files.pixels[0]).save(buffer, kind)
        whole[kind] = buffer.getvalue()
    inputs = st.sampled_from(sorted(whole)).flatmap(lambda kind: damaged(whole[kind]))

    def call(data: bytes) -> Callable[[], int]:
        (folder / "a/00.png").write_bytes(data)
        return _trained(files, "--data", str(folder))

    return Target(inputs, call)


def run_file(files: Files, name: str) -> Target:
    """A run one of whose files is damaged, to be resumed."""
    whole = (files.run / name).read_bytes()
    if name == "metrics.jsonl":
        rows = [json.loads(line) for line in whole.splitlines()]
        lines = altered(rows).map(lambda rows: "\n".join(map(json.dumps, rows if isinstance(rows, list) else [rows])))
        deep = st.sampled_from((nested("[", "]"), nested('{"a":', "}"), "9" * 5000, "\n" * 1000, "NaN\nNaN"))
        forged = st.one_of(lines, lines, deep).map(str.encode)
    else:
        forged = forged_safetensors(whole)
    inputs = st.tuples(st.one_of(damaged(whole), forged), st.sampled_from(("2", "3")))

    def call(given: tuple[bytes, str]) -> Callable[[], int]:
        folder = files.new()
        shutil.copytree(files.run, folder)
        (Path(folder) / name).write_bytes(given[0])
        return command("train", "--resume", folder, "--epochs", given[1], "--quiet")

    return Target(inputs, call)
