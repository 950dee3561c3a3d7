"""The command `hebb circuit`, run as `python -m circuits` runs it."""

import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from circuits.__main__ import main

ROOT = Path(__file__).parents[2]
FOUR = ["--h", "2", "0.5", "-2", "-0.5", "--s", "1", "1", "-1", "-1"]
needs_brian = pytest.mark.skipif(find_spec("brian2") is None, reason='needs Brian2: pip install "hebb[circuits]"')
BRIAN = pytest.param("brian", marks=needs_brian)
FIELDS = ["h", "s", "state", "min", "max", "mean", "period", "readout"]


def run_json(capsys, *args):
    """The JSON that a command prints."""
    assert main([*args, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("form", ["exact", BRIAN, "discrete"])
def test_four_cases_in_every_form(capsys, form):
    result = run_json(capsys, "output-error", "--form", form, *FOUR)
    assert all(len(result[field]) == 4 for field in FIELDS)
    assert result["state"] == ["oscillating", "settled", "oscillating", "settled"]
    assert result["h"] == [2, 0.5, -2, -0.5] and result["s"] == [1, 1, -1, -1]
    assert [value is None for value in result["period"]] == [False, True, False, True]
    # The read-out of a silent unit is e^{-D/τ} of its plateau in time, and 0 in the paper's cycle; Brian2's is late by
    # up to one dt = 0.1 ms of τ = 10 ms, 1 %.
    left = 0 if form == "discrete" else np.exp(-3)
    np.testing.assert_allclose(result["readout"], [left, 1, -0.5 * left, -0.5], rtol=0.01 if form == "brian" else 1e-7)
    assert result["equation_6"] == [0, 1, 0, -0.5]


def test_json_goes_to_a_file_and_the_table_to_the_terminal(capsys, tmp_path):
    path = tmp_path / "result.json"
    assert main(["output-error", *FOUR, "--tau", "5", "--delay", "20", "--json", str(path)]) == 0
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["parameters"]["tau"] == 5 and result["parameters"]["delay"] == 20
    assert result["time_unit"] == "ms"
    # In ms: two delays, and the times between each arrival and the next crossing.
    assert 40 < result["period"][0] < 60
    np.testing.assert_allclose(result["readout"][0], np.exp(-4), rtol=1e-7)
    table = capsys.readouterr().out
    assert "oscillating" in table and "read-out" in table


def test_one_supervision_serves_all_units(capsys):
    result = run_json(capsys, "output-error", "--h", "2", "0.5", "--s", "1")
    assert result["s"] == [1, 1]


def test_without_inputs_the_four_cases_are_shown(capsys):
    result = run_json(capsys, "output-error")
    assert result["equation_6"] == [0, 1, 0, -0.5]
    assert run_json(capsys, "output-error", "--h", "1", "2", "3", "3.5")["s"] == [1, 1, 1, 1]


@pytest.mark.parametrize("form", ["exact", BRIAN])
def test_without_delay_it_slides(capsys, form):
    result = run_json(capsys, "output-error", "--h", "2", "--s", "1", "--delay", "0", "--form", form)
    assert result["state"] == ["sliding"]
    assert result["period"] == [None]
    assert result["readout"][0] == pytest.approx(1, abs=0.012)  # (1 + epsilon) dt / tau


@pytest.mark.parametrize("form", ["exact", BRIAN])
def test_noise_costs_the_plateau_at_the_papers_thresholds_only(capsys, form):
    lows = [
        run_json(
            capsys,
            "output-error",
            "--h",
            "0.5",
            "--s",
            "1",
            "--noise",
            "0.005",
            "--t-threshold",
            threshold,
            "--form",
            form,
        )["min"][0]
        for threshold in ("paper", "midpoint")
    ]
    assert lows[0] < 0.7
    assert lows[1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("form", ["exact", BRIAN, "discrete"])
def test_shutdown_in_every_form(capsys, form):
    result = run_json(capsys, "shutdown", "--h", "2", "0.5", "-2", "--delta", "0.6", "--form", form)
    assert result["readout"] == result["equation_3"] == [0, 0.6, 0]
    assert result["u"] == [1, 0, 0] and result["v"] == [0, 0, -1]


def test_phase_over_two_axes(capsys):
    result = run_json(capsys, "phase", "--x", "delay", "0", "6", "--y", "h", "0.5", "5", "--points", "4")
    assert (result["x"], result["y"]) == ([0, 2, 4, 6], [0.5, 2, 3.5, 5])
    assert result["right"] == [[True] * 4, [False, False, True, True], [False, False, True, True], [False] * 4]
    assert "slides" in result["mechanism"][1][0]


def test_phase_with_equal_ratios(capsys):
    result = run_json(
        capsys, "phase", "--x", "epsilon", "0.01", "1", "--log", "x", "--y", "mu", "0.1", "1", "--points", "3"
    )
    np.testing.assert_allclose(result["x"], [0.01, 0.1, 1])


@pytest.mark.parametrize(
    "command",
    [
        ["output-error", *FOUR],
        ["output-error", "--form", "discrete", *FOUR],
        ["shutdown"],
        ["phase", "--points", "5"],
    ],
)
def test_plots_are_written(capsys, tmp_path, command):
    path = tmp_path / "figure.png"
    assert main([*command, "--plot", str(path)]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert str(path) in capsys.readouterr().out


def test_json_on_stdout_stays_json_with_a_plot(capsys, tmp_path):
    result = run_json(capsys, "output-error", "--plot", str(tmp_path / "a.svg"))
    assert result["circuit"] == "output-error"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("output-error --h 1 5", "unit 1: |h| = 5.0 is not below M = 4.0"),
        ("output-error --h 1 --form brian --M 0.5", "unit 0: |h| = 1.0 is not below M = 0.5"),
        ("output-error --h 1 2 --s 1 1 1", "--h has 2 values, --s has 3"),
        ("output-error --h 1 --s 0", "unit 0: s = 0"),
        ("output-error --h 1 --form discrete --tau 3", "--updates"),
        ("output-error --h 1 --form discrete --updates 1", "8 or more"),
        ("output-error --h 1 --updates 9", "--form discrete"),
        ("output-error --h 1 --duration -3", "positive number of ms"),
        ("output-error --h 1 --duration 0.2", "four time steps"),
        ("output-error --h 1 --duration 1e9", "larger --dt"),
        ("output-error --h 1 --tau 0", "tau"),
        ("output-error --h 1 --mu 2", "mu = 2 is above 1"),
        ("output-error --h 1 --form brian --dt 100", "smaller time step"),
        ("output-error --h 1 --form brian --dt 40", "longer than the delay of 30 ms"),
        ("shutdown --form brian --dt 3", "the delay of 5 ms is no multiple of it and would be 6"),
        ("output-error --h 1 --form brian --duration 1e9", "--duration 1e+09: "),
        ("output-error --h 1 --noise .1 --noise-interval 1e-9", "--noise-interval 1e-09: "),
        ("output-error --h 2 --M 1e20", "M = 1e+20 is out of range"),
        ("output-error --h 2 --epsilon 1e-20", "epsilon = 1e-20 is out of range"),
        ("output-error --h 2 --delay 1e300", "delay = 1e+297 is out of range"),
        ("shutdown --K 1e308 --delta 1", "K = 1e+308 is out of range"),
        ("phase --tolerance inf", "--tolerance inf"),
        ("output-error --h 1 --form discrete --noise 1", "--noise"),
        ("output-error --h 1 --plot figure.doc", "no image format"),
        ("output-error --h 1 --json missing/file.json", "no folder"),
        ("shutdown --delta 4", "|delta| = 4.0 is not below K = 4.0"),
        ("phase --x depth 0 1", "axis 'depth': expected one of"),
        ("phase --x h 0 one", "expected NAME FROM TO"),
        ("phase --x h 1 0", "FROM must be below TO"),
        ("phase --x h 0 1 --log x", "positive"),
        ("phase --x h 0 1 --y h 0 1", "given twice"),
        ("phase --x delay 0 1 --delay 3", "--delay 3: the x axis varies delay"),
        ("phase --points 1", "2 to 1000"),
        ("phase --x mu 0.5 2", "above 1"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, args, words):
    assert main(args.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and words in captured.err
    assert not captured.out


def test_unknown_words_are_one_line_and_exit_code_2(capsys):
    for args in ([], ["output"], ["output-error", "--h", "x"], ["output-error", "--form", "nest"]):
        with pytest.raises(SystemExit) as stop:
            main(args)
        assert stop.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_unchecked_lets_an_input_beyond_the_bound_pass(capsys):
    result = run_json(capsys, "output-error", "--h", "5", "--s", "1", "--unchecked")
    assert result["h"] == [5]


@needs_brian
def test_ctrl_c_stops_a_brian_run_and_shows_no_result():
    command = [sys.executable, "-m", "circuits", *"output-error --form brian --h 2 --duration 90000".split()]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(6)  # by now it simulates, and Brian2, not Python, takes the signal
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert not shown
    assert "Traceback" not in errors


@needs_brian
def test_what_slides_is_read_nearest_zero_too(capsys):
    assert main(["output-error", "--form", "brian", "--h", "2", "--delay", "0", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["state"] == ["sliding"]
    assert result["readout"] == result["min"]
