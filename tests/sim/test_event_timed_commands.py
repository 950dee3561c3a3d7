"""The circuits' options on the command line: `hebb step` and `hebb train`, and what a run keeps of them."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from network.interchange import read_trace
from sim.cli import main
from sim.config import read_config
from sim.schedule import Timing
from tests.sim.conftest import engine_of
from tests.sim.steps import refused, step, step_file
from validation.compare import compare

FLAGS = ["--net", "Full 12; Output", "--data", "digits", "--epochs", "1", "--quiet", "--engine", "event"]


@pytest.mark.parametrize("timing", ["ideal", "9"])
def test_step_in_time(tmp_path, timing):
    spec, weights, images, labels = step_file(tmp_path / "in.npz")
    assert step(tmp_path, "--engine", "event", "--timing", timing) == 0
    trace = read_trace(tmp_path / "out.npz")
    settled = None if timing == "ideal" else Timing.settled(9)
    assert trace.meta["timing"] == (asdict(settled) if settled else "ideal")
    expected = engine_of("event", spec, weights, "urfb", timing=settled).present(images, labels)
    assert compare(expected, trace).worst.largest == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--engine", "torch", "--timing", "9"], ["--timing", "torch", "no circuit", "event"]),
        (["--engine", "event", "--timing", "soon"], ["--timing", "soon"]),
        (["--engine", "event", "--timing", "0"], ["timing 0", "time constants"]),
    ],
)
def test_timing_that_cannot_be_is_one_line(tmp_path, capsys, flags, words):
    step_file(tmp_path / "in.npz")
    refused(capsys, step(tmp_path, *flags), *words)


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def same(a, b):
    return [{**row, "images_per_second": 0} for row in a] == [{**row, "images_per_second": 0} for row in b]


def test_train_keeps_the_options_and_resumes_with_them(tmp_path):
    options = ["--timing", "5", "--epsilon", ".3", "--gate-phase", "0", "--unchecked", "--M", "64", "--K", "auto"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["train", *FLAGS, *options, "--epochs", "2", "--out", str(whole)]) == 0
    kept = read_config(whole / "config.toml")
    assert {name: kept[name] for name in ("timing", "epsilon", "gate_phase", "unchecked", "M", "K")} == {
        "timing": 5.0, "epsilon": 0.3, "gate_phase": 0.0, "unchecked": True, "M": 64.0, "K": "auto",
    }  # fmt: skip
    assert main(["train", *FLAGS, *options, "--out", str(parts)]) == 0
    assert main(["train", "--resume", str(parts), "--epochs", "2", "--quiet"]) == 0
    assert same(rows(whole), rows(parts))
    assert main(["train", "--config", str(whole / "config.toml"), "--quiet", "--out", str(tmp_path / "again")]) == 0
    assert same(rows(whole), rows(tmp_path / "again"))
    assert main(["train", *FLAGS, "--epochs", "2", "--out", str(tmp_path / "ideal")]) == 0
    assert not same(rows(whole), rows(tmp_path / "ideal"))


def test_a_run_from_before_there_were_these_options_goes_on(tmp_path):
    assert main(["train", *FLAGS, "--out", str(tmp_path / "run")]) == 0
    kept = read_config(tmp_path / "run" / "config.toml")
    assert not {"timing", "epsilon", "M", "K", "gate_phase", "unchecked"} & set(kept)
    assert main(["train", "--resume", str(tmp_path / "run"), "--epochs", "2", "--quiet"]) == 0
    assert len(rows(tmp_path / "run")) == 2


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--engine", "torch", "--timing", "5"], ["--timing", "'torch' is no circuit", "event"]),
        (["--engine", "reference", "--unchecked"], ["--unchecked", "'reference' is no circuit"]),
        (["--timing", "late"], ["--timing 'late'", "number"]),
        (["--timing", "-1"], ["timing -1", "time constants"]),
        (["--M", "0"], ["M 0.0", "positive"]),
        (["--gate-phase", "2"], ["gate phase 2.0", "0 <= phase < 1"]),
        (["--epsilon", "-1"], ["epsilon -1", "0 or more"]),
    ],
)
def test_train_refuses_in_one_line_and_makes_no_folder(tmp_path, capsys, flags, words):
    out = tmp_path / "run"
    refused(capsys, main(["train", *FLAGS, *flags, "--dtype", "float64", "--out", str(out)]), *words)
    assert not out.exists()


def test_a_resumed_run_keeps_its_timing(tmp_path, capsys):
    assert main(["train", *FLAGS, "--out", str(tmp_path / "run")]) == 0
    capsys.readouterr()
    code = main(["train", "--resume", str(tmp_path / "run"), "--timing", "5", "--quiet"])
    refused(capsys, code, "--timing 5.0", "the run was started with None")


def test_training_in_time_learns_as_ideal_training_does(tmp_path):
    for name, timing in (("ideal", "ideal"), ("timed", "12")):
        flags = ["--timing", timing, "--epochs", "3", "--batch-size", "50", "--out", str(tmp_path / name)]
        assert main(["train", *FLAGS, *flags]) == 0
    ideal, timed = (np.array([row["train_error"] for row in rows(tmp_path / name)]) for name in ("ideal", "timed"))
    assert ideal[-1] < 0.6 * ideal[0]
    assert np.abs(ideal - timed).max() < 0.02
