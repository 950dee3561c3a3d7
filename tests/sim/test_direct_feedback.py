"""Training with feedback straight from the output: what is fixed, what is undefined, what it learns."""

import json

import numpy as np
import pytest

from network.errors import BadInput
from sim.cli import main
from sim.config import make_config
from sim.run_folder import METRICS, RunFolder
from sim.train import resume, start
from tests.sim.conftest import engine_of, presentation

NET = "Conv 6 3x3; Maxpool 2/2; Drop .3; Full 20; Output"


def trained(folder, **settings):
    settings = {"net": NET, "rule": "dfa", "device": "cpu", "batch_size": 50, "eta": 0.3, **settings}
    return start(make_config(settings), folder, progress=False)


def test_it_learns_digits_and_a_resumed_run_reaches_the_same_bits(tmp_path):
    whole = trained(tmp_path / "whole", epochs=4)
    assert whole.rows[-1]["test_error"] < 0.3  # chance is .9
    trained(tmp_path / "parts", epochs=2)
    parts = resume(tmp_path / "parts", {"epochs": 4}, progress=False)
    ours, theirs = (RunFolder(run.folder).read_epoch()[1].arrays() for run in (whole, parts))
    assert ours.keys() == theirs.keys() == {"W/1", "W/2", "W/3", "R/1", "R/2"}
    assert all(np.array_equal(value, theirs[name]) for name, value in ours.items())
    rows = [json.loads(line) for line in (whole.folder / METRICS).read_text().splitlines()]
    assert rows[-1]["alignment"] == rows[-1]["alignment_angle"] == [None, None, None]


@pytest.mark.parametrize("engine", ["reference", "torch"])
def test_r_never_changes_and_every_w_does(engine):
    spec, weights, *_ = presentation(NET, "dfa", shape=(1, 8, 8))
    runner = engine_of(engine, spec, weights, "dfa")
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (8, 1, 8, 8), dtype=np.uint8), rng.integers(0, 10, 8)
    runner.learn(runner.stage(images), runner.stage(labels), 0)
    after = runner.weights()
    assert all(np.array_equal(after.R[i], R) for i, R in weights.R.items())
    assert all(not np.array_equal(after.W[i], W) for i, W in weights.W.items())


def test_compiled_kernels_decline_with_the_reason():
    pytest.importorskip("numba")
    spec, weights, *_ = presentation(NET, "dfa", shape=(1, 8, 8))
    with pytest.raises(BadInput, match="kernels 'fast': they do not know rule 'dfa'"):
        engine_of("torch", spec, weights, "dfa", kernels="fast")


def test_the_order_it_does_not_have_is_a_note(tmp_path, capsys):
    settings = "--rule dfa --order after_update --epochs 0 --device cpu --quiet --out"
    assert main(["train", "--net", NET, *settings.split(), str(tmp_path / "run")]) == 0
    assert "rule 'dfa' feeds back past all weights that change" in capsys.readouterr().err
