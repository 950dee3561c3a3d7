"""The benchmark runs, and its exact form reaches the accuracy it reports."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "circuits.py"


def test_the_benchmark_reports_speed_and_accuracy(tmp_path):
    out = tmp_path / "figures.json"
    command = [sys.executable, SCRIPT, "--units", "500", "--brian-units", "--rounds", "1", "--out", out]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    figures = json.loads(out.read_text())["exact"]
    # 20 cycles of four events, 500 units; those of the shorter period have more.
    assert figures["events"] >= 500 * 80
    assert figures["ns_per_event"] > 0
    assert figures["error_of_nearest_zero"] < 1e-9
    assert figures["relative_error_of_period"] < 1e-9
