"""Runs that are not written after every epoch: the same runs, and what they keep when they end early."""

import numpy as np
import pytest

from network.errors import BadInput, Diverged
from network.rules import make_rule
from network.weights import Weights
from sim import train as training
from sim.alignment import alignment
from sim.config import make_config
from sim.engine import Settings
from sim.gpu.engine import GraphTorchEngine
from sim.run_folder import RunFolder
from sim.saving import SHARE, Saves
from sim.train import Interrupted, resume
from tests.sim.conftest import presentation
from tests.sim.test_train import same_weights
from tests.sim.test_train import train as any_train
from validation.tolerances import TOLERANCES


def train(folder, **changes):
    return any_train(folder, kernels="plain", **changes)


def timeless(folder):
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in RunFolder(folder).read_metrics()]


def counted(monkeypatch):
    """The epochs whose weights are written."""
    written, write = [], RunFolder.write_epoch
    monkeypatch.setattr(
        RunFolder, "write_epoch", lambda self, rows, weights: (written.append(len(rows)), write(self, rows, weights))
    )
    return written


def test_a_run_that_is_saved_now_and_then_is_the_same_run(tmp_path, monkeypatch):
    train(tmp_path / "each", epochs=5)
    written = counted(monkeypatch)
    run = train(tmp_path / "some", epochs=5, save_every=2)
    assert written == [0, 2, 4, 5]
    assert same_weights(tmp_path / "each", tmp_path / "some")
    assert timeless(tmp_path / "each") == timeless(tmp_path / "some")
    assert len(run.rows) == 5


def interrupt_in(epoch, monkeypatch, error: type[BaseException] | BaseException = KeyboardInterrupt):
    """Have training stop within an epoch."""
    real, count = training.measured, iter(range(1, 100))

    def stops(*args):
        if next(count) == epoch:
            raise error
        return real(*args)

    monkeypatch.setattr(training, "measured", stops)


def test_an_interrupted_run_says_what_it_kept_and_goes_on_from_there(tmp_path, monkeypatch):
    train(tmp_path / "straight", epochs=6)
    with monkeypatch.context() as patch:
        interrupt_in(5, patch)
        with pytest.raises(Interrupted, match="3 of 6 epochs are kept"):
            train(tmp_path / "stopped", epochs=6, save_every=3)
    assert len(RunFolder(tmp_path / "stopped").read_metrics()) == 4  # measured, though the weights are gone
    assert len(RunFolder(tmp_path / "stopped").read_epoch()[0]) == 3
    resumed = resume(tmp_path / "stopped", {"save_every": 4}, progress=False)
    assert same_weights(tmp_path / "straight", tmp_path / "stopped")
    assert timeless(tmp_path / "straight") == timeless(tmp_path / "stopped")
    assert resumed.config.save_every == 4


def test_a_run_that_diverges_leaves_the_rows_of_all_its_epochs(tmp_path, monkeypatch):
    interrupt_in(4, monkeypatch, Diverged("every unit is saturated"))
    with pytest.raises(Diverged):
        train(tmp_path / "run", epochs=9, save_every=9)
    assert [row["epoch"] for row in RunFolder(tmp_path / "run").read_metrics()] == [1, 2, 3]
    assert RunFolder(tmp_path / "run").read_epoch()[0] == []


def test_on_a_gpu_a_run_is_saved_as_often_as_takes_little_time():
    now = [0.0]
    saves = Saves(None, 2000, "cuda", clock=lambda: now[0])
    saved, writing = [], 0.2
    for epoch in range(1, 2001):
        now[0] += 0.03  # an epoch
        if saves.due(epoch):
            with saves.timed():
                now[0] += writing
            saved.append(epoch)
    assert saved[0] == 1 and saved[-1] == 2000
    assert 0.8 * SHARE < len(saved) * writing / now[0] <= 1.1 * SHARE
    slow = Saves(None, 50, "cuda", clock=lambda: now[0])
    for epoch in range(1, 11):
        now[0] += 600  # an epoch of ten minutes is never lost
        assert slow.due(epoch)
        with slow.timed():
            now[0] += writing
    assert all(Saves(None, 50, "cpu").due(epoch) for epoch in range(1, 51))


def test_processes_that_share_a_run_save_it_together(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    saves = Saves(None, 50, "cuda:1", clock=lambda: 0.0)
    with saves.timed():
        pass
    assert all(saves.due(epoch) for epoch in range(1, 51))


@pytest.mark.parametrize("value", ["0", "often"])
def test_a_wrong_interval_is_said_in_a_line(value):
    with pytest.raises(BadInput, match="--save-every"):
        make_config({"save_every": value}, "--{}")


@pytest.mark.parametrize("rule", ["urfb", "bp", "dfa"])
def test_an_engine_on_a_device_finds_the_alignment_that_the_host_finds(rule):
    net = "Conv 4 3x3; Local 3 2x3; Maxpool 3; Full 20; Full 20; " + "Full 9; " * 8 + "Output"
    spec, weights, *_ = presentation(net, rule, shape=(3, 8, 8), connectivity=0.6)
    if rule == "urfb":
        weights.R[2] = 3 * weights.W[2]  # an angle of 0
        weights.R[4] = -weights.W[4]
        weights.R[5] = weights.R[5] * 0  # and none
        weights = Weights.of(dict(sorted(weights.arrays().items())))  # as files have them: 1, 10, 2
    engine = GraphTorchEngine(spec, weights, Settings(make_rule(rule), dtype="float64", device="cpu"), None)
    ours, theirs = engine.alignment(), alignment(spec, weights, make_rule(rule))
    for (found, wanted), most in zip(zip(ours, theirs, strict=True), (1, 180), strict=True):
        assert np.allclose(found, wanted, rtol=0, atol=TOLERANCES["float64"].relative * most, equal_nan=True)
    if rule == "urfb":
        assert ours[1][1] < 1e-6 and ours[1][3] > 180 - 1e-6 and np.isnan(ours[0][4])
