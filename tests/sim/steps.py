"""Presentations as files, and the commands that read them, for tests of the command line."""

from pathlib import Path

import numpy as np

from network.rules import make_rule
from sim.cli import main
from tests.sim.conftest import presentation

NET = "Conv 3 3x3; Maxpool 3; Full 8; Output"
ROOT = Path(__file__).resolve().parents[2]


def step_file(path, net=NET, rule="urfb", **changes):
    """A step file as someone else would write it, with `changes` to its entries (None leaves one out)."""
    spec, weights, images, labels = presentation(net, rule, shape=(2, 7, 6), classes=4, scale=2.0)
    arrays = {"images": images, "labels": labels}
    arrays |= {f"W/{i}": w for i, w in weights.W.items()} | {f"R/{i}": r for i, r in weights.R.items()}
    arrays |= {name.replace("_", "/"): value for name, value in changes.items()}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    if make_rule(rule).feedback_from == "above":
        weights.R.pop(1, None)  # it feeds nothing back, and no engine gets to see it
    return spec, weights, images, labels


def step(tmp_path, *flags, net=NET):
    arguments = ["step", "--net", net, "--in", str(tmp_path / "in.npz"), "--out", str(tmp_path / "out.npz"), *flags]
    return main(arguments)


def refused(capsys, code, *words):
    """The command ended with exit code 2 and one line that says these words."""
    error = capsys.readouterr().err.strip()
    assert code == 2
    assert len(error.splitlines()) == 1
    for word in words:
        assert word in error
