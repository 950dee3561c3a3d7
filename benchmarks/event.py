"""Training steps of the event engine against the torch engine, in images per second, in turn within one process.

    python benchmarks/event.py [--out FILE] [--nets simpnet deepernet] [--batch-size 500] [--rounds 5]

Each round makes one update with each engine on the same batch of CIFAR-10's shape (random pixels, rule urfb, dropout
on) and medians of the rounds are reported, after one update of each that is not counted: it compiles. Peak memory is
measured in processes of their own, that make three updates.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

# Run as a script, Python puts this file's folder first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from network.rules import make_rule
from network.spec import NetworkSpec
from network.weights import Weights
from sim.engine import Engine, Settings, open_engine

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the `hebb` command has it, before torch starts its threads

ENGINES = ("torch", "event")
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
IMAGE = (3, 32, 32)


def main() -> int:
    """Run the benchmark; print its figures, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--out", type=Path, help="write the figures here too")
    parser.add_argument("--memory-of", choices=ENGINES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        print(peak_memory(options))
        return 0
    # First, because a process begins with the peak of the one that starts it.
    peaks = {net: {name: memory(net, name, options) for name in ENGINES} for net in options.nets}
    figures = {
        "options": {name: value for name, value in vars(options).items() if name not in ("out", "memory_of")},
        "nets": {net: {**compare(net, options), "peak_memory_mib": peaks[net]} for net in options.nets},
    }
    text = json.dumps(figures, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this benchmark."""
    parser.add_argument("--nets", nargs="+", default=["simpnet", "deepernet"], metavar='PRESET|"NOTATION"')
    parser.add_argument("--untied", action="store_true", help="convolutions replaced by locally connected units")
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor time on a busy machine")


def job(net: str, options: argparse.Namespace) -> tuple[NetworkSpec, Weights, np.ndarray, np.ndarray]:
    """The network with its first weights, uint8 images and labels."""
    spec = NetworkSpec.parse(net, IMAGE, 10)
    spec = spec.untied() if options.untied else spec
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (options.batch_size, *IMAGE), dtype=np.uint8)
    return spec, Weights.draw(spec, 0, dtype=options.dtype), images, rng.integers(0, 10, options.batch_size)


def open_on(name: str, spec: NetworkSpec, weights: Weights, options: argparse.Namespace) -> Engine:
    return open_engine(name, spec, weights, Settings(make_rule("urfb"), dtype=options.dtype, device="cpu"))


def compare(net: str, options: argparse.Namespace) -> dict[str, Any]:
    """Both engines on one network, one update each in turn."""
    spec, weights, images, labels = job(net, options)
    engines = {name: open_on(name, spec, weights, options) for name in ENGINES}
    staged = {name: (engine.stage(images), engine.stage(labels)) for name, engine in engines.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ENGINES}
    clock = CLOCKS[options.clock]
    apart = 0.0
    for update in range(options.rounds + 1):
        for name, engine in engines.items():
            begin = clock()
            int(engine.learn(*staged[name], update))
            seconds[name].append(clock() - begin)
        if update == 0:  # later, float32 puts units on different sides of their thresholds: the networks part
            apart = difference(*engines.values())
    counted = {name: values[1:] for name, values in seconds.items()}
    speed = {name: options.batch_size / statistics.median(values) for name, values in counted.items()}
    return {
        "notation": spec.notation,
        "images_per_second": speed,
        "event_over_torch": speed["event"] / speed["torch"],
        "event_over_torch_by_round": [t / e for t, e in zip(counted["torch"], counted["event"], strict=True)],
        "seconds": counted,
        "largest_difference_of_w_after_one_update": apart,
    }


def difference(a: Engine, b: Engine) -> float:
    """The largest of |W - W'| relative to the largest |W|, over the layers."""
    ours, theirs = a.weights().W, b.weights().W
    return max(float(np.abs(ours[i] - theirs[i]).max() / np.abs(ours[i]).max()) for i in ours)


def memory(net: str, name: str, options: argparse.Namespace) -> float:
    """Peak memory of a process of its own, MiB."""
    flags = ["--nets", net, "--batch-size", str(options.batch_size), "--dtype", options.dtype, "--memory-of", name]
    command = [sys.executable, __file__, *flags, *(["--untied"] if options.untied else [])]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def peak_memory(options: argparse.Namespace) -> float:
    """Peak memory of this process after three updates, MiB."""
    spec, weights, images, labels = job(options.nets[0], options)
    engine = open_on(options.memory_of, spec, weights, options)
    for update in range(3):
        int(engine.learn(engine.stage(images), engine.stage(labels), update))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


if __name__ == "__main__":
    sys.exit(main())
