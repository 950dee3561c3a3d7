"""``hebb bench cpu`` runs, and says what it cannot."""

import json

import pytest

from sim.cli import main

NET = "Conv 16 3x3; Maxpool 3; Drop .8; Output"


def test_the_benchmark_measures_every_variant(tmp_path, capsys):
    out = tmp_path / "figures.json"
    flags = ["--nets", NET, "--batch-size", "8", "--rounds", "2", "--threads", "1"]
    assert main(["bench", "cpu", *flags, "--json", str(out)]) == 0
    figures = json.loads(out.read_text())
    variants = figures["nets"][NET]["variants"]
    assert {"fast, memory kept", "plain, memory kept", "autograd, memory installed"} <= set(variants)
    assert variants["fast, memory kept"]["over_fast"]["median"] == 1
    assert all(one["milliseconds"] > 0 and one["share_of_dense_limit"]["most"] > 0 for one in variants.values())
    # Forward and increment of both layers, feedback of the second: 2 operations a synapse and image.
    assert figures["nets"][NET]["products_an_update"] == 8 * 2 * (2 * 16 * 27 * 1024 + 3 * 10 * 4096)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--nets", "Local 4 3x3; Output"], "has no counterpart"),
        (["--nets", "Conv 4 2x2; Output"], "odd kernel"),
        (["--rounds", "0"], "expected 1 or more"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(flags, what, capsys):
    assert main(["bench", "cpu", *flags]) == 2
    error = capsys.readouterr().err
    assert what in error and len(error.splitlines()) == 1
