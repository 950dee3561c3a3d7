"""The Brian2 engine from the command line."""

import json

import brian2
import numpy as np
import pytest

from network.interchange import Step, read_trace, write_step
from sim.cli import main
from tests.sim.conftest import presentation
from validation.compare import compare

NET = "Full 6; Output"


@pytest.fixture(autouse=True)
def _numpy_target():
    """Nothing is compiled: quick to start."""
    before, brian2.prefs.codegen.target = brian2.prefs.codegen.target, "numpy"
    yield
    brian2.prefs.codegen.target = before


def step(folder, engine, *flags, images=3):
    """Exit code, and the trace."""
    _, weights, pixels, labels = presentation(NET, "urfb", images=images, shape=(1, 4, 4), classes=4, scale=3.0)
    write_step(folder / "step.npz", Step(pixels, labels, weights))
    out = folder / f"{engine}.npz"
    files = ["--in", str(folder / "step.npz"), "--out", str(out)]
    code = main(["step", "--net", NET, "--engine", engine, *files, *flags])
    return code, read_trace(out) if code == 0 else None


def test_step_by_brian_is_that_by_event(tmp_path):
    (code, ours), (other, theirs) = step(tmp_path, "brian", "--timing", "5", "--dt", ".5"), step(tmp_path, "event")
    assert code == other == 0
    assert ours is not None and theirs is not None
    assert ours.meta["engine"] == "brian" and ours.meta["dt"] == 5e-4 and ours.meta["timing"]["loop"] == 0.05
    assert 0 < compare(theirs, ours).worst.relative < 10 * np.exp(-5)


@pytest.mark.parametrize(
    ("engine", "flags", "words"),
    [
        ("event", ["--dt", "1"], "--engine brian"),
        ("torch", ["--dt", "1"], "no circuit"),
        ("brian", ["--timing", "ideal"], "--timing 12"),
        ("brian", ["--dt", "0"], "expected a positive time step"),
        ("brian", ["--dt", "1e-6"], "minutes"),
    ],
)
def test_what_does_not_go_together_is_refused_in_a_line(tmp_path, capsys, engine, flags, words):
    code, _ = step(tmp_path, engine, *flags)
    error = capsys.readouterr().err
    assert code == 2 and words in error and error.count("\n") == 1


def test_training_by_brian_makes_a_run(tmp_path):
    flags = [
        "--net",
        "Output",
        "--epochs",
        "1",
        "--batch-size",
        "700",
        "--dtype",
        "float64",
        "--timing",
        "4",
        "--dt",
        "1",
    ]
    out = tmp_path / "run"
    assert main(["train", "--data", "digits", "--engine", "brian", "--rule", "urfb", "--out", str(out), *flags]) == 0
    row = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    assert row["epoch"] == 1 and row["test_error"] < 0.9
