"""One run on two processes is the run of one process, and goes on when one of them is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from sim import ranks
from sim.concordance import MEASURES
from sim.config import TrainConfig
from sim.run_folder import METRICS, WEIGHTS, RunFolder, read_weights
from sim.train import start
from validation.tolerances import TOLERANCES

torch = pytest.importorskip("torch")
if not torch.distributed.is_available():
    pytest.skip("this torch has no torch.distributed", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
# Batches of 20 of 54 images: the last one of an epoch has 14.
NET, BATCH, EPOCHS = "Conv 4 3x3; Maxpool 2/2; Drop .5; Full 8; Output", 20, 4


NORMALISED = ("--norm", "bn-affine", "--rule", "urfb", "--momentum", "0.5", "--concordance")


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "images.npz"
    np.savez(path, images=rng.random((75, 1, 8, 8)), labels=np.arange(75) % 3)
    return path


def torchrun(tmp_path, data, *flags, epochs=EPOCHS, launcher=()):
    """A started `hebb train` on two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-addr", "127.0.0.1"]
    command += ["--master-port", "0", "--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0", *launcher]
    command += ["-m", "sim.cli", "train", "--net", NET, "--data", str(data), "--batch-size", str(BATCH)]
    command += ["--dtype", "float64", "--device", "cpu", "--epochs", str(epochs), "--quiet", *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def alone(tmp_path, data, **changes):
    """The same run on this process alone."""
    settings = {"net": NET, "data": str(data), "batch_size": BATCH, "dtype": "float64", "device": "cpu", **changes}
    return start(TrainConfig(**settings), tmp_path / "alone", progress=False).folder


def assert_same_run(one, other):
    bound = TOLERANCES["trained"].relative
    (mine, epoch), (others, last) = read_weights(one / WEIGHTS), read_weights(other / WEIGHTS)
    assert epoch == last
    theirs = others.arrays()
    for name, values in mine.arrays().items():
        np.testing.assert_allclose(values, theirs[name], rtol=0, atol=bound * np.abs(values).max(), err_msg=name)
    rows, again = RunFolder(one).read_metrics(), RunFolder(other).read_metrics()
    for name in ("train_error", "validation_error", "test_error"):
        assert [row[name] for row in rows] == [row[name] for row in again]


def test_two_processes_make_the_run_of_one(tmp_path, data):
    """With masks and decay: W and R then change by increments of their own."""
    shared = torchrun(tmp_path, data, "--out", "shared", "--connectivity", "0.5", "--feedback-decay", "0.01")
    out, err = shared.communicate(timeout=300)
    assert shared.returncode == 0, err
    assert len([line for line in out.splitlines() if line.startswith("shared:")]) == 1  # the first alone reports
    assert_same_run(tmp_path / "shared", alone(tmp_path, data, epochs=EPOCHS, connectivity=0.5, feedback_decay=0.01))


def test_normalised_layers_take_the_statistics_of_the_whole_batch(tmp_path, data):
    """Slopes and offsets too; and what is looked at beside back-propagation is each process's own affair."""
    shared = torchrun(tmp_path, data, "--out", "shared", *NORMALISED, epochs=2)
    _, err = shared.communicate(timeout=300)
    assert shared.returncode == 0, err
    settings = {"norm": "bn-affine", "rule": "urfb", "momentum": 0.5, "concordance": True}
    one, other = tmp_path / "shared", alone(tmp_path, data, epochs=2, **settings)
    assert {"gamma/1", "beta/2", "deviation/2"} <= read_weights(one / WEIGHTS)[0].arrays().keys()
    assert_same_run(one, other)
    for row, again in zip(*(RunFolder(each).read_metrics() for each in (one, other)), strict=True):
        for name in MEASURES:
            np.testing.assert_allclose(row[name], again[name], rtol=TOLERANCES["trained"].relative, atol=1e-9)


def test_a_killed_process_is_started_again_and_the_run_goes_on(tmp_path, data):
    """torchrun ends the other process too, starts both again, and the run goes on from its last finished epoch."""
    epochs = 60
    shared = torchrun(tmp_path, data, "--out", "shared", epochs=epochs, launcher=("--max-restarts", "1"))
    killed = []

    def kill_the_second():
        metrics = tmp_path / "shared" / METRICS
        while shared.poll() is None:
            done = len(metrics.read_text().splitlines()) if metrics.exists() else 0
            if done >= 3:
                process = second_of(shared.pid)
                os.kill(process, signal.SIGKILL)
                killed.append(done)
                return
            time.sleep(0.01)

    killer = threading.Thread(target=kill_the_second, daemon=True)
    killer.start()
    _, err = shared.communicate(timeout=300)
    assert shared.returncode == 0, err
    assert killed and 3 <= killed[0] < epochs
    rows = RunFolder(tmp_path / "shared").read_metrics()
    assert [row["epoch"] for row in rows] == list(range(1, epochs + 1))
    assert_same_run(tmp_path / "shared", alone(tmp_path, data, epochs=epochs))


def second_of(launcher):
    """The process with rank 1 among the children of the launcher."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            environment = (path / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        if parent == launcher and b"RANK=1" in environment:
            return int(path.name)
    raise LookupError("no second process")


def test_what_cannot_be_shared_is_one_line(tmp_path, data, monkeypatch, capsys):
    from sim.cli import main

    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    flags = ["--net", "Full 5; Output", "--dtype", "float64", "--engine", "reference", "--quiet"]
    found = main(["train", "--data", str(data), *flags])
    assert found == 2
    assert "torchrun" in capsys.readouterr().err


def test_shares_of_a_batch_are_equal_whole_and_apart(monkeypatch):
    from sim.distributed import share_of

    monkeypatch.setenv("WORLD_SIZE", "3")
    for count in (3, 4, 20, 500):
        shares = []
        for own in range(3):
            monkeypatch.setenv("RANK", str(own))
            shares.append(range(count)[share_of(count)])
        assert [i for share in shares for i in share] == list(range(count))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert share_of(2) == slice(0, 2)  # too few to share: all of them


def test_without_torchrun_a_process_is_the_first_of_one():
    assert (ranks.count(), ranks.is_first(), ranks.restarted()) == (1, True, False)
