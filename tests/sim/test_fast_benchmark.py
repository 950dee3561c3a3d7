"""``hebb bench cpu`` runs, counts what it says it counts, and says what it cannot."""

import json

import pytest

from benchmarks.limits import work_of
from network.spec import NetworkSpec
from sim.cli import main

NET = "Conv 16 3x3; Maxpool 3; Drop .8; Output"


def test_the_benchmark_measures_every_variant(tmp_path, capsys):
    out = tmp_path / "figures.json"
    flags = ["--nets", NET, "--batch-size", "8", "--rounds", "2", "--threads", "1", "--clock", "processor"]
    flags += ["--peers", "autograd", "autograd channels_last, bfloat16 autocast", "BioTorch fa"]
    assert main(["bench", "cpu", *flags, "--json", str(out), "--figure", str(tmp_path / "roofline.png")]) == 0
    figures = json.loads(out.read_text())["nets"][NET]
    variants, skipped = figures["variants"], figures["skipped"]
    assert {"fast, memory kept", "plain, memory kept", "autograd, memory installed"} <= set(variants)
    assert ("BioTorch fa, memory kept" in variants) != ("BioTorch fa" in skipped)
    assert variants["fast, memory kept"]["over_baseline"]["median"] == 1
    assert variants["fast, bfloat16, memory kept"]["over_own"]["median"] == 1
    assert all(one["milliseconds"] > 0 and one["share_of_limit"]["most"] > 0 for one in variants.values())
    assert variants["autograd channels_last, bfloat16 autocast, memory kept"]["precision"] == "bfloat16"
    assert min(figures["speeds"].values()) > 1e6  # operations, and bytes, a second
    assert "/ fast" in capsys.readouterr().out
    assert (tmp_path / "roofline.png").stat().st_size > 10_000


def test_operations_and_bytes_of_an_update_are_those_counted_by_hand():
    images, maps, pooled, weights = 8, 16 * 32 * 32, 16 * 16 * 16, 16 * 27 + 10 * 4096
    work = work_of(NetworkSpec.parse(NET, (3, 32, 32), 10), images)
    # Forward and increment of both layers, feedback of the second: 2 operations a synapse and image.
    assert work.operations == images * 2 * (2 * maps * 27 + 3 * 10 * pooled)
    # Pixels twice; what the output reads written once and read twice, its feedback written and read, a code written
    # and read; the outputs and their error. Every weight of W and R read and written, and W read forward; R backward
    # by the upper layer only.
    activity = 2 * 3072 + (5 * 4 + 2) * pooled + 2 * 2 * 4 * 10
    assert work.bytes == images * activity + 4 * (5 * weights + 10 * 4096)
    half = work_of(NetworkSpec.parse(NET, (3, 32, 32), 10), images, "bfloat16")
    assert half.operations == work.operations and half.bytes == work.bytes - images * (10 * pooled + 2 * 2 * 2 * 10)


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["--nets", "Local 4 3x3; Output"], "has no counterpart"),
        (["--nets", "Conv 4 2x2; Output"], "odd kernel"),
        (["--rounds", "0"], "expected 1 or more"),
        (["--peers", "autogrd"], "did you mean 'autograd'"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_line(flags, what, capsys):
    assert main(["bench", "cpu", *flags]) == 2
    error = capsys.readouterr().err
    assert what in error and len(error.splitlines()) == 1
