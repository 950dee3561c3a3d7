"""Output-error circuits: the exact solution against Brian2, with the accuracy that each reaches.

    python benchmarks/circuits.py [--out FILE] [--units 1000000] [--brian-units 100000] [--rounds 3]

The job: independent circuits, all sufficiently correct, so that each oscillates, for 20 cycles (D/tau 3, epsilon 0.2).
Brian2 runs the package's own circuit, delayed level-change events, with 0.1 ms steps, in cython and as
cpp_standalone. All three run in turn, one thread each, and medians of the rounds are reported. Preparation and
compilation are not counted. The exact form also runs alone at full size, on all threads. An event is a threshold
crossing, or the arrival of the level that it sends.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# Run as a script, Python puts this file's folder first, where `circuits` is this file.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from circuits.cycles import analyse, limit_cycle
from circuits.exact import Measures, measure, solve
from circuits.parameters import OutputError

PARAMETERS = OutputError()


def main() -> int:
    """Run the benchmark; print its figures, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=1_000_000, help="circuits of the exact form's own run")
    parser.add_argument("--brian-units", type=int, default=100_000, help="circuits of the comparison; 0 for none")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--dt", type=float, default=0.1, help="Brian2's time step, ms")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of the exact form's own run")
    parser.add_argument("--out", type=Path, help="write the figures here too")
    options = parser.parse_args()

    figures = {"options": {name: value for name, value in vars(options).items() if name != "out"}}
    figures["exact"] = run_exact(options)
    if options.brian_units:
        figures["comparison"] = compare(options)
    text = json.dumps(figures, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0


def job(units: int, cycles: int) -> tuple[np.ndarray, np.ndarray, float]:
    """h and s of correct outputs of both kinds, (units,), and the seconds that the slower kind takes for the cycles."""
    generator = np.random.default_rng(0)
    s = generator.choice([-1.0, 1.0], units)
    h = s * generator.uniform(1.05 * PARAMETERS.S, 0.95 * PARAMETERS.M, units)
    closed = limit_cycle(PARAMETERS, [1, -1])
    return h, s, float(closed.first_crossing.max() + cycles * closed.period.max())


def exact(h: np.ndarray, s: np.ndarray, duration: float, threads: int) -> Measures:
    """The job in the exact form, cycles measured from the first crossing on."""
    return measure(PARAMETERS, h, s, duration, since=2 * PARAMETERS.tau, threads=threads)


def run_exact(options: argparse.Namespace) -> dict[str, Any]:
    """Speed and accuracy of the exact form alone, at full size."""
    h, s, duration = job(options.units, options.cycles)
    exact(h[:10], s[:10], duration, 1)  # compiled, or loaded
    found, seconds = None, []
    for _ in range(options.rounds):
        elapsed, found = timed(lambda: exact(h, s, duration, options.threads))
        seconds.append(elapsed)
    assert found is not None
    closed, events = limit_cycle(PARAMETERS, s), int(found.events.sum())
    return {
        "units": options.units,
        "events": events,
        "seconds": spread(seconds),
        "ns_per_event": 1e9 * statistics.median(seconds) / events,
        "error_of_nearest_zero": float(np.abs(found.nearest_zero - closed.nearest_zero).max()),
        "relative_error_of_period": float(np.abs(found.period / closed.period - 1).max()),
    }


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """All three on the same job, in turn."""
    import brian2

    brian2.defaultclock.dt = options.dt * brian2.ms
    h, s, duration = job(options.brian_units, options.cycles)
    events = int(exact(h, s, duration, 1).events.sum())
    with tempfile.TemporaryDirectory() as folder:
        standalone, final = prepare_standalone(h, s, duration, folder)
        brian2.prefs.codegen.target = "cython"
        rounds: dict[str, list[float]] = {"exact": [], "cython": [], "cpp_standalone": []}
        cython_final = np.empty(0)
        for _ in range(options.rounds):
            rounds["exact"].append(timed(lambda: exact(h, s, duration, 1))[0])
            elapsed, cython_final = run_cython(h, s, duration)
            rounds["cython"].append(elapsed)
            rounds["cpp_standalone"].append(standalone())
        difference = float(np.abs(final() - cython_final).max())
    medians = {name: statistics.median(seconds) for name, seconds in rounds.items()}
    return {
        "units": options.brian_units,
        "events": events,
        "seconds": {name: spread(seconds) for name, seconds in rounds.items()},
        "ns_per_event": {name: 1e9 * median / events for name, median in medians.items()},
        "times_faster_than": {name: medians[name] / medians["exact"] for name in ("cython", "cpp_standalone")},
        "largest_difference_of_brian_targets": difference,
        "brian_accuracy": brian_accuracy(duration),
    }


def circuit(h: np.ndarray, s: np.ndarray, record: bool) -> tuple[Any, Any]:
    """The Brian2 circuit and a network of it."""
    import brian2

    from circuits.brian import OutputErrorCircuit

    made = OutputErrorCircuit(h, s, PARAMETERS, record=record)
    return made, brian2.Network(made)


def run_cython(h: np.ndarray, s: np.ndarray, duration: float) -> tuple[float, np.ndarray]:
    """Seconds for the run without its preparation, and δ at the end, (units,)."""
    import brian2

    made, network = circuit(h, s, record=False)
    network.run(0 * brian2.second, namespace={})  # generates and compiles, or loads
    elapsed, _ = timed(lambda: network.run(duration * brian2.second, namespace={}))
    return elapsed, np.array(made["error"].delta)


def prepare_standalone(
    h: np.ndarray, s: np.ndarray, duration: float, folder: str
) -> tuple[Callable[[], float], Callable[[], np.ndarray]]:
    """Build the program; what comes back runs it once for its seconds, and reads δ at the end, (units,)."""
    import brian2

    brian2.set_device("cpp_standalone", build_on_run=False)
    device: Any = brian2.get_device()
    made, network = circuit(h, s, record=False)
    network.run(duration * brian2.second, namespace={})
    device.build(directory=folder, compile=True, run=False)
    brian2.set_device("runtime")

    def run() -> float:
        device.run(folder, with_output=False, run_args=[])
        # The time that the program took for its steps, without loading and saving: public only as a printed report.
        return float(device._last_run_time)

    return run, lambda: np.array(made["error"].delta)


def brian_accuracy(duration: float) -> dict[str, float]:
    """What Brian2's step costs in accuracy: one unit of either kind against its closed form and exact solution."""
    h, s = np.array([2.0, -2.0]), np.array([1.0, -1.0])
    made, network = circuit(h, s, record=True)
    import brian2

    network.run(duration * brian2.second, namespace={})
    trace = made.trace()
    cycles, closed = analyse(trace), limit_cycle(PARAMETERS, s)
    inside = trace.times <= duration
    reference = solve(PARAMETERS, h, s, duration).sample(trace.times[inside])
    return {
        "error_of_nearest_zero": float(np.abs(cycles.nearest_zero - closed.nearest_zero).max()),
        "relative_error_of_period": float(np.abs(cycles.period / closed.period - 1).max()),
        # Mostly phase: the error of the period, times the cycles so far.
        "largest_error_of_delta": float(np.abs(trace.delta[inside] - reference.delta).max()),
    }


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and the result."""
    begin = time.perf_counter()
    result = action()
    return time.perf_counter() - begin, result


def spread(seconds: list[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


if __name__ == "__main__":
    sys.exit(main())
