"""``hebb bench``: which benchmarks there are, what it says where one cannot run, and all of them in a row."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sim.cli import bench, main
from tests.test_imports import ROOT

SMALL = '''
"""A benchmark."""
from network.errors import BadInput
def add_arguments(parser): parser.add_argument("--rounds", type=int, default=3)
def measure(options):
    if options.rounds < 1: raise BadInput("--rounds: expected 1 or more")
    return {"rounds": options.rounds}
def text(figures): return f"{figures['rounds']} rounds"
'''


@pytest.fixture
def small(monkeypatch):
    """A benchmark that takes no time, in the place of all others."""
    module = ModuleType("small", "A benchmark.")
    exec(SMALL, vars(module))
    monkeypatch.setattr(bench, "BENCHMARKS", {"small": ("small", "nothing")})
    monkeypatch.setattr(bench, "_module", lambda name: module)
    return module


def test_a_benchmark_has_flags_of_its_own(small, tmp_path, capsys):
    assert main(["bench", "small", "--rounds", "2", "--json", str(tmp_path / "figures.json")]) == 0
    assert capsys.readouterr().out == "2 rounds\n"
    assert json.loads((tmp_path / "figures.json").read_text()) == {"rounds": 2}


def test_a_benchmark_that_draws_takes_a_figure(small, tmp_path, capsys):
    from circuits.figures import axes_or_new, figure_of

    drawing = ["bench", "small", "--figure", str(tmp_path / "figure.png")]
    assert main(drawing) == 2  # nothing to draw
    small.draw = lambda figures: figure_of(axes_or_new(None))
    assert main(drawing) == 0
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert main([*drawing[:-1], str(tmp_path / "figure.txt")]) == 2
    assert "is no image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "what"),
    [
        (["lokal"], "did you mean 'local'?"),
        (["cpu", "--ronds", "3"], "did you mean '--rounds'?"),
        (["cpu", "--json", "/nowhere/figures.json"], "cannot be written"),
        ([], "required: WHAT"),
    ],
)
def test_mistakes_are_a_line(flags, what, capsys):
    assert main(["bench", *flags]) == 2
    error = capsys.readouterr().err
    assert what in error and len(error.splitlines()) == 1


def test_without_the_source_it_says_where_benchmarks_are(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    assert main(["bench", "cpu", "--help"]) == 2
    assert "not installed with the package; hebb bench runs from a checkout" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "how"), [(2, "skipped"), (1, "failed"), (-9, "failed")])
def test_all_says_what_it_skipped_and_why(code, how, monkeypatch, tmp_path, capsys):
    def pretend(command, **options):
        what, file = command[-3], command[-1]
        if what == "gpu":
            return subprocess.CompletedProcess(command, code, "", "hebb bench: error: no device of CUDA\n")
        Path(file).write_text(json.dumps({"of": what}))
        return subprocess.CompletedProcess(command, 0, f"table of {what}\n", "")

    monkeypatch.setattr(subprocess, "run", pretend)
    assert main(["bench", "all", "--json", str(tmp_path / "all.json")]) == (how == "failed")
    result = json.loads((tmp_path / "all.json").read_text())
    assert set(result["figures"]) == set(bench.BENCHMARKS) - {"gpu"}
    assert list(result[how]) == ["gpu"] and "no device of CUDA" in result[how]["gpu"]
    shown = capsys.readouterr().out
    assert "table of cpu" in shown and f"gpu: {how}: " in shown


@pytest.mark.parametrize(
    "command", [["--help"], ["bench", "--help"], ["bench", "cpu", "--help"], ["bench", "gpu", "--help"]]
)
def test_help_loads_nothing_heavy(command):
    code = f"""
import sys
from sim.cli import main
try:
    main({command!r})
except SystemExit:
    pass
print("loaded:", *sorted({{name.split(".")[0] for name in sys.modules}}))
"""
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    loaded = found.stdout.split("loaded:")[1].split()
    assert not {"torch", "numba", "brian2", "matplotlib", "scipy"} & set(loaded)
