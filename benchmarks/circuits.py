"""Output-error circuits: the exact solution against Brian2, with the accuracy that each reaches.

    python benchmarks/circuits.py [--out FILE] [--units 1000000] [--brian-units 10000 100000] [--rounds 3]
    hebb bench circuit            this, and the other benchmarks of circuits and events, with smaller jobs

The job: independent circuits, all sufficiently correct, so that each oscillates, for 20 cycles (D/tau 3, epsilon 0.2).
Brian2 runs the package's own circuit and the leanest one that can do this job, both with delayed events and 0.1 ms
steps, in cython and as cpp_standalone. All run in turn, one thread each, and medians of the rounds are reported.
Preparation and compilation are not counted; how long a new process takes from its start to its first result, with
compiled functions on disk and without, is measured by itself. The exact form also runs alone at full size, on all
threads. An event is a threshold crossing, or the arrival of the level that it sends.

What is compared is the same result, the course of these circuits: Brian2 steps to it, and the exact form goes from
event to event, so that its time is the same for any step. With `--clock processor` a program of cpp_standalone is
measured with its loading and saving.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

# Run as a script, Python puts this file's folder first, where `circuits` is this file.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from circuits.cycles import analyse, limit_cycle
from circuits.exact import Measures, measure, solve
from circuits.parameters import OutputError
from circuits.transfer import brian_expression, drive, sigma_delta, sigma_t

ROOT = Path(__file__).resolve().parents[1]
PARAMETERS = OutputError()


def main() -> int:
    """Run the benchmark; print its figures, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--out", type=Path, help="write the figures here too")
    options = parser.parse_args()
    text = json.dumps(measure_all(options), indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this benchmark."""
    parser.add_argument("--units", type=int, default=1_000_000, help="circuits of the exact form's own run")
    parser.add_argument(
        "--brian-units", type=int, nargs="*", default=[100_000], help="circuits of the comparisons; none for none"
    )
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="of Brian2")
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--dt", type=float, default=0.1, help="Brian2's time step, ms")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2, help="of the exact form's own run")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="processor time on a busy machine")


def measure_all(options: argparse.Namespace) -> dict[str, Any]:
    """All that this benchmark measures."""
    return {
        "options": {name: value for name, value in vars(options).items() if name in OPTIONS},
        "first_result": first_result(options),
        "exact": run_exact(options),
        "comparisons": [compare(units, options) for units in options.brian_units],
    }


def first_result(options: argparse.Namespace) -> dict[str, float]:
    """Seconds from the start of a process to the measures of 10 circuits, compiled functions being on disk or not."""
    code = (
        "from circuits.exact import measure; from circuits.parameters import OutputError; "
        "print(measure(OutputError(), [2.0] * 10, [1.0] * 10, 1.0).nearest_zero[0])"
    )
    command = [sys.executable, "-c", code]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder, "PYTHONPATH": str(ROOT)}
        for name, times in (("compiled_anew", 1), ("compiled_before", options.rounds)):
            action = partial(subprocess.run, command, check=True, capture_output=True, env=environment)
            found[name] = statistics.median(timed(action, options.clock)[0] for _ in range(times))
    return found


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
        elapsed, found = timed(lambda: exact(h, s, duration, options.threads), options.clock)
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


def compare(units: int, options: argparse.Namespace) -> dict[str, Any]:
    """All on the same job of so many units, in turn."""
    import brian2

    brian2.defaultclock.dt = options.dt * brian2.ms
    h, s, duration = job(units, options.cycles)
    events = int(exact(h, s, duration, 1).events.sum())
    final: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        runs = {"exact": lambda: timed(lambda: exact(h, s, duration, 1), options.clock)[0]}
        for model in options.models:
            make, of_model = MODELS[model], f"{NAMES[model]} circuit"
            program = prepare_standalone(make, h, s, duration, Path(folder) / model)
            cython, standalone = f"cython, {of_model}", f"cpp_standalone, {of_model}"
            runs[cython] = partial(run_cython, make, h, s, duration, options.clock, final, cython)
            runs[standalone] = partial(run_standalone, program, options.clock, final, standalone)
        brian2.prefs.codegen.target = "cython"
        rounds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(options.rounds):
            for name, run in runs.items():
                rounds[name].append(run())
    medians = {name: statistics.median(seconds) for name, seconds in rounds.items()}
    first = next(iter(final.values()))
    return {
        "units": units,
        "events": events,
        "seconds": {name: spread(seconds) for name, seconds in rounds.items()},
        "ns_per_event": {name: 1e9 * median / events for name, median in medians.items()},
        "times_faster_than": {name: medians[name] / medians["exact"] for name in final},
        "largest_difference_of_brian_runs_at_the_end": max(
            float(np.abs(delta - first).max()) for delta in final.values()
        ),
        "brian_accuracy": brian_accuracy(duration),
    }


def package_circuit(h: np.ndarray, s: np.ndarray) -> tuple[Any, Any]:
    """The package's own circuit, for any τ, delay and noise of each unit: its error units, and a network."""
    import brian2

    from circuits.brian import OutputErrorCircuit

    made = OutputErrorCircuit(h, s, PARAMETERS, record=False)
    return made["error"], brian2.Network(made)


def lean_circuit(h: np.ndarray, s: np.ndarray) -> tuple[Any, Any]:
    """The least that Brian2 needs for this job: one τ, one group, and events that switch tc between 0 and s."""
    import brian2

    p = PARAMETERS
    units = brian2.NeuronGroup(
        h.size,
        f"""
        ddelta/dt = (level - delta) / tau : 1
        level = {brian_expression(sigma_delta, H=brian_expression(drive))} : 1 (constant over dt)
        tc : 1
        last : 1
        h : 1 (constant)
        s : 1 (constant)
        """,
        method="exponential_euler",
        events={"change": f"{brian_expression(sigma_t)} != last"},
        namespace={name: getattr(p, name) for name in ("M", "S", "mu", "epsilon")}
        | {"tau": p.tau * brian2.second, "upper": p.t_upper, "lower": p.t_lower},
        name="lean*",
    )
    units.run_on_event("change", f"last = {brian_expression(sigma_t)}")
    units.h, units.s = h, s
    loop = brian2.Synapses(
        units, units, on_pre="tc_post = s_post - tc_post", on_event="change", delay=p.delay * brian2.second
    )
    loop.connect(j="i")
    return units, brian2.Network(units, loop)


MODELS = {"package": package_circuit, "lean": lean_circuit}
NAMES = {"package": "the package's", "lean": "a lean"}
Make = Callable[[np.ndarray, np.ndarray], tuple[Any, Any]]


def run_cython(
    make: Make, h: np.ndarray, s: np.ndarray, duration: float, clock: str, final: dict[str, np.ndarray], name: str
) -> float:
    """Seconds for the run without its preparation; δ at the end, (units,), is put into `final`."""
    import brian2

    units, network = make(h, s)
    network.run(0 * brian2.second, namespace={})  # generates and compiles, or loads
    seconds, _ = timed(lambda: network.run(duration * brian2.second, namespace={}), clock)
    final[name] = np.array(units.delta)
    return seconds


def prepare_standalone(make: Make, h: np.ndarray, s: np.ndarray, duration: float, folder: Path) -> tuple[Path, str]:
    """Build the program in `folder`; returns that and the name under which it saves δ."""
    import brian2

    brian2.set_device("cpp_standalone", build_on_run=False)
    device: Any = brian2.get_device()
    units, network = make(h, s)
    network.run(duration * brian2.second, namespace={})
    device.build(directory=str(folder), compile=True, run=False)
    device.reinit()
    brian2.set_device("runtime")
    return folder, f"_array_{units.name}_delta_*"


def run_standalone(program: tuple[Path, str], clock: str, final: dict[str, np.ndarray], name: str) -> float:
    """Seconds that the program counts for its steps, or its processor time; δ at the end is put into `final`."""
    folder, saved = program
    seconds, _ = timed(lambda: subprocess.run(["./main"], cwd=folder, check=True, capture_output=True), clock)
    final[name] = np.fromfile(next((folder / "results").glob(saved)))
    counted = float((folder / "results" / "last_run_info.txt").read_text().split()[0])
    return counted if clock == "wall" else seconds


def brian_accuracy(duration: float) -> dict[str, float]:
    """What Brian2's step costs in accuracy: one unit of either kind against its closed form and exact solution."""
    import brian2

    from circuits.brian import OutputErrorCircuit

    h, s = np.array([2.0, -2.0]), np.array([1.0, -1.0])
    made = OutputErrorCircuit(h, s, PARAMETERS)
    brian2.Network(made).run(duration * brian2.second, namespace={})
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


def processor_time() -> float:
    """Of this process, and of those that it has started and that have ended; seconds."""
    of_others = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + of_others.ru_utime + of_others.ru_stime


CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "processor": processor_time}
OPTIONS = ("units", "brian_units", "models", "cycles", "dt", "rounds", "threads", "clock")


def timed(action: Callable[[], Any], clock: str) -> tuple[float, Any]:
    """Seconds, and the result."""
    begin = CLOCKS[clock]()
    result = action()
    return CLOCKS[clock]() - begin, result


def spread(seconds: list[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


if __name__ == "__main__":
    sys.exit(main())
