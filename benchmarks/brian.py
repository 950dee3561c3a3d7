"""One presentation to a network as a circuit in finite time: the event engine against the Brian2 engine.

    python benchmarks/brian.py [--out FILE] [--net simpnet] [--images 1] [--timing 12] [--dt 1] [--targets numpy cython]

Both present the same images with the same timing, in turn within one process, one thread each (rule urfb, float64,
random pixels of CIFAR-10's shape); medians of the rounds are reported, in processor time, which suffers less from what
else is running. A round of Brian2 includes building the network and generating its code, which every presentation
needs. What compiles does so in a first presentation that is not counted, and is reported by itself. Targets that need a
compiler take minutes for that.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

# Run as a script, Python puts this file's folder first.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OMP_NUM_THREADS", "1")

import brian2

from network.rules import make_rule
from network.spec import NetworkSpec
from network.trace import StepTrace
from network.weights import Weights
from sim.brian.size import Size
from sim.engine import Engine, Settings, open_engine
from sim.schedule import Timing
from sim.schedule_plan import Schedule
from validation.compare import compare

IMAGE = (3, 32, 32)


def main() -> int:
    """Run the benchmark; print its figures, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="simpnet", metavar='PRESET|"NOTATION"')
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--timing", type=float, default=12.0, help="time constants that everything settles for")
    parser.add_argument("--dt", type=float, default=1.0, help="Brian2's time step, ms")
    parser.add_argument("--targets", nargs="+", default=["numpy"], help="of Brian2's code generation")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the figures here too")
    options = parser.parse_args()

    spec = NetworkSpec.parse(options.net, IMAGE, 10)
    rng = np.random.default_rng(0)
    images, labels = rng.random((options.images, *IMAGE)), rng.integers(0, 10, options.images)
    timing, weights = Timing.settled(options.timing), Weights.draw(spec, 0)
    settings = Settings(make_rule("urfb"), dtype="float64", device="cpu", timing=timing, dt=options.dt * 1e-3)
    engines = {name: open_engine(name, spec, weights, settings) for name in ("event", "brian")}
    runs = {"event": ("event", ""), **{f"brian, {target}": ("brian", target) for target in options.targets}}

    first: dict[str, float] = {}
    traces: dict[str, StepTrace] = {}
    seconds: dict[str, list[float]] = {run: [] for run in runs}
    for count in range(options.rounds + 1):
        for run, (name, target) in runs.items():
            processor, clock, traces[run] = present(engines[name], target, images, labels)
            if count == 0:
                first[run] = clock
            else:
                seconds[run].append(processor)
    medians = {run: statistics.median(values) for run, values in seconds.items()}
    last = max(firing.time for firing in Schedule(spec, timing=timing).run().firings)
    size = Size.of(spec, options.images, round(last / settings.dt))
    figures: dict[str, Any] = {
        "options": {name: value for name, value in vars(options).items() if name != "out"},
        "notation": spec.notation,
        "units": size.units,
        "synapses": size.synapses,
        "estimate": {"gigabytes": size.bytes / 1e9, "seconds": size.seconds},
        "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        * (1 if sys.platform == "darwin" else 1024)
        / 1e9,
        "seconds": seconds,
        "seconds_of_the_first": first,
        "times_slower_than_event": {run: medians[run] / medians["event"] for run in runs},
        "worst_difference": {
            run: compare(traces["event"], trace).worst.relative for run, trace in traces.items() if run != "event"
        },
    }
    text = json.dumps(figures, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0


def present(engine: Engine, target: str, images: np.ndarray, labels: np.ndarray) -> tuple[float, float, StepTrace]:
    """Seconds of the processor and of the clock, and what happened; `target` is that of Brian2's code generation."""
    if target:
        brian2.prefs.codegen.target = target
    begin, clock = time.process_time(), time.perf_counter()
    trace = engine.present(images, labels)
    return time.process_time() - begin, time.perf_counter() - clock, trace


if __name__ == "__main__":
    sys.exit(main())
