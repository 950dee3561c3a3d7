"""Every example runs, as a reader would run it, and prints what it promises."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

# What each circuit example has to print. Examples of other parts only have to run.
PRINTED = {
    "output_error_circuit": [
        "h =  2.0, s =  1: oscillating, reads 0.049",
        "h =  0.5, s = -1: settled, reads -0.500",
        "no delay: sliding, lowest value 1.000",
        "D = tau: oscillating, lowest value 0.368",
        "h = 5, above M = 4: settled, lowest value 1.000",
    ],
    "learning_without_symmetric_weights": ["URFB as a circuit: the same error after 20 of 20 epochs"],
    "feedback_shutdown_circuit": ["share of units misjudged"],
    "learning_in_your_network": ["1.19 (gate at silence), 2.06 (gate at the peak)"],
    "spiking_neurons_drive_the_circuit": [
        "h = 0.8: the class unit reads 1.00, the other -0.50",
        "h = 2.4: the class unit reads 0.05, the other -0.50",
    ],
    "network_driven_by_spikes": [
        "e-05 from the algorithm's for these rates; correlation with that for the pixels 0.99"
    ],
    "convergence_to_the_exact_solution": ["dt = 0.05 ms: mean difference 0.0"],
    "order_of_events": [
        "nothing makes replace(2) wait for gate(3): 'gate closed' is missing",
        "replace(2) at 580 ms: 'gate closed' does not hold, gate(3) has not happened",
        "recorded: {'gate closed': 1, 'x feedforward': 1}",
    ],
    "theory_of_updated_feedback": [
        "within Theorem 2: lambda_R 0.08 and 0.04\n  rate increases with epsilon at all times",
        "lambda_2 decreases at some time",
    ],
    "your_own_torch_model": ["bp: 3 layers, test error 0.", "urfb: 3 layers, test error 0.0", "frfb: 3 layers"],
    "where_the_circuit_works": ["equation (6) holds in 59% and"],
}


@pytest.mark.parametrize("name", PRINTED)
def test_example_prints_what_it_promises(name, tmp_path):
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for words in PRINTED[name]:
        assert words in done.stdout
    assert not list(tmp_path.iterdir())  # an example leaves no files behind


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_fit_on_a_screen_or_two(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 80
