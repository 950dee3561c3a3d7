"""Circuits and their events: single units, whole networks, one layer's step, the event queue; each against its peers.

    hebb bench circuit [--rounds 3] [--clock wall|processor] [--only units step] [--json FILE]

Runs what `benchmarks/circuits.py`, `event.py`, `layer_step.py` and `event_queue.py` measure, with jobs that take a few
minutes together; each of them alone has more to choose. Where a package is missing, what needs it is passed over.
"""

import argparse
import importlib
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

CYCLES = 5
# part: packages that it needs
NEEDS = {
    "units": ("numba", "brian2"),
    "network": ("numba", "torch"),
    "step": ("numba", "brian2"),
    "queue": ("numba",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of ``hebb bench circuit``."""
    parser.add_argument("--only", nargs="+", choices=NEEDS, default=list(NEEDS), help="which of them")
    parser.add_argument("--units", type=int, nargs="+", default=[10_000, 100_000], help="single circuits")
    parser.add_argument("--nets", nargs="+", default=["simpnet"], metavar='PRESET|"NOTATION"')
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--events", type=int, default=200_000, help="of the queue")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="the latter on a busy machine")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All that was asked for."""
    from network.errors import BadInput
    from network.spec import NetworkSpec

    if min(options.rounds, options.batch_size, options.events, *options.units) < 1:
        raise BadInput("--rounds, --batch-size, --events and --units: expected 1 or more")
    for net in options.nets:
        NetworkSpec.parse(net, (3, 32, 32), 10)
    found: dict[str, Any] = {"clock": options.clock, "rounds": options.rounds, "skipped": {}}
    for part in options.only:
        missing = [package for package in NEEDS[part] if find_spec(package) is None]
        if missing:
            found["skipped"][part] = f"needs {' and '.join(missing)}"
        else:
            found[part] = MEASURED[part](options)
    return found


def text(figures: dict[str, Any]) -> str:
    """The figures as tables."""
    paragraphs = [f"{figures['clock']} clock, medians of {figures['rounds']} rounds"]
    if "units" in figures:
        first = figures["units"]["first_result"]
        lines = [
            f"Single circuits: a new process has its first result after {first['compiled_before']:.2f} s, "
            f"{first['compiled_anew']:.1f} s where nothing is compiled yet"
        ]
        for compared in figures["units"]["comparisons"]:
            times = ", ".join(f"{times:.1f} times {name}" for name, times in compared["times_faster_than"].items())
            lines.append(f"  {compared['units']} units: {compared['ns_per_event']['exact']:.1f} ns an event; {times}")
        paragraphs.append("\n".join(lines))
    for net, compared in figures.get("network", {}).items():
        speed = compared["images_per_second"]
        paragraphs.append(
            f"Training {net} through circuits: {speed['event']:.0f} images a second, "
            f"{compared['event_over_torch']:.2f} of the torch engine's {speed['torch']:.0f}"
        )
    for part in ("step", "queue"):
        if part in figures:
            paragraphs.append(_module(MODULES[part]).text(figures[part]))
    paragraphs += [f"{part} passed over: {why}" for part, why in figures["skipped"].items()]
    return "\n\n".join(paragraphs)


def _units(options: argparse.Namespace) -> dict[str, Any]:
    job = {"units": max(options.units), "brian_units": options.units, "models": ["lean"], "cycles": CYCLES}
    job |= {"dt": 0.1, "threads": 1, "rounds": options.rounds, "clock": options.clock}
    return _module("circuits").measure_all(argparse.Namespace(**job))


def _network(options: argparse.Namespace) -> dict[str, Any]:
    event = _module("event")
    job = argparse.Namespace(**vars(options), untied=False, dtype="float32")
    return {net: event.compare(net, job) for net in options.nets}


def _step(options: argparse.Namespace) -> dict[str, Any]:
    job = argparse.Namespace(width=500, images=[1, 500], rounds=options.rounds, clock=options.clock)
    return _module("layer_step").measure(job)


def _queue(options: argparse.Namespace) -> dict[str, Any]:
    return _module("event_queue").measure(options)


def _module(name: str) -> Any:
    """Imported when it is asked for: all of them need numba, and some Brian2 or torch."""
    return importlib.import_module(f"benchmarks.{name}")


MODULES = {"step": "layer_step", "queue": "event_queue"}
MEASURED: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "units": _units, "network": _network, "step": _step, "queue": _queue,
}  # fmt: skip
