"""The benchmark of the event engine runs, and both engines do the same work in it."""

import json
import subprocess
import sys
from pathlib import Path

from validation.tolerances import TOLERANCES

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "event.py"


def test_the_benchmark_reports_speed_and_memory(tmp_path):
    out = tmp_path / "figures.json"
    flags = ["--nets", "Conv 4 3x3; Maxpool 3; Drop .5; Output", "--batch-size", "20", "--rounds", "3", "--out", out]
    subprocess.run([sys.executable, str(SCRIPT), *map(str, flags)], check=True, capture_output=True)
    (figures,) = json.loads(out.read_text())["nets"].values()
    assert set(figures["images_per_second"]) == {"torch", "event"}
    assert min(figures["images_per_second"].values()) > 0
    assert min(figures["peak_memory_mib"].values()) > 10
    assert figures["largest_difference_of_w_after_one_update"] <= TOLERANCES["float32"].relative
