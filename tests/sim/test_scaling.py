"""``hebb bench scaling`` finds the exponents that are there, and the place where cost jumps."""

import json

import pytest

from benchmarks import scaling
from benchmarks.scaling import Job, exponents_of
from sim.cli import main


def test_exponents_and_jumps_are_found():
    points = [{"size": n, "work": n**2, "few": {"seconds": 3e-3 * n**1.5, "mib": 2.0 * n}} for n in (1, 2, 4, 8)]
    fit = exponents_of(points, "few")
    assert fit["time"] == pytest.approx(1.5) and fit["time_against_work"] == pytest.approx(0.75)
    assert fit["memory"] == pytest.approx(1)
    assert fit["largest_increase_per_operation"] == pytest.approx(2**-0.5)
    points[2]["few"]["seconds"] *= 10
    fit = exponents_of(points, "few")
    assert fit["from_to"] == [2, 4] and fit["largest_increase_per_operation"] == pytest.approx(10 * 2**-0.5)


def test_every_sweep_grows_what_it_says():
    for _, sizes, job_of in scaling.SWEEPS.values():
        work = [job_of(size).work for size in sizes]
        assert work == sorted(set(work)) and [job_of(size).size for size in sizes] == list(sizes)
    assert Job(576, side=24).spec.input_shape == (3, 24, 24)


def test_the_benchmark_measures_time_and_memory(monkeypatch, tmp_path, capsys):
    small = ("images of an update", (2, 40), lambda n: Job(n, "Conv 16 3x3; Maxpool 3; Drop .5; Output", batch=n))
    monkeypatch.setitem(scaling.SWEEPS, "batch", small)
    flags = ["--sweeps", "batch", "circuits", "--engines", "fast", "event", "--steps", "2", "--rounds", "2"]
    out, figure = tmp_path / "figures.json", tmp_path / "scaling.png"
    flags += ["--threads", "1", "--clock", "processor", "--json", str(out), "--figure", str(figure)]
    assert main(["bench", "scaling", *flags]) == 0
    sweeps = json.loads(out.read_text())["sweeps"]
    for engine in ("fast", "event"):
        few, many = (point[engine] for point in sweeps["batch"]["points"])
        assert many["seconds"] > few["seconds"] > 0
        # 40 images of 3072 + 16384 + 4096 units, of which at least the pooled are kept
        assert many["mib"] - few["mib"] > 38 * 4096 * 4 / 2**20
    assert sweeps["batch"]["work"] == pytest.approx(1)
    assert 0.3 < sweeps["circuits"]["engines"]["exact"]["time"] < 1.5
    assert "time ~ size^" in capsys.readouterr().out
    assert figure.stat().st_size > 10_000


@pytest.mark.parametrize("flags", [["--steps", "1"], ["--rounds", "0"], ["--sweeps", "bach"]])
def test_mistakes_are_a_line(flags, capsys):
    assert main(["bench", "scaling", *flags]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
