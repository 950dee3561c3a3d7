"""Small presentations, and engines to make them with; a cluster for grids."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from network.rules import Rule, make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.engine import Engine, Settings, open_engine


def presentation(
    net: str, rule: Rule | str, *, images: int = 3, shape=(3, 32, 32), classes=10, seed=0, connectivity=1.0,
    scale=1.0, semantics="paper", gain=None,
):  # fmt: skip
    """A network, weights `scale` times those of training's start, images in [0, 1] and labels."""
    rule = make_rule(rule) if isinstance(rule, str) else rule
    spec = NetworkSpec.parse(net, shape, classes, gain, semantics)
    weights = Weights.draw(spec, seed, rule, connectivity=connectivity)
    for values in (weights.W, weights.R):
        for i in values:
            values[i] = values[i] * scale
    rng = np.random.default_rng(seed)
    return spec, weights, rng.random((images, *shape)), rng.integers(0, classes, images)


def engine_of(name: str, spec: NetworkSpec, weights: Weights, rule: Rule | str, **options) -> Engine:
    rule = make_rule(rule) if isinstance(rule, str) else rule
    options = {"dtype": "float64", "device": "cpu", **options}
    return open_engine(name, spec, weights.astype(options["dtype"]), Settings(rule, **options))


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler with two workers of one thread each, processes of their own that talk over TCP."""
    pytest.importorskip("distributed", reason='needs a cluster: pip install "hebb[cluster]"')
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    file, log = tmp_path / "scheduler.json", open(tmp_path / "log", "w")

    def begin(kind, *flags):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", str(file), *flags]
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path, env=environment)

    quiet = ("--no-dashboard", "--host", "127.0.0.1")
    alone = ("--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path), *quiet)
    started = [begin("scheduler", "--port", "0", *quiet), begin("worker", *alone), begin("worker", *alone)]
    try:
        yield address_in(file)
    finally:
        for process in started:
            process.kill()
            process.wait()
        log.close()


def address_in(file):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            return json.loads(file.read_text())["address"]
        except (OSError, ValueError):
            time.sleep(0.05)
    raise TimeoutError("no scheduler")
