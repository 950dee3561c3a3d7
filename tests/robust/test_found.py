"""What the fuzzer, and thinking about it, found: each was a traceback, a hang, or a claim on the whole memory."""

import itertools
import json
import pickle

import numpy as np
import pytest

from network.bounds import ALLOWANCE, RATIO, check_unpacked
from network.errors import BadInput
from network.interchange import read_arrays, read_trace
from network.layers import _inside
from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.cli import main
from sim.config import make_config, read_config
from sim.data import load_data
from sim.data.idx import read_idx
from sim.run_folder import CONFIG, LISTS, METRICS, NUMBERS, WEIGHTS, RunFolder, read_weights, weights_bytes
from tests.robust.damage import Canary, arrays_file, bomb_file, nested, npy

TRAIN = ["train", "--net", "Full 3; Output", "--engine", "reference", "--dtype", "float64", "--quiet"]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a command refuses with."""
    assert main(list(words)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_connections_inside_a_padded_map_are_counted_as_one_by_one():
    for length, positions, kernel, stride, before in itertools.product(
        (1, 2, 5, 9), (1, 3, 9), (1, 2, 7), (1, 3), (0, 3)
    ):
        one_by_one = sum(0 <= i * stride + a - before < length for i in range(positions) for a in range(kernel))
        assert _inside(length, positions, kernel, stride, before) == one_by_one


def test_a_window_of_a_million_pixels_is_counted_at_once():
    side = 99_999
    conv = NetworkSpec.parse(f"Conv 1 {side}x{side}; Output", (1, side, side), 2).weighted[0].synaptic
    assert conv.synapses((1, side, side), (1, side, side)) > 10**19


@pytest.mark.parametrize("net", [f"Full {'9' * 5000}; Output", f"Maxpool 3/{'1' * 8000}; Output"])
def test_numbers_of_thousands_of_digits_are_mistakes(capsys, net):
    assert "expected whole numbers from 1 to 1,000,000" in refused(capsys, "show", net)


def test_archives_that_unpack_to_gigabytes_are_not_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    path.write_bytes(bomb_file("W/1", 1 << 30))
    assert path.stat().st_size < 1 << 21
    with pytest.raises(BadInput, match=r"bomb.npz: it announces 1,073,741,\d\d\d bytes, but the file has 1,"):
        read_arrays(path)


@pytest.mark.parametrize("said", [0, 100, 1 << 20])
def test_archives_that_say_less_than_they_unpack_to_are_damaged(tmp_path, said):
    path = tmp_path / "bomb.npz"
    path.write_bytes(bomb_file("W/1", 1 << 30, said))
    with pytest.raises(BadInput, match="cannot be read"):
        read_arrays(path)


def test_what_compresses_well_but_is_small_is_read(tmp_path):
    path = tmp_path / "mask.npz"
    path.write_bytes(arrays_file({"mask": np.ones(4_000_000, dtype=bool)}, compressed=True))
    assert path.stat().st_size * RATIO < 4_000_000 < ALLOWANCE
    assert read_arrays(path)["mask"].all()
    check_unpacked(path, ALLOWANCE + RATIO * path.stat().st_size)
    with pytest.raises(BadInput):
        check_unpacked(path, ALLOWANCE + RATIO * path.stat().st_size + 1)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000,), }",
        "{'descr': ('<f8', (100000000,)), 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (4611686018427387904,), }",
    ],
)
def test_arrays_that_announce_more_than_they_are_kept_in_take_no_memory(tmp_path, header):
    import zipfile

    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("W/1.npy", npy(header, bytes(64)))
    with pytest.raises(BadInput, match=r"entry 'W/1', cannot be read"):
        read_arrays(path)


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    """Three ways to hide a pickle; each would make a folder."""
    canary = tmp_path / "canary"
    hidden = np.array([Canary(str(canary)), None], dtype=object)
    (tmp_path / "objects.npz").write_bytes(arrays_file({"images": hidden}))
    (tmp_path / "records.npz").write_bytes(arrays_file({"images": np.array([(hidden[0],)], dtype=[("a", "O")])}))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Canary(str(canary))))

    def no(*_, **__):
        raise AssertionError("unpickled")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, no)
    for name in ("objects", "records", "pickle"):
        with pytest.raises(BadInput, match="never loaded" if name != "pickle" else "cannot be read"):
            read_arrays(tmp_path / f"{name}.npz")
    assert not canary.exists()
    monkeypatch.undo()
    pickle.loads(pickle.dumps(Canary(str(canary))))
    assert canary.exists()  # it would have been seen


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("ties", np.asarray("many"), "'ties' is <U4"),
        ("ties", np.zeros(2, int), "expected a count"),
        ("meta", np.asarray(nested("[", "]")), "'meta' is not JSON"),
        ("meta", np.asarray("[1]"), "'meta' is list; expected a JSON object"),
    ],
)
def test_odd_ties_and_meta_of_a_trace_are_named(tmp_path, name, value, message):
    path = tmp_path / "theirs.npz"
    path.write_bytes(arrays_file({"h/1": np.zeros((1, 2)), name: value}))
    with pytest.raises(BadInput, match=message):
        read_trace(path)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"eta": ""}, "its meta has eta '': expected a number"),
        ({"eta": None, "mu": [1]}, "meta has mu"),
        ({"gain": 10**400}, "expected a finite number"),
        ({"eta": float("inf")}, "eta inf: expected a positive time step"),
        ({"rule": 3}, "its meta has rule '3'; expected a word"),
        ({"dtype": "float8"}, "dtype 'float8'"),
    ],
)
def test_odd_settings_of_a_trace_are_named(capsys, tmp_path, meta, message):
    path = tmp_path / "theirs.npz"
    path.write_bytes(arrays_file({"h/1": np.zeros((1, 2)), "meta": np.asarray(json.dumps(meta))}))
    said = refused(capsys, "validate", "--net", "Output", "--in", str(path), "--trace", str(path))
    assert message.replace("'': ", "''; ") in said


@pytest.mark.parametrize("name", ["mu", "gain"])
def test_whole_numbers_beyond_those_of_c_are_as_good_as_others(tmp_path, name):
    step, path, net = tmp_path / "step.npz", tmp_path / "theirs.npz", "Full 3; Output"
    spec = NetworkSpec.parse(net, (1, 2, 2), 2)
    weights = Weights.draw(spec, 0, make_rule("urfb"))
    step.write_bytes(arrays_file({**weights.arrays(), "images": np.ones((1, 1, 2, 2)), "labels": np.array([0])}))
    h = weights.W[1] @ np.ones(4)
    path.write_bytes(arrays_file({"h/1": h[None], "meta": np.asarray(json.dumps({name: 10**30}))}))
    assert main(["validate", "--net", net, "--in", str(step), "--trace", str(path)]) in (0, 1)


def test_a_trace_of_truth_values_is_named(capsys, tmp_path):
    step, path, net = tmp_path / "step.npz", tmp_path / "theirs.npz", "Full 3; Output"
    weights = Weights.draw(NetworkSpec.parse(net, (1, 2, 2), 2), 0, make_rule("urfb"))
    step.write_bytes(arrays_file({**weights.arrays(), "images": np.ones((1, 1, 2, 2)), "labels": np.array([0])}))
    path.write_bytes(arrays_file({"delta/1": np.ones((1, 3), bool)}))
    said = refused(capsys, "validate", "--net", net, "--in", str(step), "--trace", str(path))
    assert "delta/1 has dtype bool; expected numbers" in said


def test_compressed_idx_files_that_unpack_to_gigabytes_are_not_unpacked(tmp_path):
    import gzip

    path = tmp_path / "train-images-idx3-ubyte.gz"
    header = b"\0\0\x08\3" + b"".join(n.to_bytes(4, "big") for n in (1 << 20, 32, 32))
    path.write_bytes(gzip.compress(header))
    with pytest.raises(BadInput, match="announces 1,073,741,824 bytes"):
        read_idx(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run that says it has done an epoch."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert main([*TRAIN, "--epochs", "0", "--out", str(folder)]) == 0
    weights, _ = read_weights(folder / WEIGHTS)
    row = {"epoch": 1, **dict.fromkeys(NUMBERS, 0.5), **{name: [0.5, 0.5] for name in LISTS}}
    RunFolder(folder).write_epoch([row], weights)
    return folder


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (METRICS, nested("[", "]"), "metrics.jsonl: cannot be read"),
        (METRICS, "9" * 5000, "metrics.jsonl: cannot be read"),
        (CONFIG, f"net = {nested('[', ']')}", "config.toml: not TOML"),
    ],
)
def test_text_that_recurses_is_damaged(capsys, run, tmp_path, name, content, message):
    folder = tmp_path / "run"
    folder.mkdir()
    for path in run.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / name).write_text(content)
    assert message in refused(capsys, "train", "--resume", str(folder))


@pytest.mark.parametrize("name", ["check/1", "__dict__/1", "W/0", "W/-1", "W/x", "tau/W", "V/1", "W"])
def test_weights_by_other_names_are_damaged(tmp_path, name):
    from safetensors.numpy import save

    path = tmp_path / WEIGHTS
    path.write_bytes(save({name: np.zeros(2)}, {"epoch": "0"}))
    with pytest.raises(BadInput, match="damaged"):
        read_weights(path)


def test_weights_of_a_billion_epochs_are_damaged(run, tmp_path):
    weights, _ = read_weights(run / WEIGHTS)
    RunFolder(tmp_path).write(WEIGHTS, weights_bytes(weights, 10**18))
    RunFolder(tmp_path).write(METRICS, (run / METRICS).read_bytes())
    with pytest.raises(BadInput, match="its rows are not epochs 1 to 1000000000000000000"):
        RunFolder(tmp_path).read_epoch()


def test_words_that_are_no_text_are_named():
    """A shell hands over any bytes; those that are no UTF-8 come as halves of surrogates."""
    with pytest.raises(BadInput, match="data"):
        make_config({"data": "a\udcff"}, "--{}")


def test_a_config_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "c.toml"
    path.write_bytes(b'net = "\xff"')
    with pytest.raises(BadInput, match="not TOML"):
        read_config(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("test_error", 1e308), ("train_error", None), ("alignment", [1e308, 0.5]), ("alignment", [0.5]),
        ("sign_concordance", [0.5]), ("block_class", [1]),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_drawn_are_damaged(run, tmp_path, name, value):
    weights, _ = read_weights(run / WEIGHTS)
    row = json.loads((run / METRICS).read_text())
    RunFolder(tmp_path).write_epoch([{**row, name: value}], weights)
    with pytest.raises(BadInput, match="its rows are not epochs 1 to 1"):
        RunFolder(tmp_path).read_epoch()


def test_images_that_unpack_to_more_than_a_file_may_are_not_unpacked(tmp_path):
    import struct
    import zlib

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = part(b"IHDR", struct.pack(">IIBBBBB", 11_000, 11_000, 8, 0, 0, 0, 0))
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + part(b"IDAT", b"") + part(b"IEND", b""))
    with pytest.raises(BadInput, match=r"0\.png: it announces 363,000,000 bytes"):
        load_data(str(tmp_path))


def test_a_part_of_an_image_that_announces_a_gigabyte_reserves_none(tmp_path):
    """Of a file Pillow reads whatever length is announced, and Python reserves it first."""
    import io
    import tracemalloc

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(buffer, "png")
    whole = buffer.getvalue()
    at = whole.index(b"IDAT") - 4
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(whole[:at] + (1 << 30).to_bytes(4, "big") + whole[at + 4 :])
    tracemalloc.start()
    with pytest.raises(BadInput):
        load_data(str(tmp_path))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1 << 27


@pytest.mark.parametrize("dtype", ["V4", "S3", "M8[s]", "c16"])
def test_masks_that_are_no_numbers_are_named(capsys, tmp_path, dtype):
    path = tmp_path / "step.npz"
    arrays = {"images": np.zeros((1, 1, 2, 2)), "labels": np.zeros(1, int), "W/1": np.zeros((2, 4))}
    path.write_bytes(arrays_file({**arrays, "mask_W/1": np.zeros((2, 4), dtype)}))
    words = ("--net", "Output", "--in", str(path), "--out", str(tmp_path / "trace.npz"), "--engine", "reference")
    assert "mask_W/1 has entries other than 0 and 1" in refused(capsys, "step", *words)


def test_a_folder_of_a_user_who_is_not_there_is_no_data(capsys, tmp_path):
    said = refused(capsys, *TRAIN, "--data", "~nosuchuser/x", "--out", str(tmp_path / "run"))
    assert "data '~nosuchuser/x': expected one of" in said
